"""Everything foreign that the sop server reads says secrets and orders: none gets out, none is obeyed.

Planted: telemetry, the cluster, events of every sender, notes, an operator's SOPs and knowledge, parameters.
Held are threats T6 (no secret in an answer, a message to people, a report, a draft, a row or the log), T7
(orders are data, in fields that say so, escaped) and T2 (nothing is written anywhere).
"""

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aiops_lab.observatory.heard import Hearing
from aiops_lab.observatory.slack import HOOK
from aiops_lab.scenarios.canaries import CANARIES, found_in
from aiops_lab.scenarios.drill import leaky_name
from aiops_shared.settings import NotifySettings, SopSettings
from aiops_sop.charts.report_page import page
from eks_aiops.codify_command import draft_of
from tests.e2e.stage import Answer, Obj
from tests.observability.every_call import HOME
from tests.observability.planting import LEAKS, ORDER, ORDERS, SERVICE, Plant
from tests.observability.test_attack_planted import out_of_place
from tests.sop.documents.writing import BODY, FRONT, LOOK
from tests.sop.documents.writing import sop as file_of
from tests.sop.stage import Stage, operated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]
HTML = "<script>alert(1)</script><img src=x onerror=alert(1)>[x](javascript:alert(1))"
TEXTS = (*ORDERS, *LEAKS)
Said = list[tuple[str, Obj, Answer]]
# Tells people what it read of the cluster, and what it was started with.
TELLING = file_of(
    FRONT.replace("fix-it", "telling")
    .replace("triggers:", "triggers: []\n#")
    .replace("{type: string}", "{type: string}\n  note: {type: string, required: false}"),
    "id: look\ncall: eks.get_pod_logs\nwith: {namespace: production, workload: '{{ params.name }}'}",
    "id: tell\nnotify: slack\ntemplate: '{{ params.note }} saw {{ string(steps.look.state) }}"
    " {{ steps.look.result.summary }} {{ steps.look.result }}'\nwith: {all: '{{ steps.look.result }}'}",
    BODY.replace("Fixes it.", f"Fixes it. {ORDERS[0]}").replace(
        "- **count**", "- **note** (optional): n\n- **count**"
    ),
)


def shapes(text: str, number: int) -> Iterator[Obj]:
    """One text in events of every sender, wherever each has words of its own."""
    where = {"cluster": "my-cluster", "namespace": HOME, "name": f"web-{number}"}
    yield {"reason": text, "message": text, "labels": {"a": text, text: "b"}, **where}
    yield {
        "source": "aws.eks",
        "detail-type": "EKS Pod State Change",
        "detail": {
            "cluster": "my-cluster",
            "namespace": HOME,
            "pod": f"x-{number}",
            "status": text,
            "note": text,
        },
    }
    labels = {"alertname": f"Planted{number}", "namespace": HOME, "instance": text, "note": text}
    notes = {"summary": text, "description": text, "runbook_url": f"https://wiki.example.com/{text}"}
    yield {"alerts": [{"status": "firing", "labels": labels, "annotations": notes, "generatorURL": text}]}


async def walked(stage: Stage) -> Said:
    """Every tool, on every planted text that it reads or is given."""
    made: Said = []

    async def call(tool: str, **arguments: object) -> Answer:
        answer = await stage.ask(tool, **arguments)
        made.append((tool, arguments, answer))
        return answer

    for number, text in enumerate(TEXTS):
        flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())[:400]
        for place, event in enumerate(shapes(text, number)):
            await call("find_sops", event=event)
            if place == number % 3 and number % 2 == 0:
                await call("submit_event", event=event)
        await call("find_sops", query=flat)
        await call("search_incidents", text=flat)
        await call("start_run", sop="telling", mode="plan", params={"name": "x", "note": flat})
    await call("investigate", namespace=HOME, detail="full")
    await call("investigate", service=SERVICE, symptom=f"504 {ORDERS[0]}", detail="full")
    incidents = await call("search_incidents", limit=50)
    ids = [row[0] for row in incidents.data["incidents"]["rows"]]
    for one, text in zip(ids, (*LEAKS, *ORDERS), strict=False):
        note = "".join(char if char.isprintable() else " " for char in text)
        await call("record_outcome", run_id=one, note=note, confirmed_cause="OOM_LIMIT_TOO_LOW")
    pods = f"deployment/{leaky_name(stage.who)}"
    params = {"name": pods, "note": HTML}
    run = await call("start_run", sop="telling", mode="supervised", params=params)
    done = await stage.finished(run.data["run_id"])
    assert done["state"] == "succeeded", done
    await call("get_run", run_id=run.data["run_id"], detail="full")
    for kind in ("maturity", "roi", "noise", "ops"):
        await call("get_report", kind=kind, audience="ops" if kind == "ops" else "executive")
    for kinds in (["resources", "hpa", "alarms"], ["spec"]):
        await call("generate_config", workload=pods, namespace=HOME, kinds=kinds, detail="full")
    await call("verify_deployment", workload=pods, namespace=HOME)
    await call("control_run", run_id=run.data["run_id"], action="undo")
    await call("find_sops", name="telling")
    return made


