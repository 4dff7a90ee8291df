"""A verdict on a release: where it stands, what it did, whether chance does that too.

Called by `verify_deployment` through its port. The order is that of a careful person: the rollout first (what
does not run is rolled back), Argo CD's word, then numbers: a canary against its baseline in the same window,
or after against before, by endpoint, with the log lines that are new.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from aiops_shared.clock import Clock
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import since_to_datetime
from aiops_shared.results import Evidence, Table
from aiops_sop.analysis.tables import rows_of
from aiops_sop.analysis.verdicts.judging import (
    BUSIER,
    HOLD_S,
    Canary,
    Check,
    Finding,
    Judged,
    canary_checks,
    judged,
    next_weight,
)
from aiops_sop.analysis.verdicts.rollouts import Rollout, Sync, rollout_of, sync_of
from aiops_sop.clients.deployment_reading import (
    LEAST_SPAN,
    STEP_S,
    DeploymentReader,
    Series,
    Span,
    moment,
    words_of,
)
from aiops_sop.clients.deployment_wording import pull_request, said
from aiops_sop.models.deployments import DeploymentAsk, DeploymentVerdict
from aiops_sop.ports import Peers

MOST_AFTER: Final = timedelta(hours=48)
CANARY_BACK: Final = timedelta(hours=24)
FINE: Final = timedelta(hours=7)  # by five minutes, within what one answer draws
EARLIER: Final = timedelta(hours=1)
FINDINGS: Final[dict[str, Finding]] = {"worse": "worse", "unclear": "unknown"}
RECHECK_S: Final = 40  # a rollout or a sync under way
COLUMNS: Final = ("check", "before", "after", "p", "finding", "test")
MOST_ROWS: Final = 10


@dataclass
class Case:
    """One release and what is known of it so far."""

    ask: DeploymentAsk
    now: datetime
    reader: DeploymentReader
    rollout: Rollout = field(default_factory=lambda: Rollout("unknown", ""))
    sync: Sync = field(default_factory=Sync)
    cause: tuple[str, str] = ("", "")
    checks: list[Check] = field(default_factory=list)
    endpoints: list[tuple[Any, ...]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    windows: str = ""
    seen_s: float = 0.0
    share_pct: float = 100.0
    traffic_ratio: float = 1.0


@dataclass(frozen=True)
class DeploymentJudge:
    """Fulfils `tools.deployments.Deployments`."""

    peers: Peers
    clock: Clock

    async def verify(self, ask: DeploymentAsk) -> DeploymentVerdict:
        """The verdict. Raises NotFoundError for a wrong name, InvalidInputError for a wrong window."""
        now = await self.clock.now()
        case = Case(ask, now, DeploymentReader(self.peers, ask))
        if ask.app:
            await _application(case)
        if case.ask.name:
            await _rollout(case)
        found = _standing(case)
        if found is None:
            await _numbers(case)
            found = _with_load(case, judged(case.checks, case.seen_s))
            if not case.checks and case.reader.gaps:
                found = Judged("hold", ("what would tell could not be read: see warnings",), (), HOLD_S)
        return _answer(case, found)


async def _application(case: Case) -> None:
    """What Argo CD says, and which workload it deploys."""
    live = await case.reader.application()
    case.sync = sync_of(live)
    if case.ask.name:
        return
    destination = ((live.get("spec") or {}).get("destination") or {}).get("namespace", "")
    name = case.ask.app.rpartition("/")[2]
    kind, home, found = next(iter(case.sync.workloads), ("Deployment", destination, name))
    update = {"kind": kind, "namespace": home or destination, "name": found}
    case.ask = case.ask.model_copy(update=update)
    case.reader.ask = case.ask


async def _rollout(case: Case) -> None:
    """Where the workload stands; why, when it does not get well."""
    ask = case.ask
    if not ask.namespace:
        raise InvalidInputError("namespace", "a workload has one", "give namespace")
    live = await case.reader.object(ask.kind, ask.namespace, ask.name)
    case.rollout = rollout_of(live)
    if case.rollout.state in {"progressing", "stuck"}:
        case.cause = await case.reader.cause(ask.kind, ask.namespace, ask.name)


def _standing(case: Case) -> Judged | None:
    """The verdict that needs no numbers: what does not run, or is still on its way."""
    code, words = case.cause
    if case.rollout.state == "stuck" or code:
        return Judged("rollback", (f"the rollout does not get well: {words or case.rollout.says}",), ())
    if case.sync.health == "Degraded" or case.sync.failed:
        return Judged("rollback", (f"Argo CD: {case.sync.health}: {case.sync.says}",), ())
    if case.sync.status == "OutOfSync" or case.sync.health in {"Progressing", "Missing"}:
        says = f"Argo CD: {case.sync.status}, {case.sync.health}"
        return Judged("hold", (says,), (), RECHECK_S)
    if case.rollout.state == "progressing":
        return Judged("hold", (f"the rollout is under way: {case.rollout.says}",), (), RECHECK_S)
    return None


async def _numbers(case: Case) -> None:
    if case.ask.canary:
        await _canary(case)
        return
    await _before_and_after(case)


async def _canary(case: Case) -> None:
    """The canary beside its baseline over the moments in which both served."""
    ask, reader = case.ask, case.reader
    about = await _canary_about(case)
    fine = max(about - EARLIER, case.now - FINE)
    found = await reader.by_version((fine, case.now))
    new, base = found.get(ask.canary), _baseline(found, ask)
    if new is None or base is None or not new.rate:
        known = ", ".join(sorted(found)) or "none"
        raise InvalidInputError("baseline", "no other version is measured", f"measured: {known}")
    began = min(new.rate)
    before = base
    if began - timedelta(seconds=STEP_S) <= fine:  # it began before the fine window: look there
        began = about
        before = _baseline(await reader.by_version((about - EARLIER, about)), ask) or base
    both = dict.fromkeys(at for at in new.rate if at in base.rate)
    earlier = dict.fromkeys(at for at in before.rate if at < began and at not in new.rate)
    seen_s = (case.now - began).total_seconds() + STEP_S
    told = Canary(new.side(both), base.side(both), before.side(earlier), seen_s=seen_s)
    case.checks += canary_checks(told)
    case.seen_s = seen_s
    served = told.canary.rate + told.baseline.rate
    case.share_pct = 100 * told.canary.rate / served if served else 0.0
    case.windows = f"{len(both)} moments of {STEP_S} s in which both versions served, until {case.now:%H:%MZ}"


async def _canary_about(case: Case) -> datetime:
    """When the canary's requests began, within an hour. Raises InvalidInputError where there are none."""
    if case.ask.since:
        return since_to_datetime(case.ask.since, case.now)
    found = await case.reader.rates((case.now - CANARY_BACK, case.now))
    moments = found.get(case.ask.canary)
    if not moments:
        known = ", ".join(sorted(found)) or "none"
        raise InvalidInputError("canary", f"no requests of version {case.ask.canary}", f"measured: {known}")
    return moments[0]


