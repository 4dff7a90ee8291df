"""The whole suite in one process: a lab, the real eks server on it, a real client with a person behind it.

    async with whole("oom-raise-limits", seed, monkeypatch, tmp_path) as stage:
        plan = await stage.plan(action="restart", namespace="production", name=stage.who.api)
        done = await stage.execute(plan)
        assert stage.lab.requests.writes()

Nothing between the client and the simulated Kubernetes API is replaced. The server finds its cluster through
the lab's AWS, as in an account. What happened is counted by `lab.requests`, never by our own audit.
"""

import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio.lowlevel
import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import FastMCPTransport

from aiops_eks.server import make
from aiops_lab.kube.requests import LoggedRequest
from aiops_lab.run import Lab
from aiops_lab.scenarios.names import Names, cast
from aiops_shared.kube.pacing import RealPace
from aiops_shared.settings import (
    CallerSettings,
    KubeSettings,
    PolicySettings,
    Settings,
    StateSettings,
)
from eks_aiops.guarding import guardrails, operator
from tests.lab_fixture import running_lab

Obj = dict[str, Any]
Era = Literal["auto", "legacy"]
_POLLS = 400


@dataclass
class Person:
    """The person behind the client: what they were asked, and what they say."""

    says: Literal["yes", "no", "decline", "cancel"] = "yes"
    asked: list[str] = field(default_factory=list)
    before_answering: Callable[[], None] | None = None

    async def answer(
        self, message: str, response_type: type[Any] | None, params: Any, context: Any
    ) -> ElicitResult[Any]:
        """The client's elicitation handler."""
        del params, context
        self.asked.append(message)
        if self.before_answering is not None:
            self.before_answering()
        if self.says == "cancel":
            return ElicitResult(action="cancel")
        if self.says == "decline" or response_type is None:
            return ElicitResult(action="decline")
        fields = getattr(response_type, "__dataclass_fields__", {}) or getattr(
            response_type, "model_fields", {}
        )
        return ElicitResult(action="accept", content=dict.fromkeys(fields, self.says == "yes"))


@dataclass(frozen=True)
class Answer:
    """One answer: its data, or its error."""

    data: Obj
    error: str
    text: str

    @property
    def code(self) -> str:
        """The error's code, or nothing."""
        return self.error[1:].partition("]")[0] if self.error.startswith("[") else self.error


@dataclass
class Stage:
    """A lab, a server on it and its client."""

    lab: Lab
    settings: Settings
    client: Client[FastMCPTransport]
    person: Person
    who: Names

    async def ask(self, tool: str, **arguments: Any) -> Answer:
        """Call one tool."""
        return await asked(self.client, tool, arguments)

    async def got(self, tool: str, **arguments: Any) -> Obj:
        """Call one tool that must answer."""
        answer = await self.ask(tool, **arguments)
        assert not answer.error, answer.error
        return answer.data

    async def plan(self, **arguments: Any) -> Obj:
        """Plan a workload change."""
        return await self.got("plan_workload_change", **arguments)

    async def execute(self, plan: Obj, **more: Any) -> Answer:
        """Execute a plan as its `confirm` says, and wait for its end."""
        started = await self.ask(
            "execute_plan", **{"plan_id": plan["plan_id"], "confirm": plan["confirm"], **more}
        )
        return started if started.error else await self.ended(started.data["action_id"])

    async def approved_by(self, name: str, refused: Answer) -> None:
        """Another person, at a terminal of the same store, says yes to what a refused call names."""
        assert refused.code == "approval_pending", refused.text
        approval_id = refused.error.rpartition("eks-aiops approve ")[2].split()[0]
        person = self.settings.model_copy(update={"caller": CallerSettings(name=name, kind="human")})
        async with guardrails(person) as guard:
            await guard.approve(approval_id, operator(person), "terminal")

    async def ended(self, action_id: str) -> Answer:
        """Wait until an action stands still."""
        for _ in range(_POLLS):
            answer = await self.ask("get_action", action_id=action_id)
            if answer.error or answer.data["state"] not in {"running", "undoing"}:
                return answer
        raise AssertionError(f"{action_id} does not end: {answer.data}")

    def writes(self) -> list[LoggedRequest]:
        """What was really written, or tried to be, by the simulator's own log."""
        return self.lab.requests.writes()

    def spec(self, kind: str, namespace: str, name: str) -> Obj:
        """An object's spec, as it is now."""
        found = self.lab.store.get(kind, namespace, name)
        assert found is not None
        spec: Obj = json.loads(json.dumps(found["spec"]))
        return spec

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.settings.state.dir / "state.db"

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Look into the store, or edit it by hand, as somebody with the file could."""
        with sqlite3.connect(self.database, timeout=10) as connection:
            found = connection.execute(statement, values).fetchall()
        connection.close()
        return found


async def _at_once(pace: RealPace, seconds: float) -> None:
    """The wait before another try, without the waiting."""
    del pace, seconds
    await anyio.lowlevel.checkpoint()


async def asked(client: Client[Any], tool: str, arguments: Obj) -> Answer:
    """Call one tool of any client."""
    result = await client.call_tool(tool, arguments, raise_on_error=False)
    text = "".join(getattr(block, "text", "") for block in result.content)
    return Answer(
        data=dict(result.structured_content or {}), error=text if result.is_error else "", text=text
    )


def settings_on(lab: Lab, folder: Path, **more: Any) -> Settings:
    """A server's settings on a lab, writing and reading everything unless told otherwise."""
    given: dict[str, Any] = {
        "write": True,
        "sensitive_reads": True,
        "tools": [],
        "time_source": f"{lab.url}/time",
        "state": StateSettings(dir=folder / "state"),
        "policy": PolicySettings(),
        "kube": KubeSettings(),
        "caller": CallerSettings(name="anna", kind="human"),
        **more,
    }
    return Settings(**given)


def lab_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch, identity: str = "lab-admin") -> None:
    """Point this process's AWS at the lab; nothing of the developer's own environment stays."""
    for name in [name for name in os.environ if name.startswith(("AIOPS_", "AWS_"))]:  # noqa: TID251
        monkeypatch.delenv(name)
    for name, value in lab.export(identity).items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")


@asynccontextmanager
async def client_on(
    lab: Lab, settings: Settings, person: Person | None, era: Era = "auto"
) -> AsyncIterator[Client[FastMCPTransport]]:
    """A client of a server in this process; without a person it cannot be asked."""
    handler = person.answer if person is not None else None
    async with Client(make(settings), mode=era, elicitation_handler=handler) as client:
        yield client


@asynccontextmanager
async def whole(
    scenario: str,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    era: Era = "auto",
    identity: str = "lab-admin",
    **settings: Any,
) -> AsyncIterator[Stage]:
    """Everything, in this process. The lab's clock stands unless the server waits on it.

    What is tried again is tried at once: how long the wait would be, tests/shared/kube hold.
    """
    monkeypatch.setattr(RealPace, "wait", _at_once)
    async with running_lab(scenario, seed) as lab:
        lab_environment(lab, monkeypatch, identity)
        wanted, person = settings_on(lab, folder, **settings), Person()
        async with client_on(lab, wanted, person, era) as client:
            yield Stage(lab, wanted, client, person, cast(seed))
