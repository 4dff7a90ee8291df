"""What the lab's AWS asks for things: prices by region, which the Price List, Spot history and bills read.

Fixture data: nothing here is known to the product, and a story may write other prices
(`stage.aws.area(PriceTable)`); `drawn_prices` gives ones at random. Prices are of the size that AWS's public
list has (us-east-1 and eu-central-1, Linux, shared hardware), the fixtures' own where a scenario names them.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from aiops_lab.instance_types import TYPES, InstanceType
from aiops_lab.places import REGION

FURTHER: Final = "eu-central-1"
REGIONS: Final = (REGION, FURTHER)
_MICRO = Decimal("0.000001")

# USD an hour for one vCPU of a family; its sizes cost in proportion.
_PER_CPU: Mapping[str, Mapping[str, str]] = {
    REGION: {
        "c5": "0.0425",
        "c6i": "0.0425",
        "c7i": "0.044625",
        "c6g": "0.034",
        "c7g": "0.03625",
        "m5": "0.048",
        "m6i": "0.048",
        "m7i": "0.0504",
        "m6g": "0.0385",
        "m7g": "0.0408",
        "r5": "0.063",
        "r6i": "0.063",
        "r7i": "0.06615",
        "r6g": "0.0504",
        "r7g": "0.05355",
        "m4": "0.05",
        "c4": "0.05",
        "g5": "0.2515",
    },
    FURTHER: {
        "c5": "0.0485",
        "c6i": "0.0485",
        "c7i": "0.050925",
        "c6g": "0.0388",
        "c7g": "0.04135",
        "m5": "0.0575",
        "m6i": "0.0575",
        "m7i": "0.060375",
        "m6g": "0.046",
        "m7g": "0.0489",
        "r5": "0.076",
        "r6i": "0.076",
        "r7i": "0.0798",
        "r6g": "0.0608",
        "r7g": "0.06465",
        "m4": "0.06",
        "c4": "0.057",
        "g5": "0.3144",
    },
}
_BURSTABLE = {  # USD an hour for one GiB
    REGION: {"t3": "0.0104", "t4g": "0.0084"},
    FURTHER: {"t3": "0.012", "t4g": "0.0096"},
}
# Spot prices as a share of on-demand: what lies between is drawn by the type's name.
_SPOT_SHARE = (Decimal("0.30"), Decimal("0.62"))
_SPOT: Mapping[str, str] = {"r5.2xlarge": "0.252"}

Tiers = tuple[tuple[str, str], ...]  # where a tier begins, in units, and the price of one unit


@dataclass(frozen=True, slots=True)
class Service:
    """A product of the Price List besides machines. `usage` is its usage type without the region's prefix."""

    code: str
    usage: str
    unit: str
    tiers: Tiers
    family: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    prefixed: bool = True  # whether us-east-1 writes its prefix too; elsewhere it always stands
    traffic: str = ""  # a transfer type: its region stands in fromRegionCode


def _one(price: str) -> Tiers:
    return (("0", price),)


def _volume(name: str, price: str) -> Service:
    usage = f"EBS:VolumeUsage.{'piops' if name == 'io1' else name}"
    return Service(
        "AmazonEC2", usage, "GB-Mo", _one(price), "Storage", {"volumeApiName": name}, prefixed=False
    )


def _balancer(family: str, usage: str, unit: str, price: str) -> Service:
    return Service("AWSELB", usage, unit, _one(price), family, prefixed=False)


