"""docs/tools.md and the tables of docs/servers: every tool, resource and prompt as a client lists it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from eks_aiops.catalogue import Offered

Tool = Mapping[str, Any]
Tools = Mapping[str, Sequence[Tool]]
Offers = Mapping[str, tuple[Sequence[Offered], Sequence[Offered]]]
BEGIN: Final = "<!-- tools -->\n"
END: Final = "<!-- end -->"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _tools(tools: Sequence[Tool]) -> str:
    rows = [
        (
            f"`{tool['name']}`",
            _effect(tool),
            tool["description"],
            _names(list(tool["inputSchema"].get("properties", {}))),
        )
        for tool in tools
    ]
    return _table(("Tool", "Effect", "What it answers", "Arguments"), rows)


def _resources(found: Sequence[Offered]) -> str:
    return _table(("Resource", "What it holds"), [(f"`{one.name}`", one.says) for one in found])


def _prompts(found: Sequence[Offered]) -> str:
    rows = [(f"`{one.name}`", one.says, _names(one.arguments)) for one in found]
    return _table(("Prompt", "What it asks for", "Arguments"), rows)


def reference(made: str, tools: Tools, offers: Offers) -> str:
    """The page: what each server lists, whole. Over the gateway a tool is `SERVER_TOOL`."""
    text = f"# Tools, resources and prompts\n\n{made}"
    for server, listed in tools.items():
        resources, prompts = offers[server]
        text += f"## {server}\n\n{_tools(listed)}\n"
        text += f"### Resources of {server}\n\n{_resources(resources)}\n" if resources else ""
        text += f"### Prompts of {server}\n\n{_prompts(prompts)}\n" if prompts else ""
    return text.rstrip() + "\n"


def server_page(page: str, tools: Sequence[Tool]) -> str:
    """A server's page with the table of its tools as they are now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = [(f"`{tool['name']}`", _effect(tool), tool["description"]) for tool in tools]
    return f"{before}{BEGIN}\n{_table(('Tool', 'Effect', 'What it answers'), rows)}\n{END}{after}"


def _effect(tool: Tool) -> str:
    return "read" if tool["annotations"]["readOnlyHint"] else "**write**"