async def resources(stage: Stage, made: Said) -> str:
    """What resources and prompts say of runs, incidents and SOPs."""
    told = []
    ids = [str(answer.data.get("incident_id", "")) for tool, _, answer in made if tool == "submit_event"]
    runs = [str(answer.data.get("run_id", "")) for tool, _, answer in made if tool == "start_run"]
    for uri in (*(f"incident://{one}" for one in ids if one), *(f"run://{one}" for one in runs if one)):
        told += [getattr(block, "text", "") for block in await stage.client.read_resource(uri)]
    assert len(told) >= 10
    return "\n".join(told)


def store_of(stage: Stage) -> str:
    """Every row, but of what the other servers keep for themselves."""
    with closing(sqlite3.connect(stage.settings.state.dir / "state.db", timeout=10)) as store:
        return "\n".join(store.iterdump())


@pytest.mark.threat("T2")
@pytest.mark.threat("T6")
@pytest.mark.threat("T7")
@pytest.mark.row("BI-030")
@pytest.mark.row("BI-032")
async def test_planted_secrets_stay_inside_and_planted_orders_stay_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(LEAKS) == len(CANARIES) == 12
    caplog.set_level(logging.DEBUG)
    own, slack = tmp_path / "own", tmp_path / "slack"
    own.mkdir()
    (own / "telling.sop.md").write_text(TELLING)
    (own / "leaky.sop.md").write_text(file_of(FRONT.replace("fix-it", "leaky"), look=f"{LOOK}\n# {LEAKS[2]}"))
    entry = {
        "id": "planted",
        "pattern": ORDERS[0],
        "reasons": ["*"],
        "cause": LEAKS[0],
        "remediation": LEAKS[5],
    }
    (own / "planted.yaml").write_text(json.dumps({"entries": [entry]}))
    given: dict[str, Any] = {
        "sop": SopSettings(dirs=[str(own)], knowledge_dirs=[str(own)]),
        "notify": NotifySettings(slack_url_file=slack),
    }
    async with operated(monkeypatch, tmp_path, "guardrail-drill", 5, **given) as stage:
        url = stage.lab.observatory.url
        slack.write_text(f"{url}/slack{HOOK}\n")
        plant = Plant(stage.lab)
        plant.alarms(TEXTS)
        plant.logs(TEXTS)
        made = await walked(stage)
        more = await resources(stage, made)
        heard = stage.lab.account.area(Hearing)
        told = json.dumps(heard.slack, ensure_ascii=False)
        draft = await draft_of(stage.settings, {"list_resources": "eks"}, ("anna", "-1h", ""), "drafted")
        pages = [
            page({"evidence": (), **answer.data}, []) for tool, _, answer in made if tool == "get_report"
        ]
        rows, written = store_of(stage), stage.lab.requests.writes()
    tools = {tool for tool, _, _ in made}
    assert len(tools) == 11, tools
    # T2
    assert written == []
    # T6
    wrong = [
        f"{tool} {str(said)[:150]}: {found_in(answer.text)}"
        for tool, said, answer in made
        if found_in(answer.text)
    ]
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("aiops.")]
    places = {"resources": more, "told": told, "log": "\n".join(ours), "draft": draft.text}
    places["pages"] = "\n".join(pages)
    wrong += [f"{name}: {found_in(text)}" for name, text in places.items() if found_in(text)]
    wrong += [f"row {line[:300]}: {found_in(line)}" for line in rows.splitlines() if found_in(line)]
    # T7
    read = "\n".join([more, *(answer.text for _, _, answer in made)])
    assert read.count(ORDER) > 10, "the orders are read at all"
    wrong += [
        each
        for tool, said, answer in made
        if said.get("name") != "telling"  # its overview stands in `sop.document`, which is untrusted as said
        for each in out_of_place(tool, {name: str(value)[:90] for name, value in said.items()}, answer)
    ]
    for char in ("\x1b", "\u202e", "\u200b"):
        wrong += [f"{name}: {char!r}" for name, text in places.items() if char in text]
    wrong += [
        f"page: {text}"
        for text in ("<script", "<img src=x", 'javascript:alert(1)"')
        if text in places["pages"]
    ]
    assert heard.slack, "people were told"
    wrong += [f"slack: {post['text'][:200]}" for post in heard.slack if "<script" in post["text"]]
    assert wrong == [], "\n".join(wrong)
