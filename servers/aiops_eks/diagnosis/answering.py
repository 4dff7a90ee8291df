"""The ranked findings as an answer of bounded size.

Called by `tools/diagnose.py`. Findings are cut from the end, and before that their lesser evidence, so that
the worst stays whole.
"""

from collections.abc import Sequence

from aiops_eks.diagnosis.case import broken_containers
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.judging import Judgement, finding, judge
from aiops_eks.diagnosis.registry import CASE_RULES, WORLD_RULES
from aiops_eks.diagnosis.result import NO_PODS, Checked, Diagnosis
from aiops_eks.diagnosis.roll_call import roll_call
from aiops_eks.diagnosis.scope import Gathered, around
from aiops_shared.results import Finding, Table

MOST_FINDINGS = 10
BUDGET_CHARS = 11_500  # of JSON: below the 4,000 tokens of decision D29
ANSWER_CHARS = (
    10_900  # findings, named pods and gaps, which stand there twice; the rest is counts and summary
)
ROLL_CHARS = 7_500  # … of which the names of many unwell pods take at most so much
MOST_SICK = 6  # a finding names so many by itself
WHOLE = 3  # findings that keep all their evidence when the answer is too long
UNTRUSTED = ("findings[].evidence[].says",)
LEAK_WARNING = "MEMORY_LEAK: raising the limit delays, does not fix"


def answer(gathered: Gathered) -> Diagnosis:
    """The answer to what was asked."""
    facts = gathered.facts
    judged = _asked(gathered, judge(facts))
    many = gathered.target is None and (len(judged) > MOST_FINDINGS or len(facts.sick) > MOST_SICK)
    pods, unnamed = roll_call(facts, judged, ROLL_CHARS) if many else (NO_PODS, 0)
    # Where every pod is named by its cause, the findings have what is left of the door's budget.
    room = min(BUDGET_CHARS, ANSWER_CHARS - _chars(pods) - 2 * sum(map(len, facts.gaps)))
    shown = fitting([finding(one) for one in judged[:MOST_FINDINGS]], room)
    omitted = len(judged) - len(shown)
    return Diagnosis(
        summary=_summary(gathered, shown, [one.first.cause.code for one in judged], omitted),
        cluster=facts.cluster,
        scope=gathered.scope,
        findings=tuple(shown),
        findings_omitted=omitted,
        pods=pods,
        checked=checked(facts),
        coverage_gaps=facts.gaps,
        warnings=(*_warnings(shown, facts), *_unnamed(unnamed)),
        hint="" if shown else _hint(gathered),
        truncated=omitted > 0 or unnamed > 0,
        untrusted=(*(UNTRUSTED if shown else ()), *(("pods",) if pods.rows else ())),
    )


def _chars(pods: Table) -> int:
    return len(pods.model_dump_json()) if pods.rows else 0


def _asked(gathered: Gathered, judged: Sequence[Judgement]) -> list[Judgement]:
    if gathered.target is None:
        return list(judged)
    scope = around(gathered.facts, gathered.target)
    return [one for one in judged if one.touches(scope)]


def _unnamed(pods: int) -> tuple[str, ...]:
    return (f"{pods} more pods are not well: diagnose one namespace after the other",) if pods else ()


def fitting(findings: Sequence[Finding], room_chars: int = BUDGET_CHARS) -> list[Finding]:
    """As many findings as fit, lesser ones with one piece of evidence when it is tight."""
    kept = list(findings)
    if _size(kept) > room_chars:
        kept = [one if place < WHOLE else _short(one) for place, one in enumerate(kept)]
    while len(kept) > 1 and _size(kept) > room_chars:
        kept.pop()
    return kept


def _size(findings: Sequence[Finding]) -> int:
    return sum(len(one.model_dump_json()) for one in findings)


def _short(one: Finding) -> Finding:
    return one.model_copy(
        update={"evidence": one.evidence[:1], "symptoms": one.symptoms[:2], "ruled_out": ()}
    )


def checked(facts: Facts) -> Checked:
    """What was looked at."""
    return Checked(
        pods=len(facts.pods),
        containers=sum(len(pod.containers) for pod in facts.pods),
        events=len(facts.events),
        workloads=len(facts.workloads),
        services=len(facts.services),
        nodes=len(facts.nodes),
        claims=len(facts.claims),
        references=len(facts.lookups),
        logs=len(facts.logs),
        rules=len(CASE_RULES) + len(WORLD_RULES),
    )


def _summary(gathered: Gathered, shown: Sequence[Finding], every: Sequence[str], omitted: int) -> str:
    if not shown:
        said = (
            "Pods could not be read; nothing else wrong" if _pods_unread(gathered.facts) else "Nothing wrong"
        )
        return f"{said} found in {gathered.scope}: {_counts(gathered.facts)} checked."
    first = shown[0]
    lead = f"{first.severity.capitalize()}: {first.title} ({first.code}, confidence {first.confidence:.2f})."
    others = len(shown) - 1 + omitted
    codes = ", ".join(dict.fromkeys(every[1:]))
    return _cut(
        f"{lead} {others} more: {codes}." if others else f"{lead} Nothing else found in {gathered.scope}."
    )


def _cut(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:399]}…"


def _counts(facts: Facts) -> str:
    parts = (
        (len(facts.pods), "pods"),
        (len(facts.workloads), "workloads"),
        (len(facts.services), "Services"),
        (len(facts.nodes), "nodes"),
        (len(facts.events), "events"),
    )
    return ", ".join(f"{count} {word}" for count, word in parts)


def _pods_unread(facts: Facts) -> bool:
    return any(gap.startswith("Pod:") for gap in facts.gaps)


def _warnings(shown: Sequence[Finding], facts: Facts) -> tuple[str, ...]:
    leaks = [LEAK_WARNING] if any(one.code == "MEMORY_LEAK" for one in shown) else []
    gaps = [f"coverage_gap: {gap}" for gap in facts.gaps]
    return (*leaks, *gaps)


def _hint(gathered: Gathered) -> str:
    facts = gathered.facts
    if _pods_unread(facts):
        return "Pods could not be read, so nothing is known about them: see coverage_gaps; name a namespace."
    if not facts.pods and gathered.target is None:
        where = f"in namespace {facts.namespace}" if facts.namespace else "in this cluster"
        return f"There are no pods {where}; is it the right one? list_resources(kind=Namespace) shows them."
    broken = len(broken_containers(facts, facts.pods))
    more = f" {broken} containers elsewhere in scope are broken: diagnose the namespace." if broken else ""
    return "Recovered restarts, finished Jobs and rollouts within their deadline are no findings." + more
