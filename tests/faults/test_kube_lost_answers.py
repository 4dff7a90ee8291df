"""Fault R2 from the tool down to the socket: the connection breaks before or after a change was carried out.

Effects are counted in the simulated cluster, never by our own audit (invariants I1, I5, I7).
"""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aiops_lab.kube.faults import Fault, FaultKind
from tests.e2e.stage import Answer, Obj, Stage, whole

pytestmark = [pytest.mark.fault("R2"), pytest.mark.slow, pytest.mark.timeout(120)]
SPACE = "production"
MANIFEST = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made-here, namespace: production}\ndata: {a: one}\n"
)
WRITES = frozenset({"create", "update", "patch", "delete"})
CHANGES = ["scale", "apply", "delete", "evict"]
LOST: list[FaultKind] = ["reset_before", "reset_after"]


@dataclass
class Effects:
    """What really changed in the cluster by a request of ours: a spec, a new object, an object that goes."""

    stage: Stage
    seen: list[tuple[str, str]] = field(default_factory=list)
    _generations: dict[str, int] = field(default_factory=dict)
    _going: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for kind in ("Deployment", "Pod"):
            for obj in self.stage.lab.store.list(kind, SPACE):
                self._generations[obj["metadata"]["uid"]] = obj["metadata"].get("generation", 0)
        self.stage.lab.store.subscribe(self._note)

    def _note(self, change: str, obj: Obj) -> None:
        kind, meta = obj["kind"], obj["metadata"]
        if meta.get("namespace") != SPACE:
            return
        if kind == "ConfigMap" and change == "ADDED":
            self.seen.append(("made", meta["name"]))
        elif kind == "Deployment" and meta["generation"] > self._generations[meta["uid"]]:
            self._generations[meta["uid"]] = meta["generation"]
            self.seen.append(("changed", meta["name"]))
        elif kind == "Pod" and meta["uid"] not in self._going and "deletionTimestamp" in meta:
            self._going.add(meta["uid"])
            self.seen.append(("going", meta["name"]))


async def planned(stage: Stage, change: str) -> Obj:
    """A plan of each kind of change that the executor knows."""
    name = stage.who.api
    match change:
        case "scale":
            return await stage.plan(action="scale", namespace=SPACE, name=name, replicas=11)
        case "apply":
            return await stage.got("plan_manifest", action="apply", manifest=MANIFEST)
    found = stage.lab.store.list("Pod", SPACE, labels=f"app={name}")
    pod = found[0]["metadata"]["name"]
    return await stage.got("plan_manifest", action=change, kind="Pod", namespace=SPACE, name=pod)


async def carried_out(stage: Stage, plan: Obj) -> Answer:
    """Execute, approved by another person where the rule asks for one."""
    done = await stage.execute(plan)
    if done.code == "approval_pending":
        await stage.approved_by("ben", done)
        done = await stage.execute(plan)
    return done


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_whose_answer_is_lost_happens_once_and_succeeds(
    change: str, lost: FaultKind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("guardrail-drill", 3, monkeypatch, tmp_path) as stage:
        plan = await planned(stage, change)
        effects = Effects(stage)
        stage.lab.set_faults([Fault(lost, times=1, verbs=WRITES)])
        done = await carried_out(stage, plan)
        assert not done.error, done.text
        assert done.data["state"] == "succeeded", done.data
        assert len(effects.seen) == len(done.data["steps"]["rows"]) == 1, effects.seen
        # Lost before: sent once more. Lost after: read back and not sent again.
        assert len(stage.writes()) == 1 + (lost == "reset_before")


@pytest.mark.parametrize("lost", LOST)
async def test_a_change_of_which_nobody_can_say_what_became_is_unknown_and_never_done(
    lost: FaultKind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("guardrail-drill", 3, monkeypatch, tmp_path) as stage:
        plan = await planned(stage, "scale")
        effects = Effects(stage)
        silence = Fault("wrong_type", times=None, verbs=frozenset({"get"}), path_contains="/deployments/")
        stage.lab.set_faults([Fault(lost, times=1, verbs=WRITES)])
        played = stage.lab.faults.next

        def then_silent(verb: str, path: str) -> Fault | None:
            fault = played(verb, path)
            if fault is not None and fault.kind == lost:
                stage.lab.faults.add(silence)
            return fault

        monkeypatch.setattr(stage.lab.faults, "next", then_silent)
        done = await carried_out(stage, plan)
        assert done.data["state"] == "unknown", done.text
        assert "ESCALATE" in done.data["summary"]
        assert "unknown" in done.text
        assert len(stage.writes()) == 1
        assert len(effects.seen) == (lost == "reset_after")
        stage.lab.set_faults([])
        told = await stage.got("get_action", action_id=done.data["action_id"])
        assert told["state"] == "unknown"


async def test_a_read_tool_says_which_upstream_failed_and_what_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("guardrail-drill", 3, monkeypatch, tmp_path) as stage:
        await stage.got("list_resources", kind="Pod", namespace=SPACE)
        stage.lab.set_faults([Fault("error", times=None, status=503, path_contains="/pods")])
        answer = await stage.ask("list_resources", kind="Pod", namespace=SPACE)
        assert answer.code == "upstream_error", answer.text
        assert "HTTP 503" in answer.text
        stage.lab.set_faults([])
        assert (await stage.got("list_resources", kind="Pod", namespace=SPACE))["total"] > 0
