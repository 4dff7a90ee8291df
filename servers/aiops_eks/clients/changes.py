"""What changed in a cluster, newest first: the shared timeline as an answer of bounded size.

Called by the tool `list_changes` through `ports.Changes`. The sources and the joining live in
`aiops_shared.kube.changes`, since other servers read them too (D24).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiops_eks.clients.changes_several import SeveralChanges
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
from aiops_eks.clients.fanout import Fanout, warned
from aiops_eks.clients.namespaces import require_namespace
from aiops_eks.clients.paging import cursor_at, digest, offset_of
from aiops_eks.clients.wording import counted, cut
from aiops_eks.models.change_rows import ChangeAsk, ChangeList
from aiops_eks.models.fields import ago
from aiops_eks.ports import ChangeJournal, Clusters, Kube
from aiops_shared.aws import EksCluster
from aiops_shared.clock import Clock
from aiops_shared.errors import AccessDeniedError, AiopsError, InvalidInputError
from aiops_shared.kube.changes.aws import AWS_KINDS
from aiops_shared.kube.changes.records import Change, Span, Timeline
from aiops_shared.kube.changes.timeline import Sources, read_changes
from aiops_shared.kube.models import Kind
from aiops_shared.params import since_to_datetime
from aiops_shared.results import Evidence, Table

LONGEST = timedelta(days=90)  # CloudTrail's event history; every other source is shorter


@dataclass(frozen=True)
class ChangeReader:
    """Fulfils `ports.Changes`. `own_eyes`: Kubernetes judges by the caller's rights, so what the journal and
    the audit log hold of a namespace is told only to who may list there.
    """

    clusters: Clusters
    clock: Clock
    redact: Callable[[str], str]
    journal: ChangeJournal | None = None
    own_eyes: bool = False

    async def changes(self, ask: ChangeAsk) -> ChangeList:
        """The timeline. Raises InvalidInputError before any request, KindUnknownError, NotFoundError."""
        now = await self.clock.now()
        window = _span(ask, now)
        if isinstance(ask.cluster, tuple):
            return await self._several(ask, ask.cluster, window, now)
        return await self._one(ask, ask.cluster, window, now)

    async def _one(
        self, ask: ChangeAsk, cluster: str | None, window: tuple[datetime, datetime], now: datetime
    ) -> ChangeList:
        question = digest(ask.cluster, ask.namespace, ask.kind, ask.name, ask.since, ask.until)
        offset = offset_of(ask.cursor, question)
        name, timeline = await self.timeline(ask, cluster, window)
        return _answer(ask, name, timeline, offset, question, now)

    async def _several(
        self, ask: ChangeAsk, words: tuple[str, ...], window: tuple[datetime, datetime], now: datetime
    ) -> ChangeList:
        """The changes of the clusters that the words mean; where that is one, as of one."""
        fanout = Fanout(self.clusters)
        choice = await fanout.choose(words)
        if len(choice.clusters) != 1:

            async def told(word: str) -> Timeline:
                return (await self.timeline(ask, word, window))[1]

            return await SeveralChanges(fanout, told).page(ask, choice, now)
        return warned(await self._one(ask, choice.clusters[0].word, window, now), choice.gaps)

    async def timeline(
        self, ask: ChangeAsk, cluster: str | None, window: tuple[datetime, datetime]
    ) -> tuple[str, Timeline]:
        """One cluster's name and what changed in it."""
        kube = await self.clusters.open(cluster)
        kind = await _kind(kube, ask.kind)
        namespace = ask.namespace if kind is None or kind.namespaced else ""
        word = kind.kind if kind else _aws_kind(ask.kind)
        if self.own_eyes and (kind is not None or not word):
            await _require_sight(kube, kind.plural if kind else "pods", namespace)
        span = Span(*window, namespace, word, ask.name, kind.plural if kind else "")
        eks, why = await self._aws_side(cluster)
        timeline = await read_changes(Sources(kube, self.redact, eks, why, self.journal), span)
        if not timeline.changes:
            await require_namespace(kube, namespace)
        return kube.cluster, timeline

    async def _aws_side(self, cluster: str | None) -> tuple[EksCluster | None, str]:
        """AWS, or why it is not asked. What fails there never takes the Kubernetes side with it."""
        try:
            return await self.clusters.eks(cluster), ""
        except AiopsError as error:
            return None, error.wire()


