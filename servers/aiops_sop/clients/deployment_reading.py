"""What must be known of a release before it is judged, asked of the other servers.

Called by `deployment_judging`. Objects come from eks, numbers from observability. What is not measured is
empty; what fails for another reason is a warning of the answer, since half the facts are no verdict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import yaml

from aiops_shared.errors import AiopsError, InsufficientDataError, NotFoundError, QueryInvalidError
from aiops_sop.analysis.tables import point_time, rows_of
from aiops_sop.analysis.verdicts.judging import Side
from aiops_sop.models.deployments import DeploymentAsk
from aiops_sop.ports import Peers

Obj = dict[str, Any]
Span = tuple[datetime, datetime]
STEP_S: Final = 300
ARGO: Final = "argocd"
FORM: Final = "%Y-%m-%dT%H:%M:%SZ"
CHANGES_BACK: Final = "-7d"
NOT_MEASURED: Final = (InsufficientDataError, QueryInvalidError)


@dataclass
class DeploymentReader:
    """Reads the facts of one release. `gaps`: what could not be read, for the answer."""

    peers: Peers
    ask: DeploymentAsk
    gaps: dict[str, None] = field(default_factory=dict)

    async def asked(self, server: str, tool: str, **arguments: Any) -> Obj:
        """One tool of another server, about the same cluster."""
        where = {"cluster": self.ask.cluster} if self.ask.cluster else {}
        return await self.peers.call(server, tool, {**arguments, **where})

    async def tried(self, server: str, tool: str, **arguments: Any) -> Obj:
        """As `asked`; what is not measured is empty, what fails is a gap."""
        try:
            return await self.asked(server, tool, **arguments)
        except NOT_MEASURED:
            return {}
        except AiopsError as error:
            self.gaps[f"{server}.{tool}: {error.wire()}"[:240]] = None
            return {}

    async def object(self, kind: str, namespace: str, name: str) -> Obj:
        """One live object. Raises NotFoundError with near names."""
        where = {"namespace": namespace} if namespace else {}
        found = await self.asked("eks", "get_resource", kind=kind, name=name, view="yaml", **where)
        read = yaml.safe_load(found.get("yaml") or "{}")
        return read if isinstance(read, dict) else {}

    async def application(self) -> Obj:
        """The Argo CD Application that was named; an absent kind is said as what it is."""
        home, slash, name = self.ask.app.rpartition("/")
        try:
            return await self.object("applications.argoproj.io", home if slash else ARGO, name)
        except NotFoundError as error:
            raise type(error)(f"application {self.ask.app}"[:200], error.reason, error.hint) from error

    async def began(self, kind: str, namespace: str, name: str) -> datetime | None:
        """When the newest rollout of a workload began."""
        wish = {"kind": kind, "name": name, "since": CHANGES_BACK, "limit": 50}
        found = await self.tried("eks", "list_changes", namespace=namespace, **wish)
        rows = [row for row in rows_of(found, "changes") if row.get("verb") in {"rollout", "rollback"}]
        return moment(str(rows[0]["at"])) if rows else None

    async def cause(self, kind: str, namespace: str, name: str) -> tuple[str, str]:
        """Why a workload does not get well: code and sentence of the first finding; empty for none."""
        found = await self.tried("eks", "diagnose", namespace=namespace, kind=kind, name=name)
        first = next(iter(found.get("findings") or ()), None)
        return (str(first["code"]), str(first["title"])) if first else ("", "")

    async def by_version(self, span: Span) -> dict[str, "Series"]:
        """Requests, failures and latency of each version, by five minutes."""
        found: dict[str, Series] = {}
        for what, word in (
            ("requests_by_version", "rate"),
            ("errors_by_version", "share"),
            ("latency_by_version", "slow"),
        ):
            for moment_, version, value in await self._points(what, span):
                getattr(found.setdefault(version, Series()), word)[moment_] = value
        return found

    async def rates(self, span: Span) -> dict[str, list[datetime]]:
        """When each version served, coarsely: its moments in order."""
        found: dict[str, list[datetime]] = {}
        for at, version, value in await self._points("requests_by_version", span):
            if value > 0:
                found.setdefault(version, []).append(at)
        return {version: sorted(moments) for version, moments in found.items()}

    async def whole(self, span: Span) -> "Series":
        """Requests, failures and latency of the service, by five minutes."""
        made = Series()
        for what, word in (("requests_total", "rate"), ("errors", "share"), ("latency_p99", "slow")):
            for moment_, _, value in await self._points(what, span):
                getattr(made, word)[moment_] = value
        return made

    async def _points(self, what: str, span: Span) -> list[tuple[datetime, str, float]]:
        since, until = span
        step_s = max(STEP_S, round((until - since).total_seconds() / 96 / 60 + 0.5) * 60)
        found = await self.tried(
            "observability",
            "query_metrics",
            what=what,
            namespace=self.ask.namespace,
            kind="Service",
            name=self.ask.name,
            since=since.strftime(FORM),
            until=until.strftime(FORM),
            step=f"{step_s}s",
            detail="full",
        )
        return [
            (point_time(str(row["time"]), since), column, float(value))
            for row in rows_of(found, "points")
            for column, value in row.items()
            if column != "time" and value is not None
        ]

    async def compared(self, before: Span, after: Span, by: str) -> Obj:
        """Before against after; empty where neither is measured or a window is too short."""
        return await self.tried(
            "observability",
            "compare_windows",
            name=self.ask.name,
            namespace=self.ask.namespace,
            a=words_of(before),
            b=words_of(after),
            by=by,
        )

    async def lines(self, before: Span, at: datetime) -> Obj:
        """What the logs say before and after a moment."""
        return await self.tried(
            "observability",
            "analyze_logs",
            mode="compare",
            service=self.ask.name,
            at=at.strftime(FORM),
            since=before[0].strftime(FORM),
        )


@dataclass
class Series:
    """Points of one version: by moment, requests a second, share that failed, seconds."""

    rate: dict[datetime, float] = field(default_factory=dict)
    share: dict[datetime, float] = field(default_factory=dict)
    slow: dict[datetime, float] = field(default_factory=dict)

    def side(self, moments: Mapping[datetime, None] | None = None, step_s: float = STEP_S) -> Side:
        """Summed over some moments, or all."""
        kept = [at for at in self.rate if moments is None or at in moments]
        requests = sum(self.rate[at] * step_s for at in kept)
        failed = sum(self.rate[at] * step_s * self.share.get(at, 0.0) for at in kept)
        slow = tuple(self.slow[at] for at in kept if at in self.slow)
        return Side(requests, failed, sum(self.rate[at] for at in kept) / len(kept) if kept else 0.0, slow)


def moment(text: str) -> datetime | None:
    """A time as other servers write it; None for none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def words_of(span: Span) -> str:
    """A window as compare_windows takes it."""
    return f"{span[0].strftime(FORM)}/{span[1].strftime(FORM)}"


LEAST_SPAN: Final = timedelta(minutes=30)  # compare_windows takes none shorter