def _baseline(found: dict[str, Series], ask: DeploymentAsk) -> Series | None:
    """The version to compare with: the one that is named, else the one that serves most."""
    return found.get(ask.baseline) if _is_version(ask.baseline) else _largest(found, ask.canary)


def _is_version(baseline: str) -> bool:
    return bool(baseline) and "/" not in baseline


def _largest(found: dict[str, Series], canary: str) -> Series | None:
    others = {name: one for name, one in found.items() if name != canary}
    return max(others.values(), key=lambda one: sum(one.rate.values()), default=None)


async def _since(case: Case) -> datetime | None:
    """When the release began: as told, as Argo CD says, or as the newest rollout."""
    if case.ask.since:
        return since_to_datetime(case.ask.since, case.now)
    if case.sync.deployed_at and (at := moment(case.sync.deployed_at)):
        return at
    return await case.reader.began(case.ask.kind, case.ask.namespace, case.ask.name)


async def _before_and_after(case: Case) -> None:
    since = await _since(case)
    if since is None:
        case.reasons.append("no rollout within seven days: nothing to compare; give since")
        return
    after = (since, min(case.now, since + MOST_AFTER))
    before = _before(case, since, after)
    case.seen_s = (after[1] - after[0]).total_seconds()
    case.windows = f"before {words_of(before)}, after {words_of(after)}"
    if after[1] - after[0] >= LEAST_SPAN:
        await _compared(case, before, after)
    else:
        old, new = await case.reader.whole(before), await case.reader.whole(after)
        case.checks += canary_checks(Canary(new.side(), old.side(), seen_s=case.seen_s))
    errors = [one.finding for one in case.checks if one.name == "errors"]
    if not errors or errors[0] in {"worse", "unknown"}:
        await _lines(case, before, since)


