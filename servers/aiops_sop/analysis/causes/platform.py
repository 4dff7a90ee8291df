"""What diagnosis found in the cluster, as hypotheses: each finding with its own evidence and next step.

Diagnosis has tested them already (docs/diagnosis.md); here they are tied to the question, dated, and given
what other sources add.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from aiops_shared.results import SEVERITIES, Severity
from aiops_shared.results.wording import brief
from aiops_sop.analysis.causes.facts import Change, Facts, Found
from aiops_sop.analysis.causes.hypotheses import Hypothesis, Link, Seen, Test
from aiops_sop.analysis.causes.reading import Obj, place, text
from aiops_sop.models.investigations import Action, Level

# What each of diagnosis' families of codes can be behind, by words of the code.
_ANSWERS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    (r"OOM|MEMORY", frozenset({"memory", "requests"})),
    (r"DISK|EPHEMERAL|IMAGE_FS", frozenset({"disk", "requests"})),
    (r"SUBNET|ADDRESS|DNS|NETWORK|POLICY|ENI|ZONE", frozenset({"network", "requests", "cost"})),
    (r"CPU|THROTTL", frozenset({"cpu", "requests"})),
)
MOST_SHOWN: Final = 4
_STEP = re.compile(r"(?:^|;\s*)\d+\.\s*")
_HIGH_RISK = re.compile(r"\b(drain|delete|replace|terminate|CIDR|IaC)\b")
_LOW_RISK = re.compile(r"\b(list_|get_|describe_|look|compare|read|find|check)\b")


def from_findings(facts: Facts) -> Iterator[Hypothesis]:
    """A hypothesis for each finding."""
    for finding in facts.findings:
        yield _from(facts, finding)


def _from(facts: Facts, found: Found) -> Hypothesis:
    hurts = {name for one in found.symptoms for name in (place(one)[2],)}
    severity: Severity = next((one for one in SEVERITIES if one == found.severity), "medium")
    return Hypothesis(
        code=found.code,
        kind=found.kind,
        namespace=found.namespace,
        name=found.name,
        severity=severity,
        headline=found.title + _where(found.clusters),
        text=found.cause,
        tests=(Test("diagnosis finds it", lambda _: _seen(found)), *_supports(found)),
        base=found.confidence,
        answers=_answers(found.code),
        actions=_actions(found),
        chain=tuple(_chain(facts, found, hurts)),
        shown=tuple(_as_seen(one) for one in found.evidence[1:MOST_SHOWN]),
        innocent=found.ruled_out,
        sop=found.sop,
        details={"hurts": tuple(sorted(hurts)), "clusters": found.clusters},
        rank=0,
    )


def _where(clusters: tuple[str, ...]) -> str:
    """The same in several clusters is one cause."""
    return f" (in {len(clusters)} clusters: {brief(clusters, 3)})" if len(clusters) > 1 else ""


def _seen(found: Found) -> Seen:
    first = _as_seen(found.evidence[0]) if found.evidence else Seen(True, "", "kubernetes")
    return first if first.says else replace(first, says=found.title)


def _as_seen(one: Obj) -> Seen:
    return Seen(True, text(one.get("says")), text(one.get("source")) or "kubernetes", text(one.get("query")))


def _supports(found: Found) -> Iterator[Test]:
    """What other servers add to a finding: alarms about its objects, flows of its subnet."""
    names = {found.name, *(place(one)[2] for one in found.symptoms)}

    def alarms(facts: Facts) -> Seen:
        for one in facts.alarms:
            spot = one.where.rpartition("/")[2]
            if spot and any(name == spot or name.startswith((f"{spot}.", f"{spot}-")) for name in names):
                return Seen(True, f"alarm {one.name} fires there", one.source, "list_alarms", one.since)
        return Seen(None, "no alarm there")

    yield Test("an alarm fires there", alarms, "supports")
    if found.kind == "Subnet":
        yield Test("its flows lose packets", lambda facts: _flows(facts, found.name), "supports")
        yield Test("requests are worse in its zone", lambda facts: _in_zone(facts, found.name), "supports")


def _flows(facts: Facts, subnet: str) -> Seen:
    lines = {one.label: one for one in facts.lines("retransmissions")}
    here = lines.get(subnet)
    if here is None or not here.high or here.low is None:
        return Seen(None, "no flow figures")
    lost = here.high > 3 * max(here.low, 1.0)
    says = f"retransmissions {here.low:.0f} to {here.high:.0f}"
    return Seen(lost, says, "flow monitor", f"retransmissions {subnet}")


def _in_zone(facts: Facts, subnet: str) -> Seen:
    """Whether the one zone whose requests are worse is the subnet's."""
    zone = text(facts.traces("az").get("outlier"))
    row = next((one for one in facts.subnets if subnet in map(str, one.values())), None)
    if not zone or row is None:
        return Seen(None, "no zone is worse, or nobody knows the subnet's")
    says = f"requests are worse in {zone} alone, where it lies"
    return Seen(zone in map(str, row.values()), says, "traces", "analyze_traces(group_by=az)")


def _answers(code: str) -> frozenset[str]:
    for words, topics in _ANSWERS:
        if re.search(words, code):
            return topics
    return frozenset({"requests", "memory", "cpu", "disk", "network"})


def _actions(found: Found) -> tuple[Action, ...]:
    steps = [step.strip(" ;") for step in _STEP.split(found.next_step) if step.strip(" ;")]
    return tuple(_action(step, found) for step in steps[:4])


def _action(step: str, found: Found) -> Action:
    reading = bool(_LOW_RISK.search(step)) and "plan_" not in step
    risk: Level = "high" if _HIGH_RISK.search(step) else "low" if reading else "medium"
    return Action(action=step, risk=risk, needs_approval=not reading, sop=found.sop)


def _chain(facts: Facts, found: Found, hurts: set[str]) -> Iterator[Link]:
    """Changes and events about what is hurt, in the window; the first of each."""
    about = {found.name, *hurts}
    for change in facts.changes:
        if change.at >= facts.since and _concerns(change, about):
            yield Link(change.at, change.said, "changes")
    told: set[tuple[str, str]] = set()
    for event in facts.events:
        owner = (event.reason, event.kind)
        if event.warning and event.first and owner not in told and _named(event.name, about):
            told.add(owner)
            what = f"{event.reason} x{event.count} {event.kind} {event.name}"
            yield Link(event.first, what, "events")


def _concerns(change: Change, about: set[str]) -> bool:
    return _named(change.name, about)


def _named(name: str, about: set[str]) -> bool:
    return bool(name) and (name in about or any(one.startswith(f"{name}-") for one in about))
