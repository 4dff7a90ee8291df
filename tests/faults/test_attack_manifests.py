"""A manifest as the way round a rule, through the whole server against the lab: nothing gets through."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_eks.planning.drafts import Around, Draft
from aiops_eks.planning.facts import measure
from aiops_shared.guardrails.models import Facts, ObjectRef
from aiops_shared.guardrails.policy import Policy
from aiops_shared.settings import PolicySettings
from eks_aiops.drilling.verdict_rows import ask
from tests.e2e.stage import Answer, Stage, whole

NOW = datetime(2026, 11, 22, tzinfo=UTC)

HOME = "production"
DRILL = "guardrail-drill"
FREE = PolicySettings(autonomy_prod="auto-safe", autonomy_staging="auto-safe", autonomy_dev="auto-safe")
pytestmark = [pytest.mark.threat("T2"), pytest.mark.timeout(120), pytest.mark.slow]
GONE = {"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "11111111-1111-1111-1111-111111111111"}


def manifest(kind: str, version: str, name: str, namespace: str = HOME, **more: Any) -> str:
    metadata = {"name": name, "namespace": namespace, **more.pop("metadata", {})}
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, **more})


async def apply(stage: Stage, text: str) -> Answer:
    return await stage.ask("plan_manifest", action="apply", manifest=text)


async def test_what_a_manifest_may_not_say_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path, policy=FREE) as stage:
        api = stage.who.api
        refused = {
            "one field of a pod spec": manifest(
                "Deployment", "apps/v1", api, spec={"template": {"spec": {"hostNetwork": True}}}
            ),
            "a Secret by its plural": manifest("secrets", "v1", "a", stringData={"a": "b"}),
            "a Secret of another group": manifest("Secret", "apps/v1", "a", data={}),
            "a group in the kind": manifest("rbac.authorization.k8s.io/v1/Role", "v1", "a", rules=[]),
            "a kind in the group": manifest("v1/Role", "rbac.authorization.k8s.io", "a", rules=[]),
            "a list": json.dumps(
                {"apiVersion": "v1", "kind": "List", "metadata": {"name": "a"}, "items": []}
            ),
            "an owner that is gone": manifest("ConfigMap", "v1", "a", metadata={"ownerReferences": [GONE]}),
            "a finalizer": manifest("ConfigMap", "v1", "a", metadata={"finalizers": ["example.com/keep"]}),
            "kube-system by its Namespace": json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": "kube-system", "labels": {"env": "dev"}},
                }
            ),
        }
        for what, text in refused.items():
            answer = await apply(stage, text)
            assert answer.code in {"refused", "invalid_input", "kind_unknown"}, (what, answer.text)
        assert stage.writes() == []


def facts_of(kind: str, version: str, before: dict[str, Any], after: dict[str, Any]) -> Facts:
    ref = ObjectRef(cluster="c", api_version=version, kind=kind, namespace="staging", name="a")
    around = Around(ref=ref, now=NOW, obj={"kind": kind, "metadata": {"name": "a"}, "spec": before})
    draft = Draft(action="apply", ref=ref, confirm="a", steps=(), diff=(), reversible="full")
    return measure(draft, around, wanted={"kind": kind, "metadata": {"name": "a"}, "spec": after})


@pytest.mark.parametrize(("most", "change"), [(4, 0), (6, 50), (7, 75), (900, 22400), (1, 75)])
def test_the_bounds_of_an_autoscaler_are_measured_in_a_manifest(most: int, change: int) -> None:
    before = {"minReplicas": 2, "maxReplicas": 4}
    found = facts_of("HorizontalPodAutoscaler", "autoscaling/v2", before, {"maxReplicas": most})
    assert found.hpa_change_pct == change


@pytest.mark.parametrize("group", ["containers", "initContainers"])
def test_another_image_in_a_manifest_is_seen(group: str) -> None:
    def pods(image: str) -> dict[str, Any]:
        return {"template": {"spec": {group: [{"name": "a", "image": image}]}}}

    assert facts_of("Deployment", "apps/v1", pods("a:1"), pods("b:2")).new_image
    assert not facts_of("Deployment", "apps/v1", pods("a:1"), pods("a:1")).new_image


def test_another_image_by_a_manifest_takes_another_person_in_production() -> None:
    question = ask("apply", "Deployment", env="prod", new_image=True).model_copy(update={"group": "apps"})
    verdict = Policy(PolicySettings()).decide(question)
    assert (verdict.decision, verdict.approver) == ("needs_approval", "other")


@pytest.mark.threat("T9")
async def test_nobody_is_asked_for_a_yes_to_fields_that_the_question_does_not_show(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        padding = {f"a{number:03}": "x" for number in range(60)}
        planned = await apply(stage, manifest("ConfigMap", "v1", "padded", data={**padding, "z": "hidden"}))
        refused = await stage.execute(planned.data)
        assert refused.code == "approval_pending", refused.text
        assert stage.person.asked == []
        assert stage.writes() == []


@pytest.mark.threat("T14")
async def test_a_megabyte_of_hostile_text_does_not_hold_up_other_calls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        await stage.ask("get_resource", kind="Namespace", name=HOME)  # first use imports the clients
        beats = [0]

        async def beat() -> None:
            while True:
                await anyio.sleep(0.01)
                beats[0] += 1

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beat)
            answer = await apply(stage, manifest("ConfigMap", "v1", "big", data={"f": 'secret="' * 100_000}))
            tasks.cancel_scope.cancel()
        assert not answer.error
        assert beats[0] > 5  # others are served meanwhile
