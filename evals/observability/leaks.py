"""Leak detection counted: on the generator of this room, judged at the end and every six hours."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from aiops_observability.analysis.leaks import LeakVerdict, Track, judge
from evals.figures import Row
from evals.observability.series import LEAKING, SOUND, Memory, memory

FIRST_SEED = 1000  # what lies below was looked at while the analysis was made
EACH = 12  # series of each kind, judged at their end
WATCHED = 10  # of each sound kind, judged every six hours: 100 weeks at least, to tell 1 in 100
ROWS_6H = 72
DAY_ROWS = 288


@dataclass(slots=True)
class Count:
    """What came out."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    errors: list[float] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    by_kind: Counter[str] = field(default_factory=Counter)


def verdict(one: Memory, rows: int | None = None) -> LeakVerdict:
    """The verdict on the first rows of a series."""
    last = rows or one.values.size
    restarts = tuple(row for row in one.restarts if row < last)
    return judge([Track(one.values[:last], restarts)], one.step_s, load=one.load[:last], limit=one.limit)


def counted(seed: int) -> Count:
    """Every kind, judged at its end: what is confirmed counts."""
    found = Count()
    for number in range(EACH):
        for kind in (*LEAKING, *SOUND):
            one = memory(kind, FIRST_SEED * seed + number)
            _count(found, one, verdict(one))
    return found


def _count(found: Count, one: Memory, said: LeakVerdict) -> None:
    sure = said.grade == "confirmed"
    if sure and one.leaks:
        found.right += 1
        if one.to_limit_s and said.reach and said.reach.expected_s:
            found.errors.append(abs(said.reach.expected_s / one.to_limit_s - 1.0))
            high = said.reach.high_s or np.inf
            found.held.append(bool((said.reach.low_s or 0.0) <= one.to_limit_s <= high))
    elif sure:
        found.wrong += 1
        found.by_kind[one.kind] += 1
    elif one.leaks:
        found.missed += 1
        found.by_kind[one.kind] += 1


def watched(seed: int) -> tuple[int, int, int]:
    """Sound series judged every six hours: with a confirmed leak at any time, all of them, their weeks."""
    wrong = total = rows = 0
    for number in range(WATCHED):
        for kind in SOUND:
            one = memory(kind, FIRST_SEED * seed + 500 + number)
            total += 1
            rows += one.values.size
            ends = range(DAY_ROWS + DAY_ROWS // 2, one.values.size, ROWS_6H)
            wrong += any(verdict(one, last).grade == "confirmed" for last in ends)
    return wrong, total, round(rows / 2016)


def static(seed: int) -> tuple[float, float]:
    """Precision and recall of the rule "80 % of the limit now"."""
    right = wrong = leaks = 0
    for number in range(EACH):
        for kind in (*LEAKING, *SOUND):
            one = memory(kind, FIRST_SEED * seed + number)
            over = bool(np.nanmax(one.values[-12:]) > 0.8 * one.limit)
            right, wrong, leaks = (
                right + (over and one.leaks),
                wrong + (over and not one.leaks),
                leaks + one.leaks,
            )
    return right / max(1, right + wrong), right / max(1, leaks)


def rows(seed: int) -> list[Row]:
    """The rows of the page."""
    found = counted(seed)
    precision = found.right / max(1, found.right + found.wrong)
    recall = found.right / max(1, found.right + found.missed)
    near = float(np.mean(np.array(found.errors) <= 0.25))
    held = float(np.mean(found.held))
    plain = static(seed)
    wrong, total, weeks = watched(seed)
    rate = 100.0 * wrong / max(1, weeks)
    note = "Not right: " + (", ".join(f"{kind} {n}" for kind, n in found.by_kind.most_common()) or "none")
    series = EACH * (len(LEAKING) + len(SOUND))
    return [
        Row(
            f"precision of confirmed leaks, {series} series of {len(LEAKING) + len(SOUND)} kinds",
            ">= 0.97",
            f"{precision:.3f}",
            precision >= 0.97,
            f"80 % of the limit: {plain[0]:.2f}",
            note,
        ),
        Row("recall", ">= 0.90", f"{recall:.3f}", recall >= 0.90, f"80 % of the limit: {plain[1]:.2f}"),
        Row(
            "time to limit within 25 %", ">= 95 %", f"{near:.1%} of {len(found.errors)}", near >= 0.95, "none"
        ),
        Row("interval of the time to limit holds it", "85-95 %", f"{held:.1%}", 0.85 <= held <= 0.95),
        Row(
            f"false series when run every 6 h, {total} sound series",
            "<= 1 in 100 per week",
            f"{wrong} in {weeks} weeks ({rate:.1f} in 100)",
            rate <= 1.0,
        ),
    ]
