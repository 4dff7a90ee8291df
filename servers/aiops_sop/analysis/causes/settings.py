"""A pool inside the service that ran dry: for want of connections, or because its settings were changed."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from aiops_sop.analysis.causes.facts import Change, Facts
from aiops_sop.analysis.causes.hypotheses import UNKNOWN, Hypothesis, Link, Seen, Test
from aiops_sop.analysis.causes.reading import inner, rows, text
from aiops_sop.analysis.causes.requests import TOPICS, failing
from aiops_sop.analysis.causes.suspects import DB_CALM
from aiops_sop.analysis.causes.waiting import top_part
from aiops_sop.models.investigations import Action

# HikariCP, c3p0, DBCP, pgx, SQLAlchemy word it differently; all name a pool and a wait or an exhaustion.
_POOL_DRY = re.compile(
    r"pool.*(not available|timed? ?out|timeout|exhausted|limit)"
    r"|(timeout|timed out|waiting).*(connection|pool)",
    re.IGNORECASE,
)
_KINDS: Final = frozenset({"ConfigMap", "Secret", "Deployment", "StatefulSet"})
BEFORE: Final = timedelta(hours=1)  # a setting takes effect with the next start, and hurts when load comes
_RESTART: Final = timedelta(minutes=15)


def hypotheses(facts: Facts) -> Iterator[Hypothesis]:
    """A dry pool, with and without a change of settings before it."""
    owner = _owner(facts)
    if not owner:
        return
    changed = _setting(facts, owner)
    if changed is not None:
        yield _regression(facts, owner, changed)
    yield _exhausted(facts, owner, changed)


def _owner(facts: Facts) -> str:
    """The service that waits for a connection of its own pool, by traces, else by its log."""
    if text(facts.traces("az").get("pattern")) == "client_side_wait":
        return top_part(facts)[0].partition(":")[0]
    for row in rows(inner(facts.said("logs"), "patterns")):
        if _POOL_DRY.search(text(row.get("pattern"))):
            return text(row.get("service")) or facts.question.service
    return ""


def _setting(facts: Facts, owner: str) -> Change | None:
    """The last change of settings near the owner before the trouble, which is no new image."""
    onset = facts.onset or facts.now
    near = [
        one
        for one in facts.changes
        if one.kind in _KINDS
        and one.verb in {"update", "patch", "rollout"}
        and onset - BEFORE - _RESTART <= one.at <= onset
        and (one.name == owner or one.name.startswith(f"{owner}-"))
    ]
    if any("image " in one.what for one in near):
        return None
    settings = [one for one in near if one.kind in {"ConfigMap", "Secret"}]
    best = settings or near
    return best[-1] if best else None


def _dry(owner: str, facts: Facts) -> Seen:
    """Whether all of the pool is in use and callers wait."""
    waiting = [line for line in facts.lines("pool_waiting") if line.last]
    if waiting:
        return Seen(True, f"{waiting[0].last:.0f} requests wait for a connection", "metrics", "pool_waiting")
    if text(facts.traces("az").get("pattern")) == "client_side_wait":
        part, share = top_part(facts)
        return Seen(True, f"{100 * share:.0f} % of the difference is {part}", "traces", "critical path")
    for row in rows(inner(facts.said("logs"), "patterns")):
        if _POOL_DRY.search(text(row.get("pattern"))):
            return Seen(True, f"{row.get('count')} log lines of {owner} say so", "logs", "analyze_logs")
    return UNKNOWN


def _shrunk(facts: Facts) -> tuple[float, float] | None:
    """What the pool's limit was and is, when it fell in the window."""
    lines = [one for one in facts.lines("pool_max") if one.points and one.last is not None]
    if not lines:
        return None
    now = min(lines, key=lambda one: (one.points, one.last or 0.0)).last or 0.0  # of the youngest pod
    was = max(one.high or 0.0 for one in lines)
    return (was, now) if now < was else None


