"""Where the time of requests goes, as traces tell it.

Called by the hypotheses about requests, settings and memory.
"""

from typing import Final

from aiops_sop.analysis.causes.facts import Facts
from aiops_sop.analysis.causes.hypotheses import UNKNOWN, Seen
from aiops_sop.analysis.causes.reading import amount, inner, rows, text, texts

MOSTLY: Final = 0.5  # of the difference: what explains so much is where the time goes


def top_part(facts: Facts) -> tuple[str, float]:
    """Where most of the difference lies, and how much of it."""
    first = next(rows(inner(facts.traces("az"), "critical_path")), None)
    return (text(first.get("part")), amount(first.get("explained"))) if first else ("", 0.0)


def calm_calls(facts: Facts) -> Seen:
    """Whether the time is spent inside one service, and calls between services are as fast as ever."""
    part, share = top_part(facts)
    if not part:
        return UNKNOWN
    calm = [said for said in texts(facts.traces("az").get("normal")) if " -> " in said]
    inside = share >= MOSTLY and " -> " not in part
    if inside and calm:
        return Seen(True, f"the time is spent inside {part}; calls are as fast as ever", "traces")
    return UNKNOWN
