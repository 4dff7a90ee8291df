"""EC2's volumes, snapshots, addresses and endpoints as real botocore sees them."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.ec2_storage import Spare, SpareSnapshot, SpareVolume
from tests.lab.aws.conftest import RunningAws

OWNED = (("kubernetes.io/cluster/my-cluster", "owned"),)


@pytest.fixture
def ec2(aws: RunningAws) -> Any:
    """A client of an account with a few things that stand around."""
    spare = aws.account.area(Spare)
    spare.volumes = (
        SpareVolume("vol-0a", "gp2", 500, instance="i-0a", tags=OWNED),
        SpareVolume("vol-0b", "gp3", 100, age_days=30),
        SpareVolume("vol-0c", "io1", 100, iops=5000, instance="i-0a"),
    )
    spare.snapshots = (SpareSnapshot("snap-0a", "vol-0z", 40, 400.0, OWNED),)
    spare.addresses = (("eipalloc-0a", "203.0.113.7"),)
    spare.endpoints = ("s3",)
    return aws.client("ec2")


def test_volumes_show_their_type_speed_age_and_what_they_hang_on(ec2: Any, aws: RunningAws) -> None:
    old, loose, fast = ec2.describe_volumes()["Volumes"]
    assert (old["VolumeType"], old["Size"], old["Iops"], old["State"]) == ("gp2", 500, 1500, "in-use")
    assert old["Attachments"][0]["InstanceId"] == "i-0a"
    assert {"Key": OWNED[0][0], "Value": "owned"} in old["Tags"]
    assert (loose["State"], loose["Attachments"], loose["Throughput"]) == ("available", [], 125)
    assert abs(aws.account.now() - loose["CreateTime"] - timedelta(days=30)) < timedelta(minutes=5)
    assert fast["Iops"] == 5000
    (found,) = ec2.describe_volumes(Filters=[{"Name": "status", "Values": ["available"]}])["Volumes"]
    assert found["VolumeId"] == "vol-0b"
    with pytest.raises(ClientError) as caught:
        ec2.describe_volumes(VolumeIds=["vol-0missing"])
    assert caught.value.response["Error"]["Code"] == "InvalidVolume.NotFound"


def test_snapshots_addresses_and_endpoints_are_told(ec2: Any) -> None:
    (snapshot,) = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert (snapshot["SnapshotId"], snapshot["VolumeSize"]) == ("snap-0a", 40)
    (address,) = ec2.describe_addresses()["Addresses"]
    assert (address["PublicIp"], "AssociationId" in address) == ("203.0.113.7", False)
    (endpoint,) = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": ["vpc-0lab"]}])[
        "VpcEndpoints"
    ]
    assert (endpoint["VpcEndpointType"], endpoint["ServiceName"]) == ("Gateway", "com.amazonaws.us-east-1.s3")
