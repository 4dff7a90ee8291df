"""A Kiro spec of a workload's scaling (F14, B36): requirements in EARS, design, tasks, from measured numbers.

EARS (Mavin and others, 2009): WHILE state, WHEN event, IF trouble THEN, THE system SHALL. Every number stands
in `reasons`; those of the YAML files beside it are taken over with their sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiops_sop.analysis.configs.alarms import BURNS, Served, target_of
from aiops_sop.analysis.configs.documents import Draft
from aiops_sop.analysis.configs.facts import Scaler, Workload
from aiops_sop.analysis.configs.reasons import Reason, Reasons, numbers, unexplained
from aiops_sop.analysis.configs.scaling import Capacity
from aiops_sop.analysis.configs.surges import Surge, is_surge
from aiops_sop.models.configs import PARTS


@dataclass(frozen=True, slots=True)
class Bounds:
    """The autoscaler's replicas."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a spec tells of."""

    workload: Workload
    served: Served
    capacity: Capacity
    bounds: Bounds
    surge: Surge | None = None


def spec(facts: Facts, beside: Sequence[Draft], reasons: Reasons) -> list[Draft]:
    """The three files. `beside`: the YAML files that carry it out."""
    texts = (_requirements(facts), _design(facts, beside), _tasks(facts, beside))
    drafts = []
    for part, text in zip(PARTS, texts, strict=True):
        path = reasons.file = f"{facts.workload.name}/{part}.md"
        _explain(facts, path, text, reasons)
        drafts.append(Draft(path, "spec", text, dialect="markdown", sent=False))
    return drafts


def _explain(facts: Facts, path: str, text: str, reasons: Reasons) -> None:
    """The reasons of a text's numbers: its own measurements, else those of the files beside it."""
    served, goal = facts.served, facts.served.goal
    peak = f"{max(served.traffic.values):.4g}"
    wanted = numbers(text)
    own = [
        (peak, served.traffic.source("max"), "the highest hour"),
        (f"{goal.p99_s * 1000:.4g}", goal.source, goal.why),
        (f"{target_of(served.errors):g}", served.errors.source("mean"), "the strictest target that was kept"),
        (f"{facts.capacity.per_pod:.4g}", facts.capacity.source, facts.capacity.why),
    ]
    if (surge := _surge(facts)) is not None:
        when = surge.source("peak's climb and end")
        own += [
            (str(surge.replicas), surge.source("upper 95 %"), surge.arithmetic),
            *((str(part), when, f"ready by {surge.ready_by:%a %H:%M}") for part in _clock(surge.ready_by)),
            *((str(part), when, f"until {surge.until:%a %H:%M}") for part in _clock(surge.until)),
        ]
    for number, source, why in own:
        if number in wanted:
            reasons.of(number, source, why)
    if "99" in wanted:
        reasons.rule("99", "the percentile of the latency objective")
    known: dict[str, Reason] = {}
    for one in reasons.found:
        for number in numbers(one.number):
            known.setdefault(number, one)
    for number in unexplained(path, text, reasons.found):
        if number in known:
            reasons.of(number, known[number].source, known[number].why)


def _clock(at: datetime) -> tuple[int, int]:
    return at.hour, at.minute


def _requirements(facts: Facts) -> str:
    name, served, fast = facts.workload.name, facts.served, BURNS[0]
    peak, late = f"{max(served.traffic.values):.4g}", f"{served.goal.p99_s * 1000:.4g}"
    wanted = {
        "latency": f"WHILE traffic is at most {peak} requests/s, THE {name} service SHALL answer 99 % of"
        f" requests within {late} ms.",
        "errors": f"THE {name} service SHALL answer {target_of(served.errors):g} % of requests without an"
        " error.",
        "scale-out": f"WHEN a pod serves more than {facts.capacity.per_pod:.4g} requests/s, THE autoscaler"
        f" SHALL add pods, up to {facts.bounds.most}.",
        "floor": f"WHILE traffic is that of the night, THE autoscaler SHALL keep {facts.bounds.least} pods.",
        "nodes": "IF a pod fits on no node, THEN THE node pool SHALL add one in a zone that is in use.",
        "burn": f"IF errors spend the budget {fast[0]:g} times too fast over {fast[1]} and {fast[2]}, THEN"
        " THE alarm SHALL page.",
    }
    if (surge := _surge(facts)) is not None:
        begin, end = surge.ready_by, surge.until
        wanted["surge"] = (
            f"WHEN it is {begin:%a} {begin.hour} h {begin.minute} UTC, THE schedule SHALL keep"
            f" {surge.replicas} pods until {end.hour} h {end.minute}."
        )
    lines = [
        f"# Requirements: scaling of {facts.workload.namespace}/{name}",
        "",
        "Each number is measured; its metric, window and percentile are in the rationale.",
        "",
        *(f"- **REQ-{word}**: {text}" for word, text in wanted.items()),
    ]
    return "\n".join(lines) + "\n"


def _surge(facts: Facts) -> Surge | None:
    scaler: Scaler | None = facts.workload.scaler
    found = facts.surge
    return found if found and scaler and is_surge(found, scaler) else None


def _design(facts: Facts, beside: Sequence[Draft]) -> str:
    workload, bounds = facts.workload, facts.bounds
    lines = [
        f"# Design: scaling of {workload.namespace}/{workload.name}",
        "",
        "| Part | Decision |",
        "|---|---|",
        f"| HPA | {bounds.least} to {bounds.most} pods, {facts.capacity.per_pod:.4g} requests/s a pod |",
        f"| Latency | {facts.served.goal.p99_s * 1000:.4g} ms for 99 % of requests |",
        f"| Errors | {target_of(facts.served.errors):g} % of requests without one |",
        "",
        "Files that carry it out, each dry-run by the API server where it is one of its objects:",
        "",
        *(f"- `{one.path.rpartition('/')[2]}`" for one in beside),
        "",
        "Trade-off: the floor follows the night, the peak is met by scaling out; a surge that nobody foresaw",
        "waits for nodes.",
    ]
    return "\n".join(lines) + "\n"


def _tasks(facts: Facts, beside: Sequence[Draft]) -> str:
    name = facts.workload.name
    files = [one.path.rpartition("/")[2] for one in beside]
    lines = [
        f"# Tasks: scaling of {facts.workload.namespace}/{name}",
        "",
        "- [ ] Review the rationale of every number (REQ-latency, REQ-errors).",
        *(f"- [ ] Plan and apply `{one}` (plan_manifest, or a commit: via=git)." for one in files),
        "- [ ] Verify with verify_deployment: promote, hold or roll back.",
        "- [ ] Watch one peak and one night; generate again when the verdict is hold.",
    ]
    return "\n".join(lines) + "\n"
