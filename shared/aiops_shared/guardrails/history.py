"""What was done to one owner before, for whoever has to say why it is not done again (F7c).

Read from the repeat limit's occurrences, which know owner and world time, and the journal of their actions.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aiops_shared.guardrails.models import ActionName
from aiops_shared.results import Frozen

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST = 20


class PastAction(Frozen):
    """One earlier action on an owner."""

    action_id: str
    at: datetime  # world time
    state: str
    targets: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]  # step, what was seen

    def said(self, words: Sequence[str]) -> list[str]:
        """What was seen at the steps whose name begins with one of the words."""
        return [says for step, says in self.steps if says and step.startswith(tuple(words))]


def past_actions(
    conn: "Connection", action: ActionName, cluster: str, owner: str, now: datetime, back: timedelta
) -> tuple[PastAction, ...]:
    """The actions that count for the repeat limit of an owner, newest first, at most twenty."""
    from sqlalchemy import select

    from aiops_shared.state.schema import action_steps, actions, limits

    counted = select(limits.c.action_id, limits.c.world_at).where(
        (limits.c.action == action)
        & (limits.c.owner == f"{cluster}/{owner}")
        & (limits.c.counted_at > now - back)
    )
    found = []
    for row in conn.execute(counted.order_by(limits.c.counted_at.desc()).limit(MOST)).all():
        state = conn.execute(
            select(actions.c.state).where(actions.c.id == row.action_id)
        ).scalar_one_or_none()
        steps = conn.execute(
            select(action_steps.c.target, action_steps.c.step, action_steps.c.says)
            .where(action_steps.c.action_id == row.action_id)
            .order_by(action_steps.c.seq)
        ).all()
        found.append(
            PastAction(
                action_id=row.action_id,
                at=row.world_at,
                state=state or "unknown",
                targets=tuple(dict.fromkeys(step.target for step in steps)),
                steps=tuple((step.step, step.says) for step in steps),
            )
        )
    return tuple(found)
