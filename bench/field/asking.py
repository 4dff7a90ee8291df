"""Puts a question to a server on its shortest way, and counts calls, tokens, seconds, facts that stand there.

A way may need several servers (AWS Labs sells one for Kubernetes and one for its logs); all are started,
greeted, have listed their tools as every client has them do, and rest for the second that a model needs to
read the list, before the first call is timed. A way ends as soon as every fact stands in what was answered.
"""

import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, TypeVar

from bench.field.facts import Fact, Places, filled_all, unfolded
from bench.field.servers import Environment, Server
from bench.rows import told
from bench.talking import Child, TalkError, talking
from bench.tokens import tokens

ANSWER_S = 180.0
READING_S = 1.0  # a model's, between the list of tools and its first call
Answered = TypeVar("Answered")


@dataclass(frozen=True)
class Call:
    """One tool call."""

    server: Server
    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """How one server, or a pair of them, gets at the answer."""

    title: str
    calls: tuple[Call, ...]
    note: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked, of which world, what a right answer says, and who can be asked how."""

    title: str
    scenarios: tuple[str, ...]
    facts: tuple[Fact, ...]
    ways: tuple[Way, ...]


@dataclass(frozen=True)
class World:
    """A lab that plays: what a client is told, and the places."""

    lab: Environment
    base: Environment
    places: Places


def ask(question: Question, world: World, rounds: int) -> dict[str, Any]:
    """The raw figures of a question, every way of it."""
    return {
        "title": question.title,
        "scenarios": list(question.scenarios),
        "facts": [fact.title for fact in question.facts],
        "ways": [_asked(way, question.facts, world, rounds) for way in question.ways],
    }


def _asked(way: Way, facts: Sequence[Fact], world: World, rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {"title": way.title, "note": way.note}
    try:
        with told(f"    {way.title}"):
            runs = [_walk(way, facts, world) for _ in range(rounds)]
    except (TalkError, OSError, ValueError) as error:  # somebody else's program, mostly
        return {**found, "error": f"{type(error).__name__}: {without_paths(str(error))[:200]}"}
    seconds = [run["seconds"] for run in runs]
    times = {key: round(statistics.median(run[key] for run in runs), 3) for key in ("seconds", "again_s")}
    return {**found, **runs[-1], **times, "seconds_each": seconds}


def _walk(way: Way, facts: Sequence[Fact], world: World) -> dict[str, Any]:
    """Once, in processes of its own."""
    heard: list[str] = []
    trail: list[dict[str, Any]] = []
    with ExitStack() as closing:
        children = {one: _opened(one, world, closing) for one in dict.fromkeys(c.server for c in way.calls)}
        Event().wait(READING_S)
        for call in way.calls:
            text, failed, took_s = _timed(children[call.server], call, world.places)
            heard.append(text)
            trail.append({"tool": call.tool, "tokens": tokens(text), "seconds": round(took_s, 3)})
            if failed:
                trail[-1]["failed"] = without_paths(text)[:200]
            said = unfolded(heard)
            stands = [fact.title for fact in facts if fact.stands_in(said, world.places)]
            if len(stands) == len(facts):
                break
        again_s = sum(
            _timed(children[call.server], call, world.places)[2] for call in way.calls[: len(trail)]
        )
    return {
        "again_s": round(again_s, 3),
        "calls": len(trail),
        "tokens": sum(one["tokens"] for one in trail),
        "seconds": round(sum(one["seconds"] for one in trail), 3),
        "stands": stands,
        "trail": trail,
    }


def _timed(child: Child, call: Call, places: Places) -> tuple[str, bool, float]:
    """Text, whether it is an error, seconds."""
    arguments = filled_all(call.arguments, places)
    began = time.perf_counter()
    text, failed = answer(child, call.tool, arguments)
    return text, failed, time.perf_counter() - began


def without_paths(text: str) -> str:
    """What somebody's program said, without this machine's folders."""
    return re.sub(r"(?:/[\w.@+-]+){2,}", "(path)", text)


def _opened(server: Server, world: World, closing: ExitStack) -> Child:
    command = server.command(world.lab)
    if command is None:
        raise TalkError(f"{server.title} cannot be installed here")
    folder = closing.enter_context(TemporaryDirectory(ignore_cleanup_errors=True))
    child = closing.enter_context(talking(command, server.environment(world.lab, world.base, folder)))
    with_deadline(child, child.greet)
    with_deadline(child, lambda: child.request("tools/list", {}))
    return child


def answer(child: Child, tool: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
    """What a model would read of a call; whether it is an error. Raises TalkError after ANSWER_S."""
    heard = with_deadline(child, lambda: child.request("tools/call", {"name": tool, "arguments": arguments}))
    result = heard.get("result")
    if result is None:
        return str(heard.get("error", {}).get("message", "")), True
    text = "".join(block.get("text", "") for block in result.get("content", ()))
    return text, bool(result.get("isError"))


def with_deadline(child: Child, act: Callable[[], Answered]) -> Answered:
    """Do it; the child is killed, which raises TalkError, when it takes longer than ANSWER_S."""
    timer = child.end_after(ANSWER_S)
    try:
        return act()
    finally:
        timer.cancel()
