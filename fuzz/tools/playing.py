"""Plays the attacks on one lane and counts what came of them, by the lab's logs and not by a server's word.

Called by `fuzz.__main__` and, with few calls, by `tests/fuzz`.
"""

import base64
import json
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import anyio

from fuzz.canaries.finding import kept, leaks_in
from fuzz.tools import damage
from fuzz.tools.attacks import Attack, Drawing, Pool
from fuzz.tools.ground import Ground, Lane
from fuzz.tools.judging import Judge, Seen
from fuzz.tools.skeletons import Obj, every
from fuzz.tools.talking import PATIENCE_S, Heard, Talk, memory_bytes

GROWTH: Final = 2.0  # a process may hold so many times what it held once each tool had answered
EFFECTS: Final = frozenset({"execute_plan", "undo_action", "start_run", "control_run"})
ENDED: Final = frozenset({"succeeded", "undone", "escalated", "cancelled", "refused", "failed"})
STEP_S: Final = 20.0  # the lab's clock goes on so far for every ten calls, or rate limits answer everything
_POLLS: Final = 60


# What a refusal says that only a look at the object can know (docs/errors.md, `invalid_input`).
_SEEN_ON_THE_OBJECT = ("already", "nothing to", "no earlier revision")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with the line that shows it again."""

    lane: str
    says: str
    replay: str

    def line(self) -> str:
        """As it is printed."""
        return f"{self.lane}: {self.says}\n    python -m fuzz --replay '{self.lane} {self.replay}'"


@dataclass
class Tally:
    """What one lane came to."""

    lane: Lane
    calls: int = 0
    tools: int = 0
    damaged: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    writes: list[str] = field(default_factory=list)
    allowed: int = 0
    findings: list[Finding] = field(default_factory=list)
    baseline_bytes: int = 0
    most_bytes: int = 0
    looked: int = 0  # plans refused since the object already is as asked: known only after looking at it
    took_s: float = 0.0
    slowest: dict[str, float] = field(default_factory=dict)

    def note(self, attack: Attack, heard: Heard) -> None:
        """Count one answer."""
        self.calls += 1
        self.outcomes[heard.code or "answer"] += 1
        self.slowest[attack.tool] = self.slowest.get(attack.tool, 0.0) + heard.took_s

    def found(self, attack: Attack, says: Iterable[str]) -> None:
        """Keep what is wrong with one call."""
        for one in says:
            where = f"{attack.tool} ({attack.kind})"
            self.findings.append(Finding(self.lane.name, f"{where}: {one}", packed(attack)))


def _after_looking(attack: Attack, heard: Heard) -> bool:
    return "plan_" in attack.tool and any(says in heard.text for says in _SEEN_ON_THE_OBJECT)


def packed(attack: Attack) -> str:
    """A call on one line, whatever its size."""
    raw = json.dumps([attack.tool, attack.kind, attack.arguments]).encode()
    return base64.urlsafe_b64encode(zlib.compress(raw, 9)).decode()


def unpacked(text: str) -> Attack:
    """The call that `packed` wrote. Raises ValueError."""
    try:
        return Attack(*json.loads(zlib.decompress(base64.urlsafe_b64decode(text))))
    except (zlib.error, TypeError) as error:
        raise ValueError(f"that is no packed call: {error}") from error


@dataclass
class Player:
    """One lane being attacked."""

    place: Ground
    lane: Lane
    talk: Talk
    tally: Tally
    judge: Judge
    pool: Pool = field(default_factory=Pool)

    async def listed(self) -> list[Obj]:
        """The tools as the server lists them."""
        heard = await self.talk.request("tools/list")
        tools: list[Obj] = heard.result["tools"]
        self.tally.tools = len(tools)
        return tools

    async def warm(self, tools: Sequence[Obj], skeletons: dict[str, list[Obj]]) -> None:
        """Each tool answers once, so that what is loaded once is loaded; then memory is looked at."""
        rng = Random(0)
        for tool in tools:
            own = tool["name"].removeprefix(f"{tool['name'].partition('_')[0]}_")
            known = skeletons.get(tool["name"], skeletons.get(own, [{}]))
            heard = await self.talk.call(tool["name"], json.dumps(self.pool.fill(known[0], rng)))
            self.pool.take(heard.result.get("structuredContent"))
        self.tally.baseline_bytes = self.tally.most_bytes = memory_bytes(self.talk)

    async def play(self, attack: Attack) -> None:
        """One call, judged."""
        self.place.mark()
        heard = await self.talk.call(attack.tool, attack.arguments)
        self.tally.note(attack, heard)
        self.pool.take(heard.result.get("structuredContent"))
        await self._settle(heard)
        seen = self.place.seen()
        wrong = list(self.judge.faults(heard, sent=attack.arguments))
        wrong += self._effects(attack, heard, seen)
        late = heard.code == "invalid_input" and seen.upstream > 0
        if late and _after_looking(attack, heard):
            self.tally.looked += 1
        elif late and await self._again(attack):
            wrong.append(f"refused after {seen.upstream} requests upstream: {heard.text[:200]}")
        if not self.talk.alive():
            wrong.append("the process ended")
        self.tally.found(attack, wrong)

    async def silent(self, attack: Attack) -> bool:
        """`play`; whether no answer came at all, after which nothing more can be asked of this process."""
        try:
            await self.play(attack)
        except TimeoutError:
            self.tally.found(attack, [f"no answer within {PATIENCE_S:.0f} s"])
            return True
        return False

    async def _again(self, attack: Attack) -> bool:
        """Whether the same refusal asks upstream once more: what a server does by itself is no fault."""
        for _ in range(3):
            await anyio.sleep(0.3)  # what earlier calls left running ends
            self.place.mark()
            heard = await self.talk.call(attack.tool, attack.arguments)
            if heard.code != "invalid_input" or not self.place.seen().upstream:
                return False
        return True

    def _effects(self, attack: Attack, heard: Heard, seen: Seen) -> list[str]:
        """Writes that nobody asked for. Where a plan was executed or a run begun, they are counted."""
        own = attack.tool.partition("_")[2] if self.lane.server == "gateway" else attack.tool
        may = self.lane.write and own in EFFECTS and not heard.code
        self.tally.allowed += may
        self.tally.writes += seen.writes
        return [] if may or not seen.writes else [f"wrote {', '.join(seen.writes)[:300]}"]

    async def _settle(self, heard: Heard) -> None:
        """Wait for the end of what a call began, so that its effects are counted with it."""
        data = heard.result.get("structuredContent") or {}
        prefix = {"action_id": ("eks_", "get_action"), "run_id": ("sop_", "get_run")}
        for word, (server, tool) in prefix.items():
            if (
                heard.code
                or data.get("state") not in {"running", "undoing", "queued", "starting"}
                or word not in data
            ):
                continue
            name = f"{server}{tool}" if self.lane.server == "gateway" else tool
            for _ in range(_POLLS):
                answer = await self.talk.call(name, json.dumps({word: data[word]}))
                state = (answer.result.get("structuredContent") or {}).get("state")
                if state not in {"running", "undoing", "queued", "starting"}:
                    return
                await anyio.sleep(0.2)

    async def damaged(self) -> None:
        """Broken messages, then a good one: the process is there and answers."""
        for one in damage.every():
            self.place.mark()
            heard = await self.talk.send(one.raw, one.headers)
            attack = Attack("", one.says, base64.b64encode(one.raw[:2_000]).decode())
            self.tally.damaged += 1
            self.tally.calls += 1
            self.tally.outcomes[
                f"HTTP {heard.status}" if heard.status not in {0, 200} else heard.code or "answer"
            ] += 1
            wrong = [*self.judge.faults(heard, sent=one.raw.decode("utf-8", "replace"), silent=one.silent)]
            wrong += [f"wrote {seen}" for seen in self.place.seen().writes]
            if not self.talk.alive():
                wrong.append("the process ended")
            self.tally.found(attack, wrong)

    def watch_memory(self) -> None:
        """Keep the most that the process held."""
        self.tally.most_bytes = max(self.tally.most_bytes, memory_bytes(self.talk))


async def play_lane(place: Ground, lane: Lane, calls: int, seed: int, *, longest_s: float = 1e9) -> Tally:
    """Attack one server in one mode over one transport with so many calls."""
    tally, began = Tally(lane), time.monotonic()
    async with place.opened(lane) as talk:
        player = Player(place, lane, talk, tally, Judge(home=str(place.folder)))
        tools, skeletons = await player.listed(), every(place.lab)
        await player.warm(tools, skeletons)
        drawing = Drawing(tools, skeletons, Random(f"{seed} {lane.name}"))  # to be repeated
        await player.damaged()
        while tally.calls < calls and time.monotonic() - began < longest_s and talk.alive():
            if await player.silent(drawing.next(player.pool)):
                break
            if tally.calls % 10 == 0:
                player.watch_memory()
                place.lab.clock.advance(STEP_S)
    tally.took_s = time.monotonic() - began
    await anyio.to_thread.run_sync(_left_behind, place, tally)
    _say(tally)
    return tally


def _left_behind(place: Ground, tally: Tally) -> None:
    """What the process wrote: no secret, no unexpected failure."""
    nobody = Attack("", "what was left behind", "{}")
    for file in sorted(place.home(tally.lane).rglob("*")):
        if file.is_file():
            tally.found(nobody, kept(file))
    log = (place.home(tally.lane) / "server.log").read_text("utf-8", "replace")
    tally.found(nobody, [line[:300] for line in log.splitlines() if "bug " in line][:5])
    spans = b"".join(body for _, body in place.spans).decode("utf-8", "replace")
    tally.found(nobody, (f"spans leak {where}" for where in leaks_in(spans)))
    place.spans.clear()
    if tally.most_bytes > GROWTH * tally.baseline_bytes:
        grew = f"{tally.baseline_bytes / 2**20:.0f} to {tally.most_bytes / 2**20:.0f} MiB"
        tally.found(nobody, [f"memory grew from {grew}"])


def _say(tally: Tally) -> None:
    common = ", ".join(f"{code} {count}" for code, count in tally.outcomes.most_common(6))
    sys.stderr.write(f"fuzz: {tally.lane.name}: {tally.calls} calls in {tally.took_s:.0f} s: {common}\n")
    for one in tally.findings[:20]:
        sys.stderr.write(f"  {one.line()[:900]}\n")
    sys.stderr.flush()


async def replay(place: Ground, lane: Lane, attack: Attack) -> tuple[Heard, list[str]]:
    """One call again, on a process of its own."""
    tally = Tally(lane)
    async with place.opened(lane) as talk:
        player = Player(place, lane, talk, tally, Judge(home=str(place.folder)))
        place.mark()
        heard = await talk.call(attack.tool, attack.arguments)
        wrong = [
            *player.judge.faults(heard, sent=attack.arguments),
            *player._effects(attack, heard, place.seen()),
        ]
    return heard, wrong
