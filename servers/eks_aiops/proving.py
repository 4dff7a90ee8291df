"""Plays a SOP on a story of the lab to its end: `eks-aiops sops test`, and the test of every `proof`.

The story's own names are put in for `{{ expected.… }}` and `{{ lab.… }}`, so that a proof holds for every
seed. What a person does (approve, answer) is done by whoever calls, as a person would: at the store.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

import anyio

from aiops_lab.places import CLUSTER
from aiops_lab.scenarios import SCENARIOS, Expected
from aiops_lab.scenarios.names import cast
from aiops_shared.errors import InvalidInputError, UpstreamTimeoutError
from aiops_sop.documents.expressions import filled
from aiops_sop.models.documents import Proof, Sop
from aiops_sop.models.runs import ENDED

Json = Any
Obj = dict[str, Any]
WITHIN_S: Final = 120.0  # real time; the lab's own time passes as fast as it can
_POLL_S: Final = 0.05


class Said(Protocol):
    """One tool's answer."""

    @property
    def data(self) -> Obj:
        """Its structured content."""
        ...

    @property
    def error(self) -> str:
        """Empty, or the code and text."""
        ...


class People(Protocol):
    """Who stands behind the terminal."""

    async def approve(self, approval_id: str) -> None:
        """Say yes to a plan."""
        ...

    async def answer(self, ask_id: str, said: str) -> None:
        """Answer a question of a run: yes or no."""
        ...


Ask = Callable[..., Awaitable[Said]]


@dataclass(frozen=True)
class Proved:
    """How it ended, beside how it should have."""

    sop: str
    proof: Proof
    seed: int
    ended: str
    says: str
    run: Obj = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether it ended as the file says."""
        return self.ended == self.proof.ends

    def line(self) -> str:
        """One line for a person."""
        told = "as it should" if self.holds else f"and should have {self.proof.ends}"
        return f"{self.sop} on {self.proof.scenario} (seed {self.seed}): {self.ended}, {told}. {self.says}"


def facts(scenario: str, seed: int) -> Obj:
    """What a proof's parameters may name. Raises InvalidInputError for a story that the lab does not have."""
    if scenario not in SCENARIOS:
        raise InvalidInputError("scenario", "the lab does not have it", "eks-aiops lab list")
    who = cast(seed)
    told = SCENARIOS[scenario].expect(who)
    first = told[0] if told else None
    there = first or _was(scenario, seed)  # where nothing is wrong any more the story still has its place
    hurt = there.hurts_name or there.name if there else who.api
    node = there.name if there and there.kind == "Node" else ""
    place = {
        "cluster": CLUSTER,
        "workload": hurt,
        "node": node,
        "namespace": there.namespace if there else "",
    }
    told_of: Obj = json.loads(
        json.dumps({"lab": {**asdict(who), **place}, "expected": asdict(first) if first else {}})
    )
    return told_of  # tuples became lists, as expressions know them


def _was(scenario: str, seed: int) -> Expected | None:
    """Of a story that recovered: what the one that did not expects."""
    stem = scenario.removesuffix("-recovered")
    for name, story in SCENARIOS.items() if stem != scenario else ():
        if name.startswith(f"{stem}-positive") and (told := story.expect(cast(seed))):
            return told[0]
    return None


def params_of(proof: Proof, seed: int) -> Obj:
    """The parameters of a proof with the story's names in them."""
    return dict(filled(dict(proof.params), facts(proof.scenario, seed)))


async def played(ask: Ask, people: People, sop: Sop, proof: Proof, seed: int) -> Proved:
    """Start it, do what the proof says of people, wait for its end."""
    started = await ask("start_run", sop=sop.id, params=params_of(proof, seed), mode=proof.mode)
    if started.error:
        return Proved(sop.id, proof, seed, "refused", started.error)
    run_id, done = str(started.data["run_id"]), set[str]()
    with anyio.move_on_after(WITHIN_S):
        while True:
            run = (await ask("get_run", run_id=run_id)).data
            if run["state"] in ENDED:
                return Proved(sop.id, proof, seed, run["state"], run["summary"], run)
            waiting = run.get("waiting") or {}
            if waiting.get("id") and waiting["id"] not in done:
                if not await _helped(people, proof, run, waiting):
                    says = f"{waiting['kind']} {waiting['id']}: {waiting['says']}"
                    return Proved(sop.id, proof, seed, "waiting", says, run)
                done.add(waiting["id"])
            await anyio.sleep(_POLL_S)
    raise UpstreamTimeoutError(run_id, f"did not end within {WITHIN_S:.0f} s", "see its steps: get_run")


async def _helped(people: People, proof: Proof, run: Mapping[str, Json], waiting: Obj) -> bool:
    """Whether a person did what is waited for; a proof says who does."""
    if waiting["kind"] == "approval" and proof.approve:
        await people.approve(waiting["id"])
        return True
    if waiting["kind"] == "answer" and proof.answers:
        step = next((one["id"] for one in run["steps"] if one["state"] == "waiting"), "")
        said = proof.answers.get(step)
        if not step and len(set(proof.answers.values())) == 1:  # a long run's answer leaves steps out
            said = next(iter(proof.answers.values()))
        if said is not None:
            await people.answer(waiting["id"], said)
            return True
    return False
