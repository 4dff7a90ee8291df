"""What belongs to an object: its owners, who selects it, what it refers to and whether that exists.

Called by the object reader. Each look-up stands alone: one that is forbidden or fails becomes a warning.
Secrets are looked for by name in a Table, so that their values never leave the API server.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from aiops_eks.clients.gathering import gathered
from aiops_eks.models.event_groups import containers_of
from aiops_eks.models.fields import (
    Obj,
    controller_of,
    items,
    labels_of,
    name_of,
    namespace_of,
    part,
    selector_text,
    selects,
    text,
)
from aiops_eks.models.health import IMPAIRED, judge_row
from aiops_eks.ports import Kube
from aiops_shared.errors import AiopsError, KindUnknownError

MOST_OWNERS = 5
MOST_REFS = 20
_WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"}


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """One related object: `how` it is related and `state` as far as it was looked at."""

    kind: str
    name: str
    how: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Owners nearest first, related objects, and what could not be looked at."""

    owners: tuple[str, ...]
    relations: tuple[Relation, ...]
    warnings: tuple[str, ...]


async def surroundings(kube: Kube, kind: str, obj: Obj) -> Surroundings:
    """Everything around one object, asked for at once."""
    owners, warnings = await _owners(kube, obj)
    lookups = list(_lookups(kube, kind, obj, [(kind, name_of(obj)), *owners]))
    results = await gathered([call for _, call in lookups])
    relations: list[Relation] = []
    for (what, _), found in zip(lookups, results, strict=True):
        if isinstance(found, KindUnknownError):
            continue  # the cluster does not serve it, so nothing of it exists
        if isinstance(found, AiopsError):
            warnings.append(f"{what} not looked at: {found.reason}")
        else:
            relations.extend(found)
    return Surroundings(
        owners=tuple(f"{kind}/{name}" for kind, name in owners),
        relations=tuple(relations),
        warnings=tuple(warnings),
    )


async def _owners(kube: Kube, obj: Obj) -> tuple[list[tuple[str, str]], list[str]]:
    found: list[tuple[str, str]] = []
    namespace, current = namespace_of(obj), obj
    while len(found) < MOST_OWNERS:
        owner = controller_of(current)
        if owner is None:
            break
        version, kind, name = owner
        found.append((kind, name))
        try:
            current = await kube.get(f"{version}/{kind}" if "/" in version else kind, namespace, name)
        except AiopsError as error:
            return found, [f"owner {kind}/{name} not read: {error.reason}"]
    return found, []


Lookup = tuple[str, Callable[[], Awaitable[list[Relation]]]]


def _lookups(kube: Kube, kind: str, obj: Obj, chain: list[tuple[str, str]]) -> Iterator[Lookup]:
    namespace = namespace_of(obj)
    spec = part(obj, "spec") if kind == "Pod" else part(obj, "spec", "template", "spec")
    labels = labels_of(obj) if kind == "Pod" else labels_of(part(obj, "spec", "template"))
    if kind == "CronJob":
        spec = part(obj, "spec", "jobTemplate", "spec", "template", "spec")
    if spec:
        yield "Services", partial(_services, kube, namespace, labels)
        yield "PodDisruptionBudgets", partial(_budgets, kube, namespace, labels)
        yield "HorizontalPodAutoscalers", partial(_autoscalers, kube, namespace, chain)
        refs = sorted(set(references(spec)))[:MOST_REFS]
        for ref in refs:
            yield f"{ref.kind} {ref.name}", partial(_existing, kube, namespace, ref)
    if kind == "Pod" and text(spec, "nodeName"):
        yield "Node", partial(_node, kube, text(spec, "nodeName"))
    selector = _pod_selector(kind, obj)
    if selector:
        yield "Pods", partial(_pods, kube, namespace, selector)


def _pod_selector(kind: str, obj: Obj) -> str:
    if kind == "Service":
        return ",".join(f"{key}={value}" for key, value in part(obj, "spec", "selector").items())
    if kind in _WORKLOADS or kind == "PodDisruptionBudget":
        return selector_text(part(obj, "spec", "selector"))
    return ""


async def _services(kube: Kube, namespace: str, labels: dict[str, str]) -> list[Relation]:
    found = []
    async for service in kube.every("Service", namespace, at_most=2_000):
        selector = part(service, "spec", "selector")
        if selector and all(labels.get(key) == value for key, value in selector.items()):
            found.append(Relation("Service", name_of(service), "selects it", text(service, "spec", "type")))
    return found


