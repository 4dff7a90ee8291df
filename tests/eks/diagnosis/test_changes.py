"""A rollout that a fault came with stands beside it: what changed, never a value (row S66)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aiops_eks.diagnosis.changes import before_fault, revision
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import Pod, Ref, Revision
from tests.eks.diagnosis.worlds import NOW

pytestmark = pytest.mark.row("S66")
OWNER = Ref("Deployment", "shop", "web")


def _set(number: int, minutes: float, **container: Any) -> dict[str, Any]:
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"web-{number}",
            "namespace": "shop",
            "creationTimestamp": (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u", "controller": True}
            ],
        },
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "web:1", **container}]}}},
    }


def _facts(*sets: dict[str, Any]) -> Facts:
    read = [one for obj in sets if (one := revision(obj)) is not None]
    return Facts(cluster="lab", now=NOW, revisions=tuple(read))


def _pod(parent: str) -> Pod:
    return Pod("shop", f"{parent}-x", parent=Ref("ReplicaSet", "shop", parent), owner=OWNER)


def _says(facts: Facts, *parents: str) -> str:
    found = before_fault(facts, tuple(_pod(parent) for parent in parents))
    return found.says if found else ""


def test_the_image_that_a_rollout_changed_is_named_with_its_age() -> None:
    facts = _facts(_set(1, 900), _set(2, 12, image="web:2"))
    assert _says(facts, "web-2", "web-2") == "revision 2 since 12 min changed: app image web:1 → web:2"


def test_the_value_of_a_variable_is_compared_and_never_shown() -> None:
    old = _set(1, 900, env=[{"name": "PASSWORD", "value": "canary-old"}])
    new = _set(2, 12, env=[{"name": "PASSWORD", "value": "canary-new"}, {"name": "MODE", "value": "canary"}])
    facts = _facts(old, new)
    assert _says(facts, "web-2") == (
        "revision 2 since 12 min changed: app env PASSWORD value changed; app env MODE added"
    )
    assert "canary" not in repr(facts.revisions)


def test_pods_of_the_old_revision_a_first_revision_and_an_old_rollout_have_no_change_to_show() -> None:
    facts = _facts(_set(1, 900), _set(2, 12, image="web:2"))
    assert not _says(facts, "web-1")
    assert not _says(facts, "web-1", "web-2")
    assert not _says(facts)
    assert not _says(_facts(_set(1, 5)), "web-1")
    assert not _says(_facts(_set(1, 9000), _set(2, 900)), "web-2")


def test_a_change_of_resources_shows_both_amounts_and_many_changes_are_counted() -> None:
    wide = {f"v{n}": "1" for n in range(6)}
    old = _set(1, 900, resources={"limits": {"memory": "512Mi"}})
    new = _set(2, 12, resources={"limits": {"memory": "256Mi"}, "requests": wide})
    says = _says(_facts(old, new), "web-2")
    assert "app limits.memory 512Mi → 256Mi" in says
    assert says.endswith("and 3 more")


@pytest.mark.threat("T14")
@pytest.mark.parametrize("written", ["", "x", "-1", "9" * 40, "²"])
def test_a_replica_set_with_a_strange_revision_is_no_crash(written: str) -> None:
    obj = _set(1, 5)
    obj["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": written}
    read = revision(obj)
    assert read is None or isinstance(read, Revision)


def test_the_order_of_the_facts_changes_nothing() -> None:
    facts = _facts(_set(1, 900), _set(3, 12, image="web:3"), _set(2, 500, image="web:2"))
    turned = replace(facts, revisions=facts.revisions[::-1])
    assert (
        _says(facts, "web-3")
        == _says(turned, "web-3")
        == ("revision 3 since 12 min changed: app image web:2 → web:3")
    )
