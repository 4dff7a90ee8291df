"""A cluster of plain objects: fulfils `aiops_eks.ports.Kube` and `Clusters`, counts what it was asked.

It prints Tables for the kinds the tests use as kubectl does; any other kind shows name and age.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from aiops_shared.aws import EksCluster
from aiops_shared.errors import (
    AccessDeniedError,
    ActionRefusedError,
    AnswerTooLargeError,
    ClusterNotFoundError,
    InvalidInputError,
    KindUnknownError,
    NotConfiguredError,
    NotFoundError,
)
from aiops_shared.kube import names
from aiops_shared.kube.choosing import Choice, Chosen
from aiops_shared.kube.models import ClusterInfo, DescribedRow, Kind, LogLine, ObjectPage, TablePage
from aiops_shared.results import Cell

Obj = dict[str, Any]
Objects = list[Obj]
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def _kind(group: str, version: str, kind: str, plural: str, *short: str, namespaced: bool = True) -> Kind:
    return Kind(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        short_names=short,
        namespaced=namespaced,
    )


KINDS = (
    _kind("", "v1", "Pod", "pods", "po"),
    _kind("", "v1", "Service", "services", "svc"),
    _kind("", "v1", "ConfigMap", "configmaps", "cm"),
    _kind("", "v1", "Secret", "secrets"),
    _kind("", "v1", "Event", "events", "ev"),
    _kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc"),
    _kind("", "v1", "Node", "nodes", "no", namespaced=False),
    _kind("", "v1", "Namespace", "namespaces", "ns", namespaced=False),
    _kind("apps", "v1", "Deployment", "deployments", "deploy"),
    _kind("apps", "v1", "ReplicaSet", "replicasets", "rs"),
    _kind("apps", "v1", "StatefulSet", "statefulsets", "sts"),
    _kind("apps", "v1", "DaemonSet", "daemonsets", "ds"),
    _kind("batch", "v1", "Job", "jobs"),
    _kind("batch", "v1", "CronJob", "cronjobs", "cj"),
    _kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa"),
    _kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb"),
    _kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    _kind("bitnami.com", "v1alpha1", "SealedSecret", "sealedsecrets"),
)


def stamp(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def before(**ago: float) -> str:
    """A time before NOW, as Kubernetes writes it."""
    return stamp(NOW - timedelta(**ago))


def _age(text: str) -> str:
    seconds = int((NOW - datetime.fromisoformat(text)).total_seconds())
    for unit, size, most in (("s", 1, 120), ("m", 60, 10_800), ("h", 3600, 172_800)):
        if seconds < most:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86_400}d"


@dataclass
class FakeClock:
    """World time that stands still unless it is moved."""

    at: datetime = NOW

    async def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def safe_now(self) -> datetime:
        return self.at


@dataclass
class FakeSensitive:
    """The operator's switch for logs and events."""

    allowed: bool = True
    asked: list[str] = field(default_factory=list)

    async def allow(self, what: str) -> None:
        self.asked.append(what)
        if not self.allowed:
            raise ActionRefusedError(what, "sensitive reads are off", "set AIOPS_SENSITIVE_READS=true")


