"""Plays one story with one seed in the three patterns: a lab, the four servers in this process, by MCP.

A store and servers of its own for each story and seed, so that no limit and no incident is remembered from
another. People approve and answer as the story's proof says, nobody else does.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import anyio
import orjson
import pytest
from fastmcp import Client

from aiops_lab.places import CLUSTER
from aiops_lab.run import Lab
from aiops_lab.scenarios.names import cast
from aiops_shared.errors import AiopsError
from aiops_shared.kube.pacing import RealPace
from aiops_shared.settings import CallerSettings, PolicySettings
from aiops_sop.clients.library import shipped
from aiops_sop.models.documents import Proof, Sop
from aiops_sop.models.runs import ENDED
from aiops_sop.server import make
from bench.tokens import tokens
from eks_aiops.proving import Ask, Proved, params_of, played
from eks_aiops.proving_stage import ANNA, TwoPeople
from eks_aiops.sop_pages import every_sop
from evals.patience import patient
from evals.patterns.allowed import forbidden, writes
from evals.patterns.events import event_of
from evals.patterns.evidence import lacking
from evals.patterns.results import LeftOut, Pattern, Tried
from evals.sop.proofs import pointed_at
from evals.sop.questions import ELSEWHERE, question, right
from tests.e2e.stage import Answer, asked, settings_on
from tests.lab_fixture import running_lab
from tests.sop.procedures.playing import begun
from tests.sop.stage import START, Stage, in_this_process

Obj = dict[str, Any]
SOPS: Final[Mapping[str, Sop]] = {sop.id: sop for sop in every_sop(shipped())}
AGAIN: Final = 2  # so often a question is asked anew when a source did not answer
AUTO: Final = {f"autonomy_{env}": "auto-safe" for env in ("prod", "staging", "dev")}
DONE_S: Final = 400.0  # real: for an event to be worked off
_POLL_S: Final = 0.1
_CAUSE_ONLY = "no procedure of ours names its cause: it goes to people"
_NO_QUESTION = "asks no question of causes, and no procedure is proved on it"
_NOT_SENT = "nobody would be woken by it: nothing is wrong, or it is a question of planning or cost"
_PARAMS = "its procedure needs what only a person knows"

Row = Tried | LeftOut


@dataclass
class Counted:
    """A client that counts what its model would pay for; polls of one run count once."""

    client: Client[Any]
    calls: int = 0
    tokens: int = 0
    _last: str = field(default="", repr=False)

    async def ask(self, tool: str, **arguments: Any) -> Answer:
        """Call one tool."""
        answer = await asked(self.client, tool, arguments)
        if not (tool == self._last == "get_run"):
            self.calls += 1
            self.tokens += tokens(answer.text)
        self._last = tool
        return answer


@dataclass
class Story:
    """One story with one seed, and the suite on it."""

    lab: Lab
    scenario: str
    seed: int
    folder: Path
    client: Client[Any]
    stage: Stage

    async def rows(self) -> list[Row]:
        """All three patterns: the prompt and the agent in one world, the event in another."""
        begun(self.stage, self.scenario, self.seed)
        self.lab.clock.pause()
        prompt, sop, params = await self._prompt()
        agent = await self._agent(sop, params)
        begun(self.stage, self.scenario, self.seed)
        self.lab.clock.pause()
        return [prompt, agent, await self._event()]

    # prompt

    async def _prompt(self) -> tuple[Row, str, Obj]:
        """Ask for the cause, read the procedure that is named, have it planned. Nothing is written."""
        count = Counted(self.client)
        told: Obj = {}
        unsettled = False
        proof = self._proof("")
        if self.scenario not in ELSEWHERE:
            for _ in range(1 + AGAIN):
                answer = await count.ask("investigate", **question(self.scenario).arguments(self.seed))
                if answer.error:
                    return self._broke("prompt", count, answer.error), "", {}
                told = answer.data
                if not (unsettled := _late(told)):
                    break
        sop = _named(told) or (proof[0] if proof and self.scenario in ELSEWHERE else "")
        if not told and not sop:
            return self._left("prompt", _NO_QUESTION), "", {}
        params = self._params(sop, told) if sop else {}
        ended = ""
        if sop:
            await count.ask("find_sops", name=sop)
            ended = await self._planned(count.ask, sop, params)
        row = Tried(
            scenario=self.scenario,
            seed=self.seed,
            pattern="prompt",
            wanted=right(self.scenario, self.seed) if told else None,
            found=told.get("root_cause", {}).get("code", ""),
            lacking=lacking(self.scenario, told) if told else (),
            forbidden=forbidden(self.lab, self.scenario, acting=False),
            writes=len(writes(self.lab)),
            ended=ended,
            calls=count.calls,
            tokens=count.tokens,
            unsettled=unsettled,
        )
        return row, sop, params

    async def _planned(self, ask: Ask, sop: str, params: Obj) -> str:
        if not _complete(SOPS[sop], params):
            return ""
        proof = Proof(scenario=self.scenario, params=params, mode="plan")
        return (await self._played(ask, SOPS[sop], proof)).ended

    # agent

    async def _agent(self, sop: str, params: Obj) -> Row:
        """Run the procedure that was named, as the story's proof says where there is one for it."""
        proof = self._proof(sop)
        name = proof[0] if proof else sop
        if not name:
            return self._left("agent", _CAUSE_ONLY)
        if proof is None and not _complete(SOPS[name], params):
            return self._left("agent", _PARAMS)
        wish = proof[1] if proof else Proof(scenario=self.scenario, params=params)
        count = Counted(self.client)
        try:
            done = await self._played(count.ask, SOPS[name], wish)
        except AiopsError as error:
            return self._broke("agent", count, error.wire())
        if not proof and done.ended == "waiting":  # nobody is there: what waits is taken back
            await count.ask("control_run", run_id=done.run.get("run_id", ""), action="cancel")
        return Tried(
            scenario=self.scenario,
            seed=self.seed,
            pattern="agent",
            forbidden=forbidden(self.lab, self.scenario, acting=True),
            writes=len(writes(self.lab)),
            ended=done.ended,
            should_end=wish.ends if proof else "",
            calls=count.calls,
            tokens=count.tokens,
        )

    async def _played(self, ask: Ask, sop: Sop, proof: Proof) -> Proved:
        return await played(ask, TwoPeople(self.folder), sop, proof, self.seed)

    # event

    async def _event(self) -> Row:
        """Hand over the story's event; nobody approves anything."""
        event = event_of(self.lab, self.scenario, self.seed)
        if event is None:
            return self._left("event", _NOT_SENT)
        count = Counted(self.client)
        answer = await count.ask("submit_event", event=event)
        if answer.error:
            return self._broke("event", count, answer.error)
        incident = str(answer.data["incident_id"])
        state, record = "", Obj()
        with anyio.move_on_after(DONE_S):
            while not _settled(record):
                record = await self._incident(incident)
                await anyio.sleep(_POLL_S)
            while record.get("run_id") and state not in ENDED | {"waiting"}:
                state = str((await count.ask("get_run", run_id=record["run_id"])).data.get("state", ""))
                await anyio.sleep(_POLL_S)
        if state == "waiting":
            await count.ask("control_run", run_id=record["run_id"], action="cancel")
        return Tried(
            scenario=self.scenario,
            seed=self.seed,
            pattern="event",
            wanted=right(self.scenario, self.seed),
            found=str(record.get("cause") or ""),
            forbidden=forbidden(self.lab, self.scenario, acting=True),
            writes=len(writes(self.lab)),
            ended=state or str(record.get("state", "")),
            calls=count.calls,
            tokens=count.tokens,
            broke="" if _settled(record) else "nothing came of it in time",
        )

    async def _incident(self, incident_id: str) -> Obj:
        """The record as a reader of the resource sees it."""
        (read,) = await self.client.read_resource(f"incident://{incident_id}")
        found: Obj = orjson.loads(getattr(read, "text", "{}"))
        return found

    # what a client by hand would fill in

    def _proof(self, sop: str) -> tuple[str, Proof] | None:
        """The proof on this story: of the named procedure, else of the first that has one."""
        proofs = [
            (one.id, proof)
            for one in SOPS.values()
            for proof in one.proofs
            if proof.scenario == self.scenario and self.scenario != "healthy"
        ]
        return next((pair for pair in proofs if pair[0] == sop), proofs[0] if proofs and not sop else None)

    def _params(self, sop: str, told: Obj) -> Obj:
        proof = self._proof(sop)
        if proof and proof[0] == sop:
            return params_of(proof[1], self.seed)
        cause, wish = told.get("root_cause", {}), question(self.scenario)
        known = {
            "cluster": CLUSTER,
            "namespace": cause.get("namespace", ""),
            "kind": cause.get("kind", ""),
            "name": cause.get("name", ""),
            "node": cause.get("name", "") if cause.get("kind") == "Node" else "",
            "service": wish.service(cast(self.seed)) if wish.service else "",
        }
        wanted = {param.name: param for param in SOPS[sop].params}
        return {
            name: value
            for name, value in known.items()
            if value and name in wanted and (not wanted[name].enum or value in wanted[name].enum)
        }

    def _left(self, pattern: Pattern, why: str) -> LeftOut:
        return LeftOut(self.scenario, pattern, why)

    def _broke(self, pattern: Pattern, count: Counted, error: str) -> Tried:
        return Tried(
            self.scenario, self.seed, pattern, calls=count.calls, tokens=count.tokens, broke=error[:200]
        )


