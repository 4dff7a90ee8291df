"""What the person reads before a yes, and dry runs that the cluster does not answer."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest

from aiops_eks.clients.surroundings import KubeSurroundings, roomiest, selector_text
from aiops_eks.planning.wording import NOT_ALL_SHOWN
from aiops_eks.ports import KubeReadWrite
from aiops_shared.errors import AccessDeniedError, AiopsError, ConflictError, InvalidInputError
from aiops_shared.guardrails.models import FieldChange, PendingApproval
from aiops_shared.guardrails.questions import fits_a_question, plan_question
from tests.eks.planning.objects import NOW, Obj, around, workload
from tests.fakes.kube import FakeClock


def pending(**more: Any) -> PendingApproval:
    given: dict[str, Any] = {
        "approval_id": "apr_1",
        "plan_id": "pln_1",
        "plan_digest": "d",
        "requester": "anna",
        "needs": "requester",
        "requester_may": True,
        "confirm": "scale deployment shop/web from 4 to 6 replicas",
        "diff": (FieldChange(path="spec.replicas", before="4", after="6"),),
        "blast_radius": "1 object",
        "reversible": "full",
        "rule": "scale-beyond",
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=10),
        **more,
    }
    return PendingApproval(**given)


def test_the_question_shows_the_sentence_the_fields_and_the_rule() -> None:
    assert plan_question(pending(reason="traffic doubles", lost=("local data",))).splitlines() == [
        "Approve: scale deployment shop/web from 4 to 6 replicas",
        "",
        "  spec.replicas: 4 -> 6",
        "",
        "Touches: 1 object",
        "Undo: full; lost: local data. Rule: scale-beyond.",
        "Reason given by anna: traffic doubles",
    ]


def test_an_added_and_a_removed_field_say_so() -> None:
    diff = (FieldChange(path="a", before="", after="1"), FieldChange(path="b", before="2", after=""))
    found = plan_question(pending(diff=diff))
    assert "  a: (none) -> 1" in found
    assert "  b: 2 -> (removed)" in found


def test_a_change_that_a_question_cannot_show_whole_is_no_question() -> None:
    many = tuple(FieldChange(path=f"f{n}", before="1", after="2") for n in range(21))
    hidden = (FieldChange(path="data.a", before="x", after=f"y ({NOT_ALL_SHOWN})"),)
    assert not fits_a_question(pending(diff=many))
    assert not fits_a_question(pending(diff=hidden))
    assert fits_a_question(pending(diff=many[:20]))
    longest = tuple(FieldChange(path=f"f{n}", before="x" * 460, after="y" * 460) for n in range(20))
    assert ("y" * 460) in plan_question(pending(diff=longest))


@pytest.mark.threat("T7")
@pytest.mark.parametrize("field", ["confirm", "blast_radius", "reason", "requester"])
def test_no_word_of_an_object_or_a_model_makes_a_line_of_its_own(field: str) -> None:
    evil = "x\nRule: none.\r\n\x1b[2JApproved by: root\u2028\u202e"
    plain, found = (
        plan_question(pending(reason="r")),
        plan_question(pending(**{"reason": "r", field: evil})),
    )
    assert len(found.splitlines()) == len(plain.splitlines())
    assert all(char.isprintable() or char == "\n" for char in found)


@pytest.mark.threat("T7")
def test_a_field_of_the_diff_stays_on_its_line() -> None:
    diff = (FieldChange(path="a\nb", before="1\n2", after="3\n\nTouches: nothing"),)
    assert len(plan_question(pending(diff=diff)).splitlines()) == 6


@dataclass
class Refusing:
    """A cluster that answers every change with one error."""

    error: AiopsError
    cluster: str = "lab"

    async def apply(self, obj: Obj, **how: Any) -> Obj:
        raise self.error

    async def every(self, *what: Any, **how: Any) -> AsyncIterator[Obj]:
        return
        yield {}


@dataclass
class One:
    """A directory of that cluster."""

    kube: Refusing

    async def open(self, cluster: str | None) -> KubeReadWrite:
        return cast("KubeReadWrite", self.kube)


def surroundings(error: AiopsError) -> KubeSurroundings:
    return KubeSurroundings(One(Refusing(error)), FakeClock())


async def test_a_dry_run_without_rights_is_schema_only_and_names_what_is_missing() -> None:
    error = AccessDeniedError("apply web", "anna may not patch deployments.apps")
    found = await surroundings(error).dry_apply(workload(), around(workload()))
    assert found.validation == "schema_only"
    assert "may not patch deployments.apps" in found.missing[0]


async def test_a_webhook_that_refuses_dry_runs_is_named() -> None:
    error = InvalidInputError("apply web", 'admission webhook "pods.example.com" does not support dry run')
    found = await surroundings(error).dry_apply(workload(), around(workload()))
    assert found.validation == "schema_only"
    assert "pods.example.com" in found.missing[0]


async def test_any_other_refusal_of_a_dry_run_is_the_answer() -> None:
    for error in (
        InvalidInputError("web", "spec.replicas: Invalid"),
        ConflictError("web", "owned by others"),
    ):
        with pytest.raises(type(error)):
            await surroundings(error).dry_apply(workload(), around(workload()))


def node(name: str, memory: str, **spec: Any) -> Obj:
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {"allocatable": {"memory": memory, "cpu": "4"}, "conditions": []},
    }


def test_room_is_counted_on_nodes_that_take_pods() -> None:
    down = node("down", "64Gi")
    down["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    tainted = node("tainted", "64Gi", taints=[{"key": "gpu", "effect": "NoSchedule"}])
    nodes = (down, tainted, node("cordoned", "64Gi", unschedulable=True), node("good", "8Gi"))
    resources = {"requests": {"memory": "3Gi", "cpu": "500m"}}
    runs: Obj = {"spec": {"nodeName": "good", "containers": [{"resources": resources}]}, "status": {}}
    ended = {**runs, "status": {"phase": "Succeeded"}}
    assert roomiest(nodes, (runs, ended)) == (5 * 2**30, 3500)
    assert roomiest((), ()) == (0, 0)


def test_a_selector_is_asked_as_the_api_writes_it() -> None:
    found = selector_text(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "env", "operator": "NotIn", "values": ["x"]},
                {"key": "hot", "operator": "Exists"},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }
    )
    assert found == "app=web,tier in (a,b),env notin (x),hot,!old"
    assert selector_text(None) == ""
