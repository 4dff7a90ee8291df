"""What policy judges by: where a fact is not known, the cautious one stands."""

from typing import Any

import pytest

from aiops_eks.planning.drafts import Around, Draft
from aiops_eks.planning.facts import (
    budgets_for,
    crashloop_restarts_of,
    environment_of,
    gitops_owner_of,
    measure,
    owner_key,
    selects,
)
from aiops_shared.guardrails.models import Facts
from tests.eks.planning.objects import (
    LABELS,
    NOW,
    Obj,
    around,
    budget,
    container,
    namespace,
    owner,
    pod,
    ref,
    replica_set,
    workload,
)


def draft(around: Around, **more: Any) -> Draft:
    given: dict[str, Any] = {
        "action": "apply",
        "ref": around.ref,
        "confirm": "do",
        "steps": (),
        "diff": (),
        "reversible": "full",
        **more,
    }
    return Draft(**given)


def facts(here: Around, wanted: Obj | None = None, **more: Any) -> Facts:
    return measure(draft(here, **more), here, wanted=wanted)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({}, "prod"),
        ({"env": "production"}, "prod"),
        ({"env": "Staging"}, "staging"),
        ({"environment": "dev"}, "dev"),
        ({"stage": "who-knows"}, "prod"),
        ({"env": "dev", "environment": "production"}, "prod"),
        ({"environment": "dev", "app.kubernetes.io/environment": "uat"}, "staging"),
    ],
)
def test_the_strictest_environment_that_the_labels_name_holds(labels: dict[str, str], found: str) -> None:
    assert environment_of(namespace(**labels)) == found


def test_a_namespace_that_cannot_be_read_is_production() -> None:
    assert environment_of(None) == "prod"


def test_argo_and_flux_own_what_carries_their_mark() -> None:
    tracked, fluxed = workload(), workload()
    tracked["metadata"]["annotations"] = {
        "argocd.argoproj.io/tracking-id": "web-app:apps/Deployment:shop/web"
    }
    fluxed["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "apps"
    assert gitops_owner_of(tracked) == "Argo CD application web-app"
    assert gitops_owner_of(fluxed) == "Flux apps"
    helm = workload()
    helm["metadata"]["labels"] |= {"app.kubernetes.io/instance": "web"}
    assert gitops_owner_of(helm) == ""


def test_the_mark_may_stand_on_an_owner_or_in_the_manifest() -> None:
    above = workload()
    above["metadata"]["labels"]["helm.toolkit.fluxcd.io/name"] = "web"
    assert facts(around(workload(), owners=(above,))).gitops_owner == "Flux web"
    assert facts(around(None), wanted=above).gitops_owner == "Flux web"


@pytest.mark.parametrize(
    ("selector", "met"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "db"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["db", "web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": LABELS, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
    ],
)
def test_selectors_are_read_as_kubernetes_reads_them(selector: Obj | None, met: bool) -> None:
    assert selects(selector, LABELS) is met


@pytest.mark.fault("R13")
def test_headroom_is_there_only_when_every_budget_says_so_about_its_latest_spec() -> None:
    web = workload()
    assert facts(around(web, pdbs=(budget(1),))).pdb_headroom
    assert not facts(around(web, pdbs=(budget(1), budget(0)))).pdb_headroom
    assert not facts(around(web, pdbs=(budget(1, observedGeneration=0),))).pdb_headroom
    assert not facts(around(web, pdbs=None)).pdb_headroom
    assert facts(around(web, pdbs=(budget(0, {"matchLabels": {"app": "db"}}),))).pdb_headroom


def test_what_has_no_pods_has_no_budgets() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "labels": LABELS}}
    assert budgets_for(around(config, pdbs=(budget(0),))) == []


def test_crash_loop_restarts_are_those_of_a_container_that_waits_in_one() -> None:
    loops: dict[str, Any] = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    first = pod("b")
    first["status"]["initContainerStatuses"] = [{"name": "init", "restartCount": 9, **loops}]
    assert crashloop_restarts_of([pod("a", restarts=30)]) == 0
    assert crashloop_restarts_of([pod("a", restarts=6, **loops)]) == 6
    assert crashloop_restarts_of([pod("a", restarts=6, **loops), first]) == 9
    assert crashloop_restarts_of([]) == 0


def test_room_that_was_not_measured_is_no_room() -> None:
    web = workload()
    assert not facts(around(web), needs_bytes=1).node_fits
    assert not facts(around(web, free_memory_bytes=100, free_cpu_millicores=5), needs_bytes=101).node_fits
    assert facts(around(web, free_memory_bytes=100, free_cpu_millicores=5), needs_bytes=100).node_fits


def manifest(spec: Obj, kind: str = "Deployment") -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": spec}},
    }


