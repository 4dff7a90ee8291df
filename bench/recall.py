"""Which of sixty planted faults an assistant learns, in how many calls and tokens: ours and two peers.

Each server is driven by a real MCP client against the same lab. For the peers the shortest way that their
tools allow is taken: a list, then the pods that are not well one by one, then events where a cause is still
missing. The driver knows which pods those are; awslabs' list, without any state, would not have told it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from bench.naming import Heard, Named, Pod, named
from bench.planted import Truth
from bench.tokens import tokens

MOST_PAGES = 8
CALL_S = 120.0


@dataclass
class Talk:
    """One conversation: its calls, its tokens, what was heard."""

    client: Client[StdioTransport]
    truths: Sequence[Truth]
    heard: Heard = field(default_factory=Heard)
    calls: int = 0
    tokens: int = 0

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; its result. What a model would read is counted."""
        result = await self.client.call_tool(tool, arguments, timeout=CALL_S)
        self.calls += 1
        self.tokens += tokens(_text(result))
        return result

    async def text(self, tool: str, **arguments: Any) -> str:
        """Call a tool; its text."""
        return _text(await self.call(tool, **arguments))

    def so_far(self, title: str) -> "Outcome":
        """What is known after the calls made."""
        return Outcome(title, self.calls, self.tokens, named(self.truths, self.heard))

    @property
    def pods(self) -> list[Pod]:
        """The planted pods."""
        return [(truth.namespace, truth.name) for truth in self.truths]

    @property
    def open(self) -> list[Pod]:
        """The planted pods that are not named yet with state and cause."""
        return [(truth.namespace, truth.name) for truth in self.truths if not named([truth], self.heard).both]


@dataclass(frozen=True)
class Outcome:
    """What a way of asking came to."""

    title: str
    calls: int
    tokens: int
    named: Named


def _transport(command: Sequence[str], environment: Mapping[str, str]) -> StdioTransport:
    return StdioTransport(command[0], [*command[1:]], env=dict(environment), log_file=Path(os.devnull))


def _text(result: Any) -> str:
    return "".join(getattr(block, "text", "") for block in result.content)


async def ours(
    command: Sequence[str], environment: Mapping[str, str], truths: Sequence[Truth]
) -> list[Outcome]:
    """One call; and where that leaves a rest, its further pages."""
    transport = _transport(command, environment)
    found: list[Outcome] = []
    async with Client(transport) as client:
        talk, cursor = Talk(client, truths), ""
        for _ in range(MOST_PAGES):
            more = {"cursor": cursor} if cursor else {}
            result = await talk.call("list_resources", kind="Pod", unhealthy_only=True, **more)
            answer = result.structured_content or {}
            talk.heard.in_rows(answer)
            cursor = answer.get("next_cursor", "")
            if not found or not cursor:
                found.append(talk.so_far("one call" if talk.calls == 1 else "all pages"))
            if not cursor:
                break
        asked = Talk(client, truths)
        result = await asked.call("diagnose")
        asked.heard.in_roll(result.structured_content or {})
        found.append(asked.so_far("diagnose, one call"))
    return found


async def kubernetes_mcp_server(
    command: Sequence[str], environment: Mapping[str, str], truths: Sequence[Truth]
) -> list[Outcome]:
    """The list of pods; then every event; and instead of those, every pod that is not well."""
    transport = _transport([*command, "--read-only"], environment)
    async with Client(transport) as client:
        talk = Talk(client, truths)
        talk.heard.in_lines(await talk.text("pods_list"), talk.pods)
        found = [talk.so_far("its list")]
        read = Talk(client, truths, talk.heard.copy(), talk.calls, talk.tokens)
        talk.heard.in_blocks(await talk.text("events_list"), "\n- InvolvedObject:", talk.pods)
        found.append(talk.so_far("its list and all events"))
        for namespace, name in read.pods:
            read.heard.about((namespace, name), await read.text("pods_get", namespace=namespace, name=name))
        found.append(read.so_far("its list and each pod"))
        if read.open:
            read.heard.in_blocks(await read.text("events_list"), "\n- InvolvedObject:", read.open)
            found.append(read.so_far("its list, each pod and all events"))
    return found


async def awslabs(
    command: Sequence[str],
    environment: Mapping[str, str],
    truths: Sequence[Truth],
    cluster: str,
) -> list[Outcome]:
    """The list of pods (names and labels), each broken pod, and events of those still open."""
    transport = _transport([*command, "--allow-sensitive-data-access"], environment)
    where = {"cluster_name": cluster, "kind": "Pod"}
    async with Client(transport) as client:
        talk = Talk(client, truths)
        await talk.text("list_k8s_resources", api_version="v1", **where)
        found = [talk.so_far("its list")]
        for namespace, name in talk.pods:
            place = {"namespace": namespace, "name": name}
            text = await talk.text(
                "manage_k8s_resource", operation="read", api_version="v1", **where, **place
            )
            talk.heard.about((namespace, name), text)
        found.append(talk.so_far("its list and each pod (told which)"))
        for namespace, name in talk.open:
            text = await talk.text("get_k8s_events", namespace=namespace, name=name, **where)
            talk.heard.about((namespace, name), text)
        found.append(talk.so_far("its list, each pod (told which), events of the rest"))
    return found
