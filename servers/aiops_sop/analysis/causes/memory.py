"""Memory that is kept: a leak by itself, or one that a release brought."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

from aiops_sop.analysis.causes.facts import Facts, Line
from aiops_sop.analysis.causes.hypotheses import UNKNOWN, Hypothesis, Link, Seen, Test
from aiops_sop.analysis.causes.reading import amount, inner, moment, number, rows, text
from aiops_sop.analysis.causes.releases import (
    MEMORY,
    Pair,
    Release,
    aged,
    by_version,
    pair,
    released_before,
    releases,
    worse,
)
from aiops_sop.analysis.causes.waiting import calm_calls
from aiops_sop.models.investigations import Action

LEAK, AFTER_DEPLOY = "MEMORY_LEAK", "MEMORY_LEAK_AFTER_DEPLOY"
MIB: Final = 2**20
CLIMBS_H: Final = 0.05  # of its mean, an hour
STEEP_H: Final = 0.2  # of its mean, an hour: memory doubles within hours, which no slow leak does
HIGHER: Final = 1.3  # than the version before
_MEMORY: Final = frozenset({"memory"})
_EFFECTS: Final = frozenset({"CONTAINER_EXITS", "OOM_LIMIT_TOO_LOW", "DEPLOY_REGRESSION", LEAK})


def hypotheses(facts: Facts) -> Iterator[Hypothesis]:
    """What the memory of the asked workload may say."""
    name = facts.question.service
    growth = inner(facts.said("anomalies"), "growth")
    known = {(one.code, one.name) for one in facts.findings}
    if isinstance(growth, dict) and name and (LEAK, name) not in known:
        yield _leak(facts, name, growth)
    if by_version(facts, MEMORY):
        yield from _after_deploy(facts, name)


def _leak(facts: Facts, name: str, growth: dict[str, Any]) -> Hypothesis:
    grade, onset = text(growth.get("grade")), moment(growth.get("onset"))
    rate, eta = amount(growth.get("rate_bytes_per_h")) / MIB, number(growth.get("limit_eta_s"))
    release = released_before(facts, name, onset)
    left = f"; its limit is reached in {eta / 3600:.1f} h" if eta is not None else ""
    since = f" since {onset:%Y-%m-%dT%H:%MZ}" if onset else ""
    related = f"; related change: {release.version or 'a rollout'} just before" if release else ""
    trend = f"{name} memory: abnormal increasing trend{since}, {rate:.1f} MiB/h per pod"
    return Hypothesis(
        code=LEAK,
        kind="Deployment",
        namespace=facts.question.namespace,
        name=name,
        severity="high" if eta is not None and eta < 172_800 else "medium",
        headline=f"{trend}{left}{related}",
        text=f"{name} keeps memory that it does not give back ({grade}): {rate:.1f} MiB/h with load, hour of"
        f" day, restarts and warm-up taken out{left}{related}.",
        tests=(
            Test("memory grows by itself", lambda _: Seen(True, trend, "metrics", "detect_anomalies", onset)),
            Test("a release brought it", partial(_brought_by_release, name), "must_not"),
            Test("a release came just before", partial(_release_seen, release), "supports"),
            Test("requests are as usual", calm_traffic, "supports"),
        ),
        base=0.85 if grade == "confirmed" else 0.7,
        answers=_MEMORY,
        actions=tuple(_leak_actions(facts, name, release)),
        chain=tuple(_leak_chain(name, onset, release, trend)),
        explains=_EFFECTS - {LEAK},
        sop="memory-leak",
        details={"guilty": "deployment" if release else ""},
    )


def _release_seen(release: Release | None, facts: Facts) -> Seen:
    del facts
    return Seen(True, release.change.said, "changes", "list_changes", release.at) if release else UNKNOWN


def calm_traffic(facts: Facts) -> Seen:
    """Whether as many requests come as ever."""
    if not facts.knows("anomalies"):
        return UNKNOWN
    for row in rows(inner(facts.said("anomalies"), "tested")):
        if row.get("signal") == "requests_total":
            calm = text(row.get("verdict")).startswith("normal")
            return Seen(True, "requests are as usual", "metrics", "requests_total") if calm else UNKNOWN
    return UNKNOWN


def _leak_actions(facts: Facts, name: str, release: Release | None) -> Iterator[Action]:
    space = facts.question.namespace
    profile = {"action": "profile", "namespace": space, "name": name}
    yield Action(
        action=f"take a heap profile of one pod of {name}: what holds the memory",
        risk="low",
        needs_approval=True,
        sop="memory-leak",
        tool="eks.plan_workload_change",
        arguments=profile,
    )
    if release:
        yield rollback(facts, name, release, "memory-leak")
    yield Action(
        action="raising the limit delays the end and does not fix it",
        risk="medium",
        needs_approval=True,
        sop="memory-leak",
    )


def _leak_chain(name: str, onset: datetime | None, release: Release | None, trend: str) -> Iterator[Link]:
    del name
    if release:
        yield Link(release.at, release.change.said, "changes")
    if onset:
        yield Link(onset, trend, "metrics")


def rollback(facts: Facts, name: str, release: Release, sop: str) -> Action:
    """Back to the revision before a release."""
    arguments: dict[str, Any] = {
        "action": "rollback",
        "namespace": release.change.namespace or facts.question.namespace,
        "name": name,
    }
    if release.from_revision:
        arguments["to_revision"] = int(release.from_revision)
    where = f"revision {release.from_revision}" if release.from_revision else "the revision before"
    image = f" ({release.from_image})" if release.from_image else ""
    return Action(
        action=f"roll back {name} to {where}{image}",
        risk="medium",
        needs_approval=True,
        sop=sop,
        tool="eks.plan_workload_change",
        arguments=arguments,
    )


def _after_deploy(facts: Facts, name: str) -> Iterator[Hypothesis]:
    for release in releases(facts, name)[-1:]:
        both = pair(facts, MEMORY, release)
        if both is not None:
            yield _brought(facts, name, release, both)


def _brought(facts: Facts, name: str, release: Release, both: Pair) -> Hypothesis:
    route, age = worst_route(facts), aged(release.at, facts.now)
    low, high = (both.old.mean or 0.0) / MIB, (both.new.last or 0.0) / MIB
    driven = f", driven by {route}" if route else ""
    headline = (
        f"{name}: memory climbs since {release.version} was rolled out {age} ago"
        f" ({low:.0f} to {high:.0f} MiB per pod){driven}"
    )
    climbs = f"{release.version} {low:.0f} to {high:.0f} MiB, {(both.new.slope_h or 0.0) / MIB:.0f} MiB/h"
    return Hypothesis(
        code=AFTER_DEPLOY,
        kind="Deployment",
        namespace=release.change.namespace or facts.question.namespace,
        name=name,
        severity="high",
        headline=headline,
        text=f"{release.version} of {name} keeps memory that {release.before} gave back{driven}: from"
        f" {low:.0f} to {high:.0f} MiB per pod in {age}; the revision before it was steady.",
        tests=(
            Test("the new version's memory climbs", lambda given: _climbs(given, both, climbs)),
            Test("the release is worse for its users too", lambda given: _witness(given, release, route)),
            Test(
                "memory climbed before the release",
                partial(_climbed_before, both, release),
                "must_not",
            ),
            Test("the release came before the climb", partial(_release_seen, release), "supports"),
            Test("requests wait inside the service itself", calm_calls, "supports"),
            Test("requests are as usual", calm_traffic, "supports"),
        ),
        base=0.82,
        answers=_MEMORY | {"requests"},
        actions=tuple(_brought_actions(facts, name, release, route)),
        chain=(Link(release.at, release.change.said, "changes"),),
        explains=_EFFECTS,
        sop="memory-spike-rollback",
        details={"guilty": "deployment"},
    )


def _question(facts: Facts) -> str:
    """What was asked of the metrics, as evidence names it."""
    return MEMORY if facts.lines(MEMORY) else "memory"


def _climbs(facts: Facts, both: Pair, says: str) -> Seen:
    new, old = both.new, both.old
    rising = _rises(new, CLIMBS_H)
    higher = (new.last or 0.0) >= HIGHER * max(old.mean or 0.0, 1.0)
    return Seen(rising and higher, says, "metrics", _question(facts))


def _rises(line: Line, share_h: float) -> bool:
    """By at least such a share of its mean, an hour."""
    return (line.slope_h or 0.0) >= share_h * max(line.mean or 0.0, 1.0)


def _climbed_before(both: Pair, release: Release, facts: Facts) -> Seen:
    """The old version climbed already: whatever it is, the release did not bring it."""
    old = both.old
    if old.low is None or old.last is None:
        return UNKNOWN
    rose = old.last >= 1.2 * max(old.low, 1.0)
    says = f"{release.before} rose from {old.low / MIB:.0f} to {old.last / MIB:.0f} MiB before the rollout"
    return Seen(rose, says if rose else f"{release.before} was steady", "metrics", _question(facts))


def _brought_by_release(name: str, facts: Facts) -> Seen:
    """The newest version climbs steeply, the one before was steady, and nothing says that users are served as
    before: then the leak has a name, `AFTER_DEPLOY`.
    """
    release = next(reversed(releases(facts, name)), None)
    both = pair(facts, MEMORY, release)
    if release is None or both is None:
        return UNKNOWN
    before = _climbed_before(both, release, facts)
    climbs = _climbs(facts, both, "").holds and _rises(both.new, STEEP_H)
    unfelt = _witness(facts, release, "").holds is False
    says = f"{release.version} brought it, {before.says}"
    return Seen(bool(climbs) and before.holds is False and not unfelt, says, "metrics", _question(facts))


def _witness(facts: Facts, release: Release, route: str) -> Seen:
    """Failures or latency of the new version, or of one of its routes, beside those of the old one."""
    figures = (("errors_by_version", 2.0, 0.002), ("latency_by_version", 1.5, 0.05))
    known = False
    for key, times, more in figures:
        both = pair(facts, key, release)
        verdict = worse(both, times=times, more=more)
        known = known or verdict is not None
        if verdict and both is not None:
            on = f" (most on {route})" if route else ""
            says = f"{key.partition('_')[0]} {both.old.last:.3g} to {both.new.last:.3g}{on}"
            return Seen(True, says, "metrics", key)
    return Seen(False, "requests are served as before", "metrics", "errors_by_version") if known else UNKNOWN


def worst_route(facts: Facts) -> str:
    """The route that fails far more often than the others, or is slower in traces; nothing without one."""
    lines = sorted(
        (one for one in facts.lines("errors_by_route") if one.label and one.last is not None),
        key=lambda one: (-(one.last or 0.0), one.label),
    )
    if len(lines) > 1 and (lines[0].last or 0.0) >= 3 * max(lines[1].last or 0.0, 1e-6):
        return lines[0].label
    found = sorted(
        rows(inner(facts.traces("endpoint"), "groups")),
        key=lambda row: (
            -amount(row.get("fault_pct")),
            -amount(row.get("p50_ms")),
            text(row.get("endpoint")),
        ),
    )
    if len(found) > 1 and amount(found[0].get("fault_pct")) > 2 * amount(found[1].get("fault_pct")):
        return text(found[0].get("endpoint"))
    return ""


def _brought_actions(facts: Facts, name: str, release: Release, route: str) -> Iterator[Action]:
    yield rollback(facts, name, release, "memory-spike-rollback")
    cached = unbounded_cache(facts)
    what = f"what {route} caches" if route else "its cache"
    if cached:
        yield Action(
            action=f"or set a TTL and a size bound on {what} since {release.version} (its log says {cached})",
            risk="medium",
            needs_approval=True,
        )
    else:
        yield Action(
            action=f"or bound what {release.version} keeps: a TTL on {what}; a heap profile names it",
            risk="medium",
            needs_approval=True,
        )


def unbounded_cache(facts: Facts) -> str:
    """What the program's own log says of a cache that never lets go, in our words."""
    for row in rows(inner(facts.said("lines"), "patterns")):
        said = " ".join(text(each) for each in row.values() if isinstance(each, str)).lower()
        if "cache" in said:
            words = [word for word in ("ttl=none", "evictions=0", "ttl=0") if word in said]
            if words:
                return ", ".join(words)
    return ""
