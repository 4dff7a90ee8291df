"""All that a model can do without a write: it changes nothing, tells no secret, obeys no text it reads."""

from pathlib import Path
from typing import Any

import pytest

from aiops_lab.scenarios.canaries import CANARIES, found_in
from aiops_lab.scenarios.drill import INJECTIONS, hostile_name
from tests.e2e.processes import served
from tests.e2e.stage import Stage, asked, whole
from tests.e2e.walks import everything
from tests.lab_fixture import running_lab

DRILL, HOME = "guardrail-drill", "production"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
FINE = {
    "",  # answered
    *("refused", "invalid_input", "not_found", "kind_unknown", "action_not_found", "query_invalid"),
    *("plan_stale", "conflict", "too_large", "access_denied"),
}


@pytest.mark.threat("T6")
@pytest.mark.threat("T2")
@pytest.mark.row("F17f")
async def test_no_read_and_no_plan_writes_anything_or_lets_a_planted_secret_out(tmp_path: Path) -> None:
    assert len(CANARIES) == 12
    async with running_lab(DRILL, 5) as lab:
        lab.clock.advance(60)
        before = {kind: lab.store.list(kind, HOME) for kind in ("Deployment", "ConfigMap", "Secret")}
        leaks: list[tuple[str, dict[str, Any], list[str]]] = []
        codes: dict[str, int] = {}
        async with served(lab, tmp_path, AIOPS_WRITE="true", AIOPS_LOG_LEVEL="debug") as client:
            for tool, arguments in everything(lab, HOME):
                answer = await asked(client, tool, arguments)
                codes[answer.code] = codes.get(answer.code, 0) + 1
                if found := found_in(answer.text):
                    leaks.append((tool, arguments, found))
        assert leaks == []
        assert lab.requests.writes() == []
        assert {kind: lab.store.list(kind, HOME) for kind in before} == before
    assert set(codes) <= FINE, codes
    assert codes[""] > 100, codes
    kept = {
        file.name: file.read_bytes().decode("utf-8", "replace") for file in (tmp_path / "state").iterdir()
    }
    kept["server.log"] = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert "state.db" in kept
    assert {name: found_in(text) for name, text in kept.items() if found_in(text)} == {}


@pytest.mark.threat("T6")
async def test_a_change_that_carries_a_secret_leaves_none_of_it_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    carried = "plantedWrittenValue5Tq8"
    manifest = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: carries, namespace: staging}\n"
        f"data: {{db.password: {carried}, url: 'https://app:{carried}@db.internal/app'}}\n"
    )
    async with whole(DRILL, 5, monkeypatch, tmp_path) as stage:
        plan = await stage.ask(
            "plan_manifest", action="apply", manifest=manifest, reason=f"password={carried}"
        )
        assert not plan.error, plan.error
        done = await stage.execute(plan.data)
        assert done.data["state"] == "succeeded", done.text
        made = stage.lab.store.get("ConfigMap", "staging", "carries")
        assert made is not None
        assert made["data"]["db.password"] == carried, "it is written as it was given"
        shown = await stage.ask(
            "get_resource", kind="ConfigMap", namespace="staging", name="carries", view="yaml"
        )
        undone = await stage.ask("undo_action", action_id=done.data["action_id"])
        assert (await stage.ended(undone.data["action_id"])).data["state"] == "undone"
        assert stage.lab.store.get("ConfigMap", "staging", "carries") is None
        said = [plan.text, done.text, shown.text, undone.text, *stage.person.asked, *capfd.readouterr()]
        assert [text for text in said if carried in text] == []
        for file in stage.settings.state.dir.iterdir():
            assert carried.encode() not in file.read_bytes(), file.name


async def texts_of(stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    """The reads that show the hostile texts."""
    name = hostile_name(stage.who)
    pod = next(
        each["metadata"]["name"]
        for each in stage.lab.store.list("Pod", HOME)
        if each["metadata"]["name"].startswith(name)
    )
    return [
        ("get_pod_logs", {"namespace": HOME, "pod": pod}),
        ("get_resource", {"kind": "Deployment", "namespace": HOME, "name": name, "view": "yaml"}),
        ("get_resource", {"kind": "ConfigMap", "namespace": HOME, "name": f"{name}-notes", "view": "yaml"}),
        ("diagnose", {"namespace": HOME}),
    ]


@pytest.mark.threat("T7")
@pytest.mark.row("BI-030")
async def test_texts_that_give_orders_are_data_and_change_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 5, monkeypatch, tmp_path) as stage:
        stage.lab.clock.advance(60)
        plan = await stage.plan(action="scale", namespace=HOME, name=stage.who.api, replicas=11)
        stage.person.says = "decline"
        assert (await stage.execute(plan)).code == "approval_pending"
        approvals = stage.sql("SELECT id, state, digest FROM approvals")
        seen = 0
        for tool, arguments in await texts_of(stage):
            answer = await stage.ask(tool, **arguments)
            told = [text for text in INJECTIONS if text[:30] in answer.text]
            seen += len(told)
            if told:
                assert answer.data.get("untrusted"), f"{tool} shows text of the cluster without saying so"
            for said in (
                answer.data.get("summary", ""),
                answer.data.get("hint", ""),
                *next_steps(answer.data),
            ):
                assert not any(text[:30] in said for text in INJECTIONS), f"{tool}: {said}"
        assert seen >= 3
        assert stage.sql("SELECT id, state, digest FROM approvals") == approvals
        assert (await stage.execute(plan)).code == "approval_pending"
        assert stage.writes() == []


def next_steps(answer: dict[str, Any]) -> list[str]:
    """What the answer tells the model to do next."""
    return [str(each.get("next_step", "")) for each in answer.get("findings", [])]
