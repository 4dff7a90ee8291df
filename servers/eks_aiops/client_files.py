"""The configuration files of MCP clients, generated: `deploy/clients/`.

Each starts the same pinned command, read-only. Tools that only read are approved beforehand where the client
can say so; the tools that change anything never are; and the client's own shell is denied `eks-aiops approve`
(decision D5). Formats: Claude Code, Kiro, Amazon Q Developer CLI agents, VS Code (their documentation).
"""

import json
from importlib.metadata import version
from typing import Any

ENV = {"AIOPS_WRITE": "false", "AIOPS_SENSITIVE_READS": "true"}
_DENIED_SHELL = "eks-aiops approve"
Tools = dict[str, list[dict[str, Any]]]


def entry(server: str) -> dict[str, Any]:
    """How a client starts one server."""
    package = f"eks-aiops=={version('eks-aiops')}"
    return {"command": "uvx", "args": ["--from", package, "eks-aiops", server], "env": ENV}


def reads(tools: list[dict[str, Any]]) -> list[str]:
    """The tools that need no question."""
    return sorted(tool["name"] for tool in tools if tool["annotations"]["readOnlyHint"])


def _name(server: str) -> str:
    return f"aiops-{server}"


def claude_code(found: Tools) -> dict[str, Any]:
    """`.mcp.json` of a project."""
    return {"mcpServers": {_name(server): {"type": "stdio", **entry(server)} for server in found}}


def claude_code_settings(found: Tools) -> dict[str, Any]:
    """`.claude/settings.json` of a project."""
    allowed = [f"mcp__{_name(server)}__{tool}" for server, tools in found.items() for tool in reads(tools)]
    return {
        "permissions": {"allow": allowed, "deny": [f"Bash({_DENIED_SHELL}:*)", f"Bash(*{_DENIED_SHELL}*)"]}
    }


def kiro(found: Tools) -> dict[str, Any]:
    """`.kiro/settings/mcp.json`."""
    return {
        "mcpServers": {
            _name(server): {**entry(server), "disabled": False, "autoApprove": reads(tools)}
            for server, tools in found.items()
        }
    }


def amazon_q(found: Tools) -> dict[str, Any]:
    """`~/.aws/amazonq/cli-agents/eks-aiops.json`."""
    allowed = [f"@{_name(server)}/{tool}" for server, tools in found.items() for tool in reads(tools)]
    return {
        "name": "eks-aiops",
        "description": "Operates Amazon EKS: finds causes, plans changes, executes what was approved.",
        "mcpServers": {_name(server): entry(server) for server in found},
        "tools": [f"@{_name(server)}" for server in found],
        "allowedTools": allowed,
        "toolsSettings": {"execute_bash": {"deniedCommands": [f".*{_DENIED_SHELL}.*"]}},
    }


def vscode(found: Tools) -> dict[str, Any]:
    """`.vscode/mcp.json` (GitHub Copilot)."""
    return {"servers": {_name(server): {"type": "stdio", **entry(server)} for server in found}}


def example(found: Tools) -> dict[str, Any]:
    """`mcp.json.example` at the root."""
    return {"mcpServers": {_name(server): entry(server) for server in found}}


FILES = {
    "deploy/clients/claude-code/.mcp.json": claude_code,
    "deploy/clients/claude-code/.claude/settings.json": claude_code_settings,
    "deploy/clients/kiro/.kiro/settings/mcp.json": kiro,
    "deploy/clients/amazon-q/cli-agents/eks-aiops.json": amazon_q,
    "deploy/clients/vscode/.vscode/mcp.json": vscode,
    "mcp.json.example": example,
}


def client_files(found: Tools) -> dict[str, str]:
    """Path from the root -> text of every file."""
    return {path: json.dumps(make(found), indent=2) + "\n" for path, make in FILES.items()}