def _before(case: Case, since: datetime, after: Span) -> Span:
    """The window to compare with: the one that was told, else as long, at least half an hour."""
    if "/" in case.ask.baseline:
        first, _, last = case.ask.baseline.partition("/")
        ends = (since_to_datetime(first, case.now), since_to_datetime(last or "-0s", case.now))
        if ends[0] >= ends[1]:
            raise InvalidInputError("baseline", "ends before it begins", "FROM/TO, as -3h/-1h")
        return ends
    return since - max(after[1] - after[0], LEAST_SPAN), since


async def _compared(case: Case, before: Span, after: Span) -> None:
    """Long windows: the observability server's own tests, all together and by endpoint."""
    found = await case.reader.compared(before, after, "")
    case.checks += [_check(row) for row in rows_of(found, "differences")]
    case.traffic_ratio = float(found.get("traffic_ratio") or 1.0)
    routes = await case.reader.compared(before, after, "route")
    case.endpoints += [
        (row["group"], row["measure"], row["a"], row["b"], row["p"], row["verdict"])
        for row in rows_of(routes, "differences")
        if row["verdict"] in {"worse", "better"}
    ]


def _check(row: dict[str, Any]) -> Check:
    finding: Finding = FINDINGS.get(str(row["verdict"]), "ok")
    return Check(row["measure"], row["a"], row["b"], row["p"], finding, str(row["method"]))


async def _lines(case: Case, before: Span, since: datetime) -> None:
    """What the logs say: failures by endpoint, and the patterns that grew."""
    found = await case.reader.lines(before, since)
    for row in rows_of(found, "rows"):
        shares = (row["before_pct"] / 100, row["after_pct"] / 100)
        if row["endpoint"] == "all" and not any(one.name == "errors" for one in case.checks):
            finding: Finding = "worse" if row["verdict"] == "worse" else "ok"
            case.checks.append(
                Check("errors", *shares, row["p_value"], finding, "log lines, two-proportion z")
            )
        elif row["endpoint"] != "all" and row["verdict"] != "no change":
            case.endpoints.append((row["endpoint"], "failed", *shares, row["p_value"], row["verdict"]))
    for row in rows_of(found, "patterns")[:2]:
        case.reasons.append(f"+{row['growth']} lines on {row['route']}: {row['pattern']}"[:200])
    case.reasons += [str(one)[:240] for one in found.get("actions") or ()][:1]


def _with_load(case: Case, found: Judged) -> Judged:
    """Slower alone, while traffic rose: load is held, not rolled back."""
    worse = [one for one in found.checks if one.finding == "worse"]
    slower = all(one.name.startswith(("latency", "cpu", "memory")) for one in worse)
    if found.verdict != "rollback" or not worse or not slower or case.traffic_ratio < BUSIER:
        return found
    words = tuple(
        f"{why}: traffic is {case.traffic_ratio:.1f} x, load may be the cause" for why in found.reasons
    )
    return Judged("hold", words, found.checks, HOLD_S)


def _answer(case: Case, found: Judged) -> DeploymentVerdict:
    reasons = (*found.reasons, *case.reasons)
    rows = tuple(
        (one.name, _short(one.before), _short(one.after), _short(one.p), one.finding, one.how)
        for one in found.checks
    )
    ends = ("endpoint", "measure", "before", "after", "p", "verdict")
    measured = found.checks or found.verdict != "promote"
    gaps = [*case.reader.gaps, *([] if measured else ["nothing is measured of this release"])]
    promoted = bool(case.ask.canary) and found.verdict == "promote"
    return DeploymentVerdict(
        summary=said(case.ask, found, case.rollout, case.sync)[:400],
        verdict=found.verdict,
        reasons=reasons,
        recheck_after_s=found.recheck_after_s,
        next_weight_pct=next_weight(case.share_pct) if promoted else None,
        rollout=case.rollout.state,
        sync=case.sync.status,
        health=case.sync.health,
        revision=case.sync.revision,
        checks=Table(columns=COLUMNS, rows=rows),
        endpoints=Table(columns=ends, rows=tuple(case.endpoints[:MOST_ROWS])) if case.endpoints else None,
        pull_request=pull_request(case.ask, found, case.rollout, case.sync, reasons),
        evidence=(Evidence(source="observability", query=case.windows),) if case.windows else (),
        warnings=tuple(gaps),
        untrusted=("reasons", "endpoints", "pull_request", "summary"),
    )


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")
