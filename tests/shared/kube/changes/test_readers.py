"""What each source of changes tells of an object, and how the same change becomes one row."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aiops_shared.aws.audit_log import AuditAsk, query_of
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.changes.audits import audit_changes
from aiops_shared.kube.changes.gitops import argo_changes, helm_changes, kustomization_changes
from aiops_shared.kube.changes.managers import object_changes
from aiops_shared.kube.changes.merging import merged
from aiops_shared.kube.changes.nodes import claim_changes, node_changes
from aiops_shared.kube.changes.records import Change, Source
from aiops_shared.kube.changes.revisions import rollouts

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
Obj = dict[str, Any]


def at(minutes: float) -> str:
    return (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def change(seconds: float, verb: str, source: Source, name: str = "web", **more: Any) -> Change:
    return Change(
        NOW - timedelta(seconds=seconds), verb, "Deployment", name, "shop", sources=(source,), **more
    )


# joining


def test_a_change_that_several_sources_saw_is_one_row_with_the_best_of_each() -> None:
    rows = merged(
        [
            change(
                60,
                "rollout",
                "revisions",
                what=("revision 1 → 2", "app image web:1 → web:2"),
                client="kubectl",
            ),
            change(60.7, "update", "audit", user="dana", client="kubectl/v1.35.0", what=("x → y",)),
            change(59, "update", "journal"),
        ]
    )
    (row,) = rows
    assert (row.verb, row.user, row.client) == ("rollout", "dana", "kubectl/v1.35.0")
    assert row.at == NOW - timedelta(seconds=60.7)
    assert set(row.sources) == {"revisions", "audit", "journal"}
    assert row.what[:2] == ("revision 1 → 2", "app image web:1 → web:2")


def test_two_writes_that_one_source_tells_apart_stay_two_and_other_objects_stay_apart() -> None:
    rows = merged(
        [change(10, "update", "audit"), change(9, "update", "audit"), change(9, "update", "journal", "b")]
    )
    assert [row.name for row in rows] in (["web", "b", "web"], ["b", "web", "web"])


def test_a_delete_and_a_create_within_a_second_are_never_one() -> None:
    rows = merged([change(10, "delete", "audit"), change(9.5, "create", "objects")])
    assert [row.verb for row in rows] == ["create", "delete"]


def test_a_delete_found_late_is_joined_with_the_moment_that_the_audit_log_knows() -> None:
    rows = merged([change(20, "delete", "journal", within_s=240.0), change(200, "delete", "audit", user="x")])
    assert [(row.at, row.user) for row in rows] == [(NOW - timedelta(seconds=200), "x")]


# revisions


def revision(number: int, minutes: float, kind: str = "Deployment", **container: Any) -> Obj:
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": "web", "uid": "u", "controller": True}
    spec = {"template": {"spec": {"containers": [{"name": "app", "image": "web:1", **container}]}}}
    found: Obj = {
        "metadata": {
            "name": f"web-{number}",
            "namespace": "shop",
            "creationTimestamp": at(minutes),
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [owner],
        }
    }
    if kind == "Deployment":
        return {**found, "spec": spec}
    found["metadata"].pop("annotations")
    return {**found, "data": {"spec": spec}, "revision": number}


def test_a_rollout_says_image_env_and_resources_of_both_revisions() -> None:
    old = revision(1, 900, env=[{"name": "POOL", "value": "50"}], resources={"limits": {"memory": "1Gi"}})
    new = revision(
        2, 12, image="web:2", env=[{"name": "POOL", "value": "10"}], resources={"limits": {"memory": "2Gi"}}
    )
    (row,) = rollouts([new, old], [], redact)
    assert (row.verb, row.kind, row.at) == ("rollout", "Deployment", NOW - timedelta(minutes=12))
    assert row.what == (
        "revision 1 → 2",
        "app image web:1 → web:2",
        "app limits.memory 1Gi → 2Gi",
        "app env POOL 50 → 10",
    )


def test_a_variable_that_looks_like_a_secret_is_never_shown() -> None:
    old = revision(1, 900, env=[{"name": "DB_PASSWORD", "value": "fake-canary-one"}])
    new = revision(2, 12, env=[{"name": "DB_PASSWORD", "value": "fake-canary-two"}])
    (row,) = rollouts([old, new], [], redact)
    assert row.what[1] == "app env DB_PASSWORD (hidden) → (hidden)"


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_controller_revisions_tell_of_other_workloads(kind: str) -> None:
    (row,) = rollouts([revision(3, 900, kind), revision(4, 5, kind, image="web:9")], [], redact)
    assert (row.kind, row.what) == (kind, ("revision 3 → 4", "app image web:1 → web:9"))


def test_a_revision_taken_again_is_a_rollback_at_the_time_of_the_write() -> None:
    written = {
        "manager": "kubectl-rollout",
        "operation": "Update",
        "time": at(3),
        "fieldsV1": {"f:spec": {"f:template": {}}},
    }
    owner = {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "managedFields": [written]},
    }
    again = revision(3, 900)  # made long ago, as revision 1
    rows = list(rollouts([revision(2, 30, image="web:2"), again], [owner], redact))
    assert [(row.verb, row.at, row.client) for row in rows] == [
        ("rollback", NOW - timedelta(minutes=3), "kubectl-rollout")
    ]
    assert rows[0].what == ("revision 2 → 3", "app image web:2 → web:1")


# managedFields


def config_map(**meta: Any) -> Obj:
    return {"metadata": {"name": "settings", "namespace": "shop", "creationTimestamp": at(100), **meta}}


def entry(manager: str, minutes: float, fields: Obj, **more: Any) -> Obj:
    return {"manager": manager, "operation": "Update", "time": at(minutes), "fieldsV1": fields, **more}


def test_an_object_tells_its_making_and_the_last_write_of_each_manager() -> None:
    fields: Obj = {"f:data": {".": {}, "f:MODE": {}}}
    found = config_map(
        managedFields=[
            entry("kubectl-create", 100, fields),
            entry("kubectl-edit", 7, fields),
            entry("kubelet", 2, fields),
        ]
    )
    rows = [(row.verb, row.client, row.what) for row in object_changes(found, "ConfigMap")]
    assert rows == [("create", "kubectl-create", ()), ("update", "kubectl-edit", ("fields data.MODE",))]


def test_leader_elections_status_and_root_certificates_are_no_changes() -> None:
    leader = config_map(annotations={"control-plane.alpha.kubernetes.io/leader": "{}"})
    root = {"metadata": {"name": "kube-root-ca.crt", "namespace": "shop", "creationTimestamp": at(5)}}
    status = config_map(managedFields=[entry("operator", 4, {"f:status": {}}, subresource="status")])
    assert list(object_changes(leader, "ConfigMap")) == []
    assert list(object_changes(root, "ConfigMap")) == []
    assert [row.verb for row in object_changes(status, "ConfigMap")] == ["create"]


@pytest.mark.parametrize(
    "broken", [{}, {"metadata": None}, {"metadata": {"managedFields": [7, {"time": "x"}]}}]
)
def test_misshapen_objects_tell_nothing_and_break_nothing(broken: Any) -> None:
    readers = (argo_changes, helm_changes, kustomization_changes, node_changes, claim_changes)
    assert [row for read in readers for row in read(broken)] == []
    assert list(object_changes(broken, "ConfigMap")) == []
    assert list(rollouts([broken], [broken], redact)) == []
    assert list(audit_changes([broken], {}, redact)) == []


# nodes, GitOps


def test_a_node_that_joined_and_was_cordoned() -> None:
    node = {
        "metadata": {
            "name": "n1",
            "creationTimestamp": at(40),
            "labels": {"karpenter.sh/nodepool": "default", "topology.kubernetes.io/zone": "us-east-1a"},
        },
        "spec": {
            "unschedulable": True,
            "taints": [
                {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": at(9)}
            ],
        },
    }
    rows = [(row.verb, row.at, row.what) for row in node_changes(node)]
    assert rows == [
        ("create", NOW - timedelta(minutes=40), ("us-east-1a, default",)),
        ("cordon", NOW - timedelta(minutes=9), ()),
    ]


def test_argo_syncs_with_revision_and_initiator_and_the_one_that_failed() -> None:
    app = {
        "metadata": {"name": "shop", "namespace": "argocd"},
        "status": {
            "history": [
                {"revision": "a" * 40, "deployedAt": at(90), "initiatedBy": {"automated": True}},
                {"revision": "b" * 40, "deployedAt": at(20), "initiatedBy": {"username": "dana"}},
            ],
            "operationState": {
                "phase": "Failed",
                "startedAt": at(4),
                "message": "one or more objects failed to apply",
                "operation": {"sync": {"revision": "c" * 40}},
            },
        },
    }
    rows = [(row.user, row.what) for row in argo_changes(app)]
    assert rows[0] == ("automated sync", ("revision aaaaaaaaaa",))
    assert rows[1] == ("dana", ("revision aaaaaaaaaa → bbbbbbbbbb",))
    assert rows[2][1] == ("revision cccccccccc", "Failed: one or more objects failed to apply")


# audit records


def record(verb: str, resource: str = "deployments", **more: Any) -> Obj:
    ref = {"resource": resource, "namespace": "shop", "name": "web", **more.pop("ref", {})}
    return {
        "verb": verb,
        "user": {"username": "dana"},
        "userAgent": "kubectl/v1.35.0",
        "requestURI": "/x",
        "objectRef": ref,
        "requestReceivedTimestamp": "2026-11-22T02:50:00.123456Z",
        **more,
    }


def told(found: Obj) -> Change:
    (row,) = audit_changes([found], {"deployments": "Deployment", "secrets": "Secret"}, redact)
    return row


def test_a_patch_tells_the_new_values_that_it_names() -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "web:3"}]}}}}
    row = told(record("patch", requestObject=body))
    assert (row.verb, row.user, row.client) == ("update", "dana", "kubectl/v1.35.0")
    assert row.what == ("spec.template.spec.containers[app].image → web:3",)


def test_scaling_eviction_cordon_and_the_autoscaler_have_words_of_their_own() -> None:
    scale = record("patch", ref={"subresource": "scale"}, requestObject={"spec": {"replicas": 9}})
    assert (told(scale).verb, told(scale).what) == ("scale", ("replicas → 9",))
    hpa = {**scale, "user": {"username": "system:serviceaccount:kube-system:horizontal-pod-autoscaler"}}
    assert told(hpa).verb == "autoscale"
    assert told(record("create", "pods", ref={"subresource": "eviction"})).verb == "evict"
    assert told(record("patch", "nodes", requestObject={"spec": {"unschedulable": True}})).verb == "cordon"


def test_values_of_secrets_and_of_secret_looking_variables_are_never_told() -> None:
    secret = record("patch", "secrets", requestObject={"data": {"token": "ZmFrZS1jYW5hcnk="}})
    assert told(secret).what == ()
    env = [{"name": "DB_PASSWORD", "value": "fake-canary"}]
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "env": env}]}}}}
    assert "fake-canary" not in str(told(record("patch", requestObject=body)).what)


@pytest.mark.parametrize(
    "dry",
    [
        {"requestURI": "/apis/apps/v1/x?dryRun=All"},
        {"requestObject": {"kind": "DeleteOptions", "dryRun": ["All"]}},
        {"requestObject": {"kind": "Eviction", "deleteOptions": {"dryRun": ["All"]}}},
    ],
)
def test_dry_runs_are_left_out(dry: Obj) -> None:
    assert list(audit_changes([record("delete", **dry)], {}, redact)) == []


def test_who_impersonated_whom_is_told() -> None:
    row = told(record("delete", impersonatedUser={"username": "admin"}))
    assert row.user == "admin (impersonated by dana)"


def test_the_query_is_bounded_and_no_word_can_change_it() -> None:
    query = query_of(
        AuditAsk(NOW - timedelta(hours=1), NOW, "shop", "configmaps", ("settings",), limit=9_999)
    )
    assert 'objectRef.namespace = "shop"' in query
    assert "limit 500" in query
    assert "system:node" not in query  # who asks about one object wants everybody's writes
    with pytest.raises(InvalidInputError):
        AuditAsk(NOW, NOW, names=('x" or ispresent(verb) | limit 1',))
