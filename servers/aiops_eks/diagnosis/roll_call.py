"""Names every pod that is not well, in rows of equal state and cause: sixty broken pods fit into one answer.

Called by `answering.py` when there are more findings or pods than the findings themselves can name. A row
begins with the code of the finding that explains its pods; pods of one owner share their name's beginning.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.judging import Judgement
from aiops_eks.diagnosis.objects import Pod, Ref, Sick
from aiops_shared.results import Table

COLUMNS = ("code", "state", "cause", "pods")
CAUSE_CHARS = 90
TELLING = frozenset({"Unhealthy", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"})
MOST_ALIKE = 60


@dataclass(frozen=True, slots=True)
class _Line:
    code: str
    state: str
    cause: str


def roll_call(facts: Facts, judged: Sequence[Judgement], room_chars: int) -> tuple[Table, int]:
    """The rows that fit, in the order of the findings, and how many pods they leave out."""
    explained = _explained(judged)
    groups: dict[_Line, list[Pod]] = {}
    for sick in facts.sick:
        pod = facts.pod(sick.pod)
        if pod is None:
            continue
        cause = next((explained[ref] for ref in (pod.ref, pod.parent, pod.owner) if ref in explained), None)
        groups.setdefault(_line(_heard(facts, sick), cause), []).append(pod)
    place = {one.first.cause.code: number for number, one in reversed(list(enumerate(judged)))}
    order = sorted(groups, key=lambda line: (place.get(line.code, len(place)), line.code, line.cause))
    rows: list[tuple[str, str, str, str]] = []
    left = sum(map(len, groups.values()))
    for line in order:
        row = (line.code, line.state, line.cause, _named(groups[line]))
        room_chars -= sum(map(len, row)) + 16
        if room_chars < 0:
            break
        rows.append(row)
        left -= len(groups[line])
    return Table(columns=COLUMNS, rows=tuple(rows)), left


def _explained(judged: Sequence[Judgement]) -> Mapping[Ref | None, Judgement]:
    """Of each object the worst finding that touches it; whom it hurts goes before what it merely touches."""
    found: dict[Ref | None, Judgement] = {}
    for one in judged:
        for ref in one.hurts:
            found.setdefault(ref, one)
    for one in judged:
        for ref in (*one.subjects, *one.symptoms):
            found.setdefault(ref, one)
    return found


def _heard(facts: Facts, sick: Sick) -> Sick:
    """With what its newest warning says, where the pod itself says too little (a mount, a probe)."""
    if sick.told:
        return sick
    said = (one for one in facts.events_about(sick.pod) if one.warning and one.reason in TELLING)
    newest = next(said, None)
    return replace(sick, cause=" ".join(newest.message.split())) if newest else sick


def _line(sick: Sick, cause: Judgement | None) -> _Line:
    said = sick.cause or (cause.first.predicate if cause else "")
    code = cause.first.cause.code if cause else ""
    return _Line(code, sick.state, said if len(said) <= CAUSE_CHARS else f"{said[: CAUSE_CHARS - 1]}…")


def _named(pods: Iterable[Pod]) -> str:
    """`shop/web-5d7: -abc -def; cart/pay-0`: names with the owner's part said once."""
    by_stem: dict[str, list[str]] = {}
    for pod in pods:
        stem, dash, ending = pod.name.rpartition("-") if pod.parent else (pod.name, "", "")
        by_stem.setdefault(f"{pod.namespace}/{stem}" if stem else pod.name, []).append(f"{dash}{ending}")
    return "; ".join(_one(stem, endings) for stem, endings in by_stem.items())


def _one(stem: str, endings: Sequence[str]) -> str:
    if len(endings) == 1:
        return f"{stem}{endings[0]}"
    more = f" and {len(endings) - MOST_ALIKE} more" if len(endings) > MOST_ALIKE else ""
    return f"{stem}: {' '.join(endings[:MOST_ALIKE])}{more}"
