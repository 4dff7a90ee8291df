"""One run, one kill: start it, let the replica die at the point, let others carry on, look what happened."""

import json
import os
import signal
import time
from dataclasses import dataclass, field
from datetime import UTC
from random import Random
from typing import Any

import anyio
import anyio.to_thread
from sqlalchemy import Connection, func, select

from aiops_shared.clock import SystemClock
from aiops_shared.guardrails.audit import Audit
from aiops_shared.guardrails.models import Caller
from aiops_shared.settings import CallerSettings, Settings
from aiops_shared.state import Keys
from aiops_shared.state.schema import audit, leases
from aiops_shared.state.sop_schema import sop_runs
from eks_aiops.answering import questions
from eks_aiops.guarding import guardrails
from faults.ground import Database, Ground, House, Replica
from faults.world import Effects, effects, standing

ENDED = frozenset({"succeeded", "undone", "escalated", "cancelled", "refused"})
RUN_S = 40.0
SETTLE_S = 600  # world time that passes before the world is compared


@dataclass(frozen=True)
class Story:
    """A SOP on a world."""

    sop: str
    scenario: str
    seed: int
    params: dict[str, Any]
    ends: str = "succeeded"

    @property
    def says(self) -> str:
        """In the table's words."""
        return f"{self.sop} on {self.scenario}"


@dataclass(frozen=True)
class Kill:
    """Where the first replica dies. `after_s`: at any moment, instead of a point."""

    point: str = ""
    nth: int = 0
    step: str = ""
    after_s: float = 0.0
    sleeps: bool = False

    @property
    def says(self) -> str:
        """In the table's words."""
        return f"after {self.after_s:.2f} s" if self.after_s else f"{self.point} #{self.nth + 1}"


@dataclass
class Told:
    """What became of one run."""

    story: str
    database: Database
    kill: Kill
    state: str = "lost"
    died: bool = False
    takeover_s: float | None = None
    twice: dict[str, int] = field(default_factory=dict)
    differs: tuple[str, ...] = ()
    chain: str = ""
    open_intents: int = 0
    held: int = 0
    problem: str = ""
    passages: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def wrong(self) -> str:
        """Which invariant broke, or nothing."""
        said = [
            "lost" if self.state not in ENDED else "",
            f"twice: {self.twice}" if self.twice else "",
            f"chain: {self.chain}" if self.chain else "",
            f"{self.open_intents} intents without an outcome" if self.open_intents else "",
            f"{self.held} leases held" if self.held else "",
            f"world differs: {', '.join(self.differs[:3])}" if self.differs else "",
            self.problem,
        ]
        return "; ".join(part for part in said if part)


@dataclass(frozen=True)
class Reference:
    """The undisturbed run: how it ends, what it changes, how the world stands then."""

    state: str
    effects: Effects
    standing: dict[str, str]
    passages: tuple[tuple[float, str, str], ...]
    took_s: float


async def play(
    ground: Ground,
    story: Story,
    database: Database,
    kill: Kill,
    reference: Reference | None,
    replicas: int = 1,
) -> Told:
    """Play it. `replicas`: how many others are there already when the first one dies (0: one comes after)."""
    ground.lab.reset(story.scenario, story.seed)
    ground.lab.clock.pause()  # world time passes when somebody waits for it
    house = await anyio.to_thread.run_sync(ground.house, database)
    told = Told(story.says, database, kill)
    others = [await ground.zygote.bear(house.wish()) for _ in range(replicas)]
    first = await ground.zygote.bear(_starting(house, story, kill))
    living = [first, *others]
    try:
        died_at = await _death(first, kill, house, told)
        if not others and told.died:
            others.append(await ground.zygote.bear(house.wish()))
            living.append(others[0])
        await _end(house, told)
        told.takeover_s = _taken(house, died_at, first) if told.died else None
    finally:
        for one in living:
            if not one.dead:
                os.kill(one.pid, signal.SIGCONT)
            await one.ended()
    await _judge(ground, house, told, reference)
    return told


def _starting(house: House, story: Story, kill: Kill) -> dict[str, Any]:
    wanted = {"sop": story.sop, "params": story.params, "mode": "auto", "idempotency_key": "faults-0001"}
    wish = house.wish(run=wanted)
    if kill.point:
        more = {"point": kill.point, "nth": kill.nth, "step": kill.step, "sleeps": kill.sleeps}
        wish["fuse"] = {**wish["fuse"], **more}
    return wish


async def _death(first: Replica, kill: Kill, house: House, told: Told) -> float:
    """Wait until the first replica died, or its run ended without; the time of it."""
    if kill.after_s:
        await _until_started(house)
        await anyio.sleep(kill.after_s)
        first.signal(signal.SIGKILL)
    with anyio.move_on_after(RUN_S):
        while not first.dead:
            if kill.sleeps and _stopped(first.pid):
                told.died = True
                return time.monotonic()
            if await _state(house) in ENDED:
                return time.monotonic()
            await anyio.sleep(0.02)
    told.died = first.dead
    return time.monotonic()