def _regression(facts: Facts, owner: str, changed: Change) -> Hypothesis:
    shrunk = _shrunk(facts)
    sizes = f" {shrunk[0]:.0f} to {shrunk[1]:.0f}" if shrunk else ""
    what = f"{changed.kind} {changed.name}"
    fields = f" ({changed.what})" if changed.what else ""
    size = f", pool{sizes}" if sizes else ""
    return Hypothesis(
        code="CONFIG_REGRESSION",
        kind=changed.kind,
        namespace=changed.namespace,
        name=changed.name,
        severity="high",
        headline=f"{owner} waits for connections since {what} was changed at {changed.at:%H:%M}{size}",
        text=f"{what} was changed{fields}{size}; from {_from(facts):%H:%M} every connection of the pool of"
        f" {owner} is in use and requests wait inside {owner}, not in its database or on the network.",
        tests=(
            Test("requests fail or wait", failing),
            Test("the pool is dry", partial(_dry, owner)),
            Test(
                "its settings changed before",
                lambda _: Seen(True, changed.said, "changes", "list_changes", changed.at),
            ),
            Test("the limit fell", lambda _: _fell(shrunk), "supports"),
            Test("its database is calm", _database_calm, "supports"),
        ),
        base=0.8,
        answers=TOPICS,
        actions=tuple(_undo(facts, owner, changed, shrunk)),
        chain=tuple(_chain(facts, owner, changed)),
        explains=frozenset({"DB_POOL_EXHAUSTION"}),
        sop="db-pool-exhaustion",
        details={"hurts": (owner,), "guilty": ""},
    )


def _from(facts: Facts) -> datetime:
    return facts.onset or facts.now


def _fell(shrunk: tuple[float, float] | None) -> Seen:
    if shrunk is None:
        return UNKNOWN
    return Seen(True, f"connections of the pool {shrunk[0]:.0f} to {shrunk[1]:.0f}", "metrics", "pool_max")


def _database_calm(facts: Facts) -> Seen:
    for store in sorted(facts.stores):
        for line in facts.lines(f"db_cpu/{store}"):
            if line.last is not None:
                calm = line.last < DB_CALM
                return Seen(calm, f"{store} CPU {100 * line.last:.0f} %", "metrics", f"db_cpu {store}")
    return UNKNOWN


def _undo(facts: Facts, owner: str, changed: Change, shrunk: tuple[float, float] | None) -> Iterator[Action]:
    size = f" ({shrunk[0]:.0f} connections)" if shrunk else ""
    yield Action(
        action=f"put {changed.kind} {changed.name} back as it was{size} and restart {owner}",
        risk="medium",
        needs_approval=True,
        sop="db-pool-exhaustion",
        tool="eks.plan_manifest",
        arguments={"action": "apply", "namespace": changed.namespace or facts.question.namespace},
    )
    yield Action(
        action="check the database's own limit of connections before raising the pool further",
        risk="low",
        needs_approval=False,
        sop="db-pool-exhaustion",
    )


def _chain(facts: Facts, owner: str, changed: Change) -> Iterator[Link]:
    for one in facts.changes:
        ours = one.name == owner or one.name.startswith(f"{owner}-")
        if ours and changed.at - _RESTART <= one.at <= _from(facts):
            yield Link(one.at, one.said, "changes")
    seen = failing(facts)
    if seen.at:
        yield Link(seen.at, f"{owner}: {_dry(owner, facts).says}", "metrics")


def _exhausted(facts: Facts, owner: str, changed: Change | None) -> Hypothesis:
    return Hypothesis(
        code="DB_POOL_EXHAUSTION",
        kind="Deployment",
        namespace=facts.question.namespace,
        name=owner,
        severity="high",
        headline=f"{owner} waits for connections of its own pool",
        text=f"Every connection of the pool of {owner} is in use, requests wait inside {owner}.",
        tests=(
            Test("requests fail or wait", failing),
            Test("the pool is dry", partial(_dry, owner)),
            Test("its settings changed before", lambda _: _changed(changed), "must_not"),
            Test("its database is calm", _database_calm, "supports"),
        ),
        base=0.75,
        answers=TOPICS,
        actions=(
            Action(
                action=f"raise the pool of {owner} after checking the database's own limit of connections",
                risk="medium",
                needs_approval=True,
                sop="db-pool-exhaustion",
            ),
            Action(action="find the statements that hold connections long", risk="low", needs_approval=False),
        ),
        sop="db-pool-exhaustion",
        rank=1,
    )


def _changed(changed: Change | None) -> Seen:
    if changed is None:
        return Seen(False, "no setting changed before")
    return Seen(True, f"it began with {changed.said}", "changes", "list_changes", changed.at)
