"""What a caller held when it began what outlives its call: kept in the row of that (`sop_runs`, `events`).

Two columns of JSON lists, so that whoever carries the work on has just those rights and never more. Rows
from before schema 5, and senders of the events' token file, have a local caller's ("").
"""

import json
from typing import Any, Literal

from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.canonical import canonical

Prefix = Literal["caller", "sender"]


def rights_in(prefix: Prefix, caller: Caller) -> dict[str, str]:
    """The columns of a caller."""
    return {
        f"{prefix}_scopes": canonical(sorted(caller.scopes)),
        f"{prefix}_groups": canonical(list(caller.groups)),
    }


def caller_in(prefix: Prefix, row: Any, name: str, kind: Literal["human", "agent"]) -> Caller:
    """The caller of a row."""
    scopes, groups = getattr(row, f"{prefix}_scopes"), getattr(row, f"{prefix}_groups")
    if not scopes:
        return Caller(name=name, kind=kind)
    return Caller(name=name, kind=kind, scopes=json.loads(scopes), groups=json.loads(groups))
