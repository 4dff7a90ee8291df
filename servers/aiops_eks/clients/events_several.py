"""Events of several clusters in one list: warnings first, newest first, over all of them.

Called by `events` when more than one cluster is meant.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

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
from aiops_eks.clients.fanout import GONE, Fanout
from aiops_eks.clients.paging import DONE, cursor_of, digest, offsets_of
from aiops_eks.clients.wording import brief, counted, cut
from aiops_eks.models.answers import EventAsk, EventList
from aiops_eks.models.event_groups import Group, event_table
from aiops_eks.models.several import Heard, best_first, said_once
from aiops_shared.kube.choosing import Choice
from aiops_shared.results import Evidence, Table


@dataclass(frozen=True)
class SeveralEvents:
    """Lists events of several clusters; `hear` reads those of one."""

    fanout: Fanout
    hear: Callable[[str], Awaitable[HeardEvents]]

    async def page(self, ask: EventAsk, choice: Choice, now: datetime) -> EventList:
        """Events of all clusters of a choice. Raises InvalidInputError for a foreign cursor."""
        question = digest(ask.cluster, ask.namespace, ask.kind, ask.name, ask.reason, ask.since)
        offsets, gone = offsets_of(ask.cursor, question, [one.word for one in choice.clusters])
        heard = await self.fanout.each(choice, self.hear)
        gaps = (*heard.gaps, *([GONE.format(gone)] if gone else []))
        begins = [offsets.get(one.word, 0) for one in heard.said]
        taken, counts = _taken(ask, heard, begins, sum(map(len, gaps)))
        rests = {
            one.word: at + count if at != DONE and at + count < len(one.answer.groups) else DONE
            for one, at, count in zip(heard.said, begins, counts, strict=True)
        }
        more = any(rest != DONE for rest in rests.values())
        return EventList(
            summary=_said(ask, heard, now),
            total=sum(group.count for one in heard.said for group in one.answer.groups),
            events=_table(heard, taken, now),
            evidence=(_evidence(ask, heard),),
            warnings=(*gaps, *said_once((one.label, one.answer.gaps) for one in heard.said)),
            hint="" if taken else nothing_said(ask),
            truncated=more,
            next_cursor=cursor_of(offsets | rests, question) if more else "",
            untrusted=("events",),
        )


def _taken(
    ask: EventAsk, heard: Heard[HeardEvents], begins: list[int], gap_chars: int
) -> tuple[list[tuple[int, Group]], list[int]]:
    room = MOST_CHARS if ask.limit > DEFAULT_ROWS else max(ROW_CHARS // 3, ROW_CHARS - gap_chars)
    left = [ask.limit, room]
    labels = heard.labels

    def takes(place: int, group: Group) -> bool:
        left[0] -= 1
        left[1] -= group_chars(group) + len(labels[place]) + 4
        return left[0] >= 0 and (left[1] >= 0 or left[0] == ask.limit - 1)

    parts = [one.answer.groups[at:] for one, at in zip(heard.said, begins, strict=True)]
    return best_first(parts, lambda group: group.order, takes)


def _table(heard: Heard[HeardEvents], taken: list[tuple[int, Group]], now: datetime) -> Table:
    table = event_table([group for _, group in taken], now)
    labels = heard.labels
    rows = tuple((labels[place], *row) for (place, _), row in zip(taken, table.rows, strict=True))
    return Table(columns=("cluster", *table.columns), rows=rows)


def _said(ask: EventAsk, heard: Heard[HeardEvents], now: datetime) -> str:
    """No message of an event stands in the summary: it is somebody else's text."""
    groups = [(one.label, group) for one in heard.said for group in one.answer.groups]
    where = f"in {ask.namespace or 'all namespaces'} of {counted(len(heard.said), 'cluster')}"
    if heard.gaps:
        where += " (some did not answer)"
    if not groups:
        return cut(f"No events{asked_about(ask)} {where} since {ask.since}.")
    total = counted(sum(group.count for _, group in groups), "event")
    head = f"{total}{asked_about(ask)} {where} since {ask.since}"
    warnings = sorted(
        ((label, group) for label, group in groups if group.example.type == "Warning"),
        key=lambda one: one[1].order,
    )
    if not warnings:
        return cut(f"{head}; no warnings.")
    worst = [f"{label} {group_said(group, now)}" for label, group in warnings[:3]]
    return cut(f"{head}; {counted(len(warnings), 'warning')}: {'; '.join(worst)}.")


def _evidence(ask: EventAsk, heard: Heard[HeardEvents]) -> Evidence:
    each = [f"{one.label} {counted(one.answer.objects, 'Event object')}" for one in heard.said]
    return Evidence(
        source=f"Kubernetes APIs of {brief(heard.labels, 8)}",
        query=as_kubectl(ask, heard.said[0].answer.kind),
        says=brief(each, 8),
    )
