"""A person at a terminal: whether there is one, what they are shown, the code that they type (decision D5).

Called by `eks-aiops approve`, for plans and for questions of runs alike.
"""

import secrets
from collections.abc import Callable
from typing import TextIO

from aiops_shared.guardrails.redacting import escape_untrusted, redact
from aiops_shared.settings import agent_mark

_CODE = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
Ask = Callable[[str], str]


def spelled(text: str) -> str:
    """Text on one line: what it holds can neither start a line of its own nor steer the terminal (T7)."""
    return escape_untrusted(redact(text)).replace("\n", "\\n").replace("\t", "\\t")


def no_person(stdin: TextIO, stdout: TextIO) -> str:
    """Why nobody can be taken to sit here, or nothing."""
    if mark := agent_mark():
        return f"an agent's shell ({mark} is set)"
    if not (stdin.isatty() and stdout.isatty()):
        return "no terminal"
    return ""


def typed_code(ask: Ask, what: str) -> bool:
    """Whether the person typed the code that stands on the screen only."""
    code = "".join(secrets.choice(_CODE) for _ in range(5))
    return ask(f"Type {code} {what}: ").strip().upper() == code
