"""Requests that fail or wait while the cluster is well: a store, a zone, a release, load, lost packets."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from aiops_sop.analysis.causes.facts import Facts
from aiops_sop.analysis.causes.hypotheses import UNKNOWN, Hypothesis, Link, Seen, Test
from aiops_sop.analysis.causes.memory import rollback, worst_route
from aiops_sop.analysis.causes.reading import amount, inner, rows, text
from aiops_sop.analysis.causes.releases import Release, pair, releases, worse
from aiops_sop.analysis.causes.waiting import MOSTLY, calm_calls, top_part
from aiops_sop.models.investigations import Action

TOPICS: Final = frozenset({"requests", "network"})
BUSY_DB: Final = 0.8
SURGE: Final = 1.5
_STORE_WORDS: Final = (
    "db",
    "sql",
    "postgres",
    "mysql",
    "redis",
    "mongo",
    "dynamo",
    "aurora",
    "database",
    "cache",
)


def hypotheses(facts: Facts) -> Iterator[Hypothesis]:
    """What the asked service's requests may say."""
    if not facts.question.service:
        return
    yield from _waits_for_store(facts)
    yield from _zone(facts)
    yield from _release(facts)
    yield from _surge(facts)
    yield from _network(facts)


def failing(facts: Facts) -> Seen:
    """Whether requests of the service fail or wait more than usual."""
    for one in facts.lasting("errors", "latency_p99"):
        unit = "%" if one.signal == "errors" else "s"
        factor = 100 if unit == "%" else 1
        seen, was = (factor * (each or 0.0) for each in (one.seen, one.expected))
        says = f"{facts.question.service} {one.signal} {seen:.3g} {unit}, usually {was:.3g} {unit}"
        return Seen(True, says, "metrics", "detect_anomalies", one.onset)
    traces = facts.traces("az")
    failed, count = amount(traces.get("faults")), amount(traces.get("requests"))
    if failed and count:
        return Seen(True, f"{failed:.0f} of {count:.0f} traced requests failed", "traces", "analyze_traces")
    if text(traces.get("outlier")):
        return Seen(True, f"requests in {text(traces.get('outlier'))} are worse", "traces", "analyze_traces")
    return Seen(False, "requests are served as usual", "metrics") if facts.knows("anomalies") else UNKNOWN


def same_in_all_zones(facts: Facts) -> Seen:
    """No zone is worse than the others."""
    traces = facts.traces("az")
    if not traces:
        return UNKNOWN
    outlier = text(traces.get("outlier"))
    if outlier:
        return Seen(False, f"only {outlier} is worse", "traces", "analyze_traces(group_by=az)")
    return Seen(True, "all zones alike", "traces", "analyze_traces(group_by=az)")


def _failing_test() -> Test:
    return Test("requests fail or wait", failing)


def _waits_for_store(facts: Facts) -> Iterator[Hypothesis]:
    part, share = top_part(facts)
    caller, _, store = part.partition(" -> ")
    if not store or store not in facts.stores:
        return
    is_database = bool(facts.lines(f"db_cpu/{store}")) or any(word in store.lower() for word in _STORE_WORDS)
    code = "DB_LATENCY" if is_database else "DEPENDENCY_LATENCY"
    what = "database" if is_database else "dependency"
    waits = Seen(
        share >= MOSTLY, f"{100 * share:.0f} % of the difference is {part}", "traces", "critical path"
    )
    yield Hypothesis(
        code=code,
        kind="Database" if is_database else "Service",
        namespace="",
        name=store,
        severity="high",
        headline=f"{what} {store} answers slowly or not at all, for callers in all zones",
        text=f"Requests of {facts.question.service} wait in {part}; every zone is hit alike, so it is {store}"
        " and not its callers, their nodes or their network.",
        tests=(
            _failing_test(),
            Test(f"the time is spent waiting for {store}", lambda _: waits),
            Test("all zones are hit alike", same_in_all_zones),
            Test(f"{store} is busy", partial(_busy, store), "supports"),
            Test("no release came before", _no_release, "supports"),
        ),
        base=0.75,
        answers=TOPICS,
        actions=(
            Action(
                action=f"look at {store}: running statements, locks, waits; end or optimise what fills it",
                risk="low",
                needs_approval=False,
            ),
            Action(
                action=f"relieve {store}: fewer connections per caller, a larger instance or a read replica",
                risk="high",
                needs_approval=True,
            ),
        ),
        details={"guilty": "database", "hurts": (caller, facts.question.service)},
    )


def _busy(store: str, facts: Facts) -> Seen:
    for line in facts.lines(f"db_cpu/{store}"):
        if line.last is not None:
            busy = line.last >= BUSY_DB
            return Seen(busy, f"{store} CPU {100 * line.last:.0f} %", "metrics", f"db_cpu {store}")
    return UNKNOWN


def _no_release(facts: Facts) -> Seen:
    if not facts.knows("changes"):
        return UNKNOWN
    near = [one for one in facts.changes if one.name in facts.path and one.at >= facts.since]
    return UNKNOWN if near else Seen(True, "nothing on the way of the requests changed", "changes")


