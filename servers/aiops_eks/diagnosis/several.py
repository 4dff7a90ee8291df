"""Findings of several clusters as one answer: a cause that several share is said once (row B9, F-b3).

`seen` makes of one cluster's facts its findings and a mark for each, and lets the facts go; `answer` joins
what has the same mark. A mark is either what lies outside every cluster (the registry at this host, whose
certificate ended at this moment), or the same object broken in the same way everywhere (one release that went
to all). Anything else stays apart: the same code alone is no shared cause. Called by
`clients/diagnosing_several.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from aiops_eks.diagnosis.answering import LEAK_WARNING, UNTRUSTED, checked, fitting
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.judging import Judgement, finding, judge
from aiops_eks.diagnosis.outside import Outside, blamed, telling
from aiops_eks.diagnosis.quoting import quoted
from aiops_eks.diagnosis.result import Checked, Diagnosis
from aiops_eks.diagnosis.scope import Gathered, around
from aiops_eks.models.log_lines import shape_of
from aiops_eks.models.several import Heard, listed, said_once
from aiops_shared.results import SEVERITIES, Evidence, Finding

MOST_OF_EACH = 40  # findings that one cluster brings
MOST_FINDINGS, MOST_EVIDENCE, MOST_SYMPTOMS = 10, 5, 6
MOST_TEXTS = 30
ROOM_CHARS = 11_000
SURE = 0.97
NO_FINDINGS = "Recovered restarts, finished Jobs and rollouts within their deadline are no findings."
# Named by their address or by chance: the same name in two clusters is another object.
_OWN = frozenset({"Node", "PersistentVolume", "NodeClaim", "CSINode", "Cluster"})

Mark = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One finding of one cluster, and what makes it the same fault as another's."""

    finding: Finding
    mark: Mark
    hurts: int
    outside: Outside | None = None
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a diagnosis of one cluster came to."""

    scope: str
    faults: tuple[Fault, ...]
    omitted: int
    checked: Checked
    gaps: tuple[str, ...]


def seen(gathered: Gathered) -> Seen:
    """The findings of one cluster, marked."""
    facts = gathered.facts
    judged = list(judge(facts))
    if gathered.target is not None:
        scope = around(facts, gathered.target)
        judged = [one for one in judged if one.touches(scope)]
    faults = tuple(_fault(facts, one) for one in judged[:MOST_OF_EACH])
    return Seen(gathered.scope, faults, len(judged) - len(faults), checked(facts), facts.gaps)


def _fault(facts: Facts, judged: Judgement) -> Fault:
    told = finding(judged)
    texts = _texts(facts, judged)
    outside = blamed(texts)
    if outside is not None:
        mark: Mark = (told.code, str(outside))
    elif told.kind in _OWN:
        mark = ()
    else:
        mark = (told.code, told.kind, told.namespace, told.name, shape_of(told.root_cause))
    return Fault(told, mark, len(judged.hurts), outside, telling(texts) if outside else "")


def _texts(facts: Facts, judged: Judgement) -> list[str]:
    """What was said about those who suffer, whole: a quotation may be cut before its telling end."""
    pods = [pod for pod in map(facts.pod, judged.hurts) if pod is not None][:MOST_TEXTS]
    waiting = [one.waiting_message for pod in pods for one in pod.containers if one.waiting_message]
    events = [event.message for pod in pods for event in facts.events_about(pod.ref, pod.uid)]
    said = [one.says for one in judged.evidence]
    return [*waiting[:MOST_TEXTS], *said, *events[:MOST_TEXTS]]


def answer(heard: Heard[Seen]) -> Diagnosis:
    """The answer over all clusters that answered."""
    groups: dict[tuple[object, ...], list[tuple[str, Fault]]] = {}
    for at, one in enumerate(heard.said):
        for number, fault in enumerate(one.answer.faults):
            key = fault.mark or (at, number)
            groups.setdefault(key, []).append((one.label, fault))
    joined = sorted((_joined(group, len(heard.said)) for group in groups.values()), key=_rank)
    findings = [found for _, found in joined]
    gaps = said_once((one.label, one.answer.gaps) for one in heard.said)
    shown = _fitting(findings[:MOST_FINDINGS], sum(map(len, (*heard.gaps, *gaps))))
    omitted = len(findings) - len(shown) + sum(one.answer.omitted for one in heard.said)
    leaks = [LEAK_WARNING] if any(one.code == "MEMORY_LEAK" for one in shown) else []
    return Diagnosis(
        summary=_summary(heard, shown, omitted),
        cluster=listed(heard.labels, 8),
        scope=f"{len(heard.said)} clusters, {heard.said[0].answer.scope}",
        findings=tuple(shown),
        findings_omitted=omitted,
        checked=_checked(one.answer.checked for one in heard.said),
        coverage_gaps=gaps,
        warnings=(*leaks, *heard.gaps, *(f"coverage_gap: {gap}" for gap in gaps)),
        hint=""
        if shown
        else "Recovered restarts, finished Jobs and rollouts within their deadline are no findings.",
        truncated=omitted > 0,
        untrusted=UNTRUSTED if shown else (),
    )


def _joined(group: Sequence[tuple[str, Fault]], asked: int) -> tuple[int, Finding]:
    """One finding of all that are the same fault, and how many objects it hurts."""
    hurts = sum(fault.hurts for _, fault in group)
    clusters = tuple(dict.fromkeys(label for label, _ in group))
    lead = min((fault for _, fault in group), key=lambda fault: (_severity(fault), -fault.finding.confidence))
    if len(group) == 1:
        return hurts, lead.finding.model_copy(update={"clusters": clusters})
    several = len(clusters) > 1
    where = f"{len(clusters)} of {asked} clusters" if several else f"{clusters[0]}"
    best = lead.finding.confidence
    told: dict[str, object] = {
        "clusters": clusters,
        "title": f"In {where}: {_blame(lead)}{lead.finding.title}{_others(group, lead)}",
        "root_cause": _root_cause(lead, several=several),
        "confidence": min(SURE, round(1 - (1 - best) / 2, 2)) if several else best,
        "evidence": _evidence(group, lead, clusters),
        "symptoms": _symptoms(group),
    }
    if lead.outside and several:
        told["ruled_out"] = (*lead.finding.ruled_out[:3], "a fault of one cluster: several show the same")
    return hurts, lead.finding.model_copy(update=told)


def _blame(lead: Fault) -> str:
    return f"{lead.outside}; " if lead.outside else ""


def _others(group: Sequence[tuple[str, Fault]], lead: Fault) -> str:
    names = dict.fromkeys(fault.finding.name for _, fault in group if fault.finding.name != lead.finding.name)
    return f" (so do {listed(list(names), 3)})" if names else ""


def _root_cause(lead: Fault, *, several: bool) -> str:
    if lead.outside is not None:
        where = "outside the clusters" if several else "outside the cluster"
        return f"One cause {where}: {lead.outside}. {lead.finding.root_cause}"
    return f"The same object is broken in the same way: {lead.finding.root_cause}"


def _evidence(
    group: Sequence[tuple[str, Fault]], lead: Fault, clusters: Sequence[str]
) -> tuple[Evidence, ...]:
    """What was said, once, and one piece of every cluster."""
    said = [
        Evidence(source="kubernetes", query=f"{listed(clusters)}: what was said", says=quoted(lead.quote))
    ]
    first = {label: fault.finding.evidence[:1] for label, fault in reversed(group)}
    each = [
        one.model_copy(update={"query": f"{label}: {one.query}"})
        for label in clusters
        for one in first[label]
    ]
    return (*(said if lead.quote else ()), *each)[:MOST_EVIDENCE]


def _symptoms(group: Sequence[tuple[str, Fault]]) -> tuple[str, ...]:
    """Who suffers where: each cluster's object first, then its symptoms, as many as there is room for."""
    at = [f"{label}: {one.finding.kind} {one.finding.namespace}/{one.finding.name}" for label, one in group]
    more = len(at) - MOST_SYMPTOMS
    return (*at[:MOST_SYMPTOMS], f"and {more} more") if more > 0 else tuple(at)


