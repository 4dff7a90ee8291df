"""How much of what woke people was worth it: alarms in groups, classes of noise, what to change (S62, F20).

Grouping is `list_alarms`' work; a report counts what it said. Nothing is muted by a report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiops_shared.results.wording import quotable
from aiops_sop.analysis.reports.figures import Figure, Ledger
from aiops_sop.models.reports import NextStep

Obj = Mapping[str, Any]
CLASSES: Final = ("actionable", "duplicate", "flapping", "stale")
MEANS: Final = {
    "duplicate": "the same alert of another system, pod or parent",
    "flapping": "fires and clears again and again",
    "stale": "fires for days and nobody acts",
}
ADVICE: Final = {
    "duplicate": "page on one of them: keep the service's or the composite alarm, let the others page nobody",
    "flapping": "raise its datapoints to alarm, or add hysteresis; then look at it again after a week",
    "stale": "fix what it says or delete it: an alarm that always fires hides the next one",
}
MOST_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class NoiseText:
    """The section, and one sentence of it."""

    lines: list[str]
    headline: str
    steps: tuple[NextStep, ...]


def noise(ledger: Ledger, answer: Obj, query: str, window_days: float, name: str) -> NoiseText:
    """The section about one answer of `list_alarms(group=true, history=…)`."""
    source = ledger.source("observability.list_alarms", query, name)
    total = ledger.given("firings", int(answer.get("total", 0)), "", source)
    rows = _groups(answer)
    groups = ledger.given("groups shown", len(rows), "", source)
    lines = [f"{total.said} firings in {groups.said} groups"]
    if answer.get("truncated"):
        lines[0] += " on the first page"
    if window_days >= 1:
        days = ledger.given("days asked", round(window_days, 2), "", ledger.source("asked", "period"))
        a_day = ledger.made("firings a day", "per day", "{} / {}", total, days)
        lines[0] += f", {a_day.said}"
    lines[0] += "."
    lines += ["", *_classes(ledger, answer, total, source), "", *_worst(ledger, rows, source)]
    counts = answer.get("classes") or {}
    steps = tuple(
        NextStep(missing=f"{kind} alarms: {MEANS[kind]}", do=ADVICE[kind])
        for kind in MEANS
        if counts.get(kind)
    )
    return NoiseText(lines, f"{total.shown} firings in {groups.shown} groups", steps)


def _groups(answer: Obj) -> list[dict[str, Any]]:
    table = answer.get("groups") or {"columns": (), "rows": ()}
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def _classes(ledger: Ledger, answer: Obj, total: Figure, source: str) -> list[str]:
    counts: Mapping[str, int] = answer.get("classes") or {}
    found = ["| Class | Firings | Share |", "|---|---:|---:|"]
    for kind in CLASSES:
        if kind not in counts:
            continue
        number = ledger.given(f"{kind} firings", counts[kind], "", source)
        share = ledger.made(f"{kind} share", "%", "{} / {} * 100", number, total) if total.value else None
        found.append(f"| {kind} | {number.said} | {share.said if share else ''} |")
    return found if len(found) > 2 else ["Nothing fired."]


def _worst(ledger: Ledger, rows: Sequence[Mapping[str, Any]], source: str) -> list[str]:
    loud = sorted(rows, key=lambda one: -int(one.get("alarms") or 0))[:MOST_ROWS]
    if not loud:
        return []
    found = ["| Loudest groups | Class | Where | Firings |", "|---|---|---|---:|"]
    for one in loud:
        number = ledger.given(f"firings of group {one.get('group')}", int(one.get("alarms") or 0), "", source)
        first = quotable(str(one.get("first") or ""), "(a name of many words)")
        where = quotable(str(one.get("where") or ""), "")
        found.append(f"| `{_cell(first)}` | {one.get('class')} | {_cell(where)} | {number.said} |")
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")
