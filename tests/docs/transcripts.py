"""`python -m tests.docs.transcripts`: play the stories of docs/servers on the lab and write what was said.

A page holds `<!-- transcript NAME -->` … `<!-- end -->`; what stands between is written here and played again
by test_transcripts.py: the same calls give the same answers, but for ids, times and ports.
"""

import json
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import anyio
import pytest
from fastmcp import Client

from aiops_cost.server import make as make_cost
from aiops_eks.server import make as make_eks
from aiops_observability.server import make as make_observability
from aiops_shared.settings import Settings, StateSettings
from aiops_sop.server import make as make_sop
from tests.contracts.repository import ROOT
from tests.docs.stories import STORIES, Exchange, Story
from tests.e2e.stage import Answer, Person, asked
from tests.sop.stage import ENDED, Stage, in_this_process, operated

Obj = dict[str, Any]
WIDTH: Final = 110
MOST_ROWS: Final = 4
MOST_CHARS: Final = 300
MOST_CELL: Final = 90
_POLLS: Final = 400
_ATTEMPTS: Final = 4
_CUT_SHORT: Final = "[timeout]"  # what an answer says of a source that did not answer in time
_MASKS: Final = (
    (re.compile(r"\b([a-z]{3,5})_[0-9A-Za-z_-]{12,}"), r"\1_*"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d(?::\d\d)?\b"), "TIME"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\b[0-9a-f]{16,64}\b"), "HASH"),
    (re.compile(r'("\w*_s": )[\d.]+'), r"\1SECONDS"),
    (re.compile(r"\b\d+(?:\.\d+)? (?:ms|s)\b"), "SECONDS"),
)


def masked(text: str) -> str:
    """Without what differs from run to run."""
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return text


def shortened(value: Any) -> Any:
    """Long lists and texts cut, and each cut said."""
    if isinstance(value, dict):
        return {name: part if name == "columns" else shortened(part) for name, part in value.items()}
    if isinstance(value, list) and not any(isinstance(part, dict | list) for part in value):
        return [shortened(part) for part in value]
    if isinstance(value, list):
        kept = [shortened(part) for part in value[:MOST_ROWS]]
        return kept if len(value) <= MOST_ROWS else [*kept, f"… {len(value) - MOST_ROWS} more"]
    if isinstance(value, str) and len(value) > MOST_CHARS:
        return f"{value[:MOST_CHARS]} … {len(value) - MOST_CHARS} characters more"
    return value


def pretty(value: Any, before: str = "", used: int = 0) -> str:
    """JSON with lines as full as they may be: a row of a table stays a row."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(before) + used + len(flat) <= WIDTH or not isinstance(value, dict | list) or _row(value):
        return flat
    deeper = before + "  "
    if isinstance(value, list):
        lines = [pretty(part, deeper) for part in value]
        return "[\n" + ",\n".join(deeper + line for line in lines) + f"\n{before}]"
    names = {name: json.dumps(name, ensure_ascii=False) for name in value}
    lines = [f"{names[name]}: {pretty(part, deeper, len(names[name]) + 2)}" for name, part in value.items()]
    return "{\n" + ",\n".join(deeper + line for line in lines) + f"\n{before}}}"


def _row(value: Any) -> bool:
    """Whether it is a row of a table, or of names: short cells, which stay on one line however many."""
    return isinstance(value, list) and all(
        not isinstance(cell, dict | list) and len(str(cell)) <= MOST_CELL for cell in value
    )


def shown(exchange: Exchange, call: Obj, answer: Answer, person: Sequence[str]) -> str:
    """One exchange as the page has it."""
    said = f'**{exchange.words}**\n\n```json title="call"\n{pretty(call)}\n```\n\n'
    for question in person:
        said += f"The client shows its user, who says yes:\n\n```text\n{question.strip()}\n```\n\n"
    if answer.error:
        return f"{said}```text\n{answer.error.strip()}\n```\n"
    kept = {name: part for name, part in answer.data.items() if name not in exchange.left_out}
    gone = [name for name in exchange.left_out if name in answer.data]
    if gone:
        kept["…"] = f"left out here: {', '.join(gone)}"
    return f'{said}```json title="answer"\n{pretty(shortened(kept))}\n```\n'


def _server(name: str, settings: Settings) -> Any:
    makers = {"eks": make_eks, "observability": make_observability, "cost": make_cost}
    return makers[name](settings) if name in makers else make_sop(settings, in_this_process(settings))


def _filled(arguments: Mapping[str, Any], before: Mapping[str, Any]) -> Obj:
    """The arguments with what the answers before gave."""
    return {
        name: str(before[value[1:-1]]) if isinstance(value, str) and value[:1] == "{" else value
        for name, value in arguments.items()
    }


async def _settled(client: Client[Any], tool: str, arguments: Obj) -> Answer:
    """Ask; where an action or a run still goes on, ask again until it ended."""
    for _ in range(_POLLS):
        answer = await asked(client, tool, arguments)
        if tool not in {"get_action", "get_run"} or answer.error:
            return answer
        if answer.data["state"] in ENDED | {"waiting"}:
            return answer
        await anyio.sleep(0.05)  # real: the engine works in threads of its own
    raise AssertionError(f"{tool} {arguments}: {answer.text}")


async def told(stage: Stage, server: str, story: Story, folder: Path) -> str:
    """Play one story and give it as the page has it; again where a busy machine cut an answer short."""
    for attempt in range(_ATTEMPTS):
        said = await _played(stage, server, story, folder / f"{server}-{story.name}-{attempt}")
        if _CUT_SHORT not in said:
            break
    return said


async def _played(stage: Stage, server: str, story: Story, folder: Path) -> str:
    stage.play(story.scenario, 0)
    state = StateSettings(dir=folder)
    settings = stage.settings.model_copy(update={"state": state, "write": story.write})
    person = Person()
    parts: list[str] = []
    before: Obj = {}
    async with Client(_server(server, settings), elicitation_handler=person.answer) as client:
        for exchange in story.exchanges:
            arguments = _filled(exchange.arguments, before)
            heard = len(person.asked)
            answer = await _settled(client, exchange.tool, arguments)
            before |= answer.data
            call = {"tool": exchange.tool, "arguments": arguments}
            parts.append(shown(exchange, call, answer, person.asked[heard:]))
    return "\n".join(parts)


@asynccontextmanager
async def playing(folder: Path) -> AsyncIterator[Stage]:
    """The lab, and settings for servers on it."""
    with pytest.MonkeyPatch.context() as patch:
        async with operated(patch, folder) as stage:
            yield stage


def page_of(server: str) -> Path:
    """The page with a server's transcripts."""
    return ROOT / "docs" / "servers" / f"{server}.md"


def part(name: str) -> re.Pattern[str]:
    """Where a transcript stands in its page."""
    return re.compile(rf"(<!-- transcript {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def replaced(text: str, name: str, said: str) -> str:
    """A page with one transcript as it is now."""
    return part(name).sub(lambda found: f"{found[1]}\n{said}\n{found[3]}", text)


async def write(folder: Path, servers: Sequence[str]) -> None:
    """Play all stories of these servers and put them into their pages."""
    async with playing(folder) as stage:
        for server in servers:
            page = page_of(server)
            text = page.read_text("utf-8")
            for story in STORIES[server]:
                sys.stderr.write(f"{server}: {story.name}\n")
                said = await told(stage, server, story, folder)
                text = replaced(text, story.name, said)
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with TemporaryDirectory(prefix="eks-aiops-docs-") as place:
        anyio.run(write, Path(place), sys.argv[1:] or list(STORIES))
