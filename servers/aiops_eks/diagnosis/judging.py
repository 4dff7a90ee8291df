"""From what the rules told to ranked findings: one per cause, with the symptoms it explains.

Pods of one owner collapse, since a rule places its fault at the owner or at the object that is missing.
What is only a symptom (a Service without endpoints, a rollout that does not get on) hangs itself on the
finding that hurts the same pods, along owner, selector, volume and node edges, and stands alone only when
nothing explains it. Called by `tools/diagnose.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from aiops_eks.diagnosis.case import Case, cases
from aiops_eks.diagnosis.changes import before_fault, recorded
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Told
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.registry import CASE_RULES, WORLD_RULES
from aiops_shared.results import SEVERITIES, Evidence, Finding, Severity

BY_AGREEING = (0.3, 0.5, 0.7, 0.85, 0.92, 0.95)
DOUBT = 0.15
LATER_S = 600.0  # how much later a cause may be seen than what it brings about
MOST_EVIDENCE, MOST_SYMPTOMS, MOST_RULED_OUT = 5, 6, 4


@dataclass(frozen=True)
class Judgement:
    """One cause with all who suffer from it."""

    first: Told
    subjects: tuple[Ref, ...]
    hurts: tuple[Ref, ...]
    evidence: tuple[Evidence, ...]
    symptoms: tuple[Ref, ...] = ()
    agree: int = 0
    severity: Severity = "high"

    @property
    def confidence(self) -> float:
        """How many independent facts agree, less what is missing or says otherwise."""
        agreeing = BY_AGREEING[min(self.agree, len(BY_AGREEING) - 1)]
        return max(0.1, round(agreeing - DOUBT * self.first.doubt, 2))

    @property
    def touched(self) -> frozenset[Ref]:
        """Every object that causes, suffers or shows it."""
        return frozenset({self.first.at, *self.subjects, *self.hurts, *self.symptoms})

    def touches(self, targets: frozenset[Ref]) -> bool:
        """Whether any of these objects is among them."""
        return not targets.isdisjoint(self.touched)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """All causes at work, the worst first; the order of the facts changes nothing."""
    facts = facts.ordered()
    told = [*_by_case(facts), *_by_world(facts)]
    causes = _by_shared_lack(_collapsed(t for t in told if not t.explained_by))
    causes = _by_shared_lack(_with_symptoms(causes, [t for t in told if t.explained_by]))
    causes = [_with_change(facts, one) for one in causes]
    weighed = [replace(j, severity=_severity(facts, j)) for j in causes]
    return tuple(sorted(weighed, key=_rank))


def _by_case(facts: Facts) -> Iterator[Told]:
    for case in cases(facts):
        if (told := explain(case)) is not None:
            yield told


def explain(case: Case) -> Told | None:
    """The first rule that knows why."""
    return next((told for rule in CASE_RULES if (told := rule.explain(case)) is not None), None)


def _by_world(facts: Facts) -> Iterator[Told]:
    for rule in WORLD_RULES:
        yield from rule.find(facts)


def _collapsed(told: Iterable[Told]) -> list[Judgement]:
    """One judgement per code and place; more pods that say the same make it surer."""
    found: dict[tuple[str, Ref], Judgement] = {}
    for one in told:
        known = found.get(_key(one))
        found[_key(one)] = _first(one) if known is None else _joined(known, one)
    return list(found.values())


def _key(told: Told) -> tuple[str, Ref]:
    return told.cause.code, told.at


def _first(told: Told) -> Judgement:
    return Judgement(told, (told.subject,), told.hurts, told.evidence, agree=told.agree)


def _joined(known: Judgement, told: Told) -> Judgement:
    better = told if told.agree - told.doubt > known.first.agree - known.first.doubt else known.first
    return replace(
        known,
        first=better,
        subjects=_unique(known.subjects, (told.subject,)),
        hurts=_unique(known.hurts, told.hurts),
        evidence=better.evidence,
        agree=max(known.agree, told.agree) + (len(known.hurts) == 1),
    )


def _by_shared_lack(causes: Sequence[Judgement]) -> list[Judgement]:
    """Findings of one code with one lack behind them (a taint, a registry) are one, at what they share.

    A lack that strikes one alone stays where its rule put it: at what a person would change.
    """
    groups: dict[tuple[str, Ref], list[Judgement]] = {}
    for one in causes:
        groups.setdefault((one.first.cause.code, one.first.shared or one.first.at), []).append(one)
    return [_one_lack(group) for group in groups.values()]


def _one_lack(group: Sequence[Judgement]) -> Judgement:
    best = max(group, key=lambda one: one.first.agree - one.first.doubt)
    shared = best.first.shared
    if len(group) == 1 or shared is None:
        return best
    places = [one.first.at for one in group if one.first.at not in {shared, *one.subjects}]
    return replace(
        best,
        first=replace(best.first, at=shared),
        subjects=_unique((), [ref for one in group for ref in one.subjects]),
        hurts=_unique((), [ref for one in group for ref in one.hurts]),
        symptoms=_unique(places, [ref for one in group for ref in one.symptoms]),
        agree=max(one.agree for one in group) + 1,
    )


def _unique(known: Sequence[Ref], more: Sequence[Ref]) -> tuple[Ref, ...]:
    return tuple(dict.fromkeys((*known, *more)))


def _with_symptoms(causes: list[Judgement], symptoms: Sequence[Told]) -> list[Judgement]:
    """Hang each symptom on the causes that explain it; one that nothing explains is a cause itself.

    A symptom that found its cause explains others in turn (a class that is missing, the claim, its pods,
    their Service), so it is asked again as long as anything was explained. What stands alone is asked last:
    it may explain the rest.
    """
    waiting = list(symptoms)
    while waiting:
        causes, left = _explained(causes, waiting)
        if len(left) == len(waiting):
            first = next((t for t in left if t.stands_alone and not _awaits(t, left)), None)
            first = first or next((t for t in left if t.stands_alone), None)
            if first is None:
                break
            alike = [t for t in left if t.stands_alone and _key(t) == _key(first)]
            causes = [*causes, *_collapsed(alike)]
            left = [t for t in left if t not in alike]
        waiting = left
    return causes


def _awaits(told: Told, others: Sequence[Told]) -> bool:
    """Whether another symptom that waits may yet explain this one."""
    return any(other is not told and other.at in told.explained_by for other in others)


def _explained(causes: list[Judgement], symptoms: Sequence[Told]) -> tuple[list[Judgement], list[Told]]:
    """The causes with the symptoms that they explain, and the symptoms that none explains."""
    left: list[Told] = []
    causes = list(causes)
    places: dict[Ref, set[int]] = {}
    for place, cause in enumerate(causes):
        for ref in cause.touched:
            places.setdefault(ref, set()).add(place)
    for symptom in symptoms:
        holders = set().union(*(places.get(ref, set()) for ref in symptom.explained_by))
        holders = {place for place in holders if _may_explain(causes[place].first, symptom)}
        if not holders:
            left.append(symptom)
        for place in sorted(holders):
            known = causes[place]
            evidence = _more_evidence(known.evidence, symptom.evidence)
            shown = _unique(known.symptoms, (symptom.at, *symptom.hurts))
            causes[place] = replace(known, symptoms=shown, evidence=evidence)
    return causes, left


def _may_explain(cause: Told, symptom: Told) -> bool:
    """What began well after a trouble did not bring it about."""
    if cause.since is None or symptom.since is None:
        return True
    return (cause.since - symptom.since).total_seconds() <= LATER_S


def _more_evidence(known: tuple[Evidence, ...], more: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return (*known, *more)[:MOST_EVIDENCE]


def _with_change(facts: Facts, judged: Judgement) -> Judgement:
    """Who wrote the object at fault, or the rollout that came with it; second after what shows it."""
    hurt = tuple(pod for pod in map(facts.pod, judged.hurts) if pod is not None)
    change = recorded(facts, judged.first.at) or before_fault(facts, hurt)
    if change is None:
        return judged
    return replace(judged, evidence=(*judged.evidence[:1], change, *judged.evidence[1:]))


def _severity(facts: Facts, judged: Judgement) -> Severity:
    """Critical when nothing of a Service or workload is left; medium when all that is wanted still serves."""
    base = judged.first.severity or judged.first.cause.severity
    if judged.first.severity is not None or base != "high":
        return base
    owners = [w for w in facts.workloads if w.ref in judged.subjects and w.ref.kind != "Job"]
    services = [s for s in facts.services if s.ref in judged.symptoms and s.ready_addresses == 0]
    if services or any(w.desired and not w.available for w in owners):
        return "critical"
    spare = owners and all(w.available >= w.desired for w in owners)
    hurt = [p for p in map(facts.pod, judged.hurts) if p is not None]
    return "medium" if spare and hurt and not any(p.ready for p in hurt) else base


def _rank(judged: Judgement) -> tuple[int, int, float, str]:
    place = SEVERITIES.index(judged.severity)
    return (place, -len(judged.hurts), -judged.confidence, str(judged.first.at))


def finding(judged: Judgement) -> Finding:
    """The answer's form of a judgement."""
    told = judged.first
    others = len(judged.subjects) - 1
    who = told.subject.name + (f" (and {others} more)" if others else "")
    return Finding(
        code=told.cause.code,
        severity=judged.severity,
        kind=told.at.kind,
        namespace=told.at.namespace,
        name=told.at.name,
        title=f"{who} {told.predicate}",
        root_cause=told.root_cause,
        confidence=judged.confidence,
        evidence=judged.evidence[:MOST_EVIDENCE],
        ruled_out=told.ruled_out[:MOST_RULED_OUT],
        symptoms=_symptoms(judged),
        next_step=told.next_step or told.cause.next_step,
        sop=told.cause.sop,
    )


def _symptoms(judged: Judgement) -> tuple[str, ...]:
    shown = [str(r) for r in _unique(judged.symptoms, judged.hurts) if r != judged.first.at]
    more = len(shown) - MOST_SYMPTOMS
    return (*shown[:MOST_SYMPTOMS], f"and {more} more") if more > 0 else tuple(shown)