def _stopped(pid: int) -> bool:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] in {"T", "t"}


async def _until_started(house: House) -> None:
    with anyio.move_on_after(RUN_S):
        while not await _state(house):
            await anyio.sleep(0.02)


async def _end(house: House, told: Told) -> None:
    with anyio.move_on_after(RUN_S):
        while (state := await _state(house)) not in ENDED:
            told.state = state or "lost"
            await anyio.sleep(0.05)
        told.state = state


async def _state(house: House) -> str:
    """The run's state in the store; empty before it is there. Who is asked, says yes."""
    state = await _stored_state(house)
    if state == "waiting":
        await _say_yes(house)
    return state


async def _say_yes(house: House) -> None:
    """A person at a terminal of the same store agrees to whatever waits."""
    person = Caller(name="ben", kind="human")
    settings = Settings(state=house.settings, caller=CallerSettings(name="ben", kind="human"))
    async with guardrails(settings) as guard, questions(settings, guard) as asks:
        for pending in await guard.pending_approvals():
            await guard.approve(pending.approval_id, person, "terminal")
        for asked in await asks.open():
            await asks.decide(asked.ask_id, person, "yes", "terminal")


async def _stored_state(house: House) -> str:
    def look() -> str:
        with house.store() as store:
            rows = store.read_now(lambda conn: conn.execute(select(sop_runs.c.state)).scalars().all())
        return str(rows[0]) if rows else ""

    return await anyio.to_thread.run_sync(look)


def _taken(house: House, died_at: float, first: Replica) -> float | None:
    """Seconds from the death to the first thing that another replica did in the run."""
    del first
    later = [at for at, _, step in house.passages() if at > died_at and step]
    return later[0] - died_at if later else None


async def _judge(ground: Ground, house: House, told: Told, reference: Reference | None) -> None:
    ground.lab.clock.advance(SETTLE_S)
    told.passages = house.passages()
    told.chain, told.open_intents, told.held = await anyio.to_thread.run_sync(_books, house)
    if reference is None:
        return
    told.twice = effects(ground.lab).twice(reference.effects)
    if told.state == reference.state:
        now = standing(ground.lab)
        every = sorted(now.keys() | reference.standing.keys())
        told.differs = tuple(what for what in every if now.get(what) != reference.standing.get(what))


def _books(house: House) -> tuple[str, int, int]:
    """What is wrong with the audit, how many intents lack an outcome, how many leases are held."""
    clock = SystemClock()
    with house.store() as store:
        report = anyio.run(Audit(store, Keys(house.settings), clock).verify)
        open_intents = store.read_now(_open_intents)
        now = clock.safe_now().astimezone(UTC)
        rows = store.read_now(lambda conn: conn.execute(select(leases.c.expires_at)).scalars().all())
    return ("" if report.holds else report.reason), open_intents, sum(1 for at in rows if at > now)


def _open_intents(conn: Connection) -> int:
    ended = select(audit.c.intent_seq).where(audit.c.event == "outcome")
    waiting = select(func.count()).where(audit.c.event == "intent", audit.c.seq.not_in(ended))
    return int(conn.execute(waiting).scalar_one())


async def reference_of(ground: Ground, story: Story, database: Database) -> Reference:
    """Play it undisturbed. Raises RuntimeError when it does not end as its SOP says."""
    began = time.monotonic()
    told = await play(ground, story, database, Kill(), None, replicas=0)
    if told.state != story.ends:
        raise RuntimeError(f"{story.sop} ends {told.state} undisturbed: {told.problem}")
    took = time.monotonic() - began
    return Reference(told.state, effects(ground.lab), standing(ground.lab), tuple(told.passages), took)


def kills_of(reference: Reference, points: tuple[str, ...]) -> list[Kill]:
    """For each step of the run that passes a point, one kill at each point; the middle passage of several."""
    passed: dict[tuple[str, str], int] = {}
    for _, point, step in reference.passages:
        passed[point, step] = passed.get((point, step), 0) + 1
    return [
        Kill(point, count // 2, step)
        for (point, step), count in sorted(passed.items())
        if step and point in points
    ]


def random_kills(reference: Reference, how_many: int, seed: int) -> list[Kill]:
    """At any moment of the run."""
    draw = Random(seed)
    return [Kill(after_s=draw.uniform(0.01, reference.took_s)) for _ in range(how_many)]


def as_json(told: Told) -> str:
    """One line for the record."""
    kept = {"story": told.story, "database": told.database, "kill": told.kill.says, "step": told.kill.step}
    return json.dumps({**kept, "state": told.state, "wrong": told.wrong, "takeover_s": told.takeover_s})
