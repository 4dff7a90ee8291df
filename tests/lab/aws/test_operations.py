"""One contract test per operation of the overlay, with real botocore clients."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.account import Nodegroup
from aiops_lab.aws.vpc import Vpc
from tests.lab.aws.conftest import T0, RunningAws


def test_list_clusters_names_the_cluster_in_its_region_only(aws: RunningAws) -> None:
    assert aws.client("eks").list_clusters()["clusters"] == ["my-cluster"]
    assert aws.client("eks", region_name="eu-west-1").list_clusters()["clusters"] == []


def test_describe_cluster_leads_to_the_simulator_and_its_ca(aws: RunningAws) -> None:
    cluster = aws.client("eks").describe_cluster(name="my-cluster")["cluster"]
    assert cluster["endpoint"] == "https://127.0.0.1:6443"
    assert base64.b64decode(cluster["certificateAuthority"]["data"]) == aws.account.ca_pem
    assert cluster["arn"] == "arn:aws:eks:us-east-1:111122223333:cluster/my-cluster"
    assert (cluster["version"], cluster["status"]) == ("1.35", "ACTIVE")
    assert cluster["accessConfig"] == {"authenticationMode": "API"}
    assert cluster["tags"]["env"] == "prod"
    assert cluster["logging"]["clusterLogging"][0] == {
        "types": ["api", "audit", "authenticator"],
        "enabled": True,
    }
    assert cluster["createdAt"] == T0 - timedelta(days=120)


def test_an_unknown_cluster_is_the_typed_exception_of_eks(aws: RunningAws) -> None:
    eks = aws.client("eks")
    with pytest.raises(eks.exceptions.ResourceNotFoundException, match="No cluster found for name: other"):
        eks.describe_cluster(name="other")
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.list_addons(clusterName="other")


def test_describe_cluster_versions_marks_the_default(aws: RunningAws) -> None:
    versions = aws.client("eks").describe_cluster_versions()["clusterVersions"]
    assert [one["clusterVersion"] for one in versions if one["defaultVersion"]] == ["1.35"]
    assert len(aws.client("eks").describe_cluster_versions(clusterVersions=["1.34"])["clusterVersions"]) == 1


def test_list_addons_pages(aws: RunningAws) -> None:
    eks = aws.client("eks")
    pages = eks.get_paginator("list_addons").paginate(
        clusterName="my-cluster", PaginationConfig={"PageSize": 3}
    )
    names = [page["addons"] for page in pages]
    assert names == [["aws-ebs-csi-driver", "coredns", "kube-proxy"], ["vpc-cni"]]
    with pytest.raises(eks.exceptions.InvalidParameterException):
        eks.list_addons(clusterName="my-cluster", nextToken="forged")


def test_describe_addon_shows_health_as_a_scenario_sets_it(aws: RunningAws) -> None:
    eks = aws.client("eks")
    assert eks.describe_addon(clusterName="my-cluster", addonName="vpc-cni")["addon"]["status"] == "ACTIVE"
    issues = (("InsufficientNumberOfReplicas", "The add-on is unhealthy: 0 of 2 replicas"),)
    broken = replace(aws.account.addons["coredns"], status="DEGRADED", issues=issues)
    aws.account.addons["coredns"] = broken
    addon = eks.describe_addon(clusterName="my-cluster", addonName="coredns")["addon"]
    assert (addon["status"], addon["health"]["issues"][0]["code"]) == (
        "DEGRADED",
        "InsufficientNumberOfReplicas",
    )
    with pytest.raises(eks.exceptions.ResourceNotFoundException, match="No addon: adot"):
        eks.describe_addon(clusterName="my-cluster", addonName="adot")


def test_describe_addon_versions_keeps_to_the_kubernetes_version_asked_for(aws: RunningAws) -> None:
    eks = aws.client("eks")
    everything = eks.describe_addon_versions()["addons"]
    assert {"vpc-cni", "coredns", "kube-proxy", "aws-ebs-csi-driver"} <= {
        one["addonName"] for one in everything
    }
    (coredns,) = eks.describe_addon_versions(addonName="coredns", kubernetesVersion="1.35")["addons"]
    (version,) = coredns["addonVersions"]
    assert version["compatibilities"] == [
        {"clusterVersion": "1.35", "platformVersions": ["*"], "defaultVersion": True}
    ]
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_addon_versions(addonName="nonesuch")


def test_list_insights_filters_by_status(aws: RunningAws) -> None:
    eks = aws.client("eks")
    insights = eks.list_insights(clusterName="my-cluster")["insights"]
    assert {one["insightStatus"]["status"] for one in insights} == {"PASSING"}
    assert eks.list_insights(clusterName="my-cluster", filter={"statuses": ["ERROR"]})["insights"] == []
    told = eks.describe_insight(clusterName="my-cluster", id=insights[0]["id"])["insight"]
    assert told["recommendation"].startswith("Update manifests")
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_insight(clusterName="my-cluster", id="0" * 36)


def test_node_groups_are_those_of_the_account(aws: RunningAws) -> None:
    eks = aws.client("eks")
    assert eks.list_nodegroups(clusterName="my-cluster")["nodegroups"] == []
    aws.account.nodegroups["system"] = Nodegroup("system", ("m5.large",), size=2, min_size=2, max_size=4)
    assert eks.list_nodegroups(clusterName="my-cluster")["nodegroups"] == ["system"]
    group = eks.describe_nodegroup(clusterName="my-cluster", nodegroupName="system")["nodegroup"]
    assert group["scalingConfig"] == {"minSize": 2, "maxSize": 4, "desiredSize": 2}
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_nodegroup(clusterName="my-cluster", nodegroupName="gone")


def test_access_entries_say_which_group_a_principal_gets(aws: RunningAws) -> None:
    eks = aws.client("eks")
    role = "arn:aws:iam::111122223333:role/aiops-planner"
    assert role in eks.list_access_entries(clusterName="my-cluster")["accessEntries"]
    entry = eks.describe_access_entry(clusterName="my-cluster", principalArn=role)["accessEntry"]
    assert (entry["username"], entry["kubernetesGroups"]) == ("aiops-planner", ["aiops:plan"])
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_access_entry(clusterName="my-cluster", principalArn=role + "-2")


@pytest.mark.parametrize(
    ("who", "arn"),
    [
        ("lab-admin", "arn:aws:iam::111122223333:user/lab-admin"),
        ("aiops-reader", "arn:aws:sts::111122223333:assumed-role/aiops-reader/lab"),
    ],
)
def test_get_caller_identity_names_the_signer(aws: RunningAws, who: str, arn: str) -> None:
    identity = aws.client("sts", who).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == ("111122223333", arn)


def test_an_assumed_role_acts_under_its_session_name(aws: RunningAws) -> None:
    answer = aws.client("sts", "lab-admin").assume_role(
        RoleArn="arn:aws:iam::111122223333:role/aiops-executor", RoleSessionName="alice-run7"
    )
    given = answer["Credentials"]
    session = aws.client(
        "sts",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    expected = "arn:aws:sts::111122223333:assumed-role/aiops-executor/alice-run7"
    assert session.get_caller_identity()["Arn"] == expected == answer["AssumedRoleUser"]["Arn"]
    assert aws.overlay.requests[-1].caller == expected


def test_a_role_that_does_not_trust_the_caller_is_denied(aws: RunningAws) -> None:
    with pytest.raises(ClientError, match=r"AccessDenied.*user/ci-cleanup is not authorized"):
        aws.client("sts", "ci-cleanup").assume_role(
            RoleArn="arn:aws:iam::111122223333:role/aiops-executor", RoleSessionName="sneaky"
        )


def test_subnets_count_their_free_addresses(aws: RunningAws) -> None:
    ec2 = aws.client("ec2")
    subnets = {one["SubnetId"]: one for one in ec2.describe_subnets()["Subnets"]}
    assert {name: one["AvailableIpAddressCount"] for name, one in subnets.items()} == {
        "subnet-0aaa": 251,
        "subnet-0bbb": 251,
        "subnet-0ccc": 251,
    }
    aws.account.area(Vpc).crowd(aws.account.subnets["subnet-0bbb"], free=0)
    (full,) = ec2.describe_subnets(SubnetIds=["subnet-0bbb"])["Subnets"]
    assert (full["AvailableIpAddressCount"], full["AvailabilityZone"]) == (0, "us-east-1b")
    zone = [{"Name": "availability-zone", "Values": ["us-east-1c"]}]
    assert [one["SubnetId"] for one in ec2.describe_subnets(Filters=zone)["Subnets"]] == ["subnet-0ccc"]
    with pytest.raises(ClientError, match=r"InvalidSubnetID\.NotFound"):
        ec2.describe_subnets(SubnetIds=["subnet-0zzz"])
    with pytest.raises(ClientError, match="The filter 'colour' is invalid"):
        ec2.describe_subnets(Filters=[{"Name": "colour", "Values": ["red"]}])


def test_the_vpc_of_the_cluster_is_found_by_its_tag(aws: RunningAws) -> None:
    ec2 = aws.client("ec2")
    tagged = [{"Name": "tag:kubernetes.io/cluster/my-cluster", "Values": ["shared"]}]
    assert [one["CidrBlock"] for one in ec2.describe_vpcs(Filters=tagged)["Vpcs"]] == ["10.0.0.0/16"]
    with pytest.raises(ClientError, match=r"InvalidVpcID\.NotFound"):
        ec2.describe_vpcs(VpcIds=["vpc-0other"])
