"""What reports read of the state store: incidents, runs, actions, refusals, forecasts, drills. Only reads.

Called by the report desk, by promotion and by `eks-aiops autonomy`. A time is the world's, but for actions,
audit and call journal, which are kept in safety time; a report of days does not see the difference.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiops_shared.state import StateStore
from aiops_sop.analysis.reports.facts import IncidentRow, Journal, RunCounts
from aiops_sop.analysis.reports.windows import Window

if TYPE_CHECKING:
    from sqlalchemy import Connection

NIGHT_H = (22, 6)
WATCHED = timedelta(hours=1)
GOOD = "succeeded"


@dataclass(frozen=True, slots=True)
class DrillRow:
    """One guardrail drill."""

    id: str
    at: datetime
    passed: bool
    policy_digest: str


@dataclass(frozen=True, slots=True)
class ReportStore:
    """The rows behind reports."""

    store: StateStore

    async def journal(self, window: Window, cluster: str = "") -> Journal:
        """Incidents detected in a window, of one cluster or of all, and alerts that led to none."""
        return await self.store.read(lambda conn: _journal(conn, window, cluster))

    async def runs(self, window: Window, cluster: str = "") -> RunCounts:
        """Runs begun in a window."""
        return await self.store.read(lambda conn: _runs(conn, window, cluster))

    async def actions(self, window: Window, cluster: str = "") -> Mapping[str, int]:
        """Actions started in a window, by state."""
        return await self.store.read(lambda conn: _actions(conn, window, cluster))

    async def refusals(self, window: Window) -> int:
        """Refusals in the audit."""
        return await self.store.read(lambda conn: _refusals(conn, window))

    async def forecasts(self, cluster: str, since: datetime, *, only: bool) -> int:
        """Forecasts journalled about a cluster; those that name none count where it is the `only` one."""
        return await self.store.read(lambda conn: _forecasts(conn, cluster, since, only=only))

    async def supervised(self, cluster: str) -> int:
        """Supervised runs that succeeded in a cluster."""
        return await self.store.read(lambda conn: _supervised(conn, cluster))

    async def watched(self, cluster: str, now: datetime) -> bool:
        """Whether a forwarder saw the cluster lately."""
        return await self.store.read(lambda conn: _watched(conn, cluster, now))

    async def newest_drill(self) -> DrillRow | None:
        """The last guardrail drill, passed or not."""
        return await self.store.read(_newest_drill)


def of_cluster(text: str, cluster: str) -> bool:
    """Whether a run's target (`cluster/…`) or a stored name is of a cluster."""
    return not cluster or text == cluster or text.startswith(f"{cluster}/") or text.endswith(f"/{cluster}")


def _journal(conn: "Connection", window: Window, cluster: str) -> Journal:
    from sqlalchemy import func, select

    from aiops_shared.state.sop_schema import events, incidents

    held = (incidents.c.detected_at >= window.since) & (incidents.c.detected_at < window.until)
    rows = conn.execute(select(incidents).where(held).order_by(incidents.c.detected_at, incidents.c.id)).all()
    stray = conn.execute(
        select(events.c.cluster, func.sum(events.c.count).label("alerts"))
        .where((events.c.incident_id == "") & (events.c.at >= window.since) & (events.c.at < window.until))
        .group_by(events.c.cluster)
    ).all()
    return Journal(
        tuple(_incident(row) for row in rows if of_cluster(row.cluster, cluster)),
        sum(int(row.alerts) for row in stray if of_cluster(row.cluster, cluster)),
    )


def _incident(row: Any) -> IncidentRow:
    hour = row.detected_at.hour
    return IncidentRow(
        id=row.id,
        fingerprint=row.fingerprint,
        state=row.state,
        cause=row.cause,
        confirmed=row.confirmed_cause,
        title=row.title,
        onset_at=row.onset_at,
        detected_at=row.detected_at,
        resolved_at=row.resolved_at,
        alerts=row.alerts,
        run_id=row.run_id,
        night=hour >= NIGHT_H[0] or hour < NIGHT_H[1],
    )


