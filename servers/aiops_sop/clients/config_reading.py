"""What must be known of a workload before configuration is written for it, asked of the other servers.

Called by `config_making`. Numbers come from `observability.query_metrics` and `forecast_metric`, objects from
`eks.get_resource` and `describe_cluster`; nothing is asked of a cluster or a metrics store directly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, Final

import anyio
import yaml

from aiops_shared.clock import Clock
from aiops_shared.errors import InsufficientDataError, KindUnknownError, QueryInvalidError
from aiops_shared.kube.quantities import amount
from aiops_sop.analysis.configs.facts import Container, Hourly, Pool, Scaler, Used, Workload
from aiops_sop.analysis.configs.surges import Surge
from aiops_sop.analysis.tables import Row, point_time, rows_of
from aiops_sop.models.configs import ConfigAsk
from aiops_sop.ports import Peers

Obj = dict[str, Any]
DAYS: Final = 14
MOST_POOLS: Final = 10
PAGE_DAYS: Final = 4  # 96 points by the hour: what one answer draws
STEP_S: Final = 300
_FORM: Final = "%Y-%m-%dT%H:%MZ"
NONE: Final = (InsufficientDataError, QueryInvalidError)  # what is not measured is not there


@dataclass(frozen=True)
class ConfigReader:
    """Reads the facts of one workload."""

    peers: Peers
    clock: Clock

    async def workload(self, ask: ConfigAsk) -> Workload:
        """The workload, its container that is sized, its autoscaler. Raises NotFoundError with near names."""
        live = await self.object(ask, ask.kind, ask.name)
        spec = (live.get("spec") or {}).get("template", {}).get("spec") or {}
        made = [_container(one) for one in spec.get("containers") or ()]
        if not made:
            raise InsufficientDataError(ask.name, "it has no container", "name a Deployment or StatefulSet")
        scalers = await self._listed(ask, "HorizontalPodAutoscaler")
        about = live.get("metadata") or {}
        return Workload(
            cluster=ask.cluster or await self.only_cluster(ask),
            namespace=ask.namespace,
            kind=ask.kind,
            name=ask.name,
            replicas=int((live.get("spec") or {}).get("replicas") or 1),
            container=max(made, key=lambda one: (one.cpu, one.memory)),
            containers=len(made),
            labels=dict((live["spec"].get("selector") or {}).get("matchLabels") or about.get("labels") or {}),
            scaler=await self._scaler(ask, scalers),
            vpa=_names(await self._listed(ask, "VerticalPodAutoscaler"), f"{ask.kind}/{ask.name}"),
        )

    async def only_cluster(self, ask: ConfigAsk) -> str:
        """The name of the one cluster there is; empty for several."""
        rows = rows_of(await self.asked("eks", "list_clusters", ask), "clusters")
        return str(rows[0].get("name", "")) if len(rows) == 1 else ""

    async def object(self, ask: ConfigAsk, kind: str, name: str) -> Obj:
        """One live object."""
        where = {"namespace": ask.namespace} if ask.namespace else {}
        found = await self.asked("eks", "get_resource", ask, kind=kind, name=name, view="yaml", **where)
        read = yaml.safe_load(found.get("yaml") or "{}")
        return read if isinstance(read, dict) else {}

    async def _listed(self, ask: ConfigAsk, kind: str) -> list[Row]:
        try:
            wish = {"kind": kind, "namespace": ask.namespace, "limit": 200}
            return rows_of(await self.asked("eks", "list_resources", ask, **wish), "resources")
        except KindUnknownError:
            return []

    async def _scaler(self, ask: ConfigAsk, rows: list[Row]) -> Scaler | None:
        name = _names(rows, f"{ask.kind}/{ask.name}")
        return _as_scaler(await self.object(ask, "HorizontalPodAutoscaler", name)) if name else None

    async def used(self, ask: ConfigAsk, what: str, kind: str = "") -> Used | None:
        """Percentiles of one metric of the workload's pods over the last two weeks; None: not measured.

        `kind`: Service, for what the service of the workload's name did.
        """
        target = {"what": what, "namespace": ask.namespace, "kind": kind or ask.kind, "name": ask.name}
        wish = {**target, "since": f"-{DAYS}d", "step": "1h" if kind else f"{STEP_S // 60}m"}
        try:
            found = await self.asked("observability", "query_metrics", ask, **wish)
        except NONE:
            return None
        return _used(what, found)

    async def hourly(self, ask: ConfigAsk, what: str, kind: str = "Service", days: int = DAYS) -> Hourly:
        """One metric by whole hours over the last two weeks, of the Service of the workload's name."""
        end = (await self.clock.now()).replace(minute=0, second=0, microsecond=0)
        first = end - timedelta(days=days)
        pages: dict[int, list[tuple[datetime, float]]] = {}

        async def page(number: int) -> None:
            since = first + timedelta(days=PAGE_DAYS * number, hours=1)
            until = min(end, since + timedelta(days=PAGE_DAYS, hours=-1))
            pages[number] = await self._points(ask, (what, kind), since, until)

        async with anyio.create_task_group() as tasks:
            for number in range(-(-days // PAGE_DAYS)):
                tasks.start_soon(page, number)
        points = dict(one for number in sorted(pages) for one in pages[number])
        moments = tuple(sorted(points))
        window = f"{first.strftime(_FORM)}/{end.strftime(_FORM)}"
        return Hourly(f"{what} by the hour", window, moments, tuple(points[at] for at in moments))

    async def _points(
        self, ask: ConfigAsk, of: tuple[str, str], since: datetime, until: datetime
    ) -> list[tuple[datetime, float]]:
        wish = {
            "what": of[0],
            "namespace": ask.namespace,
            "kind": of[1],
            "name": ask.name,
            "since": since.strftime(_FORM),
            "until": until.strftime(_FORM),
            "step": "1h",
            "detail": "full",
        }
        try:
            found = await self.asked("observability", "query_metrics", ask, **wish)
        except NONE:
            return []
        rows = [tuple(row.values()) for row in rows_of(found, "points")]
        told = [(point_time(str(row[0]), since), row[1]) for row in rows if len(row) > 1]
        return [(at, float(value)) for at, value in told if value is not None]

    async def surge(self, ask: ConfigAsk, per_pod: float) -> Surge:
        """The next peak and its replicas. Raises InsufficientDataError for less than two whole weeks."""
        wish = {"what": "requests_total", "kind": "Service", "namespace": ask.namespace, "name": ask.name}
        found = await self.asked("observability", "forecast_metric", ask, **wish, capacity_per_pod=per_pod)
        peak, sizing = found["next_peak"], found["sizing"]
        tops = [float(row["value"]) for row in rows_of(found, "forecast")]
        return Surge(
            at=datetime.fromisoformat(peak["at"]),
            value=float(peak["value"]),
            high95=float(peak["high95"]),
            usual=median(tops or [float(peak["value"])]),
            replicas=int(sizing["replicas"]),
            arithmetic=str(sizing["arithmetic"]),
            ready_by=datetime.fromisoformat(sizing["ready_by"]),
            until=datetime.fromisoformat(sizing["until"]),
            per_pod=per_pod,
            window=str(found["history"]).partition(",")[0],
            model=str(found["model"]),
        )

    async def pools(self, ask: ConfigAsk) -> tuple[Pool, ...]:
        """Karpenter's NodePools, each with the size of its nodes; none without Karpenter."""
        try:
            rows = rows_of(await self.asked("eks", "list_resources", ask, kind="NodePool"), "resources")
        except KindUnknownError:
            return ()
        if not rows:
            return ()
        nodes = await self.nodes(ask)
        return tuple([await self._pool(ask, str(row["name"]), nodes) for row in rows[:MOST_POOLS]])

    async def nodes(self, ask: ConfigAsk) -> list[Row]:
        """Nodes in groups: zone, who runs them, type, how many."""
        found = await self.asked("eks", "describe_cluster", ask, include=["nodes"])
        return rows_of(found.get("sections") or {}, "node_groups")

    async def _pool(self, ask: ConfigAsk, name: str, nodes: list[Row]) -> Pool:
        nowhere = ask.model_copy(update={"namespace": ""})
        live = await self.object(nowhere, "nodepools.karpenter.sh", name)
        spec, used = live.get("spec") or {}, (live.get("status") or {}).get("resources") or {}
        mine = [row for row in nodes if str(row.get("run_by", "")).endswith(f" {name}")]
        labels = {"selector": f"karpenter.sh/nodepool={name}", "limit": 1}
        first = rows_of(await self.asked("eks", "list_resources", ask, kind="Node", **labels), "resources")
        node = await self.object(nowhere, "Node", str(first[0]["name"])) if first else {}
        room = (node.get("status") or {}).get("capacity") or {}
        template = (spec.get("template") or {}).get("spec") or {}
        return Pool(
            name=name,
            limit_cpu=float(amount((spec.get("limits") or {}).get("cpu")) or 0),
            used_cpu=float(amount(used.get("cpu")) or 0),
            node_cpu=float(amount(room.get("cpu")) or 0),
            node_memory=float(amount(room.get("memory")) or 0),
            zones=tuple(sorted({str(row["zone"]) for row in mine})),
            node_class={str(key): str(value) for key, value in (template.get("nodeClassRef") or {}).items()},
        )

    async def version(self, ask: ConfigAsk) -> str:
        """The cluster's Kubernetes minor version, as 1.35."""
        found = await self.asked("eks", "describe_cluster", ask, include=["capabilities"])
        facts = {row.get("fact"): row.get("value") for row in rows_of(found, "facts")}
        return str(facts.get("version", ""))

    async def capabilities(self, ask: ConfigAsk) -> dict[str, str]:
        """Argo CD, ACK, KRO, Karpenter: the status of each."""
        found = await self.asked("eks", "describe_cluster", ask, include=["capabilities"])
        rows = rows_of(found.get("sections") or {}, "capabilities")
        return {str(row.get("capability")): str(row.get("status")) for row in rows}

    async def has_kind(self, ask: ConfigAsk, kind: str) -> bool:
        """Whether the cluster serves a kind."""
        try:
            await self.asked("eks", "list_resources", ask, kind=kind, limit=1)
        except KindUnknownError:
            return False
        return True

    async def asked(self, server: str, tool: str, ask: ConfigAsk, **arguments: Any) -> Obj:
        """One tool of another server, about the same cluster."""
        where = {"cluster": ask.cluster} if ask.cluster else {}
        return await self.peers.call(server, tool, {**arguments, **where})


def _container(one: Mapping[str, Any]) -> Container:
    resources = one.get("resources") or {}
    sizes = {
        f"{word}{suffix}": float(amount((resources.get(part) or {}).get(word)) or 0)
        for part, suffix in (("requests", ""), ("limits", "_limit"))
        for word in ("cpu", "memory")
    }
    return Container(str(one.get("name", "")), **sizes)


def _names(rows: list[Row], target: str) -> str:
    """The name of the scaler in a list whose reference is this workload."""
    for row in rows:
        told = str(row.get("reference") or row.get("target") or "")
        if told == target:
            return str(row["name"])
    return ""


def _as_scaler(live: Obj) -> Scaler:
    spec = live.get("spec") or {}
    per_pod, metric, cpu = 0.0, "", 0.0
    for one in spec.get("metrics") or ():
        if one.get("type") == "Pods":
            told = one.get("pods") or {}
            per_pod = float(amount((told.get("target") or {}).get("averageValue")) or 0)
            metric = str((told.get("metric") or {}).get("name", ""))
        elif one.get("type") == "Resource" and (one.get("resource") or {}).get("name") == "cpu":
            cpu = float((one["resource"].get("target") or {}).get("averageUtilization") or 0) / 100
    return Scaler(
        name=str((live.get("metadata") or {}).get("name", "")),
        least=int(spec.get("minReplicas") or 1),
        most=int(spec.get("maxReplicas") or 1),
        per_pod=per_pod,
        metric=metric,
        cpu_target=cpu,
    )


def _used(what: str, found: Obj) -> Used | None:
    rows = rows_of(found, "series")
    if not rows or not found.get("first_at"):
        return None
    first, last = (datetime.fromisoformat(found[name]) for name in ("first_at", "last_at"))
    step_s = int(found.get("step_s") or STEP_S)
    steps = max(1.0, (last - first).total_seconds() / step_s + 1)
    every = rows[0]  # of several series the first row is all of them pooled
    points = float(every["points"])
    number = partial(_number, every)
    return Used(
        metric=f"{what} of its pods" if what in {"cpu", "memory"} else what,
        unit=str(found.get("unit", "")),
        window=f"{first.strftime(_FORM)}/{last.strftime(_FORM)}",
        days=steps * step_s / 86_400,
        covered=min(1.0, points / steps),
        mean=number("mean"),
        p95=number("p95"),
        p99=number("p99"),
        most=number("max"),
        pods=points / steps,
    )


def _number(row: Row, column: str) -> float:
    value = row.get(column)
    return float(value) if value is not None else 0.0
