"""What changes an add-on in the lab's EKS, asked by real botocore; what it leaves in a world."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from tests.lab.aws.conftest import RunningAws

NAME, CLUSTER = "snapshot-controller", {"clusterName": "my-cluster"}
ADOT = "adot"


@dataclass
class Pods:
    """Fulfils `Installer`: the cluster as EKS sees it."""

    well: bool = True
    foreign: tuple[str, ...] = ()
    did: list[str] = field(default_factory=list)

    def install(self, name: str, space: str, version: str, *, configuration: str, ill: bool) -> None:
        self.did.append(f"install {name} {version} in {space} {configuration}{' ill' if ill else ''}".strip())

    def remove(self, name: str) -> None:
        self.did.append(f"remove {name}")

    def ready(self, name: str) -> bool:
        return self.well and bool(name)

    def conflicts(self, name: str) -> tuple[str, ...]:
        return self.foreign if name else ()


@dataclass
class Later:
    """An account whose time a test moves."""

    aws: RunningAws
    pods: Pods

    @property
    def eks(self) -> Any:
        return self.aws.client("eks")

    def after(self, seconds: float) -> None:
        now = self.aws.account.now() + timedelta(seconds=seconds)
        self.aws.account.now = lambda: now

    def status(self, name: str = NAME) -> tuple[str, str, list[str]]:
        found = self.eks.describe_addon(addonName=name, **CLUSTER)["addon"]
        return found["status"], found["addonVersion"], [one["code"] for one in found["health"]["issues"]]

    def refused(self, operation: str, **asked: Any) -> tuple[str, str]:
        with pytest.raises(self.eks.exceptions.ClientError) as caught:
            getattr(self.eks, operation)(**(CLUSTER | {"addonName": NAME} | asked))
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]


@pytest.fixture
def later(aws: RunningAws) -> Later:
    pods = Pods()
    aws.account.installer = pods
    return Later(aws, pods)


def test_a_new_add_on_is_creating_and_active_once_its_pods_are_ready(later: Later) -> None:
    later.pods.well = False
    answer = later.eks.create_addon(addonName=NAME, **CLUSTER)["addon"]
    assert (answer["status"], answer["addonVersion"]) == ("CREATING", "v8.5.0-eksbuild.1")
    assert later.pods.did == ["install snapshot-controller v8.5.0-eksbuild.1 in kube-system"]
    later.after(60)
    assert later.status()[0] == "CREATING"
    later.pods.well = True
    assert later.status() == ("ACTIVE", "v8.5.0-eksbuild.1", [])
    assert NAME in later.eks.list_addons(**CLUSTER)["addons"]
    assert later.refused("create_addon") == ("ResourceInUseException", "Addon already exists.")


def test_pods_that_never_come_up_leave_it_degraded(later: Later) -> None:
    later.pods.well = False
    later.eks.create_addon(addonName=NAME, **CLUSTER)
    later.after(901)
    assert later.status() == ("DEGRADED", "v8.5.0-eksbuild.1", ["InsufficientNumberOfReplicas"])


def test_fields_of_others_fail_it_unless_they_are_to_be_overwritten(later: Later) -> None:
    later.pods.foreign = ("Deployment.apps snapshot-controller - .spec",)
    later.eks.create_addon(addonName=NAME, **CLUSTER)
    later.after(30)
    assert later.status()[::2] == ("CREATE_FAILED", ["ConfigurationConflict"])
    assert later.pods.did == []
    later.eks.delete_addon(addonName=NAME, preserve=True, **CLUSTER)
    later.after(30)
    later.eks.create_addon(addonName=NAME, resolveConflicts="OVERWRITE", **CLUSTER)
    later.after(30)
    assert later.status()[0] == "ACTIVE"
    said = later.refused("create_addon", addonName=ADOT, resolveConflicts="PRESERVE")
    assert said[0] == "InvalidParameterException"


def test_an_update_is_told_by_its_id_and_shows_its_version_at_its_end(later: Later) -> None:
    later.eks.create_addon(
        addonName=(name := "aws-efs-csi-driver"), addonVersion="v2.1.15-eksbuild.1", **CLUSTER
    )
    later.after(30)
    assert later.status(name)[0] == "ACTIVE"
    asked = {"addonName": name, "addonVersion": "v2.3.0-eksbuild.1", "clientRequestToken": "one"}
    update = later.eks.update_addon(**asked, **CLUSTER)["update"]
    assert (update["status"], update["type"]) == ("InProgress", "AddonUpdate")
    assert later.eks.update_addon(**asked, **CLUSTER)["update"]["id"] == update["id"]
    assert later.status(name)[:2] == ("UPDATING", "v2.1.15-eksbuild.1")
    assert later.refused("update_addon", addonName=name)[0] == "ResourceInUseException"
    later.after(30)
    assert later.status(name)[:2] == ("ACTIVE", "v2.3.0-eksbuild.1")
    told = later.eks.describe_update(name="my-cluster", addonName=name, updateId=update["id"])["update"]
    assert told["status"] == "Successful"
    assert {"type": "AddonVersion", "value": "v2.3.0-eksbuild.1"} in told["params"]


def test_a_failed_update_keeps_the_version_that_runs(later: Later) -> None:
    later.pods.foreign = ("DaemonSet.apps aws-node - .spec",)
    update = later.eks.update_addon(addonName="vpc-cni", addonVersion="v1.20.1-eksbuild.1", **CLUSTER)[
        "update"
    ]
    later.after(30)
    assert later.status("vpc-cni") == ("UPDATE_FAILED", "v1.20.4-eksbuild.2", ["ConfigurationConflict"])
    told = later.eks.describe_update(name="my-cluster", addonName="vpc-cni", updateId=update["id"])["update"]
    assert told["errors"][0]["errorCode"] == "ConfigurationConflict"


def test_deleting_takes_a_while_and_may_leave_what_runs(later: Later) -> None:
    assert (
        later.eks.delete_addon(addonName="coredns", preserve=True, **CLUSTER)["addon"]["status"] == "DELETING"
    )
    assert later.pods.did == []
    later.eks.delete_addon(addonName="aws-ebs-csi-driver", **CLUSTER)
    assert later.pods.did == ["remove aws-ebs-csi-driver"]
    assert later.status("coredns")[0] == "DELETING"
    later.after(30)
    assert later.refused("describe_addon", addonName="coredns")[0] == "ResourceNotFoundException"
    assert later.refused("delete_addon", addonName="coredns")[0] == "ResourceNotFoundException"


def test_configuration_is_held_to_the_schema_of_its_version(later: Later) -> None:
    asked = {"addonName": "vpc-cni", "addonVersion": "v1.20.4-eksbuild.2"}
    told = later.eks.describe_addon_configuration(**asked)
    assert "WARM_IP_TARGET" in told["configurationSchema"]
    assert told["podIdentityConfiguration"][0]["serviceAccount"] == "aws-node"
    code, said = later.refused("update_addon", addonName="vpc-cni", configurationValues='{"evn": {}}')
    assert code == "InvalidParameterException"
    assert "Json schema validation failed" in said
    values = '{"env": {"WARM_IP_TARGET": "5"}}'
    later.eks.update_addon(addonName="vpc-cni", configurationValues=values, **CLUSTER)
    assert later.pods.did[-1].endswith(values)


def test_versions_names_and_roles_that_do_not_fit_are_refused(later: Later) -> None:
    unsupported = ("InvalidParameterException", "Addon version specified is not supported")
    assert later.refused("create_addon", addonName=ADOT, addonVersion="v0.40.0-eksbuild.1") == unsupported
    assert (
        later.refused("update_addon", addonName="coredns", addonVersion="v1.12.3-eksbuild.1") == unsupported
    )
    assert later.refused("create_addon", addonName="nothing")[0] == "ResourceNotFoundException"
    assert later.refused("update_addon")[0] == "ResourceNotFoundException"
    foreign = "arn:aws:iam::999900001111:role/x"
    assert later.refused("create_addon", serviceAccountRoleArn=foreign)[0] == "AccessDeniedException"
    token = {"clientRequestToken": "two"}
    later.eks.create_addon(addonName=NAME, **CLUSTER, **token)
    assert later.refused("create_addon", addonName=ADOT, **token)[0] == "InvalidRequestException"


def test_pod_identity_associations_are_made_with_the_add_on(later: Later) -> None:
    role = "arn:aws:iam::111122223333:role/adot"
    wanted = [{"serviceAccount": "adot-collector", "roleArn": role}]
    later.eks.create_addon(addonName=ADOT, podIdentityAssociations=wanted, **CLUSTER)
    (arn,) = later.eks.describe_addon(addonName=ADOT, **CLUSTER)["addon"]["podIdentityAssociations"]
    told = later.eks.describe_pod_identity_association(associationId=arn.rpartition("/")[2], **CLUSTER)
    assert told["association"]["roleArn"] == role
