"""F1 to F4 and image pulls by their SOPs: what is put back, what is only proposed, what is left alone."""

import json
from pathlib import Path

import pytest

from aiops_lab.places import CLUSTER
from aiops_lab.scenarios import SCENARIOS, Expected
from aiops_lab.scenarios.memory_spike import images, spiking
from aiops_lab.scenarios.profiles import leaker, top_function
from aiops_lab.scenarios.programs import MI
from tests.e2e.stage import Obj
from tests.sop.procedures.incidents import acted, anew, live, mark, quick, said, states, step, told, verbs
from tests.sop.procedures.playing import AUTO, played
from tests.sop.stage import Stage, operated

__all__ = ["quick"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("quick")]
HOME = "production"


def limit_of(stage: Stage, namespace: str, name: str) -> str:
    """The memory limit that a Deployment gives now."""
    spec = live(stage, "Deployment", namespace, name)["spec"]["template"]["spec"]
    return str(spec["containers"][0]["resources"]["limits"]["memory"])


def image_of(stage: Stage, name: str) -> str:
    """The image that a Deployment runs now."""
    spec = live(stage, "Deployment", HOME, name)["spec"]["template"]["spec"]
    return str(spec["containers"][0]["image"])


def expected(stage: Stage, scenario: str) -> Expected:
    """What is wrong in the story that is played."""
    return SCENARIOS[scenario].expect(stage.who)[0]


async def of(stage: Stage, sop: str, namespace: str, name: str, mode: str = "auto", **more: object) -> Obj:
    """One run of a SOP about a workload."""
    given = {"cluster": CLUSTER, "namespace": namespace, "name": name, **more}
    return await played(stage, sop, given, mode=mode)


@pytest.mark.row("S53")
@pytest.mark.row("S27")
@pytest.mark.row("S37")
@pytest.mark.row("S67")
@pytest.mark.parametrize("seed", [0])  # others: `python -m evals.sop.proofs`
async def test_workloads_in_trouble_are_mended_or_handed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        await _limit_too_low(stage, seed)
        await _release_that_leaks(stage, seed)
        if seed == 0:
            await _settings_gone(stage, seed)
            await _limit_too_low_in_staging(stage)
            await _leak_that_kills(stage)
            await _leak_that_is_seen_early(stage)
            await _image_that_is_not_there(stage)


async def _limit_too_low(stage: Stage, seed: int) -> None:
    """F2 by a prompt, supervised: a person agrees, the pod stays up."""
    anew(stage, "oom-raise-limits", seed)
    name = expected(stage, "oom-raise-limits").name
    before = limit_of(stage, HOME, name)
    run = await of(stage, "oom-raise-limits", HOME, name, mode="supervised")
    assert run["state"] == "succeeded", told(run)
    assert acted(run) == ["raise"]
    assert run["human_inputs"] >= 1
    assert limit_of(stage, HOME, name) != before
    stage.lab.clock.advance(600)
    pods = stage.lab.store.list("Pod", HOME, labels=f"app={name}")
    assert all(one["ready"] for pod in pods for one in pod["status"]["containerStatuses"])


async def _limit_too_low_in_staging(stage: Stage) -> None:
    """The same in staging by itself: nobody is asked (D36)."""
    anew(stage, "oom-raise-limits-staging")
    name = expected(stage, "oom-raise-limits-staging").name
    run = await of(stage, "oom-raise-limits", "staging", name)
    assert run["state"] == "succeeded", told(run)
    assert limit_of(stage, "staging", name) == "384Mi"
    assert run["human_inputs"] <= 1  # who started it


async def _leak_that_kills(stage: Stage) -> None:
    """F2n: time is bought with a person's yes, the leak is named, the run does not call it solved."""
    anew(stage, "memory-leak")
    name = expected(stage, "memory-leak").name
    run = await of(stage, "oom-raise-limits", HOME, name)
    assert run["state"] == "escalated", told(run)
    assert acted(run) == ["buy_time"]
    assert "delays, does not fix" in said(run, "leak")


async def _settings_gone(stage: Stage, seed: int) -> None:
    """F1: proposed only; with the ConfigMap at hand it is put back after a yes. Nothing is ever restarted."""
    anew(stage, "pod-crashloop", seed)
    one = expected(stage, "pod-crashloop")
    before = mark(stage)
    run = await of(stage, "pod-crashloop", HOME, one.hurts_name)
    assert run["state"] == "escalated", told(run)
    assert verbs(stage, before) == set()
    assert one.name in said(run, "propose")
    assert "restart does not help" in said(run, "propose")
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": one.name, "namespace": HOME},
        "data": {stage.who.setting: "db.internal"},
    }
    run = await of(stage, "pod-crashloop", HOME, one.hurts_name, manifest=json.dumps(manifest))
    assert run["state"] == "succeeded", told(run)
    assert acted(run) == ["restore"]
    assert {resource for _, resource in verbs(stage, before)} == {"configmaps"}


async def _release_that_leaks(stage: Stage, seed: int) -> None:
    """F4: the version before is back on all pods, and so is their memory."""
    anew(stage, "memory-spike", seed)
    name, (before, _) = spiking(stage.who), images(stage.who)
    run = await of(stage, "memory-spike-rollback", HOME, name)
    assert run["state"] == "succeeded", told(run)
    assert acted(run) == ["rollback"]
    assert image_of(stage, name) == before
    pods = [pod["metadata"]["name"] for pod in stage.lab.store.list("Pod", HOME, labels=f"app={name}")]
    used = [sum(memory for _, memory in (stage.lab.world.pod(HOME, pod) or {}).values()) / MI for pod in pods]
    assert max(used) < 450
    assert "TTL" in said(run, "tell")


async def _leak_that_is_seen_early(stage: Stage) -> None:
    """F3: the profile is taken, nothing is restarted, the owner hears of it."""
    anew(stage, "memory-growing")
    before = mark(stage)
    run = await of(stage, "memory-leak", HOME, leaker(stage.who))
    assert run["state"] == "escalated", told(run)
    assert acted(run) == ["profile"]
    assert verbs(stage, before) == set()
    assert top_function(stage.who) in said(run, "hand_over")
    assert "abnormal increasing trend" in said(run, "hand_over")
    assert step(run, "profile")["state"] == "done"
    assert states(run)["restart"] == "skipped"


async def _image_that_is_not_there(stage: Stage) -> None:
    """A tag that was never pushed is taken back; a registry that refuses is not mended by a rollout."""
    anew(stage, "image-pull")
    one = expected(stage, "image-pull")
    asked_for = image_of(stage, one.hurts_name or one.name)
    run = await of(stage, "image-pull-failure", HOME, one.hurts_name or one.name)
    assert run["state"] == "succeeded", told(run)
    assert image_of(stage, one.hurts_name or one.name) != asked_for
    anew(stage, "image-pull-denied")
    one, before = expected(stage, "image-pull-denied"), mark(stage)
    run = await of(stage, "image-pull-failure", HOME, one.hurts_name or one.name)
    assert run["state"] == "escalated", told(run)
    assert verbs(stage, before) == set()