def _severity(fault: Fault) -> int:
    return SEVERITIES.index(fault.finding.severity)


def _rank(joined: tuple[int, Finding]) -> tuple[int, int, int, float, str]:
    """Worst first; what strikes more clusters, then more objects, before what strikes fewer."""
    hurts, found = joined
    place = SEVERITIES.index(found.severity)
    return place, -len(found.clusters), -hurts, -found.confidence, f"{found.clusters} {found.name}"


def _fitting(findings: Sequence[Finding], gap_chars: int) -> list[Finding]:
    kept = fitting(findings)
    room = max(ROOM_CHARS // 2, ROOM_CHARS - gap_chars)
    while len(kept) > 1 and sum(len(one.model_dump_json()) for one in kept) > room:
        kept.pop()
    return kept


def _checked(each: Iterable[Checked]) -> Checked:
    counts = list(each)
    total = {name: sum(map(attrgetter(name), counts)) for name in Checked.model_fields}
    return Checked(**{**total, "rules": max(one.rules for one in counts)})


def _summary(heard: Heard[Seen], shown: Sequence[Finding], omitted: int) -> str:
    where = f"{len(heard.said)} clusters" + (" (some did not answer)" if heard.gaps else "")
    if not shown:
        pods = sum(one.answer.checked.pods for one in heard.said)
        return f"Nothing wrong found in {where}: {pods} pods checked."
    first = shown[0]
    place = "" if first.title.startswith("In ") else f"{listed(first.clusters)}: "
    others = len(shown) - 1 + omitted
    shared = sum(len(one.clusters) > 1 for one in shown)
    said = f"{first.severity.capitalize()}: {place}{first.title} ({first.code}, {first.confidence:.2f})."
    tail = f" {others} more in {where}." if others else f" Nothing else found in {where}."
    text = f"{said} {shared} shared by several clusters.{tail}" if shared else f"{said}{tail}"
    return text if len(text) <= 400 else f"{text[:399]}…"