# A name of the lab's own -> the product; prices of us-east-1.
SERVICES: Mapping[str, Service] = {
    "eks": Service("AmazonEKS", "AmazonEKS-Hours:perCluster", "Hours", _one("0.10"), "Compute"),
    "eks extended": Service("AmazonEKS", "AmazonEKS-Hours:extendedSupport", "Hours", _one("0.50"), "Compute"),
    "fargate cpu": Service("AmazonEKS", "Fargate-vCPU-Hours:perCPU", "hours", _one("0.04048"), "Compute"),
    "fargate gb": Service("AmazonEKS", "Fargate-GB-Hours", "hours", _one("0.004445"), "Compute"),
    "fargate arm cpu": Service(
        "AmazonEKS", "Fargate-ARM-vCPU-Hours:perCPU", "hours", _one("0.03238"), "Compute"
    ),
    "gp2": _volume("gp2", "0.10"),
    "gp3": _volume("gp3", "0.08"),
    "io1": _volume("io1", "0.125"),
    "io2": _volume("io2", "0.125"),
    "st1": _volume("st1", "0.045"),
    "sc1": _volume("sc1", "0.015"),
    "gp3 iops": Service(
        "AmazonEC2",
        "EBS:VolumeP-IOPS.gp3",
        "IOPS-Mo",
        _one("0.005"),
        "System Operation",
        {"volumeApiName": "gp3"},
        prefixed=False,
    ),
    "gp3 throughput": Service(
        "AmazonEC2",
        "EBS:VolumeP-Throughput.gp3",
        "GiBps-mo",
        _one("40.96"),
        "Provisioned Throughput",
        {"volumeApiName": "gp3"},
        prefixed=False,
    ),
    "io1 iops": Service(
        "AmazonEC2",
        "EBS:VolumeP-IOPS.piops",
        "IOPS-Mo",
        _one("0.065"),
        "System Operation",
        {"volumeApiName": "io1"},
        prefixed=False,
    ),
    "io2 iops": Service(
        "AmazonEC2",
        "EBS:VolumeP-IOPS.io2",
        "IOPS-Mo",
        _one("0.065"),
        "System Operation",
        {"volumeApiName": "io2"},
        prefixed=False,
    ),
    "snapshots": Service(
        "AmazonEC2", "EBS:SnapshotUsage", "GB-Mo", _one("0.05"), "Storage Snapshot", prefixed=False
    ),
    "efs": Service(
        "AmazonEFS",
        "TimedStorage-ByteHrs",
        "GB-Mo",
        _one("0.30"),
        "Storage",
        {"storageClass": "General Purpose"},
    ),
    "efs ia": Service(
        "AmazonEFS",
        "IATimedStorage-ByteHrs",
        "GB-Mo",
        _one("0.025"),
        "Storage",
        {"storageClass": "Infrequent Access"},
    ),
    "nat": Service("AmazonEC2", "NatGateway-Hours", "Hrs", _one("0.045"), "NAT Gateway", prefixed=False),
    "nat gb": Service("AmazonEC2", "NatGateway-Bytes", "GB", _one("0.045"), "NAT Gateway", prefixed=False),
    "cross az": Service(
        "AWSDataTransfer",
        "DataTransfer-Regional-Bytes",
        "GB",
        _one("0.01"),
        "Data Transfer",
        prefixed=False,
        traffic="IntraRegion",
    ),
    "internet": Service(
        "AWSDataTransfer",
        "DataTransfer-Out-Bytes",
        "GB",
        (("0", "0.09"), ("10240", "0.085"), ("51200", "0.07"), ("153600", "0.05")),
        "Data Transfer",
        {"toLocation": "External"},
        prefixed=False,
        traffic="AWS Outbound",
    ),
    "inter region": Service(
        "AWSDataTransfer",
        "AWS-Out-Bytes",
        "GB",
        _one("0.02"),
        "Data Transfer",
        traffic="InterRegion Outbound",
    ),
    "alb": _balancer("Load Balancer-Application", "LoadBalancerUsage", "Hrs", "0.0225"),
    "alb lcu": _balancer("Load Balancer-Application", "LCUUsage", "LCU-Hrs", "0.008"),
    "alb reserved lcu": _balancer("Load Balancer-Application", "ReservedLCUUsage", "LCU-Hrs", "0.008"),
    "nlb": _balancer("Load Balancer-Network", "LoadBalancerUsage", "Hrs", "0.0225"),
    "nlb lcu": _balancer("Load Balancer-Network", "LCUUsage", "LCU-Hrs", "0.006"),
    "clb": _balancer("Load Balancer", "LoadBalancerUsage", "Hrs", "0.025"),
    "clb gb": _balancer("Load Balancer", "DataProcessing-Bytes", "GB", "0.008"),
    "trust store": _balancer("Load Balancer-Application", "TS-LoadBalancerUsage", "Hrs", "0.0056"),
    "ipv4": Service("AmazonVPC", "PublicIPv4:InUseAddress", "Hrs", _one("0.005")),
    "ipv4 idle": Service("AmazonVPC", "PublicIPv4:IdleAddress", "Hrs", _one("0.005")),
    "logs": Service("AmazonCloudWatch", "DataProcessing-Bytes", "GB", _one("0.50"), "Data Payload"),
    "logs ia": Service("AmazonCloudWatch", "DataProcessingIA-Bytes", "GB", _one("0.25"), "Data Payload"),
    "logs vended": Service(
        "AmazonCloudWatch",
        "VendedLog-Bytes",
        "GB",
        (("0", "0.50"), ("10240", "0.25"), ("30720", "0.10"), ("51200", "0.05")),
        "Data Payload",
    ),
    "logs storage": Service(
        "AmazonCloudWatch", "TimedStorage-ByteHrs", "GB-Mo", _one("0.03"), "Storage Snapshot", prefixed=False
    ),
    "logs scanned": Service("AmazonCloudWatch", "DataScanned-Bytes", "GB", _one("0.005"), "Data Payload"),
    "metrics": Service(
        "AmazonCloudWatch",
        "CW:MetricMonitorUsage",
        "Metrics",
        (("0", "0.30"), ("10000", "0.10"), ("250000", "0.05"), ("1000000", "0.02")),
        "Metric",
        prefixed=False,
    ),
    "alarms": Service(
        "AmazonCloudWatch", "CW:AlarmMonitorUsage", "Alarms", _one("0.10"), "Alarm", prefixed=False
    ),
    "amp samples": Service(
        "AmazonPrometheus",
        "AMP:MetricSampleCount",
        "Metric Samples",
        (
            ("0", "0.00000009"),
            ("2000000000", "0.000000035"),
            ("252000000000", "0.000000016"),
        ),
        "Metric",
    ),
    "amp query": Service(
        "AmazonPrometheus", "AMP:QuerySamplesProcessed", "Metric Samples", _one("0.0000000001"), "Metric"
    ),
    "amp storage": Service("AmazonPrometheus", "AMP:MetricStorageByteHrs", "GB-Mo", _one("0.03"), "Metric"),
}
_ELSEWHERE = Decimal("1.19")  # what a service costs in the further region, as a multiple


