"""One run, one kill: start it, let the replica die at the point, let others carry on, look what happened."""

import json
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from random import Random
from typing import Any

import anyio
import anyio.to_thread
from sqlalchemy import Connection, func, select

from aiops_shared.clock import SystemClock
from aiops_shared.guardrails.audit import Audit
from aiops_shared.state import Keys
from aiops_shared.state.schema import audit, leases
from faults.ground import START, Database, Ground, House, Replica
from faults.people import people
from faults.watching import ENDED, Watch
from faults.world import Effects, effects, standing

RUN_S = 180.0  # a busy machine is slow, not wrong
Disturb = Callable[[list[Replica]], Coroutine[Any, Any, None]]
SETTLE_S = 600  # world time that passes before the world is compared


@dataclass(frozen=True)
class Story:
    """A SOP on a world. `back`: a person takes it back once it succeeded."""

    sop: str
    scenario: str
    seed: int
    params: dict[str, Any]
    ends: str = "succeeded"
    mode: str = "auto"
    back: bool = False

    @property
    def says(self) -> str:
        """In the table's words."""
        return f"{self.sop} on {self.scenario}{', taken back' if self.back else ''}"

    @property
    def over(self) -> frozenset[str]:
        """The states in which nothing more comes."""
        return ENDED - {"succeeded"} if self.back else ENDED


@dataclass(frozen=True)
class Kill:
    """Where the first replica dies. `after_s`: at any moment, instead of a point."""

    point: str = ""
    nth: int = 0
    step: str = ""
    after_s: float = 0.0
    sign: int = signal.SIGKILL

    @property
    def says(self) -> str:
        """In the table's words."""
        return f"after {self.after_s:.2f} s" if self.after_s else f"{self.point} #{self.nth + 1}"


