"""A client that leaves in the middle of a change: the change ends once, is recorded, and can be asked for."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn

from aiops_eks.server import make
from aiops_lab.kube.requests import LoggedRequest
from aiops_lab.run import Lab
from aiops_lab.scenarios.names import cast
from aiops_shared.remote.application import around
from aiops_shared.remote.running import configured
from aiops_shared.remote.scopes import scopes_of
from aiops_shared.settings import HttpSettings, Settings
from bench.http_client import Client, call_body
from eks_aiops.guarding import guardrails, operator
from tests.e2e.stage import Obj, lab_environment, settings_on
from tests.lab_fixture import running_lab

SEED, HOME = 5, "production"


class Quiet(uvicorn.Server):
    """In the test's own loop; the test's signals stay the test's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[str]:
    server = make(settings)
    app = around(server, settings, await scopes_of(server))
    http = Quiet(configured(app, HttpSettings(port=0)))
    task = asyncio.get_running_loop().create_task(http.serve())
    while not http.started:
        await asyncio.wait([task], timeout=0.01)
    yield f"http://127.0.0.1:{http.servers[0].sockets[0].getsockname()[1]}/mcp"
    http.should_exit = True
    await task


async def got(client: Client, tool: str, **arguments: Any) -> Obj:
    result = (await client.call(tool, **arguments)).result()
    assert not result.get("isError"), result
    found: Obj = result["structuredContent"]
    return found


@pytest.mark.fault("R18")
async def test_a_change_whose_caller_leaves_has_its_effect_once_and_get_action_tells_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_lab("guardrail-drill", SEED) as lab:
        lab_environment(lab, monkeypatch)
        settings, who = settings_on(lab, tmp_path), cast(SEED)
        async with listening(settings) as url:
            client = Client(url)
            wish = {"action": "scale", "namespace": HOME, "name": who.api, "replicas": 11}
            plan = await got(client, "plan_workload_change", **wish)
            arguments = {"plan_id": plan["plan_id"], "confirm": plan["confirm"]}
            refused = (await client.call("execute_plan", **arguments)).result()
            text = json.dumps(refused)
            assert "approval_pending" in text, text
            approval = text.partition("eks-aiops approve ")[2].split()[0].strip('\\"`.,')
            async with guardrails(settings) as guard:
                await guard.approve(approval, operator(settings), "terminal")
            before = len(effects(lab))
            lab.faults.latency_s = 0.4  # the effect is on its way when its caller leaves
            leaving = Client(url)
            more = {"mcp-method": "tools/call", "mcp-name": "execute_plan"}
            await leaving.send(call_body("execute_plan", arguments, 2, leaving.version), more)
            action_id = await begun(tmp_path)
            leaving.abort()
            lab.faults.latency_s = 0.0
            with anyio.fail_after(20):
                while True:
                    action = await got(client, "get_action", action_id=action_id)
                    if action["state"] not in {"running", "undoing"}:
                        break
                    await anyio.sleep(0.1)
            assert action["state"] == "succeeded", action
            assert len(effects(lab)) == before + 1
            again = await got(client, "execute_plan", **arguments)
            assert (again["action_id"], len(effects(lab))) == (action_id, before + 1)
            client.abort()


def effects(lab: Lab) -> list[LoggedRequest]:
    """Writes that had an effect."""
    return [one for one in lab.requests.writes() if not one.dry_run and one.status < 300]


async def begun(folder: Path) -> str:
    """The action whose first step is intended and has no outcome yet."""
    query = "select action_id from action_steps where state = 'intended'"
    with anyio.fail_after(20):
        while True:
            with sqlite3.connect(folder / "state" / "state.db", timeout=5) as db:
                found = db.execute(query).fetchall()
            db.close()
            if found:
                return str(found[0][0])
            await anyio.sleep(0.02)
