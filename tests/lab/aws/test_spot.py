"""Spot prices of the lab, with real botocore: one contract test per operation, and what a mean comes to."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.lab.aws.conftest import T0, RunningAws

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
WEEK = timedelta(days=7)


def history(
    client: Any, name: str, zone: str, start: datetime, end: datetime
) -> list[tuple[datetime, Decimal]]:
    pages = client.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=[name],
        ProductDescriptions=["Linux/UNIX"],
        StartTime=start,
        EndTime=end,
        Filters=[{"Name": "availability-zone", "Values": [zone]}],
        PaginationConfig={"PageSize": 20},
    )
    rows = pages.build_full_result()["SpotPriceHistory"]
    return sorted((row["Timestamp"].astimezone(UTC), Decimal(row["SpotPrice"])) for row in rows)


def mean(changes: list[tuple[datetime, Decimal]], start: datetime, end: datetime) -> Decimal:
    total = Decimal(0)
    for (at, price), (until, _) in pairwise([*changes, (end, Decimal(0))]):
        total += price * Decimal((until - max(at, start)).total_seconds())
    return total / Decimal((end - start).total_seconds())


def test_the_price_varies_with_time_zone_and_type_around_a_mean_that_a_week_has(aws: RunningAws) -> None:
    client = aws.client("ec2")
    seen = set()
    for zone in ZONES:
        changes = history(client, "r5.2xlarge", zone, T0 - WEEK, T0)
        assert changes[0][0] < T0 - WEEK < changes[1][0], "the price that held when the window began"
        assert mean(changes, T0 - WEEK, T0) == Decimal("0.252")
        assert len({price for _, price in changes}) > 10
        seen.add(tuple(changes))
    assert len(seen) == 3
    odd = T0 - timedelta(days=20, hours=5, minutes=13)
    assert mean(history(client, "r5.2xlarge", "us-east-1a", odd - WEEK, odd), odd - WEEK, odd) == Decimal(
        "0.252"
    )
    two_days = T0 - timedelta(days=2)
    short = history(client, "r5.2xlarge", "us-east-1a", two_days, T0)
    assert mean(short, two_days, T0) != Decimal("0.252")
    other = history(client, "m5.xlarge", "us-east-1a", T0 - WEEK, T0)
    assert mean(other, T0 - WEEK, T0) < Decimal("0.192")


def test_history_is_asked_by_system_region_and_type(aws: RunningAws) -> None:
    client = aws.client("ec2")
    rows = client.describe_spot_price_history(StartTime=T0 - timedelta(hours=1), InstanceTypes=["c5.large"])
    assert {row["ProductDescription"] for row in rows["SpotPriceHistory"]} == {"Linux/UNIX", "Windows"}
    times = [row["Timestamp"] for row in rows["SpotPriceHistory"]]
    assert times == sorted(times, reverse=True)
    unknown = client.describe_spot_price_history(StartTime=T0 - WEEK, InstanceTypes=["m5.nothing"])
    assert unknown["SpotPriceHistory"] == []
    far = aws.client("ec2", region_name="eu-central-1")
    found = far.describe_spot_price_history(StartTime=T0, InstanceTypes=["c5.large"])["SpotPriceHistory"]
    assert {row["AvailabilityZone"][:-1] for row in found} == {"eu-central-1"}
    assert max(row["Timestamp"] for row in found) <= T0, "nothing of a time that has not come"


def test_placement_scores_fall_with_few_types_and_much_capacity(aws: RunningAws) -> None:
    client = aws.client("ec2")
    several = ["c5.large", "m5.large", "r5.large", "m6i.large"]
    many = client.get_spot_placement_scores(InstanceTypes=several, TargetCapacity=10)["SpotPlacementScores"]
    few = client.get_spot_placement_scores(InstanceTypes=["m5.large"], TargetCapacity=10)[
        "SpotPlacementScores"
    ]
    much = client.get_spot_placement_scores(InstanceTypes=several, TargetCapacity=4000)["SpotPlacementScores"]
    assert max(one["Score"] for one in few) <= 3 < max(one["Score"] for one in many)
    assert max(one["Score"] for one in much) < max(one["Score"] for one in many)
    zones = client.get_spot_placement_scores(
        InstanceTypes=several, TargetCapacity=10, SingleAvailabilityZone=True, RegionNames=["us-east-1"]
    )["SpotPlacementScores"]
    assert {one["AvailabilityZoneId"] for one in zones} == {"use1-az1", "use1-az2", "use1-az3"}
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        client.get_spot_placement_scores(InstanceTypes=["m5.nothing"], TargetCapacity=1)


def test_types_say_what_they_hold_and_which_processor_they_have(aws: RunningAws) -> None:
    client = aws.client("ec2")

    def ask(**filters: str) -> dict[str, Any]:
        asked = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
        pages = client.get_paginator("describe_instance_types").paginate(Filters=asked)
        return {one["InstanceType"]: one for one in pages.build_full_result()["InstanceTypes"]}

    found = ask(instance_type="r5.*")
    assert set(found) == {f"r5.{size}" for size in ("large", "xlarge")} | {
        f"r5.{many}xlarge" for many in (2, 4, 8, 12, 16, 24)
    }
    big = found["r5.24xlarge"]
    assert (big["VCpuInfo"]["DefaultVCpus"], big["MemoryInfo"]["SizeInMiB"]) == (96, 768 * 1024)
    assert big["ProcessorInfo"]["SupportedArchitectures"] == ["x86_64"]
    (arm,) = ask(instance_type="m7g.2xlarge").values()
    assert arm["ProcessorInfo"]["SupportedArchitectures"] == ["arm64"]
    assert set(ask(current_generation="false")) == {"m4.large", "c4.large"}
    (gpu,) = ask(instance_type="g5.xlarge").values()
    assert gpu["GpuInfo"]["Gpus"][0]["Count"] == 1
    assert ask(instance_type="m5.nothing") == {}
