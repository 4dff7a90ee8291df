"""Quotas, webhooks, rights, namespaces, APIs: where the fault is placed, and what is none."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_eks.diagnosis.further import FURTHER
from aiops_eks.diagnosis.further.base import FurtherKind
from tests.eks.diagnosis.further_worlds import condition, further_world, head, with_further
from tests.eks.diagnosis.worlds import Obj, codes, crashing, deployment, happened, only, world

USER = "system:serviceaccount:shop:cart-sa"
FORBIDDEN = (
    f'configmaps is forbidden: User "{USER}" cannot list resource "configmaps" in API group "" '
    'in the namespace "shop"'
)
NO_RIGHTS = ("RoleBinding", "Role", "ClusterRoleBinding", "ClusterRole")


def refused(words: str) -> tuple[Obj, Obj]:
    """A Deployment whose pods are refused."""
    made = deployment(ready=0, replicas=2)
    return made, happened("FailedCreate", f"Error creating: {words}", about=made)


def test_a_used_up_quota_is_found_at_the_quota_with_its_numbers() -> None:
    words = (
        'pods "cart-x" is forbidden: exceeded quota: compute, requested: requests.cpu=400m, '
        "used: requests.cpu=900m, limited: requests.cpu=1"
    )
    quota = {
        **head("ResourceQuota", "compute"),
        "status": {"hard": {"requests.cpu": "1", "pods": "9"}, "used": {"requests.cpu": "900m", "pods": "2"}},
    }
    found = only(further_world(*refused(words), quota))
    assert (found.code, found.kind, found.name) == ("QUOTA_EXCEEDED", "ResourceQuota", "compute")
    assert "requests.cpu: 900m of 1 used" in found.title
    assert "pods: 2" not in found.title


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        (
            "exceeded quota: q, requested: pods=1, used: pods=9, limited: pods=9",
            "QUOTA_EXCEEDED",
            "ResourceQuota",
        ),
        ("failed quota: q: must specify limits.cpu for: web", "QUOTA_NEEDS_REQUESTS", "Deployment"),
        ("status unknown for quota: q, resources: pods", "POD_CREATION_REFUSED", "Deployment"),
        ('violates PodSecurity "restricted:latest": host namespaces', "POD_SECURITY_REFUSED", "Deployment"),
        ("maximum cpu usage per Container is 500m, but limit is 2", "LIMIT_RANGE_REFUSED", "Deployment"),
        ("no PriorityClass with name high was found", "PRIORITY_CLASS_MISSING", "PriorityClass"),
        ('error looking up: serviceaccount "cart" not found', "SERVICE_ACCOUNT_MISSING", "ServiceAccount"),
        ('admission webhook "x.y.z" denied the request: no', "WEBHOOK_REFUSED", "Deployment"),
        ('failed calling webhook "x.y.z": failed to call webhook: EOF', "WEBHOOK_FAILING", "Deployment"),
        ("something that no rule knows", "POD_CREATION_REFUSED", "Deployment"),
    ],
)
def test_each_refusal_has_its_code_and_its_place(words: str, code: str, kind: str) -> None:
    found = only(further_world(*refused(words)))
    assert (found.code, found.kind) == (code, kind)


def test_a_refusal_outlives_its_events_in_the_condition() -> None:
    failed = condition(
        "ReplicaFailure", "True", "FailedCreate", "pods is forbidden: exceeded quota: compute, ..."
    )
    assert only(world(deployment(ready=0, replicas=2, conditions=[failed]))).code == "QUOTA_EXCEEDED"


def test_a_controller_that_got_its_pods_is_none() -> None:
    made = deployment(ready=2, replicas=2)
    assert codes(world(made, happened("FailedCreate", "exceeded quota: compute", about=made))) == []


def test_a_webhook_is_found_at_its_configuration() -> None:
    words = 'failed calling webhook "x.y.z": failed to call webhook: Post "https://w": service "w" not found'
    hooks = {
        **head("ValidatingWebhookConfiguration", "guard", ""),
        "webhooks": [{"name": "x.y.z", "clientConfig": {"service": {"namespace": "ops", "name": "w"}}}],
    }
    found = only(further_world(*refused(words), hooks))
    assert (found.kind, found.name) == ("ValidatingWebhookConfiguration", "guard")
    assert "its Service does not exist" in found.title


# rights


def binding(role: str = "reader", subject: str = "cart-sa") -> Obj:
    return {
        **head("RoleBinding", "cart-reader"),
        "roleRef": {"kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": subject}],
    }


def role(*verbs: str) -> Obj:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}]
    return {**head("Role", "reader"), "rules": rules}


@pytest.mark.parametrize(
    ("objects", "kind"),
    [
        ((), "ServiceAccount"),
        ((binding(subject="other"), role("list")), "ServiceAccount"),
        ((binding(),), "RoleBinding"),
        ((binding(), role("get")), "Role"),
    ],
)
def test_a_right_that_is_missing_is_found_where_it_is_missing(objects: tuple[Obj, ...], kind: str) -> None:
    facts = world(crashing(), log=[f"Error: {FORBIDDEN}"])
    found = only(with_further(facts, *objects, nothing_of=NO_RIGHTS))
    assert (found.code, found.kind) == ("RBAC_FORBIDDEN", kind)
    assert "list configmaps in shop" in found.title


def test_a_right_that_was_given_since_is_none() -> None:
    facts = world(crashing(), log=[f"Error: {FORBIDDEN}"])
    given = with_further(facts, binding(), role("*"), nothing_of=NO_RIGHTS)
    assert "RBAC_FORBIDDEN" not in codes(given)


def test_without_a_look_at_the_bindings_it_is_less_sure() -> None:
    unread = only(world(crashing(), log=[f"Error: {FORBIDDEN}"]))
    read = only(with_further(world(crashing(), log=[f"Error: {FORBIDDEN}"]), nothing_of=NO_RIGHTS))
    assert (unread.code, unread.kind) == ("RBAC_FORBIDDEN", "ServiceAccount")
    assert unread.confidence < read.confidence


@pytest.mark.threat("T7")
def test_a_name_in_a_refusal_is_cleaned_before_it_is_shown() -> None:
    words = 'User "bad;rm -rf" cannot list resource "pods" in API group "" at the cluster scope'
    assert "RBAC_FORBIDDEN" not in codes(world(crashing(), log=[f"Error: {words}"]))  # no user has a space
    words = words.replace("bad;rm -rf", "bad;`rm`$x")
    found = only(world(crashing(), log=[f"Error: {words}"]))
    assert not set(found.title + found.root_cause + found.name) & set(";`$")


# namespaces, APIs, certificates


def leaving(age_s: float, *conditions: Obj) -> Obj:
    from tests.eks.diagnosis.worlds import ago

    made = head("Namespace", "shop", "", deletionTimestamp=ago(age_s))
    return {**made, "spec": {"finalizers": ["kubernetes"]}, "status": {"conditions": list(conditions)}}


def test_a_namespace_names_the_finalizer_that_holds_it() -> None:
    words = "Some content in the namespace has finalizers remaining: example.com/keep in 2 resource instances"
    held = condition("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", words)
    assert codes(further_world(leaving(300, held))) == []
    found = only(further_world(leaving(7200, held)))
    assert (found.code, found.kind) == ("NAMESPACE_STUCK", "Namespace")
    assert "example.com/keep" in found.title


def test_an_api_that_does_not_answer_explains_the_namespace_that_waits_for_it() -> None:
    words = (
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
        "metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1"
    )
    silent = condition("NamespaceDeletionDiscoveryFailure", "True", "DiscoveryFailed", words)
    api = {
        **head("APIService", "v1beta1.metrics.k8s.io", ""),
        "spec": {"service": {"namespace": "kube-system", "name": "metrics-server"}},
        "status": {"conditions": [condition("Available", "False", "MissingEndpoints")]},
    }
    assert only(further_world(leaving(7200, silent))).code == "NAMESPACE_STUCK"
    assert only(further_world(leaving(7200, silent), api)).code == "APISERVICE_UNAVAILABLE"


# whatever an API server sends

FIELDS = (
    "metadata", "spec", "status", "name", "namespace", "conditions", "type", "webhooks", "rules", "selector",
    "matchLabels", "schedule", "metrics", "subjects", "roleRef", "hard", "active", "service",
)  # fmt: skip
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("2026-11-22T00:00:00Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)
OURS = ("diagnosis.further.workloads", "diagnosis.further.policy", "diagnosis.further.rights")
READ_HERE = [one for one in FURTHER if one.type.__module__.endswith(OURS)]


PARTS = st.dictionaries(st.sampled_from(("metadata", "spec", "status", "rules")), JUNK, max_size=3)


@pytest.mark.threat("T14")
@settings(deadline=None, max_examples=60)
@pytest.mark.parametrize("one", READ_HERE, ids=lambda one: str(one.kind))
@given(parts=PARTS)
def test_any_object_is_read_and_judged_without_a_crash(one: FurtherKind, parts: dict[str, Any]) -> None:
    found = {**parts, "kind": one.kind.partition(".")[0]}
    codes(with_further(world(*refused("exceeded quota: q"), crashing(), log=[FORBIDDEN]), found))


# an API server that takes no more; manifests of old versions


def test_many_programs_that_are_turned_away_are_one_finding() -> None:
    words = "Error: the server has received too many requests and has asked us to try again later (get pods)"
    other = crashing(metadata={"name": "pay-0", "ownerReferences": []})
    found = only(world(crashing(), other, log=[words]))
    assert (found.code, found.kind, found.name) == ("API_THROTTLED", "Service", "kubernetes")
    assert "and 1 more" in found.title


def test_a_full_store_is_critical() -> None:
    made = deployment(ready=2, replicas=2)
    said = happened("ReconcileError", "etcdserver: mvcc: database space exceeded", about=made)
    found = only(world(made, said))
    assert (found.code, found.severity) == ("ETCD_SPACE_EXCEEDED", "critical")


def test_waiting_by_its_own_limit_alone_does_not_end_a_program() -> None:
    waits = [
        "I1122 Waited for 2s due to client-side throttling, not priority and fairness, request: GET:x"
    ] * 4
    assert only(world(crashing(), log=[*waits, "leaderelection lost"])).code == "CLIENT_THROTTLED"
    assert "CLIENT_THROTTLED" not in codes(world(crashing(), log=waits))


@pytest.mark.parametrize(("version", "expected"), [("policy/v1beta1", ["DEPRECATED_API"]), ("policy/v1", [])])
def test_a_manifest_of_a_version_that_is_gone_is_told(version: str, expected: list[str]) -> None:
    note = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"apiVersion":"{version}","kind":"X"}}'}
    budget = head("PodDisruptionBudget", "cart", annotations=note)
    status = {"expectedPods": 2, "currentHealthy": 2, "desiredHealthy": 1, "disruptionsAllowed": 1}
    assert codes(further_world({**budget, "spec": {"minAvailable": 1}, "status": status})) == expected
