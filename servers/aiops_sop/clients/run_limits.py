"""How often a procedure may run: what its document says for one target, and what one caller may start."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from aiops_shared.errors import RateLimitedError, RepeatLimitError
from aiops_sop.models.documents import Sop
from aiops_sop.ports import RunWish

if TYPE_CHECKING:
    from sqlalchemy import Connection

STARTS_A_MINUTE: Final = 30  # of one caller (safety.md T10); events are bounded by their queue


def check_limits_in(conn: "Connection", sop: Sop, wish: RunWish, target: str, now: datetime) -> None:
    """Raises RepeatLimitError, RateLimitedError. Runs that only plan are not counted by the document."""
    from sqlalchemy import func, select

    from aiops_shared.state.sop_schema import sop_runs

    def count(*conditions: object, back: timedelta) -> int:
        since = sop_runs.c.created_at > now - back
        query = select(func.count()).select_from(sop_runs).where(since, *conditions)  # type: ignore[arg-type]  # SQLAlchemy's conditions
        return int(conn.execute(query).scalar_one())

    if wish.pattern != "event" and not wish.parent_id:
        mine = sop_runs.c.caller == wish.caller.name
        if count(mine, sop_runs.c.parent_id == "", back=timedelta(minutes=1)) >= STARTS_A_MINUTE:
            raise RateLimitedError(
                f"run of {sop.id}", f"{STARTS_A_MINUTE} runs were started within a minute", "wait a minute"
            )
    if wish.mode == "plan":
        return
    same = (sop_runs.c.sop == sop.id, sop_runs.c.target == target, sop_runs.c.mode != "plan")
    for most, back, word in (
        (sop.per_hour, timedelta(hours=1), "hour"),
        (sop.per_day, timedelta(days=1), "day"),
    ):
        if most and count(*same, back=back) >= most:
            raise RepeatLimitError(
                f"run of {sop.id}",
                f"REPEAT_LIMIT: it ran {most} times for {target} within the {word}",
                "find out why it comes back; a person decides what next",
            )
