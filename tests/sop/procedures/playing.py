"""Plays one SOP on a lab by the tools of the sop server, with a person who approves and answers.

    run = await played(stage, "cost-spike", {"cluster": ""})
    assert run["state"] == "succeeded"

What happened to the world is read from the lab: its objects and its request log, never from the run's
own words.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from mcp_types import TextResourceContents

from aiops_shared.guardrails import Caller
from aiops_shared.http.world_clock import make_clock
from aiops_shared.settings import CallerSettings
from aiops_shared.state import StateStore
from aiops_sop.clients.run_parts import asks_of
from eks_aiops.guarding import guardrails
from tests.e2e.stage import Obj
from tests.sop.stage import Stage

AUTO = {"prod": "auto-safe", "staging": "auto-safe", "dev": "auto-safe"}
MOST_WAITS = 20
_WAITING = frozenset({"waiting"})
_POLLS = 400


def begun(stage: Stage, scenario: str, seed: int = 0) -> None:
    """Another story on another day: no limit remembers the one before, and no bill that was kept."""
    stage.play(scenario, seed)
    book = stage.settings.state.dir / "state.db"
    if not book.exists():
        return
    with sqlite3.connect(book, timeout=10) as connection:
        known = {row[0] for row in connection.execute("select name from sqlite_master where type='table'")}
        for table in {"limits", "answers"} & known:
            connection.execute(f"delete from {table}")  # noqa: S608  # one of the two names above
    connection.close()


async def played(
    stage: Stage,
    sop: str,
    params: Mapping[str, Any],
    *,
    answers: Mapping[str, str] | None = None,
    first: Callable[[str], None] | None = None,
    mode: str = "auto",
) -> Obj:
    """The run at its end, in full. A person says yes to every approval and, unless `answers` says no for a
    step, to every question; `first` is what they do before they answer that step's.
    """
    began = await stage.got("start_run", sop=sop, params=dict(params), mode=mode)
    run = await stage.finished(began["run_id"], also=_WAITING)
    for _ in range(MOST_WAITS):
        if run["state"] != "waiting":
            break
        await given(stage, run, answers or {}, first)
        run = await stage.finished(began["run_id"], also=_WAITING)
    return await whole(stage, began["run_id"])


async def whole(stage: Stage, run_id: str) -> Obj:
    """A run with every step; a tool's answer leaves some out of a long one."""
    (read,) = await stage.client.read_resource(f"run://{run_id}")
    assert isinstance(read, TextResourceContents)
    found: Obj = json.loads(read.text)
    return found


async def given(
    stage: Stage, run: Obj, answers: Mapping[str, str], first: Callable[[str], None] | None = None
) -> None:
    """Give a run what it waits for, and wait until it goes on."""
    waiting = run["waiting"]
    if waiting["kind"] == "approval":
        other = "other than its requester" in waiting["says"]
        await stage.approved_by("ben" if other else "anna", waiting["id"])
    else:
        assert waiting["kind"] == "answer", waiting
        steps = (await whole(stage, run["run_id"]))["steps"]
        step = next((one["id"] for one in steps if one["state"] == "waiting"), "")
        if first is not None:
            first(step)
        await answered(stage, waiting["id"], answers.get(step, "yes"))
    for _ in range(_POLLS):
        now = await stage.got("get_run", run_id=run["run_id"])
        if now["state"] != "waiting" or now["waiting"].get("id") != waiting["id"]:
            return
        await anyio.sleep(0.05)  # real: the engine works in threads of its own
    raise AssertionError(f"{run['run_id']} does not go on after {waiting}")


async def answered(stage: Stage, ask_id: str, said: str, name: str = "anna") -> None:
    """A person at a terminal answers a question."""
    person = stage.settings.model_copy(update={"caller": CallerSettings(name=name, kind="human")})
    store, clock = StateStore(stage.settings.state), make_clock(stage.settings)
    try:
        async with guardrails(person) as guard:
            asks = asks_of(stage.settings, store, clock, guard)
            await asks.decide(
                ask_id, Caller(name=name, kind="human"), "yes" if said == "yes" else "no", "terminal"
            )
    finally:
        store.close()
        await clock.aclose()


def step(run: Obj, name: str) -> Obj:
    """One step of a run."""
    return next(one for one in run["steps"] if one["id"] == name)


def states(run: Obj) -> dict[str, str]:
    """Step -> state, without the items of a foreach."""
    return {one["id"]: one["state"] for one in run["steps"] if "[" not in one["id"]}


def written(stage: Stage) -> list[tuple[str, str]]:
    """What was changed in the cluster, by resource and name, each once; what is created has no name yet."""
    return sorted({(one.resource, one.name) for one in stage.lab.requests.writes()})


def numbers(text: str) -> set[str]:
    """The figures of a text, without thousands' commas."""
    return {found.rstrip(".") for found in re.findall(r"\d[\d.]*", text.replace(",", ""))}