async def _require_sight(kube: Kube, plural: str, namespace: str) -> None:
    if not await kube.can("list", plural, namespace):
        where = f"in {namespace}" if namespace else "in all namespaces"
        raise AccessDeniedError(
            f"changes {where}", f"you may not list {plural} {where}", "name a namespace that you may read"
        )


def _span(ask: ChangeAsk, now: datetime) -> tuple[datetime, datetime]:
    since = since_to_datetime(ask.since, now)
    until = since_to_datetime(ask.until, now) if ask.until else now
    if ask.name and not ask.kind:
        raise InvalidInputError("kind", "is needed with name", "give kind and name, or neither")
    if since >= until:
        raise InvalidInputError("since", "is not before until", "give an earlier since")
    if since < now - LONGEST:
        raise InvalidInputError("since", "is more than 90 days back", "no source knows older changes")
    return since, until


def _aws_kind(word: str) -> str:
    return next((kind for kind in AWS_KINDS if kind.lower() == word.lower()), "")


async def _kind(kube: Kube, word: str) -> Kind | None:
    """The kind asked about; None for none, and for what AWS alone knows (Addon, Nodegroup)."""
    if not word or _aws_kind(word):
        return None
    return await kube.kind(word)


def _answer(
    ask: ChangeAsk, cluster: str, timeline: Timeline, offset: int, question: str, now: datetime
) -> ChangeList:
    evidence, warnings = (
        _evidence(timeline),
        tuple(f"coverage_gap: {cut(str(gap), GAP_CHARS)}" for gap in timeline.gaps),
    )
    left = MOST_BYTES if ask.limit > DEFAULT_ROWS else DEFAULT_BYTES
    left -= sum(len(one.model_dump_json()) for one in evidence) + sum(
        len(text.encode()) + 3 for text in warnings
    )
    page = _fitting(timeline.changes[offset : offset + ask.limit], left)
    end = offset + len(page)
    more = end < len(timeline.changes)
    return ChangeList(
        summary=_said(ask, cluster, timeline, now),
        total=len(timeline.changes),
        changes=Table(columns=COLUMNS, rows=tuple(map(row_of, page))),
        evidence=evidence,
        warnings=warnings,
        hint="" if page else nothing_changed(ask),
        truncated=more,
        next_cursor=cursor_at(end, question) if more else "",
        untrusted=("changes",),
    )


def _fitting(changes: Sequence[Change], left: int) -> list[Change]:
    """As many rows as the answer has room for, one at least: a page ends where the next begins."""
    for at, change in enumerate(changes):
        left -= row_bytes(change)
        if left < 0 and at:
            return list(changes[:at])
    return list(changes)


def _evidence(timeline: Timeline) -> tuple[Evidence, ...]:
    """The sources outside of the cluster that were asked, and what they cost."""
    return tuple(
        Evidence(source=one.source, query=cut(one.asked, 240), says=one.says)
        for one in timeline.told
        if one.asked
        and one.source in {"audit", "cloudtrail", "journal"}
        and not (one.gaps and not one.changes)
    )


def _said(ask: ChangeAsk, cluster: str, timeline: Timeline, now: datetime) -> str:
    """Kinds and verbs only: names and agents are somebody else's text."""
    where = f"{cluster}/{ask.namespace}" if ask.namespace else cluster
    about = f" of {ask.kind}{f' {ask.name}' if ask.name else ''}" if ask.kind else ""
    if not timeline.changes:
        return cut(f"No changes{about} in {where} since {ask.since} in the sources that answered.")
    newest = timeline.changes[0]
    kinds = dict.fromkeys(f"{change.verb} {change.kind}" for change in timeline.changes)
    shown = ", ".join(list(kinds)[:6])
    named = sum(1 for change in timeline.changes if change.user)
    last = ago((now - newest.at).total_seconds())
    gaps = f" {counted(len(timeline.gaps), 'coverage gap')}." if timeline.gaps else ""
    return cut(
        f"{counted(len(timeline.changes), 'change')}{about} in {where} since {ask.since}, newest {last} ago;"
        f" {named} with a known user: {shown}.{gaps}"
    )