async def _budgets(kube: Kube, namespace: str, labels: dict[str, str]) -> list[Relation]:
    found = []
    async for budget in kube.every("PodDisruptionBudget", namespace, at_most=2_000):
        if selects(part(budget, "spec", "selector"), labels):
            allowed = text(budget, "status", "disruptionsAllowed") or "?"
            state = f"allows {allowed} disruptions"
            found.append(Relation("PodDisruptionBudget", name_of(budget), "protects it", state))
    return found


async def _autoscalers(kube: Kube, namespace: str, chain: list[tuple[str, str]]) -> list[Relation]:
    found = []
    async for scaler in kube.every("HorizontalPodAutoscaler", namespace, at_most=2_000):
        target = part(scaler, "spec", "scaleTargetRef")
        if (text(target, "kind"), text(target, "name")) in chain:
            bounds = f"{text(scaler, 'spec', 'minReplicas') or 1}-{text(scaler, 'spec', 'maxReplicas')}"
            now = text(scaler, "status", "currentReplicas") or "?"
            state = f"{bounds} replicas, now {now}"
            found.append(Relation("HorizontalPodAutoscaler", name_of(scaler), "scales it", state))
    return found


async def _existing(kube: Kube, namespace: str, ref: Relation) -> list[Relation]:
    page = await kube.table(ref.kind, namespace, fields=f"metadata.name={ref.name}", limit=1)
    missing = "missing, optional" if ref.how.endswith("(optional)") else "MISSING"
    return [Relation(ref.kind, ref.name, ref.how, "exists" if page.rows else missing)]


async def _node(kube: Kube, name: str) -> list[Relation]:
    page = await kube.table("Node", fields=f"metadata.name={name}", limit=1)
    columns = [column.lower() for column in page.columns]
    state = str(dict(zip(columns, page.rows[0], strict=False)).get("status")) if page.rows else "gone"
    return [Relation("Node", name, "runs it", state)]


async def _pods(kube: Kube, namespace: str, selector: str) -> list[Relation]:
    """The pods of a workload or Service: how many are well, and the unwell by name."""
    page = await kube.table("Pod", namespace, selector=selector, limit=500)
    columns = [column.lower() for column in page.columns]
    rows = [dict(zip(columns, row, strict=False)) for row in page.rows]
    judged = [(str(cells.get("name")), judge_row("Pod", cells)) for cells in rows]
    unwell = [(name, each.word) for name, each in judged if each and each.badness >= IMPAIRED]
    more = "+" if page.cursor else ""
    total = Relation("Pod", f"{len(rows)}{more} in all", "selected", f"{len(rows) - len(unwell)} healthy")
    return [total, *(Relation("Pod", name, "selected", word) for name, word in unwell[:5])]


def references(spec: Obj) -> Iterator[Relation]:
    """ConfigMaps, Secrets, claims and the service account that a pod needs."""
    for container in containers_of(spec):
        for source in items(container, "envFrom"):
            yield from _referred(part(source, "configMapRef"), "ConfigMap", "name", "env of it")
            yield from _referred(part(source, "secretRef"), "Secret", "name", "env of it")
        for variable in items(container, "env"):
            yield from _referred(
                part(variable, "valueFrom", "configMapKeyRef"), "ConfigMap", "name", "env of it"
            )
            yield from _referred(part(variable, "valueFrom", "secretKeyRef"), "Secret", "name", "env of it")
    for volume in items(spec, "volumes"):
        yield from _mounted(volume)
        for source in items(volume, "projected", "sources"):
            yield from _mounted(source)
    for secret in items(spec, "imagePullSecrets"):
        yield from _referred(secret, "Secret", "name", "pulls its images")
    account = text(spec, "serviceAccountName")
    if account and account != "default":
        yield Relation("ServiceAccount", account, "identity")


def _mounted(volume: Obj) -> Iterator[Relation]:
    yield from _referred(part(volume, "configMap"), "ConfigMap", "name", "mounted")
    yield from _referred(part(volume, "secret"), "Secret", "secretName", "mounted")
    yield from _referred(part(volume, "secret"), "Secret", "name", "mounted")
    claim = part(volume, "persistentVolumeClaim")
    yield from _referred(claim, "PersistentVolumeClaim", "claimName", "mounted")


def _referred(ref: Obj, kind: str, key: str, how: str) -> Iterator[Relation]:
    name = text(ref, key)
    if name and name != "kube-root-ca.crt":
        yield Relation(kind, name, f"{how} (optional)" if ref.get("optional") is True else how)