@pytest.mark.threat("T2")
@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [container()], "hostNetwork": True},
        {"hostNetwork": True},  # a part of a pod spec, as a server-side apply may bring it
        {"hostPID": True},
        {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]},
        {"containers": [container(securityContext={"privileged": True})]},
        {"initContainers": [container(securityContext={"privileged": True})]},
        {"containers": [container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}})]},
        {"containers": [container(securityContext={"capabilities": {"add": ["ALL"]}})]},
        {"containers": [container(ports=[{"containerPort": 1, "hostPort": 1}])]},
        {"containers": [container(securityContext={"procMount": "Unmasked"})]},
        {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
        {"securityContext": {"windowsOptions": {"hostProcess": True}}},
    ],
)
def test_what_the_baseline_forbids_is_seen_however_little_of_the_pod_is_said(spec: Obj) -> None:
    assert facts(around(None), wanted=manifest(spec)).pod_security
    deep: Any = {"apiVersion": "v1", "kind": "Strange", "spec": manifest(spec)}
    for level in range(30):
        deep = {"apiVersion": "v1", "kind": "Strange", f"level{level}": [deep]}
    assert facts(around(None), wanted=deep).pod_security


def test_what_the_baseline_lets_a_container_add_passes() -> None:
    added = {"capabilities": {"add": ["NET_BIND_SERVICE", "CHOWN"], "drop": ["ALL"]}}
    quiet = manifest({"containers": [container(securityContext=added)], "securityContext": {"runAsUser": 7}})
    assert not facts(around(None), wanted=quiet).pod_security


@pytest.mark.threat("T2")
def test_a_service_account_with_an_iam_role_is_seen_before_and_after() -> None:
    plain = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop"}}
    marked = {**plain, "metadata": {"name": "web", "annotations": {"eks.amazonaws.com/role-arn": "arn:x"}}}
    assert facts(around(plain), wanted=marked).iam_identity
    assert facts(around(marked), wanted=plain).iam_identity
    assert not facts(around(plain), wanted=plain).iam_identity


CLOSED = {"podSelector": {"matchLabels": {"quarantine": "web-1"}}, "policyTypes": ["Ingress", "Egress"]}


def isolation(here: tuple[Obj, ...] | None, **spec: Any) -> bool:
    target = Around(
        ref=ref("NetworkPolicy", "quarantine", "networking.k8s.io/v1"), now=NOW, obj=None, neighbours=here
    )
    wanted = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {**CLOSED, **spec}}
    return measure(draft(target), target, wanted=wanted).isolates_one_pod


def test_an_isolation_takes_exactly_one_pod_by_its_label() -> None:
    marked, other = pod("web-1"), pod("web-2")
    marked["metadata"]["labels"]["quarantine"] = "web-1"
    twin = pod("web-3")
    twin["metadata"]["labels"]["quarantine"] = "web-1"
    assert isolation((marked, other))
    assert not isolation((marked, other, twin))
    assert not isolation((other,))
    assert not isolation(None)
    assert not isolation((marked,), podSelector={})
    assert not isolation((marked,), policyTypes=["Ingress"])
    assert not isolation((marked,), egress=[{}])


def test_a_revision_counts_as_healthy_after_ten_minutes_and_never_by_guess() -> None:
    web = workload()
    old = replica_set(web, 1, "repo/web:0.9", made="2026-11-22T02:40:00Z")
    late = replica_set(web, 2, "repo/web:1.0.0", made="2026-11-22T02:49:59Z")
    well = replica_set(web, 2, "repo/web:1.0.0", made="2026-11-22T02:50:00Z")
    assert not facts(around(web, replica_sets=(old, late))).previous_healthy
    found = facts(around(web, replica_sets=(well, old)))
    assert found.previous_healthy
    assert found.deploy_age_s == 600
    assert not facts(around(web, replica_sets=(well,))).previous_healthy
    assert facts(around(web)).deploy_age_s == 10**9


def test_the_limit_counts_by_the_top_controller() -> None:
    one = pod()
    assert owner_key(around(one)) == "pod shop/web-1"
    chain = (replica_set(workload(), 2, "i"), workload())
    assert owner_key(around(one, owners=chain)) == "deployment shop/web"


def test_a_controlled_pod_and_a_finished_job_are_partly_reversible_to_policy_alone() -> None:
    one = pod()
    assert facts(around(one), reversible="none").reversible == "none"
    one["metadata"]["ownerReferences"] = [owner("ReplicaSet", "web-h2", "u")]
    found = facts(around(one), reversible="none")
    assert (found.reversible, found.controlled) == ("partial", True)
    job = {**workload("Job"), "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    done = facts(around(job), reversible="none")
    assert (done.reversible, done.job_finished) == ("partial", True)
    job["status"] = {"conditions": [{"type": "Complete", "status": "False"}]}
    assert facts(around(job), reversible="none").reversible == "none"
