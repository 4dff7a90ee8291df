"""Hypotheses tested against the facts, and ranked. The same facts give the same order.

Confidence: what the hypothesis is worth when all that must be true is (`base`), plus what each independent
support adds to the rest, minus what is unknown among that which must hold; times how much the hypothesis has
to do with the question. docs/evaluation-sop.md counts how often each confidence was right.
"""

from collections.abc import Iterable, Sequence

from aiops_shared.results import SEVERITIES
from aiops_sop.analysis.causes.asking import topics
from aiops_sop.analysis.causes.facts import SILENT, Facts
from aiops_sop.analysis.causes.hypotheses import Hypothesis, Judged, Seen, Verdict

LEAST = 0.5  # below it no root cause is named
MOST = 0.97
SUPPORT = 0.25  # of what is missing to certainty, per independent support
UNKNOWN_COSTS = 0.15
ELSEWHERE = 0.45  # a cause that nothing ties to the asked service
NO_MAP = 0.75  # a cause that might be tied to it: who calls whom could not be asked
OFF_TOPIC = 0.8  # a cause of another kind of trouble than was asked about
OFF_ALARM = 0.45  # the same for an alarm, whose metric says what it is about


def judged(facts: Facts, hypotheses: Iterable[Hypothesis]) -> tuple[Judged, ...]:
    """All, best first; the rejected last. What a kept one explains is rejected as its effect."""
    found = sorted((_tested(facts, one) for one in hypotheses), key=_order)
    best = next((one for one in found if one.verdict == "kept"), None)
    if best is None:
        return tuple(found)
    return tuple(sorted((_beside(one, best) for one in found), key=_order))


def _tested(facts: Facts, one: Hypothesis) -> Judged:
    for_it: list[Seen] = []
    against: list[Seen] = []
    unknown: list[str] = []
    supports = 0
    for test in one.tests:
        seen = test.look(facts)
        if test.weight == "supports":
            supports += seen.holds is True
            for_it += [seen] if seen.holds else []
        elif seen.holds is None:
            unknown += [test.says] if test.weight == "must" else []
        elif seen.holds is (test.weight == "must"):
            for_it += [seen] if test.weight == "must" else []
        else:
            against.append(seen)
    confidence = _confidence(one, supports, len(unknown)) * _relevance(facts, one)
    musts = [test for test in one.tests if test.weight == "must"]
    verdict: Verdict = "rejected" if against else "open" if musts and len(unknown) == len(musts) else "kept"
    if verdict != "kept":
        confidence = min(confidence, 0.2) if verdict == "open" else 0.0
    return Judged(one, verdict, round(confidence, 2), tuple(for_it), tuple(against), tuple(unknown))


def _confidence(one: Hypothesis, supports: int, unknown: int) -> float:
    found = one.base
    for _ in range(supports):
        found += (1 - found) * SUPPORT
    return max(0.0, min(MOST, found - unknown * UNKNOWN_COSTS))


def _relevance(facts: Facts, one: Hypothesis) -> float:
    about = topics(facts.question)
    on_topic = 1.0 if not about or about & one.answers else _off_topic(facts, about)
    return on_topic * (1.0 if _tied(facts, one) else NO_MAP if _map_is_gone(facts) else ELSEWHERE)


def _off_topic(facts: Facts, about: frozenset[str]) -> float:
    """An alarm's metric and a bill say what they are about; people's words say less."""
    return OFF_ALARM if facts.question.alarm or "cost" in about else OFF_TOPIC


def _map_is_gone(facts: Facts) -> bool:
    """Whether the map of services is missing for an outage; a service without traces has none."""
    if facts.mapped - {facts.question.service, ""}:
        return False
    causes = (facts.gaps.get(key, "")[1:].partition("]")[0] for key in ("health", "traces/az"))
    return any(code and code not in SILENT for code in causes)


def _tied(facts: Facts, one: Hypothesis) -> bool:
    """Whether it lies on the way of the asked service's requests, or under it, or nobody asked for one."""
    service = facts.question.service or facts.question.name
    if not service:
        return True
    places = {one.name, *one.details.get("hurts", ())}
    near = facts.path | {service}
    return bool(places & near) or any(
        each.startswith((f"{name}-", f"{name}.")) for each in places for name in near
    )


def _beside(one: Judged, best: Judged) -> Judged:
    """A kept one that the best explains is its effect."""
    root = best.hypothesis
    if one is best or one.verdict != "kept" or one.hypothesis.code not in root.explains:
        return one
    effect = Seen(False, f"an effect of {root.code}", "topology")
    return Judged(one.hypothesis, "rejected", 0.0, one.for_it, (effect,), one.unknown)


def _order(one: Judged) -> tuple[int, float, int, int, str, str]:
    rank = {"kept": 0, "open": 1, "rejected": 2}[one.verdict]
    what = one.hypothesis
    severity = SEVERITIES.index(what.severity)
    return (rank, -one.confidence, what.rank, severity, what.code, what.place)


def root(ranked: Sequence[Judged]) -> Judged | None:
    """The root cause: the best that is kept and sure enough."""
    first = next((one for one in ranked if one.verdict == "kept"), None)
    return first if first is not None and first.confidence >= LEAST else None
