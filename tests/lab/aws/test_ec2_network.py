"""EC2's network as real botocore sees it: interfaces with their addresses and prefixes, in pages."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.vpc import Instance, Reservation, Vpc
from tests.lab.aws.conftest import RunningAws

BBB = "subnet-0bbb"


@pytest.fixture
def ec2(aws: RunningAws) -> Any:
    """A client of an account with one node and one other interface in 1b."""
    vpc, subnet = aws.account.area(Vpc), aws.account.subnets[BBB]
    own = vpc.attach(subnet, "", primary="10.0.1.42", addresses=3)
    own.instance_id = "i-0123456789abcdef0"
    more = vpc.attach(subnet, "aws-K8S-i-0123456789abcdef0", prefixes=2)
    more.instance_id, more.device_index = "i-0123456789abcdef0", 1
    more.tags = {"node.k8s.amazonaws.com/instance_id": "i-0123456789abcdef0"}
    made = Instance(own.instance_id, "m5.xlarge", "us-east-1b", BBB, "10.0.1.42", "ip-10-0-1-42.ec2.internal")
    vpc.instances[made.instance_id] = made
    vpc.attach(subnet, "ELB app/shop/1").requester = "amazon-elb"
    return aws.client("ec2")


def test_interfaces_show_addresses_prefixes_and_where_they_are_attached(ec2: Any) -> None:
    by_subnet = [{"Name": "subnet-id", "Values": [BBB]}]
    own, more, other = ec2.describe_network_interfaces(Filters=by_subnet)["NetworkInterfaces"]
    assert [one["Primary"] for one in own["PrivateIpAddresses"]] == [True, False, False, False]
    assert (own["PrivateIpAddress"], own["Attachment"]["DeviceIndex"]) == ("10.0.1.42", 0)
    assert [one["Ipv4Prefix"] for one in more["Ipv4Prefixes"]] == ["10.0.1.16/28", "10.0.1.48/28"]
    assert (other["RequesterId"], "Attachment" in other) == ("amazon-elb", False)
    attached = [{"Name": "attachment.instance-id", "Values": ["i-0123456789abcdef0"]}]
    assert len(ec2.describe_network_interfaces(Filters=attached)["NetworkInterfaces"]) == 2
    held = [{"Name": "addresses.private-ip-address", "Values": ["10.0.1.4"]}]
    (found,) = ec2.describe_network_interfaces(Filters=held)["NetworkInterfaces"]
    assert found["NetworkInterfaceId"] == own["NetworkInterfaceId"]
    (room,) = ec2.describe_subnets(SubnetIds=[BBB])["Subnets"]
    assert room["AvailableIpAddressCount"] == 251 - 4 - 1 - 32 - 1


def test_interfaces_come_in_pages(aws: RunningAws, ec2: Any) -> None:
    for _ in range(4):
        aws.account.area(Vpc).attach(aws.account.subnets[BBB], "a function's")
    pages = list(ec2.get_paginator("describe_network_interfaces").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["NetworkInterfaces"]) for page in pages] == [5, 2]
    with pytest.raises(ClientError, match=r"InvalidNetworkInterfaceID\.NotFound"):
        ec2.describe_network_interfaces(NetworkInterfaceIds=["eni-0nobody"])
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_network_interfaces(NextToken="never-given")


def test_instances_and_what_their_type_can_hold(ec2: Any) -> None:
    (reservation,) = ec2.describe_instances(InstanceIds=["i-0123456789abcdef0"])["Reservations"]
    (found,) = reservation["Instances"]
    assert (found["InstanceType"], found["State"]["Name"], found["SubnetId"]) == ("m5.xlarge", "running", BBB)
    assert len(found["NetworkInterfaces"]) == 2
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        ec2.describe_instances(InstanceIds=["i-0fff"])
    (kind,) = ec2.describe_instance_types(InstanceTypes=["m5.xlarge"])["InstanceTypes"]
    network = kind["NetworkInfo"]
    assert (network["MaximumNetworkInterfaces"], network["Ipv4AddressesPerInterface"]) == (4, 15)
    with pytest.raises(ClientError, match="InvalidInstanceType"):
        ec2.describe_instance_types(InstanceTypes=["m5.nothing"])


def test_reservations_and_groups(aws: RunningAws, ec2: Any) -> None:
    reserved = Reservation("scr-1", BBB, "10.0.1.64/26", "prefix")
    aws.account.area(Vpc).reservations["scr-1"] = reserved
    (found,) = ec2.get_subnet_cidr_reservations(SubnetId=BBB)["SubnetIpv4CidrReservations"]
    assert (found["Cidr"], found["ReservationType"]) == ("10.0.1.64/26", "prefix")
    with pytest.raises(ClientError, match=r"InvalidSubnetID\.NotFound"):
        ec2.get_subnet_cidr_reservations(SubnetId="subnet-0zzz")
    (group,) = ec2.describe_security_groups(GroupIds=["sg-0lab"])["SecurityGroups"]
    assert group["GroupName"].startswith("eks-cluster-sg-my-cluster")
    with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
        ec2.describe_security_groups(GroupIds=["sg-0zzz"])
    assert aws.client("ec2", region_name="eu-west-1").describe_instances()["Reservations"] == []