def _runs(conn: "Connection", window: Window, cluster: str) -> RunCounts:
    from sqlalchemy import select

    from aiops_shared.state.sop_schema import sop_runs

    held = (sop_runs.c.created_at >= window.since) & (sop_runs.c.created_at < window.until)
    columns = (
        sop_runs.c.sop,
        sop_runs.c.state,
        sop_runs.c.target,
        sop_runs.c.params,
        sop_runs.c.human_inputs,
    )
    rows = [row for row in conn.execute(select(*columns).where(held)).all() if _run_of(row, cluster)]
    return RunCounts(
        states=Counter(row.state for row in rows),
        sops=Counter(row.sop for row in rows),
        succeeded=Counter(row.sop for row in rows if row.state == GOOD),
        human_inputs=sum(row.human_inputs for row in rows),
    )


def _run_of(row: Any, cluster: str) -> bool:
    """By its parameter `cluster`, else by its target."""
    if not cluster:
        return True
    params = json.loads(row.params or "{}")
    named = params.get("cluster") if isinstance(params, dict) else None
    return of_cluster(str(named), cluster) if named else of_cluster(row.target, cluster)


def _actions(conn: "Connection", window: Window, cluster: str) -> Mapping[str, int]:
    from sqlalchemy import select

    from aiops_shared.state.schema import actions

    held = (actions.c.started_at >= window.since) & (actions.c.started_at < window.until)
    rows = conn.execute(select(actions.c.state, actions.c.cluster).where(held)).all()
    return Counter(row.state for row in rows if of_cluster(row.cluster, cluster))


def _refusals(conn: "Connection", window: Window) -> int:
    from sqlalchemy import func, select

    from aiops_shared.state.schema import audit

    # Times of the audit are text that sorts as it reads.
    held = (audit.c.at >= f"{window.since:%Y-%m-%dT%H:%M:%S}") & (
        audit.c.at < f"{window.until:%Y-%m-%dT%H:%M:%S}"
    )
    return int(conn.execute(select(func.count()).where(held & (audit.c.event == "refusal"))).scalar_one())


def _forecasts(conn: "Connection", cluster: str, since: datetime, *, only: bool) -> int:
    from sqlalchemy import select

    from aiops_shared.state.schema import call_journal

    wanted = (
        (call_journal.c.tool == "forecast_metric")
        & (call_journal.c.at >= since)
        & (call_journal.c.says == "")
    )
    rows = conn.execute(select(call_journal.c.arguments).where(wanted)).all()
    named = [json.loads(row.arguments).get("cluster") for row in rows]
    return sum(1 for one in named if (of_cluster(str(one), cluster) if one else only))


def _supervised(conn: "Connection", cluster: str) -> int:
    from sqlalchemy import select

    from aiops_shared.state.sop_schema import sop_runs

    wanted = (sop_runs.c.mode == "supervised") & (sop_runs.c.state == GOOD)
    rows = conn.execute(select(sop_runs.c.target, sop_runs.c.params).where(wanted)).all()
    return sum(1 for row in rows if _run_of(row, cluster))


def _watched(conn: "Connection", cluster: str, now: datetime) -> bool:
    from sqlalchemy import select

    from aiops_shared.state.schema import journal_watches

    rows = conn.execute(
        select(journal_watches.c.cluster).where(journal_watches.c.seen_at >= now - WATCHED).distinct()
    ).all()
    return any(of_cluster(row.cluster, cluster) for row in rows)


def _newest_drill(conn: "Connection") -> DrillRow | None:
    from sqlalchemy import select

    from aiops_shared.state.sop_schema import drills

    row = conn.execute(select(drills).order_by(drills.c.at.desc(), drills.c.id.desc()).limit(1)).first()
    return None if row is None else DrillRow(row.id, row.at, bool(row.passed), row.policy_digest)
