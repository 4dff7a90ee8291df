"""Files of Claude Code, Kiro, Amazon Q Developer, VS Code and of clients that read a plain `mcp.json`.

Read tools are approved beforehand where the client can say so, the others never; the client's own shell is
denied `eks-aiops approve` (decision D5). Formats, by their documentation:

* Claude Code: code.claude.com/docs/en/mcp and /settings
* Kiro: kiro.dev/docs/mcp/configuration (mcp.json), /docs/permissions (permissions.yaml of the user, which
  newer versions go by; a workspace cannot bring its own), /docs/cli/custom-agents (agents)
* Amazon Q Developer: its agent format, docs/agent-format.md of aws/amazon-q-developer-cli
* VS Code: code.visualstudio.com/docs/copilot; it asks nothing before a tool that is annotated as read-only
"""

import json
from typing import Any

from eks_aiops.client_files_entries import (
    DENIED_SHELL,
    DESCRIPTION,
    Form,
    Served,
    Tools,
    as_yaml,
    every_name,
    served,
)

_CLIENTS = "deploy/clients"
_FORMS: tuple[Form, ...] = ("stdio", "gateway", "http")


def files(found: Tools) -> dict[str, str]:
    """Path from the root -> text."""
    made: dict[str, Any] = {
        f"{_CLIENTS}/claude-code/.claude/settings.json": claude_code_settings(found),
        f"{_CLIENTS}/kiro/.kiro/agents/eks-aiops.json": kiro_agent(found),
        f"{_CLIENTS}/vscode/.vscode/settings.json": vscode_settings(),
        "mcp.json.example": plain(served(found, "stdio")),
    }
    for form in _FORMS:
        entries = served(found, form)
        made[_named(f"{_CLIENTS}/claude-code/.mcp.json", form)] = claude_code(entries)
        made[_named(f"{_CLIENTS}/kiro/.kiro/settings/mcp.json", form)] = kiro(entries)
        made[_named(f"{_CLIENTS}/vscode/.vscode/mcp.json", form)] = vscode(entries)
        made[_named(f"{_CLIENTS}/mcp.json", form)] = plain(entries)
        name = "eks-aiops" if form == "stdio" else f"eks-aiops-{form}"
        made[f"{_CLIENTS}/amazon-q/cli-agents/{name}.json"] = {**amazon_q(entries), "name": name}
    made[f"{_CLIENTS}/amazon-q/agents/default.json"] = {
        **amazon_q(served(found, "stdio")),
        "name": "default",
    }
    texts = {path: json.dumps(value, indent=2) + "\n" for path, value in made.items()}
    return texts | {f"{_CLIENTS}/kiro/permissions.yaml": kiro_permissions(found)}


def _named(path: str, form: Form) -> str:
    """The stdio form has the name that the client looks for; the others lie beside it."""
    folder, _, name = path.rpartition("/")
    return path if form == "stdio" else f"{folder}/{form}.{name.lstrip('.')}"


def _typed(one: Served) -> dict[str, Any]:
    return {"type": "http" if "url" in one.entry else "stdio", **one.entry}


def plain(entries: list[Served]) -> dict[str, Any]:
    """`mcp.json` of Cursor and its like."""
    return {"mcpServers": {one.name: one.entry for one in entries}}


def claude_code(entries: list[Served]) -> dict[str, Any]:
    """`.mcp.json` of a project."""
    return {"mcpServers": {one.name: _typed(one) for one in entries}}


def claude_code_settings(found: Tools) -> dict[str, Any]:
    """`.claude/settings.json` of a project, for whichever form."""
    allowed = [f"mcp__{one.name}__{tool}" for one in every_name(found) for tool in one.reads]
    denied = [f"Bash({DENIED_SHELL}:*)", f"Bash(*{DENIED_SHELL}*)"]
    return {"permissions": {"allow": allowed, "deny": denied}}


def kiro(entries: list[Served]) -> dict[str, Any]:
    """`.kiro/settings/mcp.json`."""
    return {
        "mcpServers": {
            one.name: {**one.entry, "disabled": False, "autoApprove": one.reads} for one in entries
        }
    }


def kiro_permissions(found: Tools) -> str:
    """`~/.kiro/settings/permissions.yaml` of who works with it: deny before ask before allow."""
    names = list(every_name(found))
    allowed = [f"{one.name}/{tool}" for one in names for tool in one.reads]
    asked = [f"{one.name}/{tool}" for one in names for tool in one.others]
    shell = {"capability": "shell", "effect": "deny", "match": [f"*{DENIED_SHELL}*"]}
    ask = {"capability": "mcp", "effect": "ask", "match": asked}
    allow = {"capability": "mcp", "effect": "allow", "match": allowed}
    return as_yaml({"rules": [shell, ask, allow]})


def kiro_agent(found: Tools) -> dict[str, Any]:
    """`.kiro/agents/eks-aiops.json` of Kiro's command line (2.x)."""
    return {
        **_agent(served(found, "stdio")),
        "resources": ["file://.kiro/steering/eks-aiops.md"],
        "toolsSettings": {"shell": {"deniedCommands": [f".*{DENIED_SHELL}.*"]}},
    }


def amazon_q(entries: list[Served]) -> dict[str, Any]:
    """`~/.aws/amazonq/cli-agents/eks-aiops.json`."""
    return {
        **_agent(entries),
        "toolsSettings": {"execute_bash": {"deniedCommands": [f".*{DENIED_SHELL}.*"]}},
    }


def _agent(entries: list[Served]) -> dict[str, Any]:
    """What agents of Amazon Q Developer and of Kiro's command line have in common."""
    return {
        "name": "eks-aiops",
        "description": DESCRIPTION,
        "prompt": (
            "You operate Amazon EKS with the aiops tools. Call diagnose or investigate before you name a"
            " cause. Plan a change, show the plan, and execute only what a person approved."
        ),
        "mcpServers": {one.name: _typed(one) if "url" in one.entry else one.entry for one in entries},
        "tools": [f"@{one.name}" for one in entries],
        "allowedTools": [f"@{one.name}/{tool}" for one in entries for tool in one.reads],
    }


def vscode(entries: list[Served]) -> dict[str, Any]:
    """`.vscode/mcp.json` (GitHub Copilot)."""
    return {"servers": {one.name: _typed(one) for one in entries}}


def vscode_settings() -> dict[str, Any]:
    """`.vscode/settings.json`: the terminal always asks before the approval command."""
    pattern = "/\\b" + DENIED_SHELL.replace(" ", "\\b.*\\b") + "\\b/"
    return {"chat.tools.terminal.autoApprove": {pattern: {"approve": False, "matchCommandLine": True}}}