def _named(told: Obj) -> str:
    """The procedure that the best action names."""
    return next((one["sop"] for one in told.get("actions", ()) if one.get("sop")), "")


def _settled(incident: Obj) -> bool:
    """Whether a run was started, or people were told."""
    return bool(incident.get("run_id")) or incident.get("state", "open") != "open"


def _late(told: Obj) -> bool:
    """Whether a source did not answer, in time or at all."""
    rows = told.get("sources", {}).get("rows", ())
    return any(set(str(row[-1]).split(", ")) - {"answered", "nothing known"} for row in rows)


def _complete(sop: Sop, params: Obj) -> bool:
    """Whether every parameter that must be given is."""
    return all(params.get(one.name) for one in sop.params if one.required and one.default is None)


@asynccontextmanager
async def playing() -> AsyncIterator["Player"]:
    """A lab for any number of stories."""
    with pytest.MonkeyPatch.context() as patch:
        patient(patch)
        patch.setattr(RealPace, "wait", _at_once)
        async with running_lab("healthy", 0, start=START) as lab:
            pointed_at(lab, patch)
            yield Player(lab)


@dataclass
class Player:
    """Plays story after story on one lab."""

    lab: Lab

    async def rows(self, scenario: str, seed: int) -> list[Row]:
        """One story with one seed, in all patterns."""
        with TemporaryDirectory(prefix="eks-aiops-eval-") as name:
            folder = Path(name)
            person = CallerSettings(name=ANNA, kind="human")
            policy = PolicySettings.model_validate(AUTO)
            settings = settings_on(self.lab, folder, policy=policy, caller=person)
            async with Client(make(settings, in_this_process(settings))) as client:
                stage = Stage(self.lab, client, settings)
                return await Story(self.lab, scenario, seed, folder, client, stage).rows()


async def _at_once(pace: RealPace, seconds: float) -> None:
    """The wait before another try, without the waiting."""
    del pace, seconds
    await anyio.lowlevel.checkpoint()


__all__: Sequence[str] = ("SOPS", "Player", "Row", "playing")
