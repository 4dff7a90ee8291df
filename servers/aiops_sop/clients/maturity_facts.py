"""Gathers what a maturity report says of one cluster, from tools and the store. Called by the report desk.

Every question is asked side by side; one that fails is a gap, and what it would have shown counts as absent.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio

from aiops_shared.errors import AiopsError, ClusterNotFoundError
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.results.wording import cut
from aiops_shared.settings import Settings
from aiops_sop.analysis.reports.maturity import ClusterFacts, Drilled
from aiops_sop.clients.report_store import ReportStore
from aiops_sop.ports import Peers

Obj = Mapping[str, Any]
FORECAST_DAYS = 7  # so long the call journal is kept
OWNED = re.compile(r"own (\d+) of (\d+) Deployments")  # in `describe_cluster`'s row of Argo CD


@dataclass(frozen=True)
class MaturityFacts:
    """Asks about one cluster after the other."""

    settings: Settings
    peers: Peers
    rows: ReportStore
    guard: Callable[[], Guardrails]
    now: datetime

    async def of(self, name: str, *, only: bool) -> ClusterFacts:
        """The facts of one cluster. Raises ClusterNotFoundError."""
        asked: Mapping[str, tuple[str, str, Obj]] = {
            "cluster": ("eks", "describe_cluster", {"include": ["addons", "capabilities"], "detail": "full"}),
            "metrics": (
                "observability",
                "query_metrics",
                {"what": "node_cpu", "kind": "Cluster", "since": "-15m"},
            ),
            "alarms": ("observability", "list_alarms", {"state": "all", "limit": 1}),
        }
        answers: dict[str, Obj] = {}
        gaps: list[str] = []

        async def ask(key: str) -> Obj:
            server, tool, arguments = asked[key]
            return await self.peers.call(server, tool, {**arguments, "cluster": name})

        for key, outcome in zip(asked, await gather_outcomes(ask, tuple(asked), at_once=3), strict=True):
            if isinstance(outcome, ClusterNotFoundError):
                raise outcome
            if isinstance(outcome, AiopsError):
                gaps.append(f"{'.'.join(asked[key][:2])}: {cut(outcome.wire(), 160)}")
            elif outcome is not None:
                answers[key] = outcome
        found = {**_of_cluster(answers.get("cluster")), **_of_alarms(answers.get("alarms"))}
        series = answers.get("metrics")
        return ClusterFacts(
            name=name,
            series=None if series is None else int(series.get("total") or 0),
            gaps=tuple(gaps),
            **found,
            **await self._stored(name, only=only),
        )

    async def _stored(self, name: str, *, only: bool) -> dict[str, Any]:
        policy, sop = self.settings.policy, self.settings.sop
        drill = await self.rows.newest_drill()
        drilled = None
        if drill is not None:
            digest = await anyio.to_thread.run_sync(lambda: self.guard().policy_digest)
            age = (self.now - drill.at).total_seconds() / 86_400
            drilled = Drilled(drill.passed, max(age, 0.0), drill.policy_digest == digest)
        since = self.now - timedelta(days=FORECAST_DAYS)
        return {
            "forecasts": await self.rows.forecasts(name, since, only=only),
            "autonomy": policy.autonomy_prod,
            "enforced": policy.mode == "enforce",
            "supervised": await self.rows.supervised(name),
            "supervised_needed": sop.supervised_runs,
            "drill": drilled,
            "drill_days": sop.drill_days,
            "connected": ("forwarder",) if await self.rows.watched(name, self.now) else (),
        }


def _rows(table: Obj | None) -> list[dict[str, Any]]:
    found = table or {}
    return [dict(zip(found["columns"], row, strict=True)) for row in found.get("rows") or ()]


def _of_cluster(answer: Obj | None) -> dict[str, Any]:
    """Add-ons that work, those that do not, capabilities, Deployments in git."""
    if answer is None:
        return {}
    sections = answer.get("sections") or {}
    addons = _rows(sections.get("addons"))
    own = [one for one in _rows(sections.get("addons_self_managed")) if _ready(str(one.get("ready") or ""))]
    ill = [one for one in addons if one["status"] != "ACTIVE" or one.get("issues")]
    capabilities = _rows(sections.get("capabilities"))
    owned = OWNED.search(" ".join(str(one.get("detail") or "") for one in capabilities))
    return {
        "addons_working": tuple(str(one["addon"]) for one in [*addons, *own] if one not in ill),
        "addons_ill": tuple(f"{one['addon']} {one['status']}" for one in ill),
        "capabilities": tuple((str(one["capability"]), str(one["status"])) for one in capabilities),
        "owned": int(owned[1]) if owned else None,
        "deployments": int(owned[2]) if owned else None,
    }


def _ready(text: str) -> bool:
    """`2/2`: all of them, and at least one."""
    ready, _, wanted = text.partition("/")
    return ready.isdigit() and ready == wanted and int(ready) > 0


def _of_alarms(answer: Obj | None) -> dict[str, Any]:
    if answer is None:
        return {}
    detection = answer.get("detection") or {}
    detectors, resources = detection.get("anomaly_detectors"), detection.get("devops_guru_resources")
    return {
        "alarms": sum((answer.get("states") or {}).values()),
        "detectors": detectors,
        "guru": None if resources is None else resources > 0,
    }
