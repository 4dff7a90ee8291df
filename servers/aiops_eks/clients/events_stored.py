"""Warning events that the API has forgotten and the watch journal kept (D25).

Called by `events` when the window, or the object asked about, is older than the API's hour.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from aiops_eks.models.event_groups import Said
from aiops_eks.ports import Clusters, StoredEvents
from aiops_shared.errors import AiopsError
from aiops_shared.kube.changes.journal import KeptEvent
from aiops_shared.kube.changes.records import cluster_key

STORED = "events before {since:%H:%M} UTC are from the watch journal: warnings only"
PARTLY = (
    "coverage_gap: the watch journal has events from {since:%Y-%m-%d %H:%M} UTC on; earlier ones are gone"
)
STOPPED = (
    "coverage_gap: the watch journal ends at {until:%Y-%m-%d %H:%M} UTC: is `eks-aiops forward` running?"
)
SLACK = timedelta(seconds=360)  # a forwarder says that it is alive every 300 s


@dataclass(frozen=True, slots=True)
class Older:
    """What the journal adds. `known` is false where it never watched the cluster."""

    events: tuple[Said, ...] = ()
    gaps: tuple[str, ...] = ()
    known: bool = True


@dataclass(frozen=True, slots=True)
class StoredAsk:
    """Which events, of which cluster; `word` opens the cluster, `name` is its own."""

    word: str | None
    name: str
    since: datetime
    until: datetime
    about: tuple[tuple[str, str], ...]


async def older_events(stored: StoredEvents, clusters: Clusters, ask: StoredAsk) -> Older:
    """The kept events of the span. A journal that fails is a gap."""
    try:
        eks = await clusters.eks(ask.word)
    except AiopsError:
        eks = None
    try:
        kept, covered = await stored.events(cluster_key(ask.name, eks), ask.since, **dict(ask.about))
    except AiopsError as error:
        return Older(gaps=(f"coverage_gap: watch journal: {error.wire()[:200]}",), known=False)
    if covered.since is None or covered.until is None:
        return Older(known=False)
    said = [STORED.format(since=ask.until)]
    said += [PARTLY.format(since=covered.since)] if covered.since > ask.since else []
    said += [STOPPED.format(until=covered.until)] if covered.until < ask.until - SLACK else []
    return Older(tuple(_said(one) for one in kept if one.last_at < ask.until), tuple(said))


def _said(event: KeptEvent) -> Said:
    """A stored event as a fact; only warnings are stored."""
    return Said(
        type="Warning",
        reason=event.reason,
        kind=event.kind,
        namespace=event.namespace,
        name=event.name,
        message=event.message,
        count=event.count,
        first=event.first_at,
        last=event.last_at,
    )