def _zone(facts: Facts) -> Iterator[Hypothesis]:
    traces = facts.traces("az")
    zone, pattern = text(traces.get("outlier")), text(traces.get("pattern"))
    if not zone:
        return
    row = next((one for one in rows(inner(traces, "groups")) if text(one.get("az")) == zone), {})
    figures = f"{zone}: {amount(row.get('fault_pct')):.1f} % fail, p95 {amount(row.get('p95_ms')):.0f} ms"
    worse_there = Test("one zone is worse", lambda _: Seen(True, figures, "traces", "group_by=az"))
    explained = Test(f"the cluster explains {zone}", partial(_explained, zone), "must_not")
    if pattern == "az_gray_failure":
        yield _gray(facts, zone, figures, (worse_there, explained))
    else:
        yield _in_zone(facts, zone, figures, (worse_there, explained))


def _gray(facts: Facts, zone: str, figures: str, tests: tuple[Test, ...]) -> Hypothesis:
    many = Seen(True, "several parts of a request are a little worse there", "traces", "critical path")
    return Hypothesis(
        code="AZ_GRAY_FAILURE",
        kind="Zone",
        namespace="",
        name=zone,
        severity="high",
        headline=f"zone {zone} is ill: every part of a request is a little worse there ({figures})",
        text=f"Several services are slower or fail more in {zone} than elsewhere, none of them alone explains"
        " it, and nodes and pods there say that they are well: a gray failure of the zone.",
        tests=(*tests, Test("many parts take part", lambda _: many), _failing_test()),
        base=0.82,
        answers=TOPICS,
        actions=(
            Action(
                action=f"check that the other zones hold the load, then shift traffic away from {zone}"
                " (ARC zonal shift)",
                risk="high",
                needs_approval=True,
                sop="az-gray-failure",
            ),
            Action(
                action=f"look for an event of {zone} at AWS Health; cordon no node before",
                risk="low",
                needs_approval=False,
                sop="az-gray-failure",
            ),
        ),
        sop="az-gray-failure",
        details={"hurts": (facts.question.service,)},
    )


def _in_zone(facts: Facts, zone: str, figures: str, tests: tuple[Test, ...]) -> Hypothesis:
    part, share = top_part(facts)
    name = part.removesuffix(" itself").rpartition(" -> ")[2].partition(":")[0] or facts.question.service
    mostly = Seen(
        share >= MOSTLY, f"{100 * share:.0f} % of the difference is {part}", "traces", "critical path"
    )
    return Hypothesis(
        code="WORKLOAD_DEGRADED_IN_ZONE",
        kind="Service",
        namespace=facts.question.namespace,
        name=name,
        severity="medium",
        headline=f"{name} is worse in {zone} alone ({figures}); the zone itself is well",
        text=f"What is worse in {zone} lies in {part}: pods of {name} there, their nodes or their subnet.",
        tests=(*tests, Test("one part explains it", lambda _: mostly), _failing_test()),
        base=0.7,
        answers=TOPICS,
        actions=(
            Action(
                action=f"diagnose the pods of {name} in {zone} and the nodes under them",
                risk="low",
                needs_approval=False,
                tool="eks.diagnose",
                arguments={"namespace": facts.question.namespace, "kind": "Deployment", "name": name},
            ),
            Action(
                action=f"restart or move the pods of {name} in {zone}", risk="medium", needs_approval=True
            ),
        ),
        details={"hurts": (facts.question.service,)},
    )


def _explained(zone: str, facts: Facts) -> Seen:
    """A finding about something in that zone, or about a workload on the way of the requests."""
    for one in facts.findings:
        words = " ".join((one.name, one.title, one.cause, *one.symptoms, *map(str, one.evidence)))
        hurt = {symptom.rpartition("/")[2] for symptom in one.symptoms} | {one.name}
        if zone in words or (one.kind in {"Subnet", "Node"} and hurt & facts.path):
            return Seen(True, f"{one.code} explains {zone}: {one.title}", "kubernetes", "diagnose")
    return Seen(False, "diagnosis finds nothing there") if facts.knows("diagnose") else UNKNOWN


