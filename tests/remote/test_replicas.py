"""Three gateways behind a load balancer, on one PostgreSQL, are one server; killing one loses nothing.

Real processes, real sockets, an issuer and a lab in this one. Each replica has its own memory and nothing
else: the store and the key file are shared.
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from aiops_lab.run import Lab
from aiops_lab.scenarios.names import cast
from tests.e2e.processes import environment
from tests.lab_fixture import running_lab
from tests.remote.issuer import AUDIENCE, Issuer, issuer, modern, modern_headers
from tests.remote.round_robin import RoundRobin
from tests.shared.state.postgres import running as postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
Obj = dict[str, Any]
SEED, HOME = 5, "production"
ENDED = {"succeeded", "failed", "undone", "escalated", "cancelled", "refused"}
YES = {"approval": {"action": "accept", "content": {"approve": True}}}
GATEWAY = ("-m", "eks_aiops", "gateway", "--http", "--port", "0")


@dataclass
class Replica:
    """One process, and where it listens."""

    process: asyncio.subprocess.Process
    base: str = ""
    rest: asyncio.Task[bytes] | None = None

    async def listening(self) -> None:
        """Wait until it says where; what else it says is read, lest it waits for that."""
        assert self.process.stderr is not None
        with anyio.fail_after(120):
            while b"listening on" not in (line := await self.process.stderr.readline()):
                assert line, "it ended"
        self.base = line.decode().split()[-1].removesuffix("/mcp")
        self.rest = asyncio.get_running_loop().create_task(self.process.stderr.read())

    async def kill(self) -> None:
        """As the kernel would: no word to anybody."""
        self.process.kill()
        await self.process.wait()

    async def call(self, token: str, tool: str, arguments: Obj, **more: Any) -> Obj:
        """One tools/call of a client that can ask its person; the result, or the protocol's error."""
        message = modern("tools/call", {"name": tool, "arguments": arguments, **more})
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {
            "elicitation": {"form": {}}
        }
        headers = {**modern_headers(message), "authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(timeout=90, trust_env=False) as client:
            answer = await client.post(f"{self.base}/mcp", json=message, headers=headers)
        text = answer.text  # a call that takes its time is answered as a stream of events
        if answer.headers["content-type"].startswith("text/event-stream"):
            text = [line for line in text.splitlines() if line.startswith("data: {")][-1].removeprefix(
                "data: "
            )
        found: Obj = json.loads(text)
        return dict(found.get("result") or found["error"])

    async def got(self, token: str, tool: str, **arguments: Any) -> Obj:
        """The data of a call that must answer."""
        answer = await self.call(token, tool, arguments)
        assert "structuredContent" in answer, answer
        return dict(answer["structuredContent"])


@asynccontextmanager
async def replica(lab: Lab, folder: Path, idp: Issuer, url: str) -> AsyncIterator[Replica]:
    """A gateway, starting."""
    given = environment(
        lab,
        folder,
        AIOPS_STATE_URL=url,
        AIOPS_AUTH_ISSUER=idp.url,
        AIOPS_HTTP_PUBLIC_URL=AUDIENCE,
        AIOPS_WRITE="true",
        FASTMCP_LOG_LEVEL="ERROR",
    )
    started = await asyncio.create_subprocess_exec(
        sys.executable, *GATEWAY, env=given, cwd=folder, stderr=asyncio.subprocess.PIPE
    )
    one = Replica(started)
    try:
        yield one
    finally:
        with suppress(ProcessLookupError):
            started.kill()
        await started.wait()
        if one.rest is not None:
            await one.rest


async def until(done: Callable[[], bool]) -> None:
    """Wait for what the lab sees."""
    for _ in range(30_000):
        if done():
            return
        await anyio.sleep(0.002)
    raise AssertionError("it never happens")


async def ended(place: Replica, token: str, tool: str, **which: str) -> Obj:
    """An action or a run, once it ended."""
    for _ in range(300):
        found = await place.got(token, tool, **which)
        if found["state"] in ENDED:
            return found
        await anyio.sleep(0.2)
    raise AssertionError(f"it does not end: {found}")


async def alike(replicas: list[str], idp: Issuer) -> None:
    """Lists and cursors of any replica are good at every other."""
    with RoundRobin(list(replicas)) as proxy:
        transport = StreamableHttpTransport(
            f"{proxy.base}/mcp", headers={"authorization": f"Bearer {idp.token()}"}
        )
        async with Client(transport) as client:
            lists = [[tool.model_dump() for tool in await client.list_tools()] for _ in replicas]
            assert all(one == lists[0] for one in lists)
            seen: list[str] = []
            cursor: Obj = {}
            for _ in range(8):
                asked = {"kind": "Pod", "namespace": HOME, "limit": 3, **cursor}
                page = (await client.call_tool("eks_list_resources", asked)).structured_content or {}
                seen += [str(row[0]) + str(row[1]) for row in page["resources"]["rows"]]
                if not page.get("next_cursor"):
                    break
                cursor = {"cursor": page["next_cursor"]}
            assert len(seen) > 3
            assert len(seen) == len(set(seen))
        assert set(proxy.took) == set(replicas)


@contextmanager
def database() -> Iterator[str]:
    """A PostgreSQL in a directory of its own: it runs as another user, who may not enter pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        base.chmod(0o755)
        (base / "server").mkdir()
        with postgres(base / "server") as url:
            yield url


@pytest.mark.threat("T12")
@pytest.mark.fault("R7")
async def test_three_replicas_are_one_server_and_one_may_die(tmp_path: Path) -> None:
    with issuer() as idp, database() as url:
        async with running_lab("guardrail-drill", SEED) as lab, AsyncExitStack() as stack:
            places = [await stack.enter_async_context(replica(lab, tmp_path, idp, url)) for _ in range(3)]
            for one in places:
                await one.listening()
            await alike([one.base for one in places], idp)
            await planned_approved_executed_on_three(places, idp, lab)
            await asked_on_one_and_answered_on_another(places, idp, lab)


async def planned_approved_executed_on_three(places: list[Replica], idp: Issuer, lab: Lab) -> None:
    """Plan on A, approve on B, execute on C, which dies at once: A has the end of it."""
    a, b, c = places
    anna, ben = idp.token(), idp.token(sub="ben", scope="aiops:read aiops:approve")
    wish = {"action": "scale", "namespace": HOME, "name": cast(SEED).api, "replicas": 1}
    plan = await a.got(anna, "eks_plan_workload_change", **wish)
    given = {"plan_id": plan["plan_id"], "confirm": plan["confirm"]}
    refused = await c.call(anna, "eks_execute_plan", given)
    says = refused["content"][0]["text"]
    assert says.startswith("[approval_pending]"), says
    about = re.search(r"apr_[\w-]+", says)
    assert about, says
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        headers = {"authorization": f"Bearer {ben}", "accept": "application/json"}
        where = f"{b.base}/approvals/{about[0]}"
        digest = (await client.get(where, headers=headers)).json()["digest"]
        decided = {"decision": "approve", "digest": digest}
        assert (await client.post(where, headers=headers, json=decided)).status_code == 200

    async with anyio.create_task_group() as tasks:

        async def begin() -> None:
            with suppress(httpx.HTTPError):
                await c.call(anna, "eks_execute_plan", given)

        tasks.start_soon(begin)
        await until(lambda: bool(lab.requests.writes()))
        await c.kill()
    places.remove(c)
    again = await a.got(anna, "eks_execute_plan", **given)  # the same action, whoever had it
    action = again["action_id"]
    done = await ended(b, anna, "eks_get_action", action_id=action)
    assert done["state"] == "succeeded", done
    assert len(lab.requests.writes()) == 1


async def asked_on_one_and_answered_on_another(places: list[Replica], idp: Issuer, lab: Lab) -> None:
    """A question of one replica is answered to another, by whom it was put to."""
    a, b = places
    anna, bob = idp.token(), idp.token(sub="bob")
    before = len(lab.requests.writes())
    wish = {"action": "scale", "namespace": HOME, "name": cast(SEED).worker, "replicas": 12}
    plan = await b.got(anna, "eks_plan_workload_change", **wish)
    given = {"plan_id": plan["plan_id"], "confirm": plan["confirm"]}
    question = await a.call(anna, "eks_execute_plan", given)
    assert question["resultType"] == "input_required", question
    answer = {"inputResponses": YES, "requestState": question["requestState"]}
    foreign = await b.call(bob, "eks_execute_plan", given, **answer)
    assert "state" in json.dumps(foreign).lower()
    assert len(lab.requests.writes()) == before
    done = await b.call(anna, "eks_execute_plan", given, **answer)
    first = done["structuredContent"]["action_id"]
    again = await a.call(anna, "eks_execute_plan", given, **answer)
    assert again["structuredContent"]["action_id"] == first
    await ended(a, anna, "eks_get_action", action_id=first)
    assert len(lab.requests.writes()) > before
