"""EC2's volumes, snapshots, addresses and endpoints, as a story says (`stage.aws.area(Spare)`).

moto has operations of these names, but none of the world's ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, VPC_ID, Account
from aiops_lab.aws.ec2_asking import filtered, in_pages
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.places import REGION

_VOLUME_FILTERS = {
    "volume-id": "VolumeId",
    "status": "State",
    "volume-type": "VolumeType",
    "availability-zone": "AvailabilityZone",
    "attachment.status": "Attachments.State",
}
_SNAPSHOT_FILTERS = {"owner-id": "OwnerId", "status": "State", "volume-id": "VolumeId"}
_ENDPOINT_FILTERS = {"vpc-id": "VpcId", "service-name": "ServiceName", "vpc-endpoint-state": "State"}
_ADDRESS_FILTERS = {"domain": "Domain", "public-ip": "PublicIp", "allocation-id": "AllocationId"}


@dataclass(frozen=True, slots=True)
class SpareVolume:
    """A volume that stands in the account. `instance`: what it hangs on, empty: nothing."""

    volume_id: str
    kind: str
    gib: int
    iops: int = 0
    mibps: int = 0
    instance: str = ""
    age_days: float = 60.0
    zone: str = "us-east-1a"
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SpareSnapshot:
    """A snapshot; EBS says its volume's size, not its own."""

    snapshot_id: str
    volume_id: str
    gib: int
    age_days: float
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Spare:
    """What stands in the account."""

    volumes: tuple[SpareVolume, ...] = ()
    snapshots: tuple[SpareSnapshot, ...] = ()
    addresses: tuple[tuple[str, str], ...] = ()  # allocation, address: of nothing
    endpoints: tuple[str, ...] = ()  # names of services: s3, ecr.dkr


def ec2_storage_operations(account: Account) -> Operations:
    """The operations of service `ec2` about storage and endpoints, bound to one account."""
    served = {
        "DescribeVolumes": describe_volumes,
        "DescribeSnapshots": describe_snapshots,
        "DescribeAddresses": describe_addresses,
        "DescribeVpcEndpoints": describe_vpc_endpoints,
    }
    return {("ec2", name): partial(act, account) for name, act in served.items()}


def describe_volumes(account: Account, call: Call) -> Mapping[str, Any]:
    """Volumes by id and filter. Raises AwsError InvalidVolume.NotFound."""
    rows = [_volume(account, one) for one in account.area(Spare).volumes] if call.region == REGION else []
    wanted = call.params.get("VolumeIds") or []
    known = {row["VolumeId"] for row in rows}
    for volume_id in wanted:
        if volume_id not in known:
            raise AwsError("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")
    held = [row for row in rows if not wanted or row["VolumeId"] in wanted]
    return in_pages("Volumes", filtered(held, call, _VOLUME_FILTERS), call)


def _volume(account: Account, one: SpareVolume) -> dict[str, Any]:
    row: dict[str, Any] = {
        "VolumeId": one.volume_id,
        "VolumeType": one.kind,
        "Size": one.gib,
        "State": "in-use" if one.instance else "available",
        "AvailabilityZone": one.zone,
        "CreateTime": account.now() - timedelta(days=one.age_days),
        "Encrypted": True,
        "Attachments": [],
        "Tags": [{"Key": key, "Value": value} for key, value in one.tags],
    }
    if one.instance:
        row["Attachments"] = [
            {
                "InstanceId": one.instance,
                "State": "attached",
                "VolumeId": one.volume_id,
                "Device": "/dev/xvdb",
            }
        ]
    gp2 = min(16_000, max(100, 3 * one.gib))
    iops = {"gp2": gp2, "gp3": one.iops or 3000}.get(one.kind, one.iops)
    more = {"Iops": iops} if iops else {}
    return row | more | ({"Throughput": one.mibps or 125} if one.kind == "gp3" else {})


def describe_snapshots(account: Account, call: Call) -> Mapping[str, Any]:
    """The account's own snapshots."""
    rows = [
        {
            "SnapshotId": one.snapshot_id,
            "VolumeId": one.volume_id,
            "VolumeSize": one.gib,
            "State": "completed",
            "Progress": "100%",
            "OwnerId": ACCOUNT_ID,
            "StartTime": account.now() - timedelta(days=one.age_days),
            "StorageTier": "standard",
            "Tags": [{"Key": key, "Value": value} for key, value in one.tags],
        }
        for one in account.area(Spare).snapshots
    ]
    return in_pages(
        "Snapshots", filtered(rows if call.region == REGION else [], call, _SNAPSHOT_FILTERS), call
    )


def describe_addresses(account: Account, call: Call) -> Mapping[str, Any]:
    """Elastic addresses that nothing holds."""
    rows = [
        {"AllocationId": allocation, "PublicIp": address, "Domain": "vpc", "Tags": []}
        for allocation, address in account.area(Spare).addresses
    ]
    return {"Addresses": filtered(rows if call.region == REGION else [], call, _ADDRESS_FILTERS)}


def describe_vpc_endpoints(account: Account, call: Call) -> Mapping[str, Any]:
    """The VPC's endpoints."""
    rows = [
        {
            "VpcEndpointId": f"vpce-0lab{place}",
            "VpcEndpointType": "Gateway" if name in {"s3", "dynamodb"} else "Interface",
            "VpcId": VPC_ID,
            "ServiceName": f"com.amazonaws.{REGION}.{name}",
            "State": "available",
        }
        for place, name in enumerate(account.area(Spare).endpoints)
    ]
    return in_pages(
        "VpcEndpoints", filtered(rows if call.region == REGION else [], call, _ENDPOINT_FILTERS), call
    )
