"""Events: live from the API, equal ones counted together, and an honest word about what is gone.

Called by the event tool through `ports.Journal`, and by the object reader. The API server of EKS keeps an
event for 60 minutes after it was last written and that cannot be changed (`--event-ttl`), so a window that
begins earlier, or an object that is older, has a gap (C12).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiops_eks.clients.namespaces import require_namespace
from aiops_eks.clients.paging import cursor_at, digest, offset_of
from aiops_eks.clients.wording import counted, cut
from aiops_eks.models.answers import EventAsk, EventList
from aiops_eks.models.event_groups import MESSAGE_CHARS, Group, Said, event_table, grouped, in_force, said
from aiops_eks.models.fields import ago, moment
from aiops_eks.ports import Clusters, Kube, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.params import since_to_datetime
from aiops_shared.results import Evidence

EVENT_TTL_S = 3600.0
MOST_EVENTS = 20_000
DEFAULT_ROWS = 50
ROW_OVERHEAD = 45  # times, type, count and punctuation of a row
ROW_CHARS, MOST_CHARS = 3_300, 28_000
GAP = (
    "coverage_gap: the API keeps events for 60 minutes only; what happened before {since:%H:%M} UTC "
    "is not here (no stored copy is configured)"
)


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

    async def events(self, ask: EventAsk) -> EventList:
        """Events, equal ones counted together, warnings first.

        Raises InvalidInputError or ActionRefusedError before any request.
        """
        now = await self.clock.now()
        since = since_to_datetime(ask.since, now)
        if ask.name and not ask.kind:
            raise InvalidInputError("kind", "is needed with name", "give kind and name, or neither")
        question = digest(ask.cluster, ask.namespace, ask.kind, ask.name, ask.reason, ask.since)
        offset = offset_of(ask.cursor, question)
        await self.sensitive.allow(f"events in {ask.namespace or 'all namespaces'}")
        kube = await self.known.open(ask.cluster)
        kind = (await kube.kind(ask.kind)).kind if ask.kind else ""
        found = await events_of(kube, ask.namespace, kind, ask.name, since, redact)
        if not found:
            await require_namespace(kube, ask.namespace)
        if ask.reason:
            found = [each for each in found if each.reason.lower() == ask.reason.lower()]
        groups = grouped(found)
        page = _fitting(groups[offset : offset + ask.limit])
        end = offset + len(page)
        return EventList(
            summary=_said(ask, groups, now),
            total=sum(group.count for group in groups),
            events=event_table(page, now),
            evidence=(_evidence(kube, ask, kind, len(found)),),
            warnings=tuple(await self._gaps(kube, ask, kind, since, now)),
            hint="" if page else _empty(ask),
            truncated=end < len(groups),
            next_cursor=cursor_at(end, question) if end < len(groups) else "",
            untrusted=("events",),
        )

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


def _fitting(groups: list[Group]) -> list[Group]:
    """As many as a default answer takes; a page asked to be longer takes more."""
    left = ROW_CHARS if len(groups) <= DEFAULT_ROWS else MOST_CHARS
    for at, group in enumerate(groups):
        example = group.example
        left -= ROW_OVERHEAD + len(example.reason) + len(example.kind) + len(example.namespace)
        left -= len(example.name) + min(len(example.message), MESSAGE_CHARS)
        if left < 0 and at:
            return groups[:at]
    return groups


def _said(ask: EventAsk, groups: list[Group], now: datetime) -> str:
    """No message of an event stands in the summary: it is somebody else's text."""
    where = f"in {ask.namespace}" if ask.namespace else "in all namespaces"
    about = f" about {ask.kind}{f' {ask.name}' if ask.name else ''}" if ask.kind else ""
    warnings = [group for group in groups if group.example.type == "Warning"]
    total = counted(sum(group.count for group in groups), "event")
    head = f"{total}{about} {where} since {ask.since}, {len(groups)} different"
    if not groups:
        return cut(f"No events{about} {where} since {ask.since}.")
    if not warnings:
        return cut(f"{head}; no warnings.")
    worst = [_group_said(group, now) for group in warnings[:3]]
    return cut(f"{head}; {counted(len(warnings), 'warning')}: {'; '.join(worst)}.")


def _group_said(group: Group, now: datetime) -> str:
    example = group.example
    last = f", last {ago((now - group.last).total_seconds())} ago" if group.last else ""
    return f"{example.reason} x{group.count} {example.kind} {example.name}{last}"


def _evidence(kube: Kube, ask: EventAsk, kind: str, found: int) -> Evidence:
    where = f"-n {ask.namespace}" if ask.namespace else "-A"
    fields = f" --field-selector involvedObject.kind={kind}" if kind else ""
    name = f",involvedObject.name={ask.name}" if ask.name else ""
    return Evidence(
        source=f"Kubernetes API of {kube.cluster}",
        query=f"kubectl get events {where}{fields}{name}",
        says=f"{counted(found, 'Event object')} in the window",
    )


def _empty(ask: EventAsk) -> str:
    return (
        f"Searched events since {ask.since}. Nothing happened, or it is older than the 60 minutes that are "
        "kept, or kind, name or reason is not as events spell it (Pod, BackOff, FailedScheduling)."
    )
