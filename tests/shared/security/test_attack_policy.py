"""Ways around a rule: another group's kind of the same name, a manifest instead of the action, a bare CRD."""

from typing import Any, Literal

import pytest

from aiops_shared.guardrails.models import ObjectRef, Verdict
from aiops_shared.guardrails.policy import Policy
from aiops_shared.settings import PolicySettings
from eks_aiops.drilling.verdict_rows import ANN, BOT, ask

pytestmark = pytest.mark.threat("T2")
Env = Literal["prod", "staging", "dev"]
HOME = {
    "Deployment": "apps",
    "Job": "batch",
    "HorizontalPodAutoscaler": "autoscaling",
    "NetworkPolicy": "networking.k8s.io",
}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy(PolicySettings())


def decided(policy: Policy, action: str, kind: str, group: str, **facts: Any) -> Verdict:
    return policy.decide(ask(action, kind, **facts).model_copy(update={"group": group}))


@pytest.mark.parametrize("action", ["apply", "delete"])
@pytest.mark.parametrize("env", ["staging", "dev"])
@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("Service", "serving.knative.dev"),
        ("ConfigMap", "evil.example.com"),
        ("Deployment", "apps.evil.example.com"),
        ("Gateway", "networking.istio.io"),
        ("Cluster", "postgresql.cnpg.io"),
    ],
)
def test_a_kind_of_another_group_is_not_taken_for_the_one_that_the_rules_know(
    policy: Policy, action: str, env: Env, kind: str, group: str
) -> None:
    for caller in (ANN, BOT):
        verdict = decided(policy, action, kind, group, env=env, caller=caller)
        assert (verdict.decision, verdict.approver) == ("needs_approval", "other")


@pytest.mark.parametrize("kind", ["Secret", "Role", "ClusterRoleBinding", "MutatingWebhookConfiguration"])
def test_what_is_never_written_is_not_written_under_another_group_either(policy: Policy, kind: str) -> None:
    for group in ("", "evil.example.com", "authorization.openshift.io"):
        assert decided(policy, "apply", kind, group, env="dev").decision == "deny"


@pytest.mark.parametrize(("kind", "group"), HOME.items())
def test_the_known_kinds_in_their_own_group_keep_their_rules(policy: Policy, kind: str, group: str) -> None:
    assert decided(policy, "apply", kind, group, env="staging").rule != "unlisted-kind"


@pytest.mark.parametrize("env", ["prod", "staging", "dev"])
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet"])
@pytest.mark.parametrize("action", ["scale", "apply"])
def test_zero_replicas_take_another_person_however_they_are_asked_for(
    policy: Policy, action: str, kind: str, env: Env
) -> None:
    verdict = decided(policy, action, kind, "apps", env=env, replicas_before=3, replicas_after=0)
    assert (verdict.decision, verdict.approver) == ("needs_approval", "other")


def test_half_of_the_replicas_in_production_take_another_person_also_by_a_manifest(policy: Policy) -> None:
    verdict = decided(policy, "apply", "Deployment", "apps", env="prod", replicas_before=8, replicas_after=4)
    assert (verdict.rule, verdict.approver) == ("blast-radius", "other")


def test_a_wide_change_of_an_autoscaler_waits_also_by_a_manifest(policy: Policy) -> None:
    verdict = decided(
        policy, "apply", "HorizontalPodAutoscaler", "autoscaling", env="staging", hpa_change_pct=900
    )
    assert (verdict.decision, verdict.rule) == ("needs_approval", "hpa-beyond")


@pytest.mark.parametrize("action", ["apply", "delete"])
def test_the_namespace_object_of_kube_system_is_part_of_it(policy: Policy, action: str) -> None:
    request = ask(action, "Namespace", env="dev").model_copy(update={"name": "kube-system"})
    assert policy.decide(request).decision == "deny"


@pytest.mark.parametrize("kind", ["PodIdentityAssociation", "AccessEntry"])
def test_rights_in_aws_are_rights(policy: Policy, kind: str) -> None:
    assert decided(policy, "apply", kind, "eks.services.k8s.aws", env="dev").rule == "no-rbac-write"


@pytest.mark.parametrize("action", ["scale", "restart", "rollback", "resources", "image"])
@pytest.mark.parametrize("kind", ["Widget", "NodePool", "Namespace", "Service"])
def test_no_rule_allows_a_workload_action_on_what_is_no_workload(
    policy: Policy, kind: str, action: str
) -> None:
    for env in ("staging", "dev"):
        assert decided(policy, action, kind, "", env=env, caller=BOT).decision != "allow"


@pytest.mark.parametrize(
    ("version", "group"), [("v1", ""), ("apps/v1", "apps"), ("serving.knative.dev/v1", "serving.knative.dev")]
)
def test_a_reference_knows_its_group(version: str, group: str) -> None:
    assert ObjectRef(cluster="c", api_version=version, kind="Service", name="a").group == group