@dataclass
class FakeKube:
    """One cluster; `requests` holds every request that a real server would have seen."""

    objects: list[Obj] = field(default_factory=list)
    lines: dict[tuple[str, str, str, bool], list[tuple[float, str]]] = field(default_factory=dict)
    cluster: str = "my-cluster"
    denied: frozenset[str] = frozenset()
    requests: list[str] = field(default_factory=list)

    async def kind(self, word: str) -> Kind:
        path, _, last = names.kind_word(word).lower().rpartition("/")
        wanted, _, group = last.partition(".")
        group = path.split("/")[0] if "/" in path else group
        self.requests.append("discovery")
        for kind in KINDS:
            if wanted in {kind.kind.lower(), kind.plural, *kind.short_names} and group in {"", kind.group}:
                return kind
        raise KindUnknownError(f"kind {word}", "the cluster serves no such kind", "nearest: Pod")

    async def kinds(self) -> tuple[Kind, ...]:
        self.requests.append("discovery")
        return KINDS

    async def get(self, kind: str, namespace: str, name: str) -> Obj:
        names.object_name(kind, name)
        found = await self.kind(kind)
        self._ask("get", found, f"{namespace}/{name}")
        for obj in self._of(found, namespace):
            if obj["metadata"]["name"] == name:
                return obj
        near = [obj["metadata"]["name"] for obj in self._of(found, namespace)][:3]
        raise NotFoundError(f"{found.kind} {namespace}/{name}", "not found", f"nearest: {', '.join(near)}")

    async def list(
        self,
        kind: str,
        namespace: str = "",
        *,
        selector: str = "",
        fields: str = "",
        limit: int = 500,
        cursor: str = "",
    ) -> ObjectPage:
        found = await self.kind(kind)
        self._ask("list", found, namespace)
        chosen = self._chosen(found, namespace, selector, fields)
        start = int(cursor or 0)
        more = str(start + limit) if len(chosen) > start + limit else ""
        return ObjectPage(items=tuple(chosen[start : start + limit]), cursor=more)

    async def every(
        self, kind: str, namespace: str = "", *, selector: str = "", fields: str = "", at_most: int = 20_000
    ) -> AsyncIterator[Obj]:
        page = await self.list(kind, namespace, selector=selector, fields=fields, limit=at_most)
        for obj in page.items:
            yield obj
        if page.cursor:
            raise AnswerTooLargeError(f"list of {kind}", f"more than {at_most} objects", "narrow it")

    async def table(
        self,
        kind: str,
        namespace: str = "",
        *,
        selector: str = "",
        fields: str = "",
        limit: int = 500,
        cursor: str = "",
    ) -> TablePage:
        found = await self.kind(kind)
        self._ask("table", found, namespace)
        columns, printer = PRINTERS.get(found.kind, (("Name", "Age"), _print_any))
        chosen = self._chosen(found, namespace, selector, fields)
        start = int(cursor or 0)
        rows = tuple(printer(obj) for obj in chosen[start : start + limit])
        more = str(start + limit) if len(chosen) > start + limit else ""
        return TablePage(columns=columns, rows=rows, cursor=more)

    async def every_row(
        self, kind: str, namespace: str = "", *, at_most: int = 20_000
    ) -> AsyncIterator[DescribedRow]:
        found = await self.kind(kind)
        self._ask("rows", found, namespace)
        columns, printer = PRINTERS.get(found.kind, (("Name", "Age"), _print_any))
        every = self._of(found, namespace)
        for obj in every[:at_most]:
            cells = dict(zip((column.lower() for column in columns), printer(obj), strict=True))
            yield DescribedRow(obj["metadata"], cells)
        if len(every) > at_most:
            raise AnswerTooLargeError(f"list of {kind}", f"more than {at_most} objects", "narrow it")

    async def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        previous: bool = False,
        tail: int = 200,
        since: datetime | None = None,
        limit_bytes: int = 1_000_000,
    ) -> Sequence[LogLine]:
        self.requests.append(f"log {namespace}/{pod} {container} previous={previous} tail={tail}")
        found = self.lines.get((namespace, pod, container, previous))
        if found is None and previous:
            raise InvalidInputError(f"log of {pod}", f'previous terminated container "{container}" not found')
        every = [
            LogLine(at=NOW - timedelta(seconds=ago_s), pod=pod, container=container, text=text)
            for ago_s, text in found or []
        ]
        return [line for line in every if since is None or (line.at and line.at >= since)][-tail:]

    async def measured(self, names: Sequence[str], take: Callable[[str], None]) -> None:
        raise AccessDeniedError("metrics of the cluster", "the identity may not", "grant it")

    async def can(self, verb: str, kind: str, namespace: str = "", subresource: str = "") -> bool:
        return kind not in self.denied

    def _ask(self, verb: str, kind: Kind, what: str) -> None:
        self.requests.append(f"{verb} {kind.plural} {what}".strip())
        if kind.kind in self.denied:
            raise AccessDeniedError(f"{verb} {kind.plural}", "the identity may not", "grant it")

    def _of(self, kind: Kind, namespace: str) -> Objects:
        found = [
            obj
            for obj in self.objects
            if obj["kind"] == kind.kind and namespace in {"", obj["metadata"].get("namespace", "")}
        ]
        return sorted(found, key=lambda obj: (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))

    def _chosen(self, kind: Kind, namespace: str, selector: str, fields: str) -> Objects:
        found = [obj for obj in self._of(kind, namespace) if _labelled(obj, selector)]
        for term in filter(None, fields.split(",")):
            path, _, value = term.partition("=")
            found = [obj for obj in found if _at(obj, path) == value]
        return found


def _labelled(obj: Obj, selector: str) -> bool:
    labels = obj["metadata"].get("labels", {})
    terms = [term.partition("=") for term in selector.split(",") if term]
    return all(labels.get(key) == value for key, _, value in terms)


def _at(obj: Any, path: str) -> Any:
    for key in path.split("."):
        obj = obj.get(key, "") if isinstance(obj, dict) else ""
    return obj


def _name_age(obj: Obj) -> tuple[str, str]:
    return obj["metadata"]["name"], _age(obj["metadata"].get("creationTimestamp", before(days=3)))


def _print_any(obj: Obj) -> tuple[Cell, ...]:
    return _name_age(obj)


