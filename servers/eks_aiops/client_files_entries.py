"""What every client's file is made of: how a server is started or reached, and which tools need no question.

Three forms: `stdio`, four servers as children of the client; `gateway`, one child with all four behind it;
`http`, one endpoint that somebody runs for everybody (`eks-aiops gateway --http`). Every entry is called
`aiops-…` (decision D37), pinned to this release and read-only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, Literal

import yaml

Form = Literal["stdio", "gateway", "http"]
Tool = dict[str, Any]
Tools = dict[str, list[Tool]]

ENV: Final = {"AIOPS_WRITE": "false", "AIOPS_SENSITIVE_READS": "true"}
GATEWAY: Final = "gateway"
URL: Final = "http://localhost:8000/mcp"  # where `eks-aiops gateway --http` listens; a team's own instead
DENIED_SHELL: Final = "eks-aiops approve"  # a person's command, never a model's (decision D5)
DESCRIPTION: Final = "Operates Amazon EKS: finds causes, plans changes, executes what was approved."


@dataclass(frozen=True)
class Served:
    """One entry of a client's file: its name, how it is reached, its tools."""

    server: str
    entry: dict[str, Any]
    tools: tuple[Tool, ...]

    @property
    def name(self) -> str:
        """As clients call it."""
        return f"aiops-{self.server}"

    @property
    def reads(self) -> list[str]:
        """The tools that only read: no question is asked before them."""
        return sorted(tool["name"] for tool in self.tools if tool["annotations"]["readOnlyHint"])

    @property
    def others(self) -> list[str]:
        """The tools that change or record something: never approved beforehand."""
        return sorted(tool["name"] for tool in self.tools if not tool["annotations"]["readOnlyHint"])


def command(server: str) -> dict[str, Any]:
    """How a client starts one server."""
    package = f"eks-aiops=={release()}"
    return {"command": "uvx", "args": ["--from", package, "eks-aiops", server], "env": dict(ENV)}


def release() -> str:
    """This release's number."""
    return version("eks-aiops")


def gateway_tools(found: Tools) -> tuple[Tool, ...]:
    """The tools as the gateway names them, by their server."""
    return tuple({**tool, "name": f"{server}_{tool['name']}"} for server in found for tool in found[server])


def served(found: Tools, form: Form) -> list[Served]:
    """The entries of one form."""
    if form == "stdio":
        return [Served(server, command(server), tuple(tools)) for server, tools in found.items()]
    entry = command(GATEWAY) if form == "gateway" else {"url": URL}
    return [Served(GATEWAY, entry, gateway_tools(found))]


def every_name(found: Tools) -> Iterator[Served]:
    """Each entry's names once: the gateway's are the same over stdio and HTTP."""
    yield from served(found, "stdio")
    yield from served(found, "gateway")


class _Blocks(yaml.SafeDumper):
    """Texts of several lines as blocks, as a person would write them."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """A text."""
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Blocks.add_representer(str, _Blocks.represent_str)


def as_yaml(*documents: Any) -> str:
    """YAML in the order in which it was written down."""
    return yaml.dump_all(documents, Dumper=_Blocks, sort_keys=False, allow_unicode=True, width=110)
