"""Who deleted or wrote the objects at fault, for a diagnosis: one look into the journal, one audit query.

Called by `facts.py` once it is known which references lead nowhere and which policies stand around. A source
that is not there, or fails, changes nothing: a diagnosis stands without it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import anyio

from aiops_eks.diagnosis.changes import Recorded
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further.network import Policy
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.ports import ChangeJournal, Clusters
from aiops_shared.aws import EksCluster
from aiops_shared.aws.audit_log import AuditAsk, log_group, search_audit
from aiops_shared.errors import AiopsError
from aiops_shared.kube.changes.audits import audit_changes
from aiops_shared.kube.changes.records import Change, Span, cluster_key

WITHIN_S = 8.0
BACK = timedelta(hours=6)  # what an audit query is billed for
JOURNAL_BACK = timedelta(days=7)
MOST_REFS = 8
NEAR = timedelta(seconds=5)
PLURALS = {"configmaps": "ConfigMap", "secrets": "Secret", "networkpolicies": "NetworkPolicy"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A source by name, and what it was asked."""

    name: str
    query: str


@dataclass(frozen=True)
class ChangeRecords:
    """What is known of changes of one cluster, asked for few objects."""

    clusters: Clusters
    cluster: str | None
    redact: Callable[[str], str]
    journal: ChangeJournal | None = None

    async def of(self, facts: Facts) -> Facts:
        """The facts with the last write of each object that may be at fault."""
        wanted = candidates(facts)
        if not wanted:
            return facts
        found: dict[Ref, Recorded] = {}
        with anyio.move_on_after(WITHIN_S):
            try:
                eks: EksCluster | None = await self.clusters.eks(self.cluster)
            except AiopsError:
                eks = None
            await self._from_journal(facts, eks, wanted, found)
            if eks is not None and any(ref not in found or not found[ref].user for ref in wanted):
                await self._from_audit(facts, eks, wanted, found)
        records = tuple(found[ref] for ref in sorted(found))
        return replace(facts, others={**facts.others, Recorded: records}) if records else facts

    async def _from_journal(
        self, facts: Facts, eks: EksCluster | None, wanted: Sequence[Ref], found: dict[Ref, Recorded]
    ) -> None:
        if self.journal is None:
            return
        key = cluster_key(facts.cluster, eks)
        for ref in wanted:
            span = Span(facts.now - JOURNAL_BACK, facts.now, ref.namespace, ref.kind, ref.name)
            try:
                told = await self.journal.changes(key, span)
            except AiopsError:
                return
            _take(facts, told.changes, wanted, found, Asked("watch journal", "eks-aiops forward"))

    async def _from_audit(
        self, facts: Facts, eks: EksCluster, wanted: Sequence[Ref], found: dict[Ref, Recorded]
    ) -> None:
        spaces = {ref.namespace for ref in wanted}
        names = tuple(dict.fromkeys(ref.name for ref in wanted))
        space = spaces.pop() if len(spaces) == 1 else ""
        ask = AuditAsk(facts.now - BACK, facts.now, space, "", names, limit=50)
        try:
            answer = await search_audit(eks, ask, within_s=WITHIN_S)
        except AiopsError:
            return
        changes = list(audit_changes(answer.records, PLURALS, self.redact))
        asked = Asked(f"audit log {log_group(eks.name)}", f"writes of {', '.join(names)[:120]}")
        _take(facts, changes, wanted, found, asked)


def candidates(facts: Facts) -> list[Ref]:
    """References that lead nowhere, and policies around pods that are not ready; few."""
    missing = [lookup.target for lookup in facts.lookups if not lookup.exists]
    troubled = {pod.namespace for pod in facts.pods if not pod.ready}
    policies = [one.ref for one in facts.all(Policy) if one.ref.namespace in troubled]
    return list(dict.fromkeys((*missing, *policies)))[:MOST_REFS]


def _take(
    facts: Facts, changes: Iterable[Change], wanted: Sequence[Ref], found: dict[Ref, Recorded], source: Asked
) -> None:
    """The newest write that explains how the object stands: a delete where it is gone, else any other."""
    gone = {lookup.target for lookup in facts.lookups if not lookup.exists}
    for change in sorted(changes, key=lambda one: one.at):
        ref = Ref(change.kind, change.namespace, change.name)
        if ref not in wanted or (change.verb == "delete") != (ref in gone):
            continue
        known = found.get(ref)
        if known is None or known.at <= change.at + NEAR:
            found[ref] = _joined(known, ref, change, source)


def _joined(known: Recorded | None, ref: Ref, change: Change, source: Asked) -> Recorded:
    """What both sources know; the journal has the old value, the audit log the user."""
    told = Recorded(
        ref, change.at, change.verb, source.name, change.user, change.client, change.what, source.query
    )
    if known is None or known.source == source.name or abs(known.at - change.at) > NEAR:
        return told
    return replace(
        told,
        source=f"{known.source}, {source.name}",
        user=told.user or known.user,
        client=told.client or known.client,
        what=told.what or known.what,
    )