def _print_pod(pod: Obj) -> tuple[Cell, ...]:
    name, age = _name_age(pod)
    statuses = pod["status"].get("containerStatuses", [])
    ready = f"{sum(bool(each.get('ready')) for each in statuses)}/{len(pod['spec']['containers'])}"
    reason = pod["status"].get("reason") or pod["status"]["phase"]
    for each in statuses:
        state = each.get("state", {})
        reason = state.get("waiting", {}).get("reason") or state.get("terminated", {}).get("reason") or reason
    if "deletionTimestamp" in pod["metadata"]:
        reason = "Terminating"
    restarts = str(sum(each.get("restartCount", 0) for each in statuses))
    ends = [each["lastState"]["terminated"]["finishedAt"] for each in statuses if each.get("lastState")]
    if ends:
        restarts += f" ({_age(max(ends))} ago)"
    return name, ready, reason, restarts, age, pod["status"].get("podIP", ""), "node-1"


def _print_deployment(obj: Obj) -> tuple[Cell, ...]:
    name, age = _name_age(obj)
    status = obj.get("status", {})
    want, have = obj["spec"].get("replicas", 1), status.get("readyReplicas", 0)
    return name, f"{have}/{want}", status.get("updatedReplicas", 0), status.get("availableReplicas", 0), age


def _print_node(obj: Obj) -> tuple[Cell, ...]:
    name, age = _name_age(obj)
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in obj["status"]["conditions"])
    return name, "Ready" if ready else "NotReady", "<none>", age, "v1.35.0-eks-1"


def _print_job(obj: Obj) -> tuple[Cell, ...]:
    name, age = _name_age(obj)
    done = obj.get("status", {}).get("succeeded", 0)
    return name, "Complete" if done else "Running", f"{done}/1", "10s", age


def _print_secret(obj: Obj) -> tuple[Cell, ...]:
    name, age = _name_age(obj)
    return name, obj.get("type", "Opaque"), len(obj.get("data", {})), age


PRINTERS: dict[str, tuple[tuple[str, ...], Callable[[Obj], tuple[Cell, ...]]]] = {
    "Pod": (("Name", "Ready", "Status", "Restarts", "Age", "IP", "Node"), _print_pod),
    "Deployment": (("Name", "Ready", "Up-to-date", "Available", "Age"), _print_deployment),
    "Node": (("Name", "Status", "Roles", "Age", "Version"), _print_node),
    "Job": (("Name", "Status", "Completions", "Duration", "Age"), _print_job),
    "Secret": (("Name", "Type", "Data", "Age"), _print_secret),
}


@dataclass
class FakeClusters:
    """A directory of fake clusters."""

    kubes: list[FakeKube]
    infos: list[ClusterInfo] = field(default_factory=list)

    async def known(self) -> Sequence[ClusterInfo]:
        return self.infos

    async def open(self, cluster: str | None) -> FakeKube:
        for kube in self.kubes:
            if cluster in {None, kube.cluster}:
                return kube
        raise ClusterNotFoundError(f"cluster {cluster}", "not known", "nearest: my-cluster")

    async def choose(self, words: Sequence[str]) -> Choice:
        names = [kube.cluster for kube in self.kubes]
        found = dict.fromkeys(name for word in words for name in names if fnmatchcase(name, word))
        if not found:
            raise ClusterNotFoundError(f"cluster {words[0]}", "not known", f"nearest: {', '.join(names)}")
        return Choice(tuple(Chosen(name, name) for name in found))

    async def eks(self, cluster: str | None) -> EksCluster:
        raise NotConfiguredError("AWS", "these clusters are known by their Kubernetes API alone")


# --- objects ----------------------------------------------------------------------------------------------


def made(kind: str, name: str, namespace: str = "production", api: str = "v1", **rest: Any) -> Obj:
    """An object with its metadata."""
    meta = {"name": name, "uid": f"uid-{kind}-{name}", "creationTimestamp": before(days=3)}
    if namespace:
        meta["namespace"] = namespace
    meta.update(rest.pop("metadata", {}))
    return {"apiVersion": api, "kind": kind, "metadata": meta, **rest}


def owned_by(kind: str, name: str, api: str = "apps/v1") -> list[Obj]:
    """What a controller writes into what it makes."""
    return [{"apiVersion": api, "kind": kind, "name": name, "uid": f"uid-{kind}-{name}", "controller": True}]


def pod(name: str, namespace: str = "production", **status: Any) -> Obj:
    """A healthy pod of one container `app`; keyword arguments replace parts of its container status."""
    container = {
        "name": "app",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": before(days=3)}},
        **status,
    }
    return made(
        "Pod",
        name,
        namespace,
        spec={"containers": [{"name": "app", "image": "repo/app:1.0"}], "nodeName": "node-1"},
        status={"phase": "Running", "containerStatuses": [container]},
        metadata={"labels": {"app": "app"}},
    )


def crashing(name: str, namespace: str = "production", restarts: int = 6, reason: str = "OOMKilled") -> Obj:
    """A pod in CrashLoopBackOff after `reason`."""
    ended = {
        "reason": reason,
        "exitCode": 137 if reason == "OOMKilled" else 1,
        "startedAt": before(minutes=3, seconds=10),
        "finishedAt": before(minutes=2),
    }
    return pod(
        name,
        namespace,
        ready=False,
        restartCount=restarts,
        state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting"}},
        lastState={"terminated": ended},
    )
