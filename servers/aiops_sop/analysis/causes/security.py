"""Somebody else at work: what GuardDuty saw in a workload comes before every explanation by load."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from aiops_sop.analysis.causes.facts import Alarm, Facts
from aiops_sop.analysis.causes.hypotheses import UNKNOWN, Hypothesis, Link, Seen, Test
from aiops_sop.analysis.causes.memory import calm_traffic
from aiops_sop.analysis.causes.releases import releases
from aiops_sop.models.investigations import Action

# GuardDuty finding types begin with their purpose (user guide, "finding types").
_CODES: Final = (("CryptoCurrency:", "CRYPTO_MINING"),)
_TOPICS: Final = frozenset({"security", "cpu", "requests"})
_SOP: Final = "security-isolate"


def hypotheses(facts: Facts) -> Iterator[Hypothesis]:
    """One for each workload with a security finding."""
    places: set[str] = set()
    for alarm in facts.alarms:
        if alarm.source == "guardduty" and alarm.where not in places:
            places.add(alarm.where)
            yield _threat(facts, alarm)


def _threat(facts: Facts, alarm: Alarm) -> Hypothesis:
    namespace, _, name = alarm.where.rpartition("/")
    code = next((code for head, code in _CODES if alarm.name.startswith(head)), "SECURITY_THREAT")
    what = "mines cryptocurrency" if code == "CRYPTO_MINING" else "does what an intruder would do"
    where = name or "the cluster"
    said = Seen(True, f"GuardDuty: {alarm.name}", "guardduty", "list_alarms", alarm.since)
    return Hypothesis(
        code=code,
        kind="Deployment" if name else "Cluster",
        namespace=namespace,
        name=name,
        severity="critical" if alarm.severity == "critical" else "high",
        headline=f"{where} {what} (GuardDuty {alarm.name}): a security incident, not load",
        text=f"GuardDuty reports {alarm.name} in {where}. What it uses is not explained by requests: scaling"
        " it would feed the intruder.",
        tests=(
            Test("GuardDuty reports it", lambda _: said),
            Test("it uses all it may", partial(_busy, alarm.where), "supports"),
            Test("a new image came before", partial(_image, name), "supports"),
            Test("requests are as usual", calm_traffic, "supports"),
        ),
        base=0.88,
        answers=_TOPICS,
        actions=tuple(_actions(namespace, name)),
        chain=tuple(_chain(facts, alarm, name)),
        explains=frozenset({"TRAFFIC_SURGE", "CPU_THROTTLED", "DEPLOY_REGRESSION"}),
        sop=_SOP,
    )


def _busy(where: str, facts: Facts) -> Seen:
    for one in facts.alarms:
        if one.where == where and one.source != "guardduty":
            return Seen(
                True, f"alarm {one.name} {one.threshold}".strip(), one.source, "list_alarms", one.since
            )
    return UNKNOWN


def _image(name: str, facts: Facts) -> Seen:
    for one in releases(facts, name)[-1:]:
        if one.to_image:
            return Seen(True, one.change.said, "changes", "list_changes", one.at)
    return UNKNOWN


def _actions(namespace: str, name: str) -> Iterator[Action]:
    yield Action(
        action=f"isolate {name}: deny all its traffic by NetworkPolicy and label it; delete nothing, so that"
        " evidence stays",
        risk="medium",
        needs_approval=True,
        sop=_SOP,
        tool="eks.plan_manifest",
        arguments={"action": "apply", "namespace": namespace},
    )
    yield Action(
        action=f"find where the image of {name} came from, rotate what its pods could read; do not scale",
        risk="low",
        needs_approval=False,
        sop=_SOP,
    )


def _chain(facts: Facts, alarm: Alarm, name: str) -> Iterator[Link]:
    for one in releases(facts, name)[-1:]:
        yield Link(one.at, one.change.said, "changes")
    for each in facts.alarms:
        if each.where == alarm.where and each.since:
            yield Link(each.since, f"alarm {each.name}", each.source)
