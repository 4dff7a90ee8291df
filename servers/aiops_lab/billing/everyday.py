"""The bill of the common world: six m5.xlarge, a control plane, disks, a NAT gateway, logs and a little more.

What an account's ledger holds until a scenario writes its own. About 48 USD a day; traffic follows the week.
"""

from datetime import date
from functools import cache

from aiops_lab.billing.fleets import ECR, S3, Kit
from aiops_lab.billing.lines import Line, Quantity
from aiops_lab.billing.quantities import flat, hours, monthly, noisy
from aiops_lab.places import CLUSTER

NODES, A_ZONE = 6, 2


def weekly(amount: float, weekend: float, seed: int) -> Quantity:
    """Less on Saturdays and Sundays, and a little off each day."""

    def of_day(day: date) -> float:
        return amount * (weekend if day.weekday() >= 5 else 1.0)

    return noisy(of_day, 0.05, seed)


@cache
def everyday(cluster: str = CLUSTER) -> tuple[Line, ...]:
    """The lines; the same tuple every time, so that its columns are computed once."""
    kit = Kit(cluster, tags={"team": "platform"})
    return (
        *(kit.nodes("m5.xlarge", "0.192", hours(A_ZONE), zone=zone) for zone in "abc"),
        kit.control_plane(),
        kit.disks(NODES * 80 + 120),
        *kit.nat(weekly(60, 0.6, 1)),
        *kit.cross_zone(weekly(90, 0.6, 2)),
        kit.internet(weekly(25, 0.6, 3)),
        kit.load_balancer(2),
        kit.logs(weekly(9, 0.7, 4)),
        kit.log_storage(140),
        kit.metrics(220),
        kit.other(ECR, "TimedStorage-ByteHrs", "0.10", monthly(45), "GB-Mo"),
        kit.other(S3, "TimedStorage-ByteHrs", "0.023", monthly(600), "GB-Mo"),
        kit.other("AWS Key Management Service", "KMS-Keys", "1.00", monthly(4), "Keys"),
        kit.other("AWS Cost Explorer", "API-Request", "0.01", flat(3), "Requests"),
    )
