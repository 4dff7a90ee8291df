"""The committed word on every tool: what clients, permission lists and prompts rely on.

`python -m tests.contracts.snapshots` writes the files anew; the diff is what a reviewer approves (T16). A
tool whose description or schema changes without that is how a rug pull looks.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import anyio

from eks_aiops.catalogue import all_tools

FOLDER = Path(__file__).parent / "tools"
HASHES = FOLDER / "sha256.json"
REGENERATE = (
    "a tool changed: check that it was meant, then run: .venv/bin/python -m tests.contracts.snapshots"
)
KEPT = ("name", "title", "description", "annotations", "inputSchema", "outputSchema")

Tool = dict[str, Any]


async def listed() -> dict[str, list[Tool]]:
    """Every tool as `tools/list` gives it, by server."""
    return {
        server: [{key: tool.get(key) for key in KEPT} for tool in tools]
        for server, tools in (await all_tools(write=True)).items()
    }


def digest(tools: list[Tool]) -> str:
    """The hash of one server's listing, whatever the order of keys."""
    return hashlib.sha256(json.dumps(tools, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def text_of(tools: list[Tool]) -> str:
    """The file of one server."""
    return json.dumps(tools, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_all() -> None:
    """Write every file anew."""
    FOLDER.mkdir(exist_ok=True)
    servers = anyio.run(listed)
    for server, tools in servers.items():
        (FOLDER / f"{server}.json").write_text(text_of(tools), encoding="utf-8")
    hashes = {server: digest(tools) for server, tools in servers.items()}
    HASHES.write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_all()
