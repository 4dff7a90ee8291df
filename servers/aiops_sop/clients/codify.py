"""Reads what somebody did: the call journal of a stretch of time, and which plans were carried out.

The journal knows who called which tool with which arguments (redacted before they were written); it is kept
for seven days. A plan's journal row is joined to the plan that it made by requester, action and time.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiops_shared.errors import InvalidInputError
from aiops_shared.state import StateStore
from aiops_sop.analysis.codifying import Done

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST = 2_000
NEAR = timedelta(seconds=90)  # a plan is stored while its call runs
STAYED = "succeeded"


@dataclass(frozen=True, slots=True)
class WorkReader:
    """One store. `servers`: tool -> the server that has it."""

    store: StateStore
    servers: Mapping[str, str]

    async def done(self, caller: str, since: datetime, until: datetime) -> tuple[Done, ...]:
        """The calls in their order. Raises InvalidInputError where there is nothing to write down."""
        rows = await self.store.read(lambda conn: _calls(conn, caller, since, until))
        if not rows:
            raise InvalidInputError(
                "caller",
                f"{caller[:60]!a} called nothing in that time that is still in the call journal (7 days)",
                "another --caller, --since or --until; eks-aiops audit show names callers",
            )
        stayed = await self.store.read(lambda conn: _stayed(conn, caller, since, until))
        return tuple(
            Done(self.servers[row.tool], row.tool, json.loads(row.arguments), _executed(row, stayed))
            for row in rows
            if row.tool in self.servers and row.tool not in {"execute_plan", "undo_action"}
        )


def _calls(conn: "Connection", caller: str, since: datetime, until: datetime) -> list[Any]:
    from sqlalchemy import select

    from aiops_shared.state.schema import call_journal

    held = (call_journal.c.caller == caller) & (call_journal.c.at >= since) & (call_journal.c.at <= until)
    query = (
        select(call_journal).where(held & (call_journal.c.says == "")).order_by(call_journal.c.id).limit(MOST)
    )
    return list(conn.execute(query).all())


def _stayed(conn: "Connection", caller: str, since: datetime, until: datetime) -> list[Any]:
    """Plans of the caller that were carried out and not undone: action and time."""
    from sqlalchemy import select

    from aiops_shared.state.schema import actions, plans

    joined = plans.join(actions, actions.c.plan_id == plans.c.id)
    held = (
        (plans.c.requester == caller) & (plans.c.created_at >= since - NEAR) & (plans.c.created_at <= until)
    )
    query = (
        select(plans.c.action, plans.c.created_at)
        .select_from(joined)
        .where(held & (actions.c.state == STAYED))
    )
    return list(conn.execute(query.order_by(plans.c.created_at)).all())


def _executed(row: Any, stayed: list[Any]) -> bool:
    """Whether the plan that this call made was carried out; each plan is found once."""
    if not row.tool.startswith("plan_"):
        return False
    asked = str(json.loads(row.arguments).get("action", ""))
    for place, plan in enumerate(stayed):
        if _same(plan.action, asked, row.tool) and abs(row.at - plan.created_at) <= NEAR:
            del stayed[place]
            return True
    return False


def _same(action: str, asked: str, tool: str) -> bool:
    """A plan's action as policy names it, and the word that was asked with."""
    return action == asked or action.endswith(f"_{asked}") or (tool == "plan_manifest" and not asked)
