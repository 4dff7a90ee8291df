"""Where a drill is played: a lab in this process, real servers on it as children, a store of its own.

The operator's policies are what is tried; nothing else of the operator's environment is used: no
credentials, no kubeconfig, no state. A server's environment is made of the lab's variables alone.
"""

import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import anyio

from aiops_lab.run import Lab
from aiops_lab.scenarios.names import Names
from aiops_shared.clock import SystemClock
from aiops_shared.errors import ActionRefusedError
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.settings import PolicySettings, Settings, StateSettings, inherited
from eks_aiops.demo.clients import Answer, Ask, Person, connected

KEPT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SYSTEMROOT",
    "VIRTUAL_ENV",
)  # of AIOPS_, AWS_ and agents' marks nothing
HOME = "production"
ANNA, BEN, BOT = "drill-anna", "drill-ben", "drill-agent"  # two people and an agent, all made up
POLLS = 400
LIVE = frozenset({"running", "undoing"})
APPROVE = "eks-aiops approve "


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the drill. `unsafe`: changes that reached the cluster and should not have."""

    name: str
    expected: str
    got: str
    holds: bool
    unsafe: int = 0


class AheadClock(SystemClock):
    """This machine's time, set forward: what an approval looks like when it comes too late."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def safe_now(self) -> datetime:
        """Safety time, later."""
        return super().safe_now() + self._ahead


@dataclass
class Scene:
    """A lab with its cast, and how to reach it."""

    lab: Lab
    folder: Path
    who: Names
    policy: PolicySettings

    def environment(self, caller: str, kind: str, *, write: bool = True) -> dict[str, str]:
        """All that a server process gets."""
        given = self.lab.export()
        del given["KUBECONFIG"]  # the cluster is found through AWS, as in an account
        policy = {"AIOPS_POLICY_MIN_CONFIDENCE": str(self.policy.min_confidence)}
        if self.policy.dir is not None:
            policy["AIOPS_POLICY_DIR"] = str(self.policy.dir.resolve())
        return {
            **inherited(*KEPT),
            **given,
            **policy,
            "HOME": str(self.folder),
            "AIOPS_STATE_DIR": str(self.folder / "state"),
            "AIOPS_CALLER_NAME": caller,
            "AIOPS_CALLER_KIND": kind,
            "AIOPS_SENSITIVE_READS": "true",
            "AIOPS_WRITE": "true" if write else "false",
        }

    @asynccontextmanager
    async def server(
        self, caller: str, kind: Literal["human", "agent"], *, write: bool = True
    ) -> AsyncIterator[Ask]:
        """An eks server for one caller, whose client cannot be asked anything."""
        log = self.folder / "server.log"
        nobody = Person(says_yes=False)
        async with connected("aiops-eks", self.environment(caller, kind, write=write), nobody, log) as (
            _,
            ask,
        ):
            yield ask

    @contextmanager
    def people(self, caller: Caller, ahead: timedelta = timedelta()) -> Iterator[Guardrails]:
        """The guardrails of the drill's store, as somebody at a terminal has them."""
        settings = Settings(
            write=True,
            time_source="system",
            state=StateSettings(dir=self.folder / "state", url="", key_file=None),
            policy=PolicySettings(dir=self.policy.dir, min_confidence=self.policy.min_confidence),
        )
        guard = Guardrails.open(settings, AheadClock(ahead), _no_cluster, caller)
        try:
            yield guard
        finally:
            guard.close()

    async def approve(self, name: str, approval_id: str, *, kind: str = "human", ahead_s: float = 0) -> None:
        """Say yes. Raises ApprovalInvalidError."""
        caller = Caller.model_validate({"name": name, "kind": kind})
        with self.people(caller, timedelta(seconds=ahead_s)) as guard:
            await guard.approve(approval_id, caller, "terminal")

    async def command(self, *words: str) -> tuple[int, str]:
        """A command of ours without a terminal, as an agent's shell would run it."""
        done = await anyio.run_process(
            [sys.executable, "-m", "eks_aiops", *words], env=self.environment(ANNA, "human"), check=False
        )
        return done.returncode, done.stdout.decode() + done.stderr.decode()

    def sql(self, statement: str) -> None:
        """Edit the store by hand, as somebody with the file could."""
        with sqlite3.connect(self.folder / "state" / "state.db", timeout=10) as connection:
            connection.execute(statement)
        connection.close()

    def spec(self, kind: str, name: str) -> Any:
        """An object's spec as it is now."""
        found = self.lab.store.get(kind, HOME, name)
        return None if found is None else found["spec"]

    def writes(self, name: str = "") -> int:
        """What was really written, by the simulator's own log; to others than `name` when one is given."""
        return sum(1 for one in self.lab.requests.writes() if not name or one.name != name)


async def _no_cluster(cluster: str) -> Any:
    raise ActionRefusedError(cluster, "a person at a terminal has no hands", "use the server's tools")


def code_of(answer: Answer) -> str:
    """The error's code; nothing for an answer."""
    return answer.error[1:].partition("]")[0] if answer.error.startswith("[") else answer.error[:60]


def approval_of(answer: Answer) -> str:
    """The id that a refusal names; nothing where it names none."""
    _, found, rest = answer.error.rpartition(APPROVE)
    return rest.split()[0] if found else ""


def approver_of(answer: Answer) -> str:
    """Who may say yes to what is pending: the requester, where policy leaves it to them."""
    return BEN if "other than its requester" in answer.error else ANNA


async def execute(ask: Ask, plan: Answer) -> Answer:
    """Execute a plan as its `confirm` says, and wait for the action's end."""
    started = await ask("execute_plan", plan_id=plan.data["plan_id"], confirm=plan.data["confirm"])
    return started if started.error else await ended(ask, started)


async def ended(ask: Ask, started: Answer) -> Answer:
    """Wait until an action stands still."""
    answer = started
    for _ in range(POLLS):
        if answer.error or answer.data["state"] not in LIVE:
            break
        await anyio.sleep(0.02)
        answer = await ask("get_action", action_id=started.data["action_id"])
    return answer


async def executed(scene: Scene, ask: Ask, plan: Answer) -> Answer:
    """Execute it with the yes of a second person where policy wants one."""
    answer = await execute(ask, plan)
    if code_of(answer) == "approval_pending":
        await scene.approve(approver_of(answer), approval_of(answer))
        answer = await execute(ask, plan)
    return answer