@dataclass(slots=True)
class PriceTable:
    """The prices of the lab's AWS: by region, then type or service (`SERVICES`); decimals, USD."""

    hours: dict[str, dict[str, Decimal]] = field(
        default_factory=lambda: {region: dict(_hours(region)) for region in REGIONS}
    )
    spot_means: dict[str, dict[str, Decimal]] = field(
        default_factory=lambda: {region: dict(_spot_means(region)) for region in REGIONS}
    )
    services: dict[str, dict[str, Tiers]] = field(
        default_factory=lambda: {region: _services(region) for region in REGIONS}
    )

    def hour(self, instance_type: str, region: str = REGION) -> Decimal:
        """On-demand USD an hour. Raises KeyError for what the region does not sell."""
        return self.hours[region][instance_type]

    def spot_mean(self, instance_type: str, region: str = REGION) -> Decimal:
        """Mean Spot USD an hour over a whole week, in every zone. Raises as `hour`."""
        return self.spot_means[region][instance_type]

    def service(self, name: str, region: str = REGION) -> Decimal:
        """USD for a unit in the first tier. Raises KeyError for a name that is not in `SERVICES`."""
        return Decimal(self.services[region][name][0][1])


def drawn_prices(seed: int) -> PriceTable:
    """Other prices for everything, reproducibly: on-demand, Spot below it, services."""
    draw = random.Random(f"prices {seed}")
    table = PriceTable()
    for region in REGIONS:
        for name, price in table.hours[region].items():
            hour = (price * Decimal(draw.randint(400, 2500)) / 1000).quantize(Decimal("0.0001"))
            table.hours[region][name] = hour
            share = Decimal(draw.randint(100, 950)) / 1000
            table.spot_means[region][name] = (hour * share).quantize(_MICRO)
        for name, tiers in table.services[region].items():
            factor = Decimal(draw.randint(300, 3000)) / 1000
            table.services[region][name] = _times(tiers, factor)
    return table


def _hours(region: str) -> Iterator[tuple[str, Decimal]]:
    for one in TYPES.values():
        yield one.name, _hour(one, region)


def _hour(one: InstanceType, region: str) -> Decimal:
    if one.family in _BURSTABLE[region]:
        return Decimal(_BURSTABLE[region][one.family]) * Decimal(repr(one.memory_gib))
    return Decimal(_PER_CPU[region][one.family]) * one.cpus


def _spot_means(region: str) -> Iterator[tuple[str, Decimal]]:
    least, most = _SPOT_SHARE
    for one in TYPES.values():
        share = least + (most - least) * random.Random(f"{region} {one.name}").randint(0, 100) / 100
        named = _SPOT.get(one.name) if region == REGION else None
        yield one.name, Decimal(named) if named else (_hour(one, region) * share).quantize(_MICRO)


def _services(region: str) -> dict[str, Tiers]:
    factor = Decimal(1) if region == REGION else _ELSEWHERE
    return {name: _times(one.tiers, factor) for name, one in SERVICES.items()}


def _times(tiers: Tiers, factor: Decimal) -> Tiers:
    return tuple((begin, f"{(Decimal(price) * factor).normalize():f}") for begin, price in tiers)
