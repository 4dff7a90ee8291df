"""`eks-aiops generate WORKLOAD KIND… --out DIR`: the files of generate_config, written by a person (D13).

Tools return files and never write paths; this command does. A file that was refused by the API server or the
policy is not written, and the exit code says so.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
from fastmcp import Client

from aiops_shared.errors import InvalidInputError, from_wire
from aiops_shared.settings import Settings
from aiops_sop.server import make

Obj = Mapping[str, Any]
PULL_REQUEST = "PULL_REQUEST.md"
RATIONALE = "rationale.csv"


async def generate(asked: Obj, out: Path) -> int:
    """Ask, write what is valid, say what is not; 1 when a file was refused."""
    async with Client(make(Settings())) as client:
        wanted = {name: value for name, value in asked.items() if value}
        result = await client.call_tool("generate_config", {**wanted, "detail": "full"}, raise_on_error=False)
    text = "".join(getattr(block, "text", "") for block in result.content)
    if result.is_error:
        raise from_wire(text)
    answer: Obj = result.structured_content or {}
    refused = [file for file in answer.get("files", ()) if file.get("valid") is False]
    for place, content in texts(answer).items():
        await _written(out, place, content)
    sys.stdout.write(f"{answer['summary']}\n")
    for line in (*answer.get("decisions", ()), *answer.get("warnings", ())):
        sys.stdout.write(f"- {line}\n")
    for file in refused:
        sys.stderr.write(f"not written: {file['path']}: {file['checked']}\n")
    return 1 if refused else 0


def texts(answer: Obj) -> dict[str, str]:
    """What is written, by its place below the directory: valid files, the rationale, the pull request."""
    found = {
        str(file["path"]): str(file["content"])
        for file in answer.get("files", ())
        if file.get("valid") is not False and file.get("content")
    }
    if found and (rationale := answer.get("rationale")):
        found[RATIONALE] = _table(rationale["columns"], rationale["rows"])
    if found and (request := answer.get("pull_request")):
        found[PULL_REQUEST] = f"# {request['title']}\n\n{request['body']}\n"
    return found


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [columns, *rows]
    return "".join(",".join(_cell(cell) for cell in line) + "\n" for line in lines)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if {",", '"', "\n"} & set(text) else text


async def _written(out: Path, place: str, content: str) -> None:
    """One file. Raises InvalidInputError for a place outside of the directory."""
    if Path(place).is_absolute() or ".." in Path(place).parts:
        raise InvalidInputError("path", "lies outside of --out", "report this: no name may do that")
    target = anyio.Path(out / place)
    await target.parent.mkdir(parents=True, exist_ok=True)
    await target.write_text(content, encoding="utf-8")
    sys.stdout.write(f"wrote {out / place}\n")
