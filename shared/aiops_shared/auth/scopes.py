"""What a token may allow, and which of it a tool needs: by its effect, as its tags say it (D6, D17).

`start_run` plans in mode plan and executes in the others: the door asks for planning, the tool itself for the
rest.
"""

from collections.abc import Iterable
from typing import Final

READ: Final = "aiops:read"
SENSITIVE: Final = "aiops:sensitive"
PLAN: Final = "aiops:plan"
EXECUTE: Final = "aiops:execute"
APPROVE: Final = "aiops:approve"
SCOPES: Final = (READ, SENSITIVE, PLAN, EXECUTE, APPROVE)
_BY_TAG: Final = (
    ("plans", PLAN),
    ("write", EXECUTE),
    ("local_write", PLAN),
    ("plan", PLAN),
    ("sensitive", SENSITIVE),
)


def scope_of(tags: Iterable[str]) -> str:
    """Of a tool with these tags."""
    found = set(tags)
    return next((scope for tag, scope in _BY_TAG if tag in found), READ)
