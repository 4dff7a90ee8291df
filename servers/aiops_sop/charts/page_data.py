"""What the host's page draws (`story.js`): a run step by step, or an incident on its axis of time.

Called by the readers when the client draws (`aiops_shared.app.views`). Times are seconds since the epoch.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from aiops_sop.charts.marks import Mark
from aiops_sop.engine.records import RunRecord, StepRow
from aiops_sop.models.runs import RunStatus, StepView

MOST_STEPS: Final = 60
MOST_MARKS: Final = 80
MOST_WORDS: Final = 160


def run_page(record: RunRecord, status: RunStatus) -> dict[str, Any]:
    """Steps with when they began and ended, what they changed, what was given back, what is waited for."""
    steps = [_step(one, record.steps.get(one.id)) for one in status.steps[:MOST_STEPS]]
    waiting = status.waiting
    row: dict[str, Any] = {
        "kind": "run",
        "state": status.state,
        "mode": status.mode,
        "from_s": _seconds(status.started_at),
        "to_s": _seconds(status.ended_at),
        "steps": steps,
        "left_out": max(0, len(status.steps) - MOST_STEPS),
        "phases_s": dict(status.phases_s),
    }
    if waiting is not None:
        until = waiting.until.isoformat(timespec="minutes") if waiting.until else ""
        row["waiting"] = {"says": waiting.says[:MOST_WORDS], "how": waiting.how, "until": until}
    target = f" for {status.target}" if status.target not in {"", status.sop} else ""
    return {"title": f"{status.sop}{target}: {status.state}", "rows": [row]}


def timeline_page(title: str, marks: Sequence[Mark]) -> dict[str, Any]:
    """All that happened; what is in the causal chain carries its number."""
    shown = sorted(marks, key=lambda one: (one.link == 0, one.at))[:MOST_MARKS]
    told = [
        {"at_s": one.at.timestamp(), "lane": one.lane, "what": one.what[:MOST_WORDS], "link": one.link}
        for one in sorted(shown, key=lambda one: one.at)
    ]
    row = {"kind": "timeline", "marks": told, "left_out": max(0, len(marks) - MOST_MARKS)}
    return {"title": title, "rows": [row]}


def _step(view: StepView, row: StepRow | None) -> dict[str, Any]:
    began, ended = (row.began_at, row.ended_at) if row else (None, None)
    body: Mapping[str, Any] = row.body if row else {}
    found = {
        "id": view.id,
        "title": view.title[:80],
        "state": view.state,
        "from_s": _seconds(began),
        "to_s": _seconds(ended),
        "says": view.says[:MOST_WORDS],
        "verified": view.verified,
        "action": view.action_id,
        "back": view.state == "undone" or view.id.startswith("undo/"),
        "verdict": str(body.get("verdict") or "")[:MOST_WORDS],
    }
    return {name: value for name, value in found.items() if value not in (None, "", False)}


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
