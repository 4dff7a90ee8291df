"""Events: live from the API, older warnings from the watch journal, and an honest word about what is gone.

Called by the event tool through `ports.Journal`, and by the object reader. The API server of EKS keeps an
event for 60 minutes after it was last written and that cannot be changed (`--event-ttl`), so a window that
begins earlier, or an object that is older, has a gap (C12), as far as the journal does not fill it (D25).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiops_eks.clients.events_several import SeveralEvents
from aiops_eks.clients.events_stored import StoredAsk, older_events
from aiops_eks.clients.events_wording import (
    DEFAULT_ROWS,
    MOST_CHARS,
    ROW_CHARS,
    HeardEvents,
    as_kubectl,
    asked_about,
    group_chars,
    group_said,
    nothing_said,
)
from aiops_eks.clients.fanout import Fanout, warned
from aiops_eks.clients.namespaces import require_namespace
from aiops_eks.clients.paging import cursor_at, digest, offset_of
from aiops_eks.clients.wording import counted, cut
from aiops_eks.models.answers import EventAsk, EventList
from aiops_eks.models.event_groups import Group, Said, event_table, grouped, in_force, said
from aiops_eks.models.fields import moment
from aiops_eks.ports import Clusters, Kube, SensitiveReads, StoredEvents
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.params import since_to_datetime
from aiops_shared.results import Evidence

EVENT_TTL_S = 3600.0
MOST_EVENTS = 20_000
GAP = (
    "coverage_gap: the API keeps events for 60 minutes only; what happened before {since:%H:%M} UTC "
    "is not here (no stored copy: run `eks-aiops forward`, which keeps warnings for 7 days)"
)
STORED = "events before {since:%H:%M} UTC are from the watch journal: warnings only"
PARTLY = (
    "coverage_gap: the watch journal has events from {since:%Y-%m-%d %H:%M} UTC on; earlier ones are gone"
)
STOPPED = (
    "coverage_gap: the watch journal ends at {until:%Y-%m-%d %H:%M} UTC: is `eks-aiops forward` running?"
)
SLACK = timedelta(seconds=360)  # a forwarder says that it is alive every 300 s


async def events_of(
    kube: Kube,
    namespace: str,
    kind: str,
    name: str,
    since: datetime,
    clean: Callable[[str], str],
) -> list[Said]:
    """Events about one object, or about all where kind and name are empty, from `since` on."""
    terms = {"involvedObject.kind": kind, "involvedObject.name": name}
    fields = ",".join(f"{path}={value}" for path, value in terms.items() if value)
    found = []
    async for event in kube.every("events", namespace, fields=fields, at_most=MOST_EVENTS):
        each = said({**event, "message": clean(str(event.get("message") or event.get("note") or ""))})
        if in_force(each, since):
            found.append(each)
    return found


@dataclass(frozen=True)
class EventReader:
    """Fulfils `ports.Journal`."""

    known: Clusters
    clock: Clock
    sensitive: SensitiveReads
    stored: StoredEvents | None = None

    async def events(self, ask: EventAsk) -> EventList:
        """Events, equal ones counted together, warnings first.

        Raises InvalidInputError or ActionRefusedError before any request.
        """
        now = await self.clock.now()
        since = since_to_datetime(ask.since, now)
        if ask.name and not ask.kind:
            raise InvalidInputError("kind", "is needed with name", "give kind and name, or neither")
        if not isinstance(ask.cluster, tuple):
            offset_of(ask.cursor, _question(ask))
        await self.sensitive.allow(f"events in {ask.namespace or 'all namespaces'}")
        if isinstance(ask.cluster, tuple):
            return await self._several(ask, ask.cluster, since, now)
        return await self._one(ask, ask.cluster, since, now)

    async def _one(self, ask: EventAsk, cluster: str | None, since: datetime, now: datetime) -> EventList:
        question = _question(ask)
        offset = offset_of(ask.cursor, question)
        heard = await self.heard(ask, cluster, since, now)
        groups = heard.groups
        page = _fitting(groups[offset : offset + ask.limit])
        end = offset + len(page)
        return EventList(
            summary=_said(ask, groups, now),
            total=sum(group.count for group in groups),
            events=event_table(page, now),
            evidence=(_evidence(heard, ask),),
            warnings=tuple(heard.gaps),
            hint="" if page else nothing_said(ask),
            truncated=end < len(groups),
            next_cursor=cursor_at(end, question) if end < len(groups) else "",
            untrusted=("events",),
        )

    async def _several(
        self, ask: EventAsk, words: tuple[str, ...], since: datetime, now: datetime
    ) -> EventList:
        """The question to the clusters that the words mean; where that is one, it is asked as one."""
        fanout = Fanout(self.known)
        choice = await fanout.choose(words)
        if len(choice.clusters) != 1:
            return await SeveralEvents(fanout, lambda word: self.heard(ask, word, since, now)).page(
                ask, choice, now
            )
        return warned(await self._one(ask, choice.clusters[0].word, since, now), choice.gaps)

    async def heard(self, ask: EventAsk, cluster: str | None, since: datetime, now: datetime) -> HeardEvents:
        """The events of one cluster, whoever may read them settled before."""
        kube = await self.known.open(cluster)
        kind = (await kube.kind(ask.kind)).kind if ask.kind else ""
        found = await events_of(kube, ask.namespace, kind, ask.name, since, redact)
        gaps = await self._gaps(kube, ask, kind, since, now)
        if gaps and self.stored is not None:
            kept_from = now - timedelta(seconds=EVENT_TTL_S)
            about = (("namespace", ask.namespace), ("kind", kind), ("name", ask.name))
            wanted = StoredAsk(cluster, kube.cluster, since, kept_from, about)
            older = await older_events(self.stored, self.known, wanted)
            gap = GAP.format(since=kept_from)
            gaps = [*(one for one in gaps if one != gap or not older.known), *older.gaps]
            found = [*found, *older.events]
        if not found:
            await require_namespace(kube, ask.namespace)
        if ask.reason:
            found = [each for each in found if each.reason.lower() == ask.reason.lower()]
        return HeardEvents(kube.cluster, kind, tuple(grouped(found)), len(found), tuple(gaps))

    async def _gaps(self, kube: Kube, ask: EventAsk, kind: str, since: datetime, now: datetime) -> list[str]:
        kept_from = now - timedelta(seconds=EVENT_TTL_S)
        if since < kept_from - timedelta(seconds=60):
            return [GAP.format(since=kept_from)]
        if not (kind and ask.name):
            return []
        try:
            born = moment(await kube.get(kind, ask.namespace, ask.name), "metadata", "creationTimestamp")
        except AiopsError as error:
            return [f"the object itself could not be read: {error.reason}"]
        return [GAP.format(since=kept_from)] if born and born < kept_from else []


def _question(ask: EventAsk) -> str:
    return digest(ask.cluster, ask.namespace, ask.kind, ask.name, ask.reason, ask.since)


def _fitting(groups: Sequence[Group]) -> Sequence[Group]:
    """As many as a default answer takes; a page asked to be longer takes more."""
    left = ROW_CHARS if len(groups) <= DEFAULT_ROWS else MOST_CHARS
    for at, group in enumerate(groups):
        left -= group_chars(group)
        if left < 0 and at:
            return groups[:at]
    return groups


def _said(ask: EventAsk, groups: Sequence[Group], now: datetime) -> str:
    """No message of an event stands in the summary: it is somebody else's text."""
    where = f"in {ask.namespace}" if ask.namespace else "in all namespaces"
    about = asked_about(ask)
    warnings = [group for group in groups if group.example.type == "Warning"]
    total = counted(sum(group.count for group in groups), "event")
    head = f"{total}{about} {where} since {ask.since}, {len(groups)} different"
    if not groups:
        return cut(f"No events{about} {where} since {ask.since}.")
    if not warnings:
        return cut(f"{head}; no warnings.")
    worst = [group_said(group, now) for group in warnings[:3]]
    return cut(f"{head}; {counted(len(warnings), 'warning')}: {'; '.join(worst)}.")


def _evidence(heard: HeardEvents, ask: EventAsk) -> Evidence:
    return Evidence(
        source=f"Kubernetes API of {heard.cluster}",
        query=as_kubectl(ask, heard.kind),
        says=f"{counted(heard.objects, 'Event object')} in the window",
    )
