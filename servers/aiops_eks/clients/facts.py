"""Gathers what a diagnosis may know about a cluster, a namespace or one object.

Called by the tool `diagnose`. `scope_reading` lists the scope, `further` and `further_aws` read what explains
it, `details` asks more about the worst suspects only. A source that fails is a gap that the answer names.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio

from aiops_eks.clients.change_records import ChangeRecords
from aiops_eks.clients.details import Details
from aiops_eks.clients.further import Further
from aiops_eks.clients.further_aws import Brought, FurtherAws
from aiops_eks.clients.pods import WHOLE
from aiops_eks.clients.scope_reading import ScopeReader
from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.result import Ask, Diagnosis
from aiops_eks.diagnosis.scope import Gathered
from aiops_eks.models.fields import part
from aiops_eks.ports import ChangeJournal, Clusters, Kube, Obj, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.errors import InvalidInputError, NotFoundError
from aiops_shared.kube.nearest import nearest
from aiops_shared.results.progress import counting


@dataclass(frozen=True)
class FactsReader:
    """Fulfils the port of `tools/diagnose.py`."""

    clusters: Clusters
    clock: Clock
    sensitive: SensitiveReads
    redact: Callable[[str], str]
    journal: ChangeJournal | None = None
    whole_pods: int = WHOLE  # a scope of more pods is read by rows

    async def gather(self, ask: Ask) -> Gathered:
        """The facts of the scope. Raises NotFoundError, with the nearest names, for an unknown object."""
        kube = await self.clusters.open(ask.cluster)
        target = await _target(kube, ask)
        namespace = target.namespace if target else ask.namespace
        now, logs = await self.clock.now(), self.sensitive.allowed
        lists = ScopeReader(kube, now, self.redact, logs, self.whole_pods)
        with counting(4) as told:
            facts = replace(await lists.of(namespace), target=target)
            told.done("the scope is listed")
            further = Further(kube, self.redact)
            cloud = FurtherAws(self.clusters, ask.cluster, self.redact, kube)
            facts = await further.of(facts)
            told.done("what explains it is read")
            facts = await further.of(await self._beside(kube, cloud, facts, target))
            told.done("the suspects are read")
            records = ChangeRecords(self.clusters, ask.cluster, self.redact, self.journal)
            facts = await self._behind(cloud, records, facts)
            told.done("AWS and what changed are read")
        return Gathered(facts)

    async def _behind(self, cloud: FurtherAws, records: ChangeRecords, facts: Facts) -> Facts:
        """What only the details made worth asking: AWS once more, and who changed what seems at fault."""
        brought = Brought()

        async def ask_aws() -> None:
            nonlocal brought
            brought = await cloud.of(facts)

        async with anyio.create_task_group() as group:
            group.start_soon(ask_aws)
            recorded = await records.of(facts)
        return _with(recorded, brought)

    async def _beside(self, kube: Kube, cloud: FurtherAws, facts: Facts, target: Ref | None) -> Facts:
        """The details and AWS at the same time: neither waits for the other."""
        brought = Brought()

        async def ask_aws() -> None:
            nonlocal brought
            brought = await cloud.of(facts)

        async with anyio.create_task_group() as group:
            group.start_soon(ask_aws)
            detailed = await self._details(kube).of(facts, target)
        return _with(detailed, brought)

    async def several(self, ask: Ask, words: tuple[str, ...]) -> Diagnosis:
        """The diagnosis of the clusters that names or globs mean; a cause that several share is said once."""
        from aiops_eks.clients.diagnosing_several import diagnose

        return await diagnose(self.clusters, self.gather, ask, words)

    async def live(self, ask: Ask) -> Obj:
        """One object as its owner would write it. Raises NotFoundError with the nearest names."""
        kube = await self.clusters.open(ask.cluster)
        target = await _target(kube, ask)
        if target is None:
            raise InvalidInputError("object", "kind and name are needed", "name exactly one object")
        return _as_written(await kube.get(ask.kind, target.namespace, target.name), target.kind)

    def _details(self, kube: Kube) -> Details:
        return Details(kube, self.sensitive, self.redact)


def _with(facts: Facts, brought: Brought) -> Facts:
    """The facts with what AWS says beside them."""
    others = {**facts.others, **brought.others}
    return replace(facts, others=others, gaps=(*facts.gaps, *brought.gaps))


async def _target(kube: Kube, ask: Ask) -> Ref | None:
    """The object asked about, checked to be there."""
    if not ask.kind or not ask.name:
        return None
    kind = await kube.kind(ask.kind)
    if ask.namespace or not kind.namespaced:
        namespace = ask.namespace if kind.namespaced else ""
        await kube.get(ask.kind, namespace, ask.name)
        return Ref(kind.kind, namespace, ask.name)
    return await _anywhere(kube, kind.kind, ask)


async def _anywhere(kube: Kube, kind: str, ask: Ask) -> Ref:
    """The one object of that name in any namespace."""
    page = await kube.list(ask.kind, "", fields=f"metadata.name={ask.name}", limit=10)
    places = sorted(reading.ref_of(obj, kind) for obj in page.items)
    if len(places) == 1:
        return places[0]
    if places:
        names = ", ".join(place.namespace for place in places)
        raise NotFoundError(f"{kind} {ask.name}", "is in more than one namespace", f"name one of: {names}")
    known = [reading.ref_of(obj, kind) async for obj in kube.every(ask.kind, "", at_most=5_000)]
    near = nearest(ask.name, (ref.name for ref in known))
    raise NotFoundError(
        f"{kind} {ask.name}", "not found in any namespace", f"nearest: {', '.join(near) or 'none'}"
    )


_SERVER_SET = ("managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink")
_CLIENT_NOTES = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")


def _as_written(obj: Obj, kind: str) -> Obj:
    """Without status and what the server adds."""
    meta = {key: value for key, value in part(obj, "metadata").items() if key not in _SERVER_SET}
    notes = {key: value for key, value in part(meta, "annotations").items() if key not in _CLIENT_NOTES}
    meta = {key: value for key, value in meta.items() if key != "annotations"}
    if notes:
        meta["annotations"] = notes
    rest = {
        key: value for key, value in obj.items() if key not in {"status", "metadata", "kind", "apiVersion"}
    }
    return {
        "apiVersion": obj.get("apiVersion", ""),
        "kind": obj.get("kind") or kind,
        "metadata": meta,
        **rest,
    }
