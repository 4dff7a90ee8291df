"""EC2, as far as subnets go: how many addresses are left where the pods live.

moto's subnets have ids of its own making and one set for the whole process; a scenario needs known ids and a
count it can set.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, VPC_ID, Account, Subnet
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations


def ec2_operations(account: Account) -> Operations:
    """The operations of service `ec2`, bound to one account."""
    return {
        ("ec2", "DescribeSubnets"): partial(describe_subnets, account),
        ("ec2", "DescribeVpcs"): partial(describe_vpcs, account),
    }


def describe_subnets(account: Account, call: Call) -> Mapping[str, Any]:
    """Subnets by id and filter. Raises AwsError InvalidSubnetID.NotFound."""
    held = account.subnets if call.region == REGION else {}
    wanted = call.params.get("SubnetIds") or list(held)
    for subnet_id in wanted:
        if subnet_id not in held:
            raise AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist")
    rows = [_subnet(account, held[subnet_id]) for subnet_id in wanted]
    return {"Subnets": [row for row in rows if _passes(row, call.params.get("Filters") or [])]}


def describe_vpcs(account: Account, call: Call) -> Mapping[str, Any]:
    """The one VPC. Raises AwsError InvalidVpcID.NotFound."""
    for vpc_id in call.params.get("VpcIds") or []:
        if vpc_id != VPC_ID or call.region != REGION:
            raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    row = {
        "VpcId": VPC_ID,
        "CidrBlock": "10.0.0.0/16",
        "State": "available",
        "OwnerId": ACCOUNT_ID,
        "IsDefault": False,
        "Tags": _cluster_tags(account),
    }
    here = call.region == REGION and _passes(row, call.params.get("Filters") or [])
    return {"Vpcs": [row] if here else []}


def _cluster_tags(account: Account) -> list[dict[str, str]]:
    return [{"Key": f"kubernetes.io/cluster/{account.cluster}", "Value": "shared"}]


def _subnet(account: Account, subnet: Subnet) -> dict[str, Any]:
    return {
        "SubnetId": subnet.subnet_id,
        "SubnetArn": subnet.arn,
        "VpcId": VPC_ID,
        "CidrBlock": subnet.cidr,
        "AvailabilityZone": subnet.zone,
        "AvailableIpAddressCount": subnet.available_ips,
        "State": "available",
        "OwnerId": ACCOUNT_ID,
        "MapPublicIpOnLaunch": False,
        "Tags": [{"Key": "Name", "Value": subnet.subnet_id}, *_cluster_tags(account)],
    }


_FILTER_FIELDS = {
    "vpc-id": "VpcId",
    "subnet-id": "SubnetId",
    "availability-zone": "AvailabilityZone",
    "cidr-block": "CidrBlock",
    "cidr": "CidrBlock",
    "state": "State",
}


def _passes(row: Mapping[str, Any], filters: list[Mapping[str, Any]]) -> bool:
    return all(_passes_one(row, str(one.get("Name")), list(one["Values"])) for one in filters)


def _passes_one(row: Mapping[str, Any], name: str, values: list[str]) -> bool:
    """One EC2 filter: values are alternatives, with `*` and `?`. Raises AwsError for an unknown filter."""
    if name.startswith("tag:"):
        found = [tag["Value"] for tag in row["Tags"] if tag["Key"] == name[4:]]
    elif name == "tag-key":
        found = [tag["Key"] for tag in row["Tags"]]
    elif name in _FILTER_FIELDS:
        found = [str(row.get(_FILTER_FIELDS[name], ""))]
    else:
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return any(fnmatchcase(held, value) for held in found for value in values)
