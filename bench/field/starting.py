"""Cold start to the first tools/list, memory then, and how much a client reads before it asks anything."""

import json
from tempfile import TemporaryDirectory
from typing import Any

from bench.field.asking import World
from bench.field.servers import FIELD, OURS
from bench.processes import Started, median, start_all, start_once
from bench.tokens import tokens


def cold_starts(world: World, runs: int) -> list[dict[str, Any]]:
    """One entry a server; all start in turn, with the lab's environment, so that a busy moment hits all."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        servers = {one.title: one for one in (*OURS, *FIELD)}
        commands = {title: one.command(world.lab) for title, one in servers.items()}
        environments = {
            title: one.environment(world.lab, world.base, folder) for title, one in servers.items()
        }
        there = {
            title: command
            for title, command in commands.items()
            if command and _lists_tools(command, environments[title])
        }
        found = start_all(there, environments, runs)
    return [
        {"server": title, **(_told(found[title]) if title in found else _absent(commands[title]))}
        for title in servers
    ]


def _lists_tools(command: list[str], environment: dict[str, str]) -> bool:
    try:
        return "result" in json.loads(start_once(command, environment).listing)
    except (OSError, ValueError):  # it ended, or said something else
        return False


def _absent(command: list[str] | None) -> dict[str, Any]:
    return {"error": "does not start here" if command else "cannot be installed here"}


def _told(runs: list[Started]) -> dict[str, Any]:
    tools = json.loads(runs[-1].listing)["result"]["tools"]
    return {
        "wall_s": round(median([one.wall_s for one in runs]), 3),
        "cpu_s": round(median([one.cpu_s for one in runs]), 3),
        "wall_each_s": [round(one.wall_s, 3) for one in runs],
        "rss_bytes": int(median([float(one.rss_bytes) for one in runs])),
        "tools": len(tools),
        "tokens": sum(tokens(json.dumps(tool, separators=(",", ":"))) for tool in tools),
    }
