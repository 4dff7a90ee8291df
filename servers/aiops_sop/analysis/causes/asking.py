"""What to ask for which trouble: few questions at once, and a second few that decide between hypotheses.

Called by `clients/investigating.py`. Data, not code: a table of calls by what a symptom is about.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiops_shared.errors import InvalidInputError
from aiops_shared.params import since_to_datetime
from aiops_sop.analysis.causes.facts import Facts
from aiops_sop.analysis.causes.reading import inner, text
from aiops_sop.analysis.causes.releases import MEMORY, MEMORY_BY_POD
from aiops_sop.models.investigations import Question

# What a symptom is about, by the words that people and alarms use. A symptom may be about several things.
TOPICS: Final[dict[str, re.Pattern[str]]] = {
    topic: re.compile(words, re.IGNORECASE)
    for topic, words in {
        "requests": r"5\d\d|4\d\d|error|fail|time.?out|latenc|slow|response|unavailab|burn|slo\b|throughput",
        "memory": r"memory|heap|oom|leak|working.?set",
        "cpu": r"\bcpu\b|throttl|load average|cpu_",
        "cost": r"cost|bill|spend|expens|\busd\b|\$|invoice|budget",
        "security": r"securit|guardduty|crypto|mining|malware|intrusion|suspicious|compromis",
        "disk": r"disk|filesystem|volume|inode",
        "network": r"network|dns|connect|subnet|address|\bip\b|\beni\b|packet|retransmi|drop|zone|\baz\b",
    }.items()
}
_ZONES: Final = re.compile(r"zone|\baz\b", re.IGNORECASE)
_BACK: Final = timedelta(hours=8)  # changes this long before the window still count
_EVENTS_KEPT: Final = timedelta(hours=1)  # how long an API server keeps events
_CALM: Final = timedelta(minutes=10)  # so much before the onset blurs a comparison of groups
_LATELY: Final = timedelta(minutes=5)  # fewer requests than this holds say nothing
MOST_ROWS: Final = 60


@dataclass(frozen=True, slots=True)
class Call:
    """One question to one server. `key` is where its answer stands in the facts."""

    key: str
    server: str
    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)


def window(question: Question, now: datetime) -> tuple[datetime, datetime]:
    """The stretch of time that is asked about. Raises InvalidInputError."""
    since, _, until = question.window.strip().partition("/")
    end = since_to_datetime(until, now) if until else now
    start = since_to_datetime(since or "-1h", now)
    if start >= end:
        raise InvalidInputError("window", "ends before it begins", "give -1h, or FROM/TO as -3h/-1h")
    return start, end


def topics(question: Question) -> frozenset[str]:
    """What the trouble is about; empty when the words do not say."""
    words = _words(question)
    return frozenset(topic for topic, pattern in TOPICS.items() if pattern.search(words))


def _words(question: Question) -> str:
    event = " ".join(text(each) for each in question.event.values() if isinstance(each, str))
    return f"{question.symptom} {question.alarm} {event}"


def first_round(question: Question, since: datetime, now: datetime) -> tuple[Call, ...]:
    """What is always worth asking, and what the symptom calls for."""
    about = topics(question)
    where = {"cluster": question.cluster} if question.cluster else {}
    several = isinstance(question.cluster, tuple)
    calls = [*_cluster_calls(question, where, since, now)]
    if not several:
        calls.append(Call("alarms", "observability", "list_alarms", where))
    if "cost" in about:
        calls += _cost_calls(where) if where else ()
    elif not several:
        calls += _ground_calls(about, where)
    if question.service and not several:
        calls += _service_calls(question.service, question.namespace, where, since, now, about)
        if question.namespace and _ZONES.search(_words(question)):
            named = {"namespace": question.namespace, "kind": "Deployment", "name": question.service}
            calls.append(Call("diagnose/service", "eks", "diagnose", {**where, **named}))
    return tuple(calls)


def _cluster_calls(
    question: Question, where: dict[str, Any], since: datetime, now: datetime
) -> Iterator[Call]:
    space = {"namespace": question.namespace} if question.namespace else {}
    changed = {**where, **_past(since, now), "limit": MOST_ROWS}
    yield Call("diagnose", "eks", "diagnose", {**where, **space})
    yield Call("changes", "eks", "list_changes", changed)
    yield Call("events", "eks", "list_events", {**where, **space, "since": _at(since), "limit": MOST_ROWS})


def _cost_calls(where: dict[str, Any]) -> Iterator[Call]:
    yield Call("cost", "cost", "explain_cost_change", where)
    if not isinstance(where.get("cluster"), tuple):
        yield Call("savings", "cost", "recommend_savings", where)


def _ground_calls(about: frozenset[str], where: dict[str, Any]) -> Iterator[Call]:
    """What requests stand on: addresses, names, the network, the nodes."""
    if not about or about & {"requests", "network"}:
        yield Call("subnets", "eks", "describe_cluster", {**where, "include": ["subnets"]})
        for what in ("dns_latency_p99", "retransmissions", "cluster_cpu"):
            yield Call(what, "observability", "query_metrics", {**where, "what": what, "kind": "Cluster"})


def _service_calls(
    service: str,
    namespace: str,
    where: dict[str, Any],
    since: datetime,
    now: datetime,
    about: frozenset[str],
) -> Iterator[Call]:
    span = {**where, "since": _at(since), "until": _at(now)}
    named = {**where, "namespace": namespace or None, "name": service}
    past = _past(since, now)
    for group_by in ("az", "endpoint"):
        yield Call(
            f"traces/{group_by}",
            "observability",
            "analyze_traces",
            {**span, "service": service, "group_by": group_by},
        )
    yield Call("health", "observability", "get_service_health", {**where, "service": service})
    for what in ("errors_by_version", "latency_by_version", "errors_by_route"):
        yield Call(what, "observability", "query_metrics", {**named, **past, "what": what, "kind": "Service"})
    if namespace:
        changes = {**named, "kind": "Deployment", "until": _at(now)}
        yield Call("anomalies", "observability", "detect_anomalies", changes)
        asked = {**named, **past, "what": MEMORY, "kind": "Deployment"}
        if not about or "memory" in about:
            yield Call(MEMORY, "observability", "query_metrics", asked)
    if not about or "requests" in about:
        words = {**span, "mode": "patterns", "service": service}
        yield Call("logs", "observability", "analyze_logs", words)


def _past(since: datetime, now: datetime) -> dict[str, str]:
    """The window, or the last hours before its end where it is short: versions are compared over it."""
    return {"since": _at(min(since, now - _BACK)), "until": _at(now)}


def second_round(facts: Facts) -> tuple[Call, ...]:
    """What decides between the hypotheses that the first round left open."""
    question = facts.question
    if isinstance(question.cluster, tuple):
        return ()
    where = {"cluster": question.cluster} if question.cluster else {}
    calls = [
        *_about_onset(facts, where),
        *_about_dependency(facts, where),
        *_about_alarmed(facts, where),
        *_about_memory(facts, where),
        *_about_money(facts, where),
    ]
    return tuple(one for one in calls if not facts.knows(one.key) and one.key not in facts.gaps)


def _about_onset(facts: Facts, where: dict[str, Any]) -> Iterator[Call]:
    """Requests since the trouble began, when the window holds a good while before it."""
    onset = facts.onset
    if onset and facts.traces("az") and facts.since + _CALM <= onset <= facts.now - _LATELY:
        span = {**where, "since": _at(onset), "until": _at(facts.now)}
        asked = {**span, "service": facts.question.service, "group_by": "az"}
        yield Call("traces/az/onset", "observability", "analyze_traces", asked)


def _about_money(facts: Facts, where: dict[str, Any]) -> Iterator[Call]:
    """The bill of the cluster that diagnosis found, when none was named."""
    if "cost" in topics(facts.question):
        cluster = text(facts.said("diagnose").get("cluster"))
        yield from _cost_calls(where or ({"cluster": cluster} if cluster else {}))


def _about_dependency(facts: Facts, where: dict[str, Any]) -> Iterator[Call]:
    """The store that requests wait for, or the pool inside the service that waits."""
    traces = facts.traces("az")
    edge, pattern = text(traces.get("edge")), text(traces.get("pattern"))
    callee = edge.partition(" -> ")[2]
    for store in sorted(facts.stores):
        if store == callee or f"-> {store}" in " ".join(text(one) for one in _normal(traces)):
            for what in ("db_cpu", "db_connections"):
                asked = {**where, "what": what, "kind": "Database", "name": store}
                yield Call(f"{what}/{store}", "observability", "query_metrics", asked)
    if pattern == "client_side_wait":
        owner = edge.partition(":")[0]
        for what in ("pool_max", "pool_active", "pool_waiting"):
            asked = {"what": what, "kind": "Deployment", "name": owner, "since": _at(facts.since - _BACK)}
            space = {"namespace": facts.question.namespace or None, "until": _at(facts.now)}
            yield Call(what, "observability", "query_metrics", {**where, **asked, **space})


def _normal(traces: Any) -> tuple[Any, ...]:
    found = inner(traces, "normal")
    return tuple(found) if isinstance(found, list | tuple) else ()


def _about_memory(facts: Facts, where: dict[str, Any]) -> Iterator[Call]:
    """What a program that keeps memory says of its caches."""
    asked = facts.question
    if MEMORY in facts.gaps and asked.namespace:  # a backend that knows no images
        pods = {"what": "memory", "kind": "Deployment", "namespace": asked.namespace, "name": asked.service}
        given = {**where, **pods, **_past(facts.since, facts.now)}
        yield Call(MEMORY_BY_POD, "observability", "query_metrics", given)
    if len(facts.lines(MEMORY)) > 1 and asked.namespace:
        lines = {"workload": f"deployment/{asked.service}", "grep": "cache", "tail": 50, "since": "-30m"}
        yield Call("lines", "eks", "get_pod_logs", {**where, "namespace": asked.namespace, **lines})


def _about_alarmed(facts: Facts, where: dict[str, Any]) -> Iterator[Call]:
    """The workload that the alarms point to, when nobody named one."""
    if facts.question.service:
        return
    named = alarmed(facts)
    if named is None:
        return
    namespace, name = named
    asked = {**where, "namespace": namespace, "kind": "Deployment", "name": name, "until": _at(facts.now)}
    yield Call("anomalies", "observability", "detect_anomalies", asked)


def alarmed(facts: Facts) -> tuple[str, str] | None:
    """Namespace and name of what the asked alarm is about, or of what all firing alarms are about."""
    alarm = facts.question.alarm
    wanted = [one for one in facts.alarms if alarm and one.name == alarm] or (
        [] if alarm else [one for one in facts.alarms if one.noise == "actionable"]
    )
    places = {one.where for one in wanted if "/" in one.where}
    if len(places) != 1:
        return None
    namespace, _, name = places.pop().partition("/")
    return namespace, name


def _at(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
