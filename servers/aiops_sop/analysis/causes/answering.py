"""The answer: headline, cause, chain, what was rejected, who is innocent, timeline, what to do.

Called by `clients/investigating.py` with all facts; makes the model, without the incidents of the past.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from aiops_shared.results import Evidence, Severity, Table
from aiops_shared.results.wording import cut
from aiops_sop.analysis.causes.facts import SILENT, Facts
from aiops_sop.analysis.causes.hypotheses import Judged, Link
from aiops_sop.analysis.causes.judging import judged, root
from aiops_sop.analysis.causes.known import hypotheses
from aiops_sop.analysis.causes.reading import texts
from aiops_sop.analysis.causes.suspects import cleared
from aiops_sop.analysis.causes.timeline import merged
from aiops_sop.models.investigations import Action, Handoff, Investigation, Level, RootCause

MOST_HYPOTHESES, MOST_CHAIN, MOST_ROWS, MOST_RULED = 8, 8, 12, 8
FULL: Final = 4  # times as many rows with detail="full"
FOREIGN: Final = (
    *("headline", "summary", "root_cause", "chain", "hypotheses", "timeline", "handoff", "evidence"),
    *("actions", "ruled_out", "similar"),
)
_GAP: Final = "coverage_gap"


def answer(facts: Facts, asked: Sequence[tuple[str, str, str]]) -> Investigation:
    """All of it. `asked`: (key, server.tool, state) of every call."""
    ranked = judged(facts, hypotheses(facts))
    first = root(ranked)
    cause = _cause(first)
    actions = first.hypothesis.actions if first else ()
    headline = _headline(facts, first)
    times = FULL if facts.question.full else 1
    links = _chain(facts, first)
    evidence = tuple(_evidence(first)) if first else ()
    fingerprint = _fingerprint(facts, cause)
    return Investigation(
        summary=cut(_summary(facts, first, ranked, headline)),
        evidence=evidence,
        warnings=tuple(_warnings(facts)),
        hint="" if first else _hint(facts),
        untrusted=FOREIGN,
        headline=headline,
        root_cause=cause,
        chain=_table(links[: MOST_CHAIN * times]),
        hypotheses=_hypotheses(ranked[: MOST_HYPOTHESES * times]),
        ruled_out=tuple(_ruled_out(facts, first, ranked))[: MOST_RULED * times],
        actions=actions,
        timeline=_table(merged(facts)[-MOST_ROWS * times :]),
        sources=Table(columns=("source", "asked", "state"), rows=tuple(sorted(asked))),
        handoff=_handoff(facts, cause, headline, evidence, actions, fingerprint),
        fingerprint=fingerprint,
    )


def _cause(first: Judged | None) -> RootCause:
    if first is None:
        return RootCause(code="", text="No cause was found.", confidence=0.0)
    what = first.hypothesis
    return RootCause(
        code=what.code,
        text=what.text,
        confidence=first.confidence,
        severity=what.severity,
        kind=what.kind,
        namespace=what.namespace,
        name=what.name,
    )


def _headline(facts: Facts, first: Judged | None) -> str:
    if first is None:
        return f"No cause found for {_asked(facts)}"
    return first.hypothesis.headline


def _asked(facts: Facts) -> str:
    asked = facts.question
    what = asked.symptom or asked.alarm or asked.service or "this event"
    return f'"{cut(what, 80)}"'


def _summary(facts: Facts, first: Judged | None, ranked: Sequence[Judged], headline: str) -> str:
    if first is None:
        tested = sum(one.verdict == "rejected" for one in ranked)
        return f"{headline}: {len(facts.answers)} sources answered, {tested} hypotheses rejected."
    what = first.hypothesis
    others = [one for one in ranked if one.verdict == "kept" and one is not first]
    also = f" Also possible: {', '.join(one.hypothesis.code for one in others[:2])}." if others else ""
    todo = f" Do: {what.actions[0].action}" if what.actions else ""
    return f"{headline} ({what.code}, confidence {first.confidence:.2f}).{todo}{also}"


def _evidence(first: Judged) -> Iterator[Evidence]:
    seen: set[tuple[str, str]] = set()
    for one in (*first.for_it, *first.hypothesis.shown):
        key = (one.source, one.says)
        if key not in seen:
            seen.add(key)
            yield Evidence(source=one.source or "facts", query=one.query, says=cut(one.says, 240))


def _chain(facts: Facts, first: Judged | None) -> list[Link]:
    """Causes before effects: in time order, each thing once, and the symptom among them."""
    if first is None:
        return []
    links = [*first.hypothesis.chain, *_symptom(facts)]
    seen: set[str] = set()
    found = []
    for link in sorted(links, key=lambda one: (one.at, one.source, one.what)):
        if link.what not in seen:
            seen.add(link.what)
            found.append(link)
    return found


def _symptom(facts: Facts) -> Iterator[Link]:
    service = facts.question.service
    for one in facts.abnormal:
        if one.onset and not one.over and one.signal in {"errors", "latency_p99"} and one.seen is not None:
            was = f" (usually {_figure(one.signal, one.expected)})" if one.expected is not None else ""
            yield Link(one.onset, f"{service} {one.signal} {_figure(one.signal, one.seen)}{was}", "metrics")


def _figure(signal: str, value: float | None) -> str:
    if value is None:
        return "?"
    return f"{100 * value:.3g} %" if signal == "errors" else f"{value:.3g} s"


def _table(links: Sequence[Link]) -> Table:
    made = tuple((f"{one.at:%Y-%m-%dT%H:%M:%SZ}", cut(one.what, 160), one.source) for one in links)
    return Table(columns=("at", "what", "source"), rows=made)


def _hypotheses(ranked: Sequence[Judged]) -> Table:
    rows = tuple(
        (one.hypothesis.code, one.hypothesis.place, one.verdict, one.confidence, cut(one.because, 140))
        for one in ranked
    )
    return Table(columns=("code", "where", "verdict", "confidence", "because"), rows=rows)


def _ruled_out(facts: Facts, first: Judged | None, ranked: Sequence[Judged]) -> Iterator[str]:
    """What diagnosis cleared, what the facts clear, and suspects whose hypothesis was rejected."""
    told: set[str] = set()
    guilty = first.hypothesis.details.get("guilty", "") if first else ""
    rejected = [one for one in ranked if one.verdict == "rejected"]
    suspects = [(str(one.hypothesis.details.get("guilty", "")), one.because) for one in rejected]
    told_off = [f"{name}: {cut(why, 100)}" for name, why in suspects if name and name != guilty]
    for said in (*(first.hypothesis.innocent if first else ()), *cleared(facts, guilty), *told_off):
        name = said.partition(":")[0]
        if name not in told:
            told.add(name)
            yield said


def _warnings(facts: Facts) -> Iterator[str]:
    """What could not be asked, and where the facts have holes."""
    for key, why in sorted(facts.gaps.items()):
        code = why[1:].partition("]")[0]
        if code not in SILENT:
            yield f"partial: {key} is missing: {cut(why, 160)}"
    yield from _holes(facts)


def _holes(facts: Facts) -> Iterator[str]:
    """Coverage gaps of all answers, each once."""
    told: set[str] = set()
    for key in sorted(facts.answers):
        answered = facts.said(key)
        said = (*texts(answered.get("coverage_gaps")), *texts(answered.get("warnings")))
        for each in said:
            bare = each.removeprefix(f"{_GAP}: ")
            if (bare != each or bare in texts(answered.get("coverage_gaps"))) and bare[:24] not in told:
                told.add(bare[:24])
                yield f"{_GAP}: {cut(bare, 110)}"


def _hint(facts: Facts) -> str:
    missing = sorted(key for key, why in facts.gaps.items() if why[1:].partition("]")[0] not in SILENT)
    if missing:
        return f"not asked: {', '.join(missing)}; ask again when they answer"
    if not facts.question.service:
        return "name a service and its namespace: traces, metrics and logs are then compared too"
    return "nothing is abnormal there in this window; widen it, or name the caller's service"


def _fingerprint(facts: Facts, cause: RootCause) -> str:
    asked = facts.question
    spot = (cause.code, cause.kind, cause.namespace, cause.name)
    if not cause.code:
        spot = ("", asked.alarm or asked.symptom, asked.namespace, asked.service or asked.name)
    return hashlib.sha256(repr((asked.cluster, *spot)).encode()).hexdigest()[:12]


def _handoff(
    facts: Facts,
    cause: RootCause,
    headline: str,
    evidence: Sequence[Evidence],
    actions: Sequence[Action],
    fingerprint: str,
) -> Handoff:
    severity: Severity = cause.severity
    level: Level = actions[0].risk if actions else "low"
    return Handoff(
        incident_id=facts.question.incident_id or f"inv_{fingerprint}",
        severity=severity,
        root_cause=f"{cause.code}: {headline}" if cause.code else headline,
        evidence=tuple(cut(f"{one.source}: {one.says}", 160) for one in evidence[:3]),
        proposed_action=actions[0].action if actions else "",
        risk_level=level,
        requires_human_approval=actions[0].needs_approval if actions else True,
    )
