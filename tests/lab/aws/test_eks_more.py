"""What else EKS says of the lab's cluster: catalogue, capabilities, updates, versions, health, insights."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aiops_lab.aws.account import Nodegroup, UsedApi
from aiops_lab.aws.eks_state import Capability, EksState, Update
from tests.lab.aws.conftest import T0, RunningAws

# The ids that the guide names.
NAMED = {
    *("vpc-cni", "coredns", "kube-proxy", "adot", "aws-ebs-csi-driver", "aws-efs-csi-driver"),
    *("aws-mountpoint-s3-csi-driver", "snapshot-controller", "aws-guardduty-agent", "eks-pod-identity-agent"),
    *("amazon-cloudwatch-observability", "eks-node-monitoring-agent", "aws-network-flow-monitoring-agent"),
}
COMMUNITY = {
    "metrics-server",
    "kube-state-metrics",
    "prometheus-node-exporter",
    "cert-manager",
    "external-dns",
}


@pytest.mark.row("S14")
@pytest.mark.row("S15")
def test_the_catalogue_offers_the_add_ons_of_aws_and_of_the_community_by_their_ids(aws: RunningAws) -> None:
    eks = aws.client("eks")
    offered = eks.describe_addon_versions(kubernetesVersion="1.35")["addons"]
    by_owner = {
        owner: {one["addonName"] for one in offered if one["owner"] == owner}
        for owner in ("aws", "community")
    }
    assert len(by_owner["aws"]) >= 22
    assert by_owner["aws"] >= NAMED
    assert by_owner["community"] >= COMMUNITY
    only = eks.describe_addon_versions(owners=["community"], types=["networking"])["addons"]
    assert [one["addonName"] for one in only] == ["external-dns"]


def test_an_old_version_is_offered_for_old_clusters_only(aws: RunningAws) -> None:
    eks = aws.client("eks")
    (adot,) = eks.describe_addon_versions(addonName="adot")["addons"]
    assert "v0.40.0-eksbuild.1" in {one["addonVersion"] for one in adot["addonVersions"]}
    (now,) = eks.describe_addon_versions(addonName="adot", kubernetesVersion="1.35")["addons"]
    assert "v0.40.0-eksbuild.1" not in {one["addonVersion"] for one in now["addonVersions"]}
    assert now["defaultNamespace"] == "opentelemetry-operator-system"


def test_capabilities_are_listed_and_described_with_their_health(aws: RunningAws) -> None:
    eks = aws.client("eks")
    assert eks.list_capabilities(clusterName="my-cluster")["capabilities"] == []
    held = aws.account.area(EksState).capabilities
    held["gitops"] = Capability("gitops", "ARGOCD", namespace="argocd", server_url="https://argo.example")
    held["ack"] = Capability("ack", "ACK", "DEGRADED", issues=(("AccessDenied", "no right to assume it"),))
    listed = eks.list_capabilities(clusterName="my-cluster")["capabilities"]
    assert {(one["type"], one["status"]) for one in listed} == {("ARGOCD", "ACTIVE"), ("ACK", "DEGRADED")}
    argo = eks.describe_capability(clusterName="my-cluster", capabilityName="gitops")["capability"]
    assert argo["configuration"]["argoCd"]["serverUrl"] == "https://argo.example"
    ack = eks.describe_capability(clusterName="my-cluster", capabilityName="ack")["capability"]
    assert ack["health"]["issues"][0]["code"] == "AccessDenied"
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_capability(clusterName="my-cluster", capabilityName="kro")


def test_updates_belong_to_the_cluster_or_to_what_is_named(aws: RunningAws) -> None:
    eks = aws.client("eks")
    failed = ("InsufficientNumberOfReplicas", "The add-on is unhealthy", ("coredns",))
    updates = (
        Update("u-1", "VersionUpdate", T0 - timedelta(days=3), params=(("Version", "1.35"),)),
        Update("u-2", "AddonUpdate", T0, "Failed", addon="coredns", errors=(failed,)),
    )
    aws.account.area(EksState).updates = {one.update_id: one for one in updates}
    assert eks.list_updates(name="my-cluster")["updateIds"] == ["u-1"]
    assert eks.list_updates(name="my-cluster", addonName="coredns")["updateIds"] == ["u-2"]
    told = eks.describe_update(name="my-cluster", addonName="coredns", updateId="u-2")["update"]
    assert (told["status"], told["errors"][0]["errorCode"]) == ("Failed", "InsufficientNumberOfReplicas")
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_update(name="my-cluster", updateId="u-2")


def test_versions_say_until_when_they_are_supported(aws: RunningAws) -> None:
    eks = aws.client("eks")
    said = {one["clusterVersion"]: one for one in eks.describe_cluster_versions()["clusterVersions"]}
    assert said["1.35"]["endOfStandardSupportDate"].date().isoformat() == "2027-03-27"
    assert said["1.33"]["versionStatus"] == "EXTENDED_SUPPORT"
    assert "1.30" not in said
    (gone,) = eks.describe_cluster_versions(clusterVersions=["1.30"])["clusterVersions"]
    assert gone["versionStatus"] == "UNSUPPORTED"
    tiers = said["1.35"]["controlPlaneScalingTiers"]
    assert {one["tierName"]: one["clusterDatabaseSizeGb"] for one in tiers}["tier-xl"] == 16


def test_the_clusters_settings_are_those_a_scenario_gives_it(aws: RunningAws) -> None:
    state = aws.account.area(EksState)
    state.public_cidrs, state.auto_mode, state.support_type = ("0.0.0.0/0",), True, "EXTENDED"
    state.secrets_key = "arn:aws:kms:us-east-1:111122223333:key/lab"
    state.issues = (("Ec2SubnetNotFound", "a subnet is gone", ("subnet-0zzz",)),)
    cluster = aws.client("eks").describe_cluster(name="my-cluster")["cluster"]
    assert cluster["resourcesVpcConfig"]["publicAccessCidrs"] == ["0.0.0.0/0"]
    assert cluster["computeConfig"] == {"enabled": True}
    assert cluster["upgradePolicy"] == {"supportType": "EXTENDED"}
    assert cluster["encryptionConfig"][0]["resources"] == ["secrets"]
    assert cluster["health"]["issues"][0]["resourceIds"] == ["subnet-0zzz"]


def test_node_groups_and_insights_say_what_ails_them(aws: RunningAws) -> None:
    eks = aws.client("eks")
    aws.account.nodegroups["batch"] = Nodegroup(
        "batch",
        ("m5.large",),
        size=2,
        min_size=0,
        max_size=4,
        status="DEGRADED",
        issues=(("AsgInstanceLaunchFailures", "Instance launch failed", ("i-0lab",)),),
    )
    group = eks.describe_nodegroup(clusterName="my-cluster", nodegroupName="batch")["nodegroup"]
    assert group["health"]["issues"][0]["code"] == "AsgInstanceLaunchFailures"
    (first, *_) = aws.account.insights.values()
    used = UsedApi("/apis/flowcontrol/v1beta3/flowschemas", "/v1", "1.36", (("old-operator/1.0", 41),))
    aws.account.insights[first.insight_id] = replace(first, status="ERROR", deprecations=(used,))
    told = eks.describe_insight(clusterName="my-cluster", id=first.insight_id)["insight"]
    (detail,) = told["categorySpecificSummary"]["deprecationDetails"]
    assert detail["clientStats"][0]["numberOfRequestsLast30Days"] == 41
