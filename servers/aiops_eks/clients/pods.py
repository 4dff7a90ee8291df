"""Reads a scope's pods for a diagnosis: a small scope whole, a large one by rows and only its suspects whole.

Called by `scope_reading.py`. A Table row with the object's metadata tells labels, owner, node and whether a
pod looks well, at a part of the whole object's bytes; its containers are those of its controller's template,
which is read anyway. So of 5,000 pods only those that do not look well are read whole.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from aiops_eks.clients.gathering import gathered
from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.objects import Condition, Container, Node, Pod, Ref
from aiops_eks.diagnosis.reading import Tops
from aiops_eks.diagnosis.reading_containers import moment, strings
from aiops_eks.models.fields import text, words
from aiops_eks.models.health import judge_row, seconds_of
from aiops_eks.ports import Kube, Obj
from aiops_shared.errors import AiopsError, AnswerTooLargeError, NotFoundError
from aiops_shared.kube.models import DescribedRow

WHOLE = 200  # a scope of no more pods is read whole: one page
MOST_PODS = 50_000
MOST_SUSPECTS = 1_000
MOST_NODES, MOST_ON_NODE = 10, 250
QUIET_S = 3600.0  # a restart longer ago than this is history
_READY, _DONE = (Condition("Ready", "True"),), (Condition("Ready", "False"),)


@dataclass
class PodsRead:
    """What came: pods read whole, and those that are well by their row."""

    whole: list[Pod] = field(default_factory=list)
    well: list["WellPod"] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    def all(self, templates: Mapping[Ref, Pod], tops: Tops) -> tuple[Pod, ...]:
        """Every pod with its top owner; one known by its row has what its controller's template says."""
        made = _Made(templates, tops)
        return (*map(tops.owned, self.whole), *map(made.pod, self.well))


@dataclass(frozen=True, slots=True)
class WellPod:
    """A pod that looks well, as its row and metadata tell it; not yet what its controller's template adds."""

    ref: Ref
    uid: str
    created_at: datetime | None
    parent: Ref | None
    labels: Mapping[str, str]
    finalizers: tuple[str, ...]
    node: str
    done: bool


@dataclass(frozen=True)
class PodReader:
    """The pods of one scope. `read` makes a fact of a whole object, its texts redacted."""

    kube: Kube
    read: Callable[[Obj], Pod]
    whole: int = WHOLE

    async def of(self, namespace: str) -> PodsRead:
        """The pods. Raises `AiopsError`."""
        page = await self.kube.list("Pod", namespace, limit=self.whole)
        if not page.cursor:
            return PodsRead([self.read(obj) for obj in page.items])
        _require_not_too_many(page.remaining or 0)
        del page  # whole objects; of the rest only rows come
        found, suspects, rows = PodsRead(), list[Ref](), _Rows()
        async for row in self.kube.every_row("Pod", namespace, at_most=MOST_PODS):
            if _is_well(row):
                found.well.append(rows.pod(row))
            else:
                suspects.append(reading.ref_of({"metadata": row.metadata}, "Pod"))
        await self._read_whole(suspects[:MOST_SUSPECTS], found)
        if (left := len(suspects) - MOST_SUSPECTS) > 0:
            found.gaps.append(f"Pod: {left} more do not look well and were not read; name a namespace")
        return found

    async def on_troubled_nodes(self, nodes: Iterable[Node], namespace: str, found: PodsRead) -> None:
        """Also whole: what runs on nodes in trouble, whose rows still say Running and ready."""
        troubled = [node.name for node in nodes if _in_trouble(node)][:MOST_NODES] if found.well else []
        pages = await gathered([partial(self._on_node, node, namespace) for node in troubled])
        read = {pod.ref: pod for page in pages if not isinstance(page, AiopsError) for pod in page}
        known = {pod.ref for pod in found.whole}
        found.well = [pod for pod in found.well if pod.ref not in read]
        found.whole += [pod for ref, pod in read.items() if ref not in known]

    async def _on_node(self, node: str, namespace: str) -> Sequence[Pod]:
        fields = f"spec.nodeName={node}"
        page = await self.kube.list("Pod", namespace, fields=fields, limit=MOST_ON_NODE)
        return [self.read(obj) for obj in page.items]

    async def _read_whole(self, suspects: Sequence[Ref], found: PodsRead) -> None:
        answers = await gathered([partial(self._one, ref) for ref in suspects])
        found.whole += [each for each in answers if isinstance(each, Pod)]
        failed = [each for each in answers if isinstance(each, AiopsError)]
        if failed:
            found.gaps.append(f"Pod: {len(failed)} pods not read: {failed[0].wire()[:160]}")

    async def _one(self, ref: Ref) -> Pod | None:
        try:
            return self.read(await self.kube.get("Pod", ref.namespace, ref.name))
        except NotFoundError:
            return None  # it went meanwhile