def _release(facts: Facts) -> Iterator[Hypothesis]:
    name = facts.question.service
    found: tuple[Release | None, ...] = releases(facts, name)[-1:] or (None,)
    release = found[0]
    for key, times, more, unit in (
        ("errors_by_version", 2.0, 0.002, "%"),
        ("latency_by_version", 1.5, 0.05, "s"),
    ):
        both = pair(facts, key, release)
        verdict = worse(both, times=times, more=more)
        if both is None or verdict is None:
            continue
        signal, factor = key.partition("_")[0], 100 if unit == "%" else 1
        new, old = (factor * (one.last or 0.0) for one in (both.new, both.old))
        says = f"{signal} of {both.new.label} {new:.3g} {unit}, of {both.old.label} {old:.3g} {unit}"
        actions = [rollback(facts, name, release, "gitops-deploy-verify")] if release else []
        stop = f"stop or roll back {both.new.label} of {name}"
        yield Hypothesis(
            code="DEPLOY_REGRESSION",
            kind="Deployment",
            namespace=facts.question.namespace,
            name=name,
            severity="high",
            headline=f"{name} {both.new.label} is worse than {both.old.label}: {says}",
            text=f"The newer version fails more or takes longer than the one before it: {says}.",
            tests=(
                Test("the newer version is worse", partial(_said, verdict, says, key)),
                Test("a rollout brought it", partial(_brought, release), "supports"),
                Test("one route is hit", _routed, "supports"),
            ),
            base=0.8,
            answers=TOPICS,
            actions=tuple(actions) or (Action(action=stop, risk="medium", needs_approval=True),),
            chain=(*((Link(release.at, release.change.said, "changes"),) if release else ()),),
            details={"guilty": "deployment"},
        )


def _said(verdict: bool, says: str, key: str, facts: Facts) -> Seen:
    del facts
    return Seen(verdict, says, "metrics", key)


def _brought(release: Release | None, facts: Facts) -> Seen:
    del facts
    return Seen(True, release.change.said, "changes", "list_changes", release.at) if release else UNKNOWN


def _routed(facts: Facts) -> Seen:
    route = worst_route(facts)
    return Seen(True, f"most on {route}", "metrics", "errors_by_route") if route else UNKNOWN


def _surge(facts: Facts) -> Iterator[Hypothesis]:
    grown = [one for one in facts.lasting("requests_total") if (one.expected or 0.0) > 0]
    if not grown or (grown[0].seen or 0.0) < SURGE * (grown[0].expected or 0.0):
        return
    one, name = grown[0], facts.question.service
    says = f"{one.seen:.0f} requests a second, usually {one.expected:.0f}"
    yield Hypothesis(
        code="TRAFFIC_SURGE",
        kind="Service",
        namespace=facts.question.namespace,
        name=name,
        severity="medium",
        headline=f"{name} has more to do: {says}",
        text=f"Requests grew to {says}; failures and waiting began with them, in every version alike.",
        tests=(
            Test("requests grew", lambda _: Seen(True, says, "metrics", "requests_total", one.onset)),
            Test("requests fail or wait", failing),
            Test("one version is worse", _version_worse, "must_not"),
        ),
        base=0.7,
        answers=TOPICS | {"cpu"},
        actions=(
            Action(
                action=f"scale {name} out, or raise its autoscaler's maximum",
                risk="medium",
                needs_approval=True,
                tool="eks.plan_workload_change",
                arguments={"action": "scale", "namespace": facts.question.namespace, "name": name},
            ),
        ),
        chain=(*((Link(one.onset, says, "metrics"),) if one.onset else ()),),
        details={"guilty": "traffic"},
    )


def _version_worse(facts: Facts) -> Seen:
    release = next(iter(releases(facts, facts.question.service)[-1:]), None)
    figures = (("errors_by_version", 2.0, 0.002), ("latency_by_version", 1.5, 0.05))
    verdicts = [worse(pair(facts, key, release), times=times, more=more) for key, times, more in figures]
    if any(verdicts):
        return Seen(True, "the newer version is worse than the older", "metrics", "by version")
    known = any(verdict is not None for verdict in verdicts)
    return Seen(False, "both versions alike", "metrics", "by version") if known else UNKNOWN


def _network(facts: Facts) -> Iterator[Hypothesis]:
    """Packets are lost between services: kept only with flow figures, rejected by calm calls."""
    if not failing(facts).holds:
        return
    yield Hypothesis(
        code="NETWORK_LOSS",
        kind="Service",
        namespace=facts.question.namespace,
        name=facts.question.service,
        severity="high",
        headline=f"packets are lost on the way of {facts.question.service}'s requests",
        text="TCP retransmissions rose many times over with the failures.",
        tests=(
            Test("retransmissions rose", _retransmissions),
            Test("calls between services are as fast as ever", calm_calls, "must_not"),
            Test("the cluster does not explain it", _nothing_below),
        ),
        base=0.6,
        answers=TOPICS,
        rank=1,
    )


def _retransmissions(facts: Facts) -> Seen:
    for line in facts.lines("retransmissions"):
        if line.high is not None and line.low is not None:
            rose = line.high > 3 * max(line.low, 1.0)
            says = f"{line.label} {line.low:.0f} to {line.high:.0f}"
            return Seen(rose, says, "flow monitor", "retransmissions")
    return UNKNOWN


def _nothing_below(facts: Facts) -> Seen:
    deep = [one for one in facts.findings if one.kind in {"Subnet", "Node"}]
    if deep:
        return Seen(False, f"{deep[0].code}: {deep[0].title}", "kubernetes", "diagnose")
    well = "diagnosis finds nothing below"
    return Seen(True, well, "kubernetes", "diagnose") if facts.knows("diagnose") else UNKNOWN
