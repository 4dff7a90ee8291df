"""EC2's network: subnets with what is left in them, reservations, the VPC and its security groups.

moto's subnets have ids of its own making and one set for the whole process; a scenario needs known ids, and
addresses that really run out (`vpc.py`). Interfaces and instances stand in `ec2_instances.py`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, VPC_ID, Account, Subnet
from aiops_lab.aws.ec2_asking import filtered, in_pages
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.aws.vpc import Vpc

_SUBNET_FILTERS = {
    "vpc-id": "VpcId",
    "subnet-id": "SubnetId",
    "availability-zone": "AvailabilityZone",
    "cidr-block": "CidrBlock",
    "cidr": "CidrBlock",
    "state": "State",
}
_GROUP_FILTERS = {"vpc-id": "VpcId", "group-id": "GroupId", "group-name": "GroupName"}
_RESERVATION_FILTERS = {"reservationType": "ReservationType", "subnet-id": "SubnetId"}


def ec2_operations(account: Account) -> Operations:
    """The operations of service `ec2` that show the network, bound to one account."""
    served = {
        "DescribeSubnets": describe_subnets,
        "DescribeVpcs": describe_vpcs,
        "GetSubnetCidrReservations": get_subnet_cidr_reservations,
        "DescribeSecurityGroups": describe_security_groups,
    }
    return {("ec2", name): partial(act, account) for name, act in served.items()}


def describe_subnets(account: Account, call: Call) -> Mapping[str, Any]:
    """Subnets by id and filter. Raises AwsError InvalidSubnetID.NotFound."""
    held = dict(account.subnets) if call.region == REGION else {}
    wanted = call.params.get("SubnetIds") or list(held)
    for subnet_id in wanted:
        if subnet_id not in held:
            raise AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist")
    rows = account.in_world(lambda: [_subnet(account, held[subnet_id]) for subnet_id in wanted])
    return in_pages("Subnets", filtered(rows, call, _SUBNET_FILTERS), call)


def describe_vpcs(account: Account, call: Call) -> Mapping[str, Any]:
    """The one VPC, with the CIDR blocks its subnets lie in. Raises AwsError InvalidVpcID.NotFound."""
    for vpc_id in call.params.get("VpcIds") or []:
        if vpc_id != VPC_ID or call.region != REGION:
            raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    row = {
        "VpcId": VPC_ID,
        "CidrBlock": "10.0.0.0/16",
        "CidrBlockAssociationSet": [
            {
                "AssociationId": "vpc-cidr-assoc-0lab",
                "CidrBlock": "10.0.0.0/16",
                "CidrBlockState": {"State": "associated"},
            }
        ],
        "State": "available",
        "OwnerId": ACCOUNT_ID,
        "IsDefault": False,
        "Tags": _cluster_tags(account),
    }
    fields = {"vpc-id": "VpcId", "cidr": "CidrBlock", "state": "State"}
    return {"Vpcs": filtered([row] if call.region == REGION else [], call, fields)}


def get_subnet_cidr_reservations(account: Account, call: Call) -> Mapping[str, Any]:
    """What of a subnet is set aside. Raises AwsError InvalidSubnetID.NotFound."""
    subnet_id = str(call.params.get("SubnetId"))
    if subnet_id not in account.subnets or call.region != REGION:
        raise AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist")
    found = account.in_world(lambda: account.area(Vpc).reserved(account.subnets[subnet_id]))
    rows = [
        {
            "SubnetCidrReservationId": one.reservation_id,
            "SubnetId": one.subnet_id,
            "Cidr": one.cidr,
            "ReservationType": one.kind,
            "OwnerId": ACCOUNT_ID,
            "Tags": [],
        }
        for one in found
    ]
    shown = filtered(rows, call, _RESERVATION_FILTERS)
    return {"SubnetIpv4CidrReservations": shown, "SubnetIpv6CidrReservations": []}


def describe_security_groups(account: Account, call: Call) -> Mapping[str, Any]:
    """The cluster's own group, which the nodes and the control plane share. Raises InvalidGroup.NotFound."""
    row = {
        "GroupId": "sg-0lab",
        "GroupName": f"eks-cluster-sg-{account.cluster}-1",
        "Description": "EKS created security group applied to ENI that is attached to EKS Control Plane "
        "master nodes, as well as any managed workloads.",
        "VpcId": VPC_ID,
        "OwnerId": ACCOUNT_ID,
        "IpPermissions": [
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0lab", "UserId": ACCOUNT_ID}]}
        ],
        "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        "Tags": [{"Key": f"kubernetes.io/cluster/{account.cluster}", "Value": "owned"}],
    }
    for group in call.params.get("GroupIds") or []:
        if group != row["GroupId"] or call.region != REGION:
            raise AwsError("InvalidGroup.NotFound", f"The security group '{group}' does not exist")
    rows = filtered([row] if call.region == REGION else [], call, _GROUP_FILTERS)
    return in_pages("SecurityGroups", rows, call)


def _cluster_tags(account: Account) -> list[dict[str, str]]:
    return [{"Key": f"kubernetes.io/cluster/{account.cluster}", "Value": "shared"}]


def _subnet(account: Account, subnet: Subnet) -> dict[str, Any]:
    own = [{"Key": key, "Value": value} for key, value in subnet.tags]
    return {
        "SubnetId": subnet.subnet_id,
        "SubnetArn": subnet.arn,
        "VpcId": VPC_ID,
        "CidrBlock": subnet.cidr,
        "AvailabilityZone": subnet.zone,
        "AvailableIpAddressCount": account.area(Vpc).pool(subnet).free,
        "State": "available",
        "OwnerId": ACCOUNT_ID,
        "MapPublicIpOnLaunch": False,
        "Tags": [{"Key": "Name", "Value": subnet.subnet_id}, *_cluster_tags(account), *own],
    }