@dataclass
class _Rows:
    """Reads rows, with one copy of what thousands of them have in common: labels, owner, node."""

    labels: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = field(default_factory=dict)
    parents: dict[Ref, Ref] = field(default_factory=dict)

    def pod(self, row: DescribedRow) -> WellPod:
        """A pod as metadata and row tell it."""
        meta, node = row.metadata, str(row.cells.get("node") or "")
        labels = strings(meta, "labels")
        parent = reading.parent_of({"metadata": meta})
        if parent is not None:
            parent = self.parents.setdefault(parent, parent)
        return WellPod(
            ref=Ref("Pod", sys.intern(text(meta, "namespace")), text(meta, "name")),
            uid=text(meta, "uid"),
            created_at=moment(meta, "creationTimestamp"),
            parent=parent,
            labels=self.labels.setdefault(tuple(sorted(labels.items())), labels),
            finalizers=tuple(words(meta, "finalizers")),
            node="" if node == "<none>" else sys.intern(node),
            done=str(row.cells.get("status")) in {"Completed", "Succeeded"},
        )


def _require_not_too_many(more: int) -> None:
    """A part of the pods would judge Services and nodes wrongly, so none are read of more than can be."""
    if more > MOST_PODS:
        hint = "name a namespace, or list_resources(unhealthy_only) for all of them"
        raise AnswerTooLargeError("list of pods", f"more than {MOST_PODS:,} ({more:,})", hint)


def _in_trouble(node: Node) -> bool:
    """Not ready, or with any other condition that a well node has not."""
    return any((one.type == "Ready") != (one.status == "True") for one in node.conditions)


def _is_well(row: DescribedRow) -> bool:
    """Whether row and metadata leave nothing to ask: running or done, and no restart of late."""
    health = judge_row("Pod", row.cells)
    if health is None or health.badness or row.metadata.get("deletionTimestamp"):
        return False
    ended_s = seconds_of(str(row.cells.get("restarts") or "").partition(" ")[2])
    return ended_s is None or ended_s > QUIET_S


_BARE = Pod("", "")  # what is said of a pod whose controller's template was not read


@dataclass(frozen=True)
class _Made:
    """Makes pods of rows: what their controller wrote into them, and their own words (labels, name, node)."""

    templates: Mapping[Ref, Pod]
    tops: Tops
    containers: dict[tuple[Ref, bool, datetime | None], tuple[Container, ...]] = field(default_factory=dict)

    def pod(self, row: WellPod) -> Pod:
        """The pod, with its top owner."""
        source = row.parent or row.ref
        template = self.templates.get(source, _BARE)
        return Pod(
            namespace=row.ref.namespace,
            name=row.ref.name,
            uid=row.uid,
            created_at=row.created_at,
            parent=row.parent,
            owner=self.tops.of(row.parent, row.labels),
            labels=row.labels,
            finalizers=row.finalizers,
            phase="Succeeded" if row.done else "Running",
            node=row.node,
            conditions=_DONE if row.done else _READY,
            containers=self._containers(source, template, row),
            needs=template.needs,
            claims=template.claims,
            claim_of=template.claim_of,
            host_network=template.host_network,
            pull_secrets=template.pull_secrets,
            restart_policy=template.restart_policy,
            node_selector=template.node_selector,
            node_affinity=template.node_affinity,
            service_account=template.service_account,
            whole=False,
        )

    def _containers(self, source: Ref, template: Pod, row: WellPod) -> tuple[Container, ...]:
        """Those of the template, running since the pod is there; one copy for pods that began together."""
        running = not row.done
        key = source, running, row.created_at if running else None
        if key not in self.containers:
            self.containers[key] = tuple(
                replace(one, ready=running, running_since=key[2]) for one in template.containers
            )
        return self.containers[key]