@dataclass
class Told:
    """What became of one run. `died`: while its run was open; `takeover_s`: until another process had it."""

    story: str
    database: Database
    kill: Kill
    state: str = "lost"
    wanted: str = ""
    died: bool = False
    takeover_s: float | None = None
    first_work_s: float | None = None
    ended_s: float | None = None  # from the signal to the process's end
    twice: dict[str, int] = field(default_factory=dict)
    differs: tuple[str, ...] = ()
    chain: str = ""
    open_intents: int = 0
    held: int = 0
    problem: str = ""
    says: str = ""
    took_s: float = 0.0
    passages: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def lost(self) -> bool:
        """Whether the run did not end."""
        return self.state not in ENDED

    @property
    def wrong(self) -> str:
        """Which invariant broke, or nothing."""
        said = [
            f"lost: {self.state}" if self.lost else "",
            f"ended {self.state}, not {self.wanted} ({self.says[:300]})"
            if self.wanted not in {"", self.state}
            else "",
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
    """The undisturbed run: how it ends, what it changes, how the world stands then, how long it is open."""

    state: str
    effects: Effects
    standing: dict[str, str]
    passages: tuple[tuple[float, str, str], ...]
    open_s: float


async def play(  # noqa: PLR0913  # what is tried, and what goes wrong
    ground: Ground,
    story: Story,
    database: Database,
    kill: Kill,
    reference: Reference | None,
    replicas: int = 1,
    then: Disturb | None = None,
    before: Callable[[], None] | None = None,
    waits: bool = True,
) -> Told:
    """Play it. `replicas`: how many others are there already when the first one dies (0: one comes after).

    `before` is done to the world first. `then` happens while the others carry on, with all processes, the
    first one being the first; at once when nothing `waits` for its death.
    """
    began = time.monotonic()
    ground.lab.clock.pause()  # world time passes when somebody waits for it
    ground.lab.clock.rewind(START)
    ground.lab.reset(story.scenario, story.seed)
    if before is not None:
        before()
    house = await anyio.to_thread.run_sync(ground.house, database)
    told = Told(story.says, database, kill)
    watch = Watch(house.state, story.over)
    living = [await ground.zygote.bear(_wish(house, kill)) for _ in range(replicas)]
    living.insert(0, await ground.zygote.bear(_wish(house, kill, story)))
    try:
        async with people(house) as helpers:
            watch.helpers = helpers
            died_at = time.monotonic()
            if waits:
                died_at = await _death(living, kill, told, watch)
            else:
                await _begun(watch)
            if not replicas and told.died:
                living.append(await ground.zygote.bear(house.wish()))
            async with anyio.create_task_group() as tasks:
                if then is not None:
                    tasks.start_soon(then, living)
                await _end(told, watch)
    finally:
        for one in living:
            if not one.dead:
                os.kill(one.pid, signal.SIGCONT)
        async with anyio.create_task_group() as tasks:
            for one in living:
                tasks.start_soon(one.ended)
    if told.died:
        told.takeover_s = watch.taken_after(died_at)
        later = [at for at, _, step in house.passages() if at > died_at and step]
        told.first_work_s = later[0] - died_at if later else None
        signalled = [at for at, point, _ in house.passages() if point == "signal"]
        told.ended_s = died_at - signalled[0] if signalled else None
    await _judge(ground, house, told, reference)
    told.took_s = watch.open_s if reference is None else time.monotonic() - began
    await anyio.to_thread.run_sync(ground.left, house)
    return told


def _wish(house: House, kill: Kill, story: Story | None = None) -> dict[str, Any]:
    """What a replica is told: the first one also what to start. Whoever comes to the point first, dies."""
    more: dict[str, Any] = {}
    if story is not None:
        run = {"sop": story.sop, "params": story.params, "mode": story.mode}
        more = {"run": {**run, "idempotency_key": "faults-0001"}, "back": story.back}
    wish = house.wish(**more)
    if kill.point:
        fuse = {"point": kill.point, "nth": kill.nth, "step": kill.step, "sign": int(kill.sign)}
        wish["fuse"] = {**wish["fuse"], **fuse, "once": str(house.folder / "blown")}
    return wish


async def _death(living: list[Replica], kill: Kill, told: Told, watch: Watch) -> float:
    """Wait until a replica died, or the run ended without; the time of it. It comes to the front."""
    if kill.after_s:
        return await _shot(living, kill.after_s, told, watch)
    with anyio.move_on_after(RUN_S):
        while not (fallen := [one for one in living if one.dead or _sleeps(one, kill)]):
            if (await watch.look()).over:
                return time.monotonic()
            await watch.help()
            await anyio.sleep(0.03)
        told.died = True
        living.sort(key=lambda one: one is not fallen[0])
    return time.monotonic()


def _sleeps(one: Replica, kill: Kill) -> bool:
    return kill.sign == signal.SIGSTOP and one.stopped


async def _shot(living: list[Replica], after_s: float, told: Told, watch: Watch) -> float:
    """Kill whichever process worked last at the run, at a moment that nobody chose."""
    await _begun(watch)
    until = time.monotonic() + after_s
    while time.monotonic() < until and not (await watch.look()).over:
        await watch.help()
        await anyio.sleep(min(0.03, max(0.0, until - time.monotonic())))
    told.died = not (await watch.look()).over
    living.sort(key=lambda one: -one.worked_at)
    living[0].signal(signal.SIGKILL)
    await living[0].gone(5)
    return time.monotonic()


async def _begun(watch: Watch) -> None:
    """Until the run is there."""
    with anyio.move_on_after(RUN_S):
        while not (await watch.look()).state:
            await anyio.sleep(0.02)


async def _end(told: Told, watch: Watch) -> None:
    with anyio.move_on_after(RUN_S):
        while not (await watch.look()).over:
            await watch.help()
            await anyio.sleep(0.05)
    told.state, told.says = watch.last.state or "lost", watch.last.says
    if not watch.last.over:
        told.state = f"{told.state} after {RUN_S:.0f} s"


async def _judge(ground: Ground, house: House, told: Told, reference: Reference | None) -> None:
    ground.lab.clock.advance(SETTLE_S)
    told.passages = house.passages()
    told.chain, told.open_intents, told.held = await anyio.to_thread.run_sync(books, house)
    if reference is None:
        return
    told.wanted = reference.state
    told.twice = effects(ground.lab).twice(reference.effects)
    if told.state == reference.state:
        told.differs = differing(standing(ground.lab), reference.standing)


def differing(now: dict[str, str], then: dict[str, str]) -> tuple[str, ...]:
    """Objects that stand otherwise."""
    return tuple(what for what in sorted(now.keys() | then.keys()) if now.get(what) != then.get(what))


def books(house: House) -> tuple[str, int, int]:
    """What is wrong with the audit, how many intents lack an outcome, how many leases are held."""
    clock = SystemClock()
    report = anyio.run(Audit(house.state, Keys(house.settings), clock).verify)
    open_intents = house.state.read_now(_open_intents)
    now = clock.safe_now().astimezone(UTC)
    rows = house.state.read_now(lambda conn: conn.execute(select(leases.c.expires_at)).scalars().all())
    return ("" if report.holds else report.reason), open_intents, sum(1 for at in rows if at > now)


def _open_intents(conn: Connection) -> int:
    ended = select(audit.c.intent_seq).where(audit.c.event == "outcome")
    waiting = select(func.count()).where(audit.c.event == "intent", audit.c.seq.not_in(ended))
    return int(conn.execute(waiting).scalar_one())


async def reference_of(ground: Ground, story: Story, database: Database) -> Reference:
    """Play it undisturbed. Raises RuntimeError when it does not end as its SOP says."""
    told = await play(ground, story, database, Kill(), None, replicas=0)
    if told.state != story.ends or told.wrong:
        says = f"{told.says} {told.wrong}"
        raise RuntimeError(f"{story.says} ends {told.state} undisturbed, not {story.ends}: {says}")
    return Reference(told.state, effects(ground.lab), standing(ground.lab), tuple(told.passages), told.took_s)


def kills_of(reference: Reference) -> list[Kill]:
    """For each step of the run, a kill at each of its points.

    A step that changes something: before its intent, after it, between effect and outcome, after the outcome;
    its way back: when it begins, between effect and outcome, after the outcome. A step that only reads has
    no effect: it is killed when its start is written and when its answer is there but not written (`moments`
    kills at any other).
    """
    passed: dict[tuple[str, str], int] = {}
    for _, point, step in reference.passages:
        passed[point, step] = passed.get((point, step), 0) + 1
    found = []
    for step in dict.fromkeys(step for _, _, step in reference.passages if step):
        for point, which in _points(step, passed):
            if count := passed.get((point, step), 0):
                found.append(Kill(point, {"first": 0, "middle": count // 2, "last": count - 1}[which], step))
    return found


def _points(step: str, passed: dict[tuple[str, str], int]) -> Sequence[tuple[str, str]]:
    if step.startswith("undo/"):
        return (
            ("step during_undo", "first"),
            ("after undo intent", "first"),
            ("after effect", "middle"),
            ("after undo outcome", "last"),
        )
    if ("step before_intent", step) in passed:
        return (
            ("step before_intent", "first"),
            ("step after_intent", "first"),
            ("after effect", "middle"),
            ("after outcome", "last"),
            ("step after_outcome", "last"),
        )
    return (("after record", "first"), ("after call", "middle"))


def random_kills(reference: Reference, how_many: int, seed: str) -> list[Kill]:
    """At any moment of the run."""
    draw = Random(seed)
    return [Kill(after_s=draw.uniform(0.01, 0.9 * reference.open_s)) for _ in range(how_many)]


def as_json(told: Told) -> str:
    """One line for the record."""
    kept = {"story": told.story, "database": told.database, "kill": told.kill.says, "step": told.kill.step}
    said = {"state": told.state, "died": told.died, "wrong": told.wrong, "s": round(told.took_s, 1)}
    return json.dumps({**kept, **said, "takeover_s": told.takeover_s, "first_work_s": told.first_work_s})
