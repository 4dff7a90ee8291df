"""Access of the lab's cluster as real botocore sees it: entries, policies, Pod Identity, Fargate, roles."""

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.access import Access, Association, Entry, FargateProfile
from aiops_lab.aws.iam import PROVIDER, Iam, Role, trusting_account, trusting_pods
from tests.lab.aws.conftest import RunningAws

OPS = "arn:aws:iam::111122223333:role/teams/ops"
HERE = {"clusterName": "my-cluster"}


def test_entries_are_the_labs_principals_the_nodes_and_what_a_scenario_adds(aws: RunningAws) -> None:
    eks, state = aws.client("eks"), aws.account.area(Access)
    policies = (("AmazonEKSViewPolicy", ()), ("AmazonEKSEditPolicy", ("dev", "staging")))
    state.entries[OPS] = Entry(OPS, ("ops",), policies=policies)
    state.without = frozenset({"arn:aws:iam::111122223333:user/ci-cleanup"})
    names = eks.list_access_entries(**HERE)["accessEntries"]
    assert OPS in names
    assert "arn:aws:iam::111122223333:role/my-cluster-node" in names
    assert "arn:aws:iam::111122223333:user/ci-cleanup" not in names
    found = eks.describe_access_entry(**HERE, principalArn=OPS)["accessEntry"]
    assert (found["kubernetesGroups"], found["type"]) == (["ops"], "STANDARD")
    rows = eks.list_associated_access_policies(**HERE, principalArn=OPS)["associatedAccessPolicies"]
    assert [(one["policyArn"].rpartition("/")[2], one["accessScope"]["type"]) for one in rows] == [
        ("AmazonEKSViewPolicy", "cluster"),
        ("AmazonEKSEditPolicy", "namespace"),
    ]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        eks.describe_access_entry(**HERE, principalArn="arn:aws:iam::111122223333:role/nobody")


def test_associations_are_found_by_account_and_tell_their_role(aws: RunningAws) -> None:
    eks, state = aws.client("eks"), aws.account.area(Access)
    state.associations["a-1"] = Association("a-1", "production", "shop", OPS)
    state.associations["a-2"] = Association("a-2", "dev", "shop", OPS)
    (found,) = eks.list_pod_identity_associations(**HERE, namespace="production")["associations"]
    assert "roleArn" not in found
    told = eks.describe_pod_identity_association(**HERE, associationId=found["associationId"])["association"]
    assert (told["serviceAccount"], told["roleArn"]) == ("shop", OPS)
    with pytest.raises(ClientError, match="No association found"):
        eks.describe_pod_identity_association(**HERE, associationId="a-9")


def test_fargate_profiles(aws: RunningAws) -> None:
    eks, state = aws.client("eks"), aws.account.area(Access)
    state.fargate["batch"] = FargateProfile("batch", (("jobs", (("tier", "batch"),)),))
    assert eks.list_fargate_profiles(**HERE)["fargateProfileNames"] == ["batch"]
    told = eks.describe_fargate_profile(**HERE, fargateProfileName="batch")["fargateProfile"]
    assert told["selectors"] == [{"namespace": "jobs", "labels": {"tier": "batch"}}]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        eks.describe_fargate_profile(**HERE, fargateProfileName="none")


def test_roles_tell_whom_they_trust(aws: RunningAws) -> None:
    iam, state = aws.client("iam"), aws.account.area(Iam)
    state.roles["ops"] = Role("ops", trusting_account("production", "shop"), path="/teams/")
    state.roles["pods"] = Role("pods", trusting_pods())
    found = iam.get_role(RoleName="ops")["Role"]
    (statement,) = found["AssumeRolePolicyDocument"]["Statement"]
    assert (found["Arn"], statement["Principal"]["Federated"]) == (OPS, PROVIDER)
    assert [one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]] == [
        PROVIDER
    ]
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_role(RoleName="nobody")
