"""A stretch of work becomes a SOP that lints and replays on a fresh world (S58, F21b)."""

from pathlib import Path
from typing import Any

import pytest

from aiops_lab.scenarios import SCENARIOS
from aiops_shared.errors import InvalidInputError
from aiops_shared.settings import SopSettings
from aiops_sop.analysis.codifying import Done, Draft, drafted
from aiops_sop.documents.linting import World, lint
from aiops_sop.documents.parsing import parse
from eks_aiops.codify_command import draft_of
from eks_aiops.sops_command import world
from tests.e2e.stage import Stage, whole
from tests.sop.stage import Stage as Operated
from tests.sop.stage import operated

STORY, HOME, NAME = "oom-raise-limits-staging", "staging", "raise-a-limit"
CANARY = "plantedCodified7Rw2"


async def worked(stage: Stage) -> None:
    """What a person does on F2: look, plan, execute, look again; a detour and a poll among it."""
    await stage.ask("list_clusters")
    found = await stage.got("diagnose", namespace=HOME)
    hurt = next(one for one in found["findings"] if one["kind"] == "Deployment")
    about = {"namespace": HOME, "kind": "Deployment", "name": hurt["name"]}
    await stage.got("diagnose", **about)
    await stage.plan(action="scale", **about, replicas=3)  # thought of, and dropped
    plan = await stage.plan(action="resources", **about, reason=f"password={CANARY}")
    done = await stage.execute(plan)
    assert done.data["state"] == "succeeded", done.text
    stage.lab.clock.advance(180)
    await stage.got("diagnose", **about)


async def codified(stage: Stage, against: World) -> Draft:
    servers = {tool: server for server, tools in against.tools.items() for tool in tools}
    return await draft_of(stage.settings, servers, ("anna", "-1h", ""), NAME)


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.row("S58")
@pytest.mark.row("F21b")
async def test_what_a_person_did_becomes_a_procedure_that_lints_and_replays_on_a_fresh_world(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(STORY, 0, monkeypatch, tmp_path / "first") as stage:
        await worked(stage)
        against = await world(stage.settings)
        draft = await codified(stage, against)
        with pytest.raises(InvalidInputError, match="called nothing"):
            await draft_of(stage.settings, {}, ("nobody", "-1h", ""), NAME)
        cast_of_the_session = {stage.who.api, stage.who.worker, stage.who.api_image, stage.who.worker_image}
    assert lint(draft.text, f"{NAME}.sop.md", against) == (), draft.text
    assert CANARY not in draft.text
    assert not any(literal in draft.text for literal in cast_of_the_session), "no name of the session stays"
    sop = parse(draft.text, f"{NAME}.sop.md")
    assert [step.kind for step in sop.steps if step.writes] == ["plan"]
    assert {one.name for one in sop.params} >= {"namespace", "name"}
    assert any("scale" in one for one in draft.left_out), "what was not carried out is no step"
    folder = tmp_path / "sops"
    folder.mkdir()
    (folder / f"{NAME}.sop.md").write_text(draft.text, encoding="utf-8")
    sops = SopSettings(dirs=[str(folder)])
    async with operated(
        monkeypatch, tmp_path / "second", STORY, 4, autonomy={"staging": "auto-safe"}, sop=sops
    ) as fresh:
        params = params_of(fresh)
        run = await fresh.got("start_run", sop=NAME, params=params, mode="auto")
        done = await fresh.finished(run["run_id"])
        assert done["state"] == "succeeded", done
        assert fresh.lab.requests.writes()


def params_of(stage: Operated) -> dict[str, Any]:
    """The workload that is hurt in this world."""
    (expected, *_) = SCENARIOS[STORY].expect(stage.who)
    return {"namespace": expected.namespace, "name": expected.name, "kind": expected.kind}


def plan(executed: bool, **arguments: Any) -> Done:
    return Done("eks", "plan_workload_change", {"action": "scale", **arguments}, executed)


ABOUT = {"namespace": "shop", "kind": "Deployment", "name": "web"}


def test_names_and_amounts_are_parameters_and_one_value_has_one_name() -> None:
    done = [
        Done("eks", "diagnose", ABOUT),
        plan(True, **ABOUT, replicas=7, reason="because of ticket 99"),
        Done("eks", "diagnose", ABOUT),
    ]
    draft = drafted(NAME, "Scale it", done)
    assert draft.steps == 2
    for literal in ("shop", "web", "99"):
        assert literal not in draft.text
    sop = parse(draft.text, f"{NAME}.sop.md")
    assert {one.name: one.required for one in sop.params} == {
        "namespace": True,
        "kind": True,
        "name": True,
        "replicas": False,
    }
    assert sop.steps[1].verify is not None
    assert sop.risk == "medium"


def test_manifests_secrets_and_moments_do_not_travel() -> None:
    manifest = f"kind: ConfigMap\ndata: {{password: {CANARY}}}"
    done = [
        Done("observability", "query_metrics", {"what": "memory", "since": "2026-11-22T03:00:00Z", **ABOUT}),
        Done("eks", "plan_manifest", {"action": "apply", "manifest": manifest}, executed=True),
    ]
    draft = drafted(NAME, "Apply it", done)
    assert CANARY not in draft.text
    assert "2026-11" not in draft.text
    assert "{{ params.manifest }}" in draft.text
    assert any(one.startswith("manifest") for one in draft.left_out)


def test_work_without_a_change_becomes_a_procedure_that_only_reads() -> None:
    draft = drafted(NAME, "Look", [Done("eks", "diagnose", ABOUT), plan(False, **ABOUT, replicas=2)])
    sop = parse(draft.text, f"{NAME}.sop.md")
    assert (sop.risk, [step.kind for step in sop.steps]) == ("low", ["call"])
