"""Two people at one gateway: what sop asks for one of them never runs, nor is written, as the other's."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastmcp import Client

from aiops_shared.kube.pacing import RealPace
from aiops_shared.settings import CallerSettings, Settings
from eks_aiops.gateway import make
from tests.e2e.stage import lab_environment, settings_on
from tests.lab_fixture import running_lab
from tests.remote.issuer import Issuer, Served, issuer, remote_settings, served
from tests.sop.stage import START

Obj = dict[str, Any]
SCOPES = {
    "anna": "aiops:read aiops:sensitive aiops:plan",
    "bob": "aiops:read aiops:plan",  # no logs, no events
}
OWN = "the-gateway"
ENDED = {"succeeded", "undone", "escalated", "cancelled", "refused"}


async def _at_once(pace: RealPace, seconds: float) -> None:
    del pace, seconds
    await anyio.lowlevel.checkpoint()


async def got(client: Client[Any], tool: str, **arguments: Any) -> Obj:
    answer = await client.call_tool(tool, arguments, raise_on_error=False)
    assert not answer.is_error, answer.content
    return dict(answer.structured_content or {})


async def work_of(name: str, place: Served, idp: Issuer, found: dict[str, Obj]) -> None:
    """An investigation and a run of one person, each about an object of their own."""
    async with place.client(idp.token(sub=name, scope=SCOPES[name])) as client:
        about = {"namespace": "production", "name": f"web-of-{name}"}
        asked = {"symptom": "pods crash", "namespace": about["namespace"], "service": about["name"]}
        found[name] = await got(client, "sop_investigate", **asked)
        run = await got(client, "sop_start_run", sop="pod-crashloop", params=about, mode="plan")
        for _ in range(400):
            if (run := await got(client, "sop_get_run", run_id=run["run_id"]))["state"] in ENDED:
                break
            await anyio.sleep(0.05)
        assert run["state"] in ENDED, run


def rows(folder: Path, query: str) -> list[Any]:
    with sqlite3.connect(next(folder.rglob("state.db"))) as database:
        return database.execute(query).fetchall()


def on_gateway(lab_settings: Settings, remote: Settings) -> Settings:
    """The lab's settings, reached over HTTP with tokens."""
    own = CallerSettings(name=OWN, kind="agent")
    return lab_settings.model_copy(update={"http": remote.http, "auth": remote.auth, "caller": own})


@pytest.mark.timeout(120)
@pytest.mark.threat("T4")
@pytest.mark.threat("T12")
async def test_what_sop_asks_for_one_caller_never_runs_as_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(RealPace, "wait", _at_once)
    async with running_lab("pod-crashloop", 0, start=START) as lab, issuer() as idp:
        lab_environment(lab, monkeypatch)
        settings = on_gateway(settings_on(lab, tmp_path), remote_settings(idp, tmp_path))
        found: dict[str, Obj] = {}
        async with served(make(settings), settings) as place, anyio.create_task_group() as both:
            # whoever is first opens the connections for both
            both.start_soon(work_of, "anna", place, idp, found)
            both.start_soon(work_of, "bob", place, idp, found)
        calls = rows(tmp_path, "select caller, tool, arguments from call_journal")
        audited = rows(tmp_path, "select actor, event, body from audit")
    check_calls(calls)
    by = {name: {event for actor, event, _ in audited if actor == name} for name in ("anna", "bob", OWN)}
    assert "sensitive_read" in by["anna"]
    assert "sensitive_read" not in by["bob"]
    assert not by[OWN]
    assert any(actor == "bob" and "access_denied" in body for actor, _, body in audited)
    assert "aiops:sensitive" in str(found["bob"]["warnings"])
    assert "aiops:sensitive" not in str(found["anna"].get("warnings", ""))


def check_calls(calls: list[tuple[str, str, str]]) -> None:
    """Each call about somebody's object is theirs, at the servers that sop asked as well."""
    asked: Mapping[str, set[str]] = {"anna": set(), "bob": set()}
    for caller, tool, arguments in calls:
        for name in asked:
            if f"web-of-{name}" in arguments:
                assert caller == name, f"{tool} for {name} ran as {caller}"
                asked[name].add(tool)
    for name, tools in asked.items():
        assert {"investigate", "start_run", "diagnose"} <= tools, name
    assert {caller for caller, _, _ in calls} == {"anna", "bob"}
