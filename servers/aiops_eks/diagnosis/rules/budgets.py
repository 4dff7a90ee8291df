"""PodDisruptionBudgets that let nothing go, or protect nothing.

A budget that leaves no pod to spare at full health blocks every drain and every upgrade of its nodes. One
that is used up because pods are unhealthy is a symptom of these. A workload scaled to zero needs none. No
finding here touches the pods themselves: what is wrong with a budget explains no broken pod.
Source: `pkg/controller/disruption/disruption.go`, `pkg/registry/core/pod/storage/eviction.go`.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from aiops_eks.diagnosis.evidence import condition_evidence, stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.workloads import Budget
from aiops_eks.diagnosis.objects import Pod, Ref, Workload
from aiops_shared.results import Evidence

SETTLED_S = 600.0
SHORTEST, ALIKE = 3, 0.65
PDB_BLOCKS_EVICTION = Cause(
    code="PDB_BLOCKS_EVICTION",
    severity="medium",
    means="A PodDisruptionBudget lets no pod be evicted even when all are healthy.",
    told_by="disruptionsAllowed is 0 and as many pods must stay as there are (maxUnavailable 0, minAvailable "
    "not below the replicas). Used up by unhealthy pods, it is a symptom of these.",
    source="pkg/controller/disruption/disruption.go",
    next_step="allow one pod to go (maxUnavailable 1) or run one replica more: plan_manifest(action=apply)",
)
PDB_SELECTS_NOTHING = Cause(
    code="PDB_SELECTS_NOTHING",
    severity="medium",
    means="A PodDisruptionBudget protects nothing, although pods that it plainly means are running.",
    told_by="expectedPods is 0, and the running workload of its own name has other labels, or pods miss the "
    "selector by one misspelt value. A workload scaled to zero is no finding.",
    source="pkg/controller/disruption/disruption.go",
    next_step="compare spec.selector with the pods' labels; plan_manifest(action=apply)",
)
PDB_OVERLAP = Cause(
    code="PDB_OVERLAP",
    severity="medium",
    means="Two PodDisruptionBudgets cover one pod, so it cannot be evicted at all.",
    told_by="Both selectors take the same pod; the eviction endpoint answers 500 for such a pod.",
    source="pkg/registry/core/pod/storage/eviction.go",
    next_step="make the selectors disjoint, or delete one of the two budgets",
)


def budgets(facts: Facts) -> Iterator[Told]:
    """All three; overlap first, since then the numbers of the others say little."""
    doubled: set[Ref] = set()
    for told in _overlaps(facts):
        doubled |= {told.at, *told.hurts}
        yield told
    for one in facts.all(Budget):
        if one.ref in doubled or not one.settled or facts.age_s(one.created_at) < SETTLED_S:
            continue
        if one.expected == 0:
            yield from _empty(facts, one)
        elif one.allowed == 0:
            yield _blocking(facts, one)


def _covered(facts: Facts, one: Budget) -> list[Pod]:
    return [pod for pod in facts.pods if one.covers(pod)]


def _counts(one: Budget) -> Evidence:
    says = f"{one.rule or 'no rule'}; {one.healthy} of {one.expected} pods healthy, {one.needed} needed, "
    return stated(one.ref, "spec and status", f"{says}{one.allowed} may go")


def _blocking(facts: Facts, one: Budget) -> Told:
    pods = _covered(facts, one)
    owners = tuple(dict.fromkeys(pod.subject for pod in pods))
    drained = sorted({pod.node for pod in pods if (node := facts.node(pod.node)) and node.cordoned})
    whose = owners[0].name if owners else one.ref.namespace
    by_rule = one.needed >= one.expected
    waits = tuple(
        stated(Ref("Node", "", name), "spec", "cordoned, and holds its pods") for name in drained[:2]
    )
    said = (condition_evidence(one.ref, one.condition),) if one.condition else ()
    return Told(
        cause=PDB_BLOCKS_EVICTION,
        at=one.ref,
        subject=one.ref,
        predicate=f"({one.rule}) lets none of {one.expected} pods of {whose} be evicted",
        root_cause=f"{one.ref} needs {one.needed} of {one.expected} pods, so no pod may be evicted"
        + ("." if by_rule else f" while {one.expected - one.healthy} are unhealthy.")
        + (f" {len(drained)} cordoned nodes cannot be emptied." if drained else ""),
        hurts=(one.ref,),
        evidence=(_counts(one), *waits, *said),
        agree=2 + by_rule + bool(drained),
        severity="high" if drained and by_rule else None,
        ruled_out=("unhealthy pods: it would block with all of them healthy",) if by_rule else (),
        explained_by=() if by_rule else (*owners, *(pod.ref for pod in pods)),
        stands_alone=by_rule,
    )


def _empty(facts: Facts, one: Budget) -> Iterator[Told]:
    exact = one.selector.get("matchLabels")
    if not isinstance(exact, Mapping) or set(one.selector) != {"matchLabels"} or _covered(facts, one):
        return
    wanted = {str(key): str(value) for key, value in exact.items()}
    home = one.ref.namespace
    asleep = any(_takes(wanted, w) for w in facts.workloads if w.ref.namespace == home)
    near = [] if asleep else _near(facts, home, wanted) or _namesake(facts, one)
    if not near:
        return
    lacking = ", ".join(
        f"{key}={value} (pods have {near[0].labels.get(key, 'none')})"
        for key, value in sorted(wanted.items())
        if near[0].labels.get(key) != value
    )
    yield Told(
        cause=PDB_SELECTS_NOTHING,
        at=one.ref,
        subject=one.ref,
        predicate=f"protects nothing: no pod has {lacking}",
        root_cause=f"{one.ref} selects {lacking}, which no pod has; it plainly means {near[0].subject}.",
        hurts=(one.ref,),
        evidence=(_counts(one), stated(near[0].ref, "labels", _labels(near[0]))),
        agree=3,
        ruled_out=("scaled to zero: no workload's template has these labels",),
    )


def _takes(wanted: Mapping[str, str], workload: Workload) -> bool:
    labels = workload.template_labels or workload.selector
    return all(labels.get(key) == value for key, value in wanted.items())


def _near(facts: Facts, home: str, wanted: Mapping[str, str]) -> list[Pod]:
    """Pods that lack one label by a misspelling."""
    return [
        pod for pod in facts.pods if pod.namespace == home and pod.ready and _misspelt(wanted, pod.labels)
    ]


def _misspelt(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    other = [(value, labels.get(key, "")) for key, value in wanted.items() if labels.get(key) != value]
    if len(other) != 1:
        return False
    value, found = other[0]
    if min(len(value), len(found)) < SHORTEST or abs(len(value) - len(found)) > 1:
        return False
    if [c for c in value if c.isdigit()] != [c for c in found if c.isdigit()]:
        return False
    return SequenceMatcher(None, value, found, autojunk=False).ratio() >= ALIKE


def _namesake(facts: Facts, one: Budget) -> list[Pod]:
    stem = one.ref.name.removesuffix("-pdb")
    found = [w.ref for w in facts.named(one.ref.namespace, stem) if w.parent is None and w.ref.kind != "Job"]
    return [pod for ref in found for pod in facts.pods_of(ref) if pod.ready]


def _labels(pod: Pod) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(pod.labels.items()))[:200]


def _overlaps(facts: Facts) -> Iterator[Told]:
    by_home: dict[str, list[Budget]] = {}
    for one in facts.all(Budget):
        by_home.setdefault(one.ref.namespace, []).append(one)
    crowded = {home: found for home, found in by_home.items() if len(found) > 1}
    pairs: dict[tuple[Ref, Ref], list[Pod]] = {}
    for pod in facts.pods:
        over = [one for one in crowded.get(pod.namespace, ()) if one.covers(pod)]
        over.sort(key=lambda one: (-facts.age_s(one.created_at), one.ref))
        if len(over) > 1:
            pairs.setdefault((over[-1].ref, over[0].ref), []).append(pod)
    for (younger, elder), pods in pairs.items():
        yield _overlap(facts, younger, elder, pods)


def _overlap(facts: Facts, younger: Ref, elder: Ref, pods: Sequence[Pod]) -> Told:
    said = [
        e for pod in pods for e in facts.events_about(pod.ref) if e.reason == "MultiplePodDisruptionBudgets"
    ]
    rules = {one.ref: one.rule for one in facts.all(Budget)}
    both = tuple(
        stated(ref, "spec", f"{rules.get(ref, '')}; takes {pods[0].ref}") for ref in (younger, elder)
    )
    return Told(
        cause=PDB_OVERLAP,
        at=younger,
        subject=younger,
        predicate=f"and {elder.name} both cover the pods of {pods[0].subject.name}: none can be evicted",
        root_cause=f"{younger} and {elder} select the same {len(pods)} pods; the eviction endpoint refuses a "
        "pod that more than one budget covers.",
        hurts=(elder,),
        evidence=both,
        agree=3 + bool(said),
        ruled_out=("one strict budget: two budgets take the same pod",),
    )


RULES = (WorldRule((PDB_BLOCKS_EVICTION, PDB_SELECTS_NOTHING, PDB_OVERLAP), budgets),)
