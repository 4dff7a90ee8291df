"""A cluster's bill as what can be attributed: instances by type, Fargate, volumes, logs, everything else.

Called by the own allocation with a bill by SERVICE and USAGE_TYPE. Nothing is left out: what is of no known
kind is a row of its own, under a name that a person recognises.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.usage_types import instance_type, on_spot, plain


class Of(StrEnum):
    """What a charge is for."""

    INSTANCES = "instances"
    FARGATE_CPU = "fargate cpu"
    FARGATE_MEMORY = "fargate memory"
    VOLUMES = "volumes"
    LOGS = "logs"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Charge:
    """One part of a bill: `amount` in billionths. `label` names the row of what is no workload's.

    `quantity`: hours of instances, GB-months of volumes; 0 where the bill does not say it.
    """

    of: Of
    label: str
    amount: int
    quantity: float = 0.0
    instance_type: str = ""
    spot: bool = False


# The beginning of a usage type without its region, or of a service's name: the row's name.
_LABELS = (
    ("AmazonEKS-Hours", "control plane"),
    ("NatGateway", "NAT gateways"),
    ("LoadBalancerUsage", "load balancers"),
    ("LCUUsage", "load balancers"),
    ("DataTransfer", "data transfer"),
    ("EBS:Snapshot", "snapshots"),
    ("EBS:", "volume performance"),
    ("PublicIPv4", "public addresses"),
    ("CW:", "metrics and alarms"),
    ("AMP:", "managed Prometheus"),
    ("ComputeSP", "commitments"),
    ("EC2SP", "commitments"),
    ("CPUCredits", "CPU credits"),
)
_COUNTED = ("BoxUsage", "SpotUsage", "DedicatedUsage")  # a reservation's fee has hours of the same instances
_LOGS = ("DataProcessing", "VendedLog", "TimedStorage")


def charges_of(bill: Bill) -> Iterator[Charge]:
    """The charges of a bill by SERVICE and USAGE_TYPE; they sum to it."""
    merged: dict[tuple[Of, str, str, bool], tuple[int, float]] = {}
    amounts = bill.of_keys()
    for place, (service, usage) in enumerate(bill.keys):
        key = charge_kind(service, usage)
        counted = plain(usage).startswith(_COUNTED) or key[0] is Of.VOLUMES
        quantity = float(bill.quantities[:, place].sum()) if counted else 0.0
        amount, before = merged.get(key, (0, 0.0))
        merged[key] = amount + amounts[place], before + (quantity if math.isfinite(quantity) else 0.0)
    for (of, label, kind, spot), (amount, quantity) in merged.items():
        yield Charge(of, label, amount, quantity, kind, spot)


def charge_kind(service: str, usage: str) -> tuple[Of, str, str, bool]:
    """What a line is for, its label, instance type, and whether that is Spot."""
    word = plain(usage)
    found = instance_type(usage)
    if found:
        return Of.INSTANCES, "instances", found, on_spot(usage)
    if "Fargate-vCPU" in word:
        return Of.FARGATE_CPU, "Fargate", "", False
    if "Fargate-GB" in word:
        return Of.FARGATE_MEMORY, "Fargate", "", False
    if word.startswith("EBS:VolumeUsage"):
        return Of.VOLUMES, "node disks", "", False
    if "CloudWatch" in service and word.startswith(_LOGS):
        return Of.LOGS, "logs", "", False
    named = (label for start, label in _LABELS if word.startswith(start))
    return Of.OTHER, next(named, service.removeprefix("Amazon ").removeprefix("AWS ") or "unnamed"), "", False
