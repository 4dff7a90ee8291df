"""What changed in several clusters, newest first over all: a release that went to each stands together.

Called by `changes` when more than one cluster is meant.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from aiops_eks.clients.changes_wording import (
    COLUMNS,
    DEFAULT_BYTES,
    DEFAULT_ROWS,
    GAP_CHARS,
    MOST_BYTES,
    nothing_changed,
    row_bytes,
    row_of,
)
from aiops_eks.clients.fanout import GONE, Fanout
from aiops_eks.clients.paging import DONE, cursor_of, digest, offsets_of
from aiops_eks.clients.wording import brief, counted, cut
from aiops_eks.models.change_rows import ChangeAsk, ChangeList
from aiops_eks.models.fields import ago
from aiops_eks.models.several import Heard, best_first, said_once
from aiops_shared.kube.changes.records import Change, Timeline
from aiops_shared.kube.choosing import Choice
from aiops_shared.results import Evidence, Table


@dataclass(frozen=True)
class SeveralChanges:
    """Lists changes of several clusters; `read` reads those of one."""

    fanout: Fanout
    read: Callable[[str], Awaitable[Timeline]]

    async def page(self, ask: ChangeAsk, choice: Choice, now: datetime) -> ChangeList:
        """Changes in all clusters of a choice. Raises InvalidInputError for a foreign cursor."""
        question = digest(ask.cluster, ask.namespace, ask.kind, ask.name, ask.since, ask.until)
        offsets, gone = offsets_of(ask.cursor, question, [one.word for one in choice.clusters])
        heard = await self.fanout.each(choice, self.read)
        gaps = said_once(
            (one.label, [cut(str(gap), GAP_CHARS) for gap in one.answer.gaps]) for one in heard.said
        )
        warnings = (
            *heard.gaps,
            *([GONE.format(gone)] if gone else []),
            *(f"coverage_gap: {gap}" for gap in gaps),
        )
        begins = [offsets.get(one.word, 0) for one in heard.said]
        taken, counts = _taken(ask, heard, begins, sum(len(text.encode()) + 3 for text in warnings))
        rests = {
            one.word: at + count if at != DONE and at + count < len(one.answer.changes) else DONE
            for one, at, count in zip(heard.said, begins, counts, strict=True)
        }
        more = any(rest != DONE for rest in rests.values())
        labels = heard.labels
        return ChangeList(
            summary=_said(ask, heard, now),
            total=sum(len(one.answer.changes) for one in heard.said),
            changes=Table(
                columns=("cluster", *COLUMNS),
                rows=tuple((labels[place], *row_of(change)) for place, change in taken),
            ),
            evidence=(_evidence(heard),),
            warnings=warnings,
            hint="" if taken else nothing_changed(ask),
            truncated=more,
            next_cursor=cursor_of(offsets | rests, question) if more else "",
            untrusted=("changes",),
        )


def _taken(
    ask: ChangeAsk, heard: Heard[Timeline], begins: list[int], warned: int
) -> tuple[list[tuple[int, Change]], list[int]]:
    room = MOST_BYTES if ask.limit > DEFAULT_ROWS else DEFAULT_BYTES
    left = [ask.limit, max(room // 3, room - warned)]
    labels = heard.labels

    def takes(place: int, change: Change) -> bool:
        left[0] -= 1
        left[1] -= row_bytes(change) + len(labels[place]) + 4
        return left[0] >= 0 and (left[1] >= 0 or left[0] == ask.limit - 1)

    parts = [one.answer.changes[at:] for one, at in zip(heard.said, begins, strict=True)]
    return best_first(parts, lambda change: -change.at.timestamp(), takes)


def _said(ask: ChangeAsk, heard: Heard[Timeline], now: datetime) -> str:
    """Kinds and verbs only: names and agents are somebody else's text."""
    where = counted(len(heard.said), "cluster") + (" (some did not answer)" if heard.gaps else "")
    changes = sorted(
        (change for one in heard.said for change in one.answer.changes),
        key=lambda change: change.at,
        reverse=True,
    )
    if not changes:
        return cut(f"No changes in {where} since {ask.since} in the sources that answered.")
    counts = [f"{one.label} {len(one.answer.changes)}" for one in heard.said if one.answer.changes]
    kinds = dict.fromkeys(f"{change.verb} {change.kind}" for change in changes)
    last = ago((now - changes[0].at).total_seconds())
    head = f"{counted(len(changes), 'change')} in {where} since {ask.since} ({brief(counts)})"
    return cut(f"{head}, newest {last} ago: {brief(list(kinds), 6)}.")


def _evidence(heard: Heard[Timeline]) -> Evidence:
    sources = dict.fromkeys(one.source for part in heard.said for one in part.answer.told if one.asked)
    return Evidence(
        source=f"changes of {brief(heard.labels, 8)}",
        query=", ".join(sources),
        says=brief([f"{one.label} {counted(len(one.answer.changes), 'change')}" for one in heard.said], 8),
    )
