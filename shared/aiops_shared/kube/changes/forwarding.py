"""Watches the kinds that matter of one cluster and keeps what changes in the journal.

Called by `eks-aiops forward`. Each kind has its own watch: one that fails is said and begun again, and takes
none of the others with it. Every few minutes the whole list is read again, so that a delete that no watch
saw is found too.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import anyio

from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, KindUnknownError
from aiops_shared.kube.changes.journal import KeptEvent, Seen, WatchJournal
from aiops_shared.kube.changes.managers import writes_of
from aiops_shared.kube.changes.reading import Obj, created, moment, part, place
from aiops_shared.kube.changes.views import Viewer
from aiops_shared.kube.models import WatchEvent
from aiops_shared.kube.shapes import mapping, meta, text

KINDS = (
    "ConfigMap",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "Ingress",
    "MutatingWebhookConfiguration",
    "Namespace",
    "NetworkPolicy",
    "Node",
    "PodDisruptionBudget",
    "ResourceQuota",
    "Secret",
    "Service",
    "StatefulSet",
    "ValidatingWebhookConfiguration",
)
OPTIONAL = {
    "Application": "applications.argoproj.io",
    "NodeClaim": "nodeclaims.karpenter.sh",
    "NodePool": "nodepools.karpenter.sh",
}
EVENTS, WARNINGS = "Event", "type=Warning"
ROUND_S = 300.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
BATCH = 200
_LEADER = "control-plane.alpha.kubernetes.io/leader"


class Watched(Protocol):
    """What of a cluster's API is needed."""

    def every(
        self, kind: str, namespace: str = "", *, selector: str = "", fields: str = "", at_most: int = 20_000
    ) -> AsyncIterator[Obj]:
        """All objects, page by page."""
        ...

    def watch(
        self, kind: str, namespace: str = "", selector: str = "", *, fields: str = "", for_s: float = 300.0
    ) -> AsyncGenerator[WatchEvent, None]:
        """Present objects and then changes, for a while."""
        ...


class Listening(Protocol):
    """Who else is told of what is seen: the sender of events."""

    async def heard(self, events: Sequence[KeptEvent]) -> None:
        """Warning events."""
        ...

    async def saw(self, kind: str, obj: Obj) -> None:
        """An object as it stands now."""
        ...


@dataclass
class Forwarder:
    """Keeps one cluster's changes. `cluster` is its name in the journal; `say` tells the operator."""

    kube: Watched
    journal: WatchJournal
    viewer: Viewer
    clock: Clock
    cluster: str
    say: Callable[[str], None]
    round_s: float = ROUND_S
    also: Listening | None = None
    written: int = field(default=0, init=False)

    async def run(self, *, rounds: int | None = None) -> None:
        """Watch until cancelled, or for so many rounds (each lists, then watches `round_s`)."""
        async with anyio.create_task_group() as tasks:
            for kind in KINDS:
                tasks.start_soon(self._kind, kind, kind, rounds)
            for kind, word in OPTIONAL.items():
                tasks.start_soon(self._kind, kind, word, rounds)
            tasks.start_soon(self._kind, EVENTS, "events", rounds)

    async def _kind(self, kind: str, word: str, rounds: int | None) -> None:
        wait_s, left = FIRST_WAIT_S, rounds
        while left is None or left > 0:
            try:
                await (self._events() if kind == EVENTS else self._round(kind, word))
                wait_s = FIRST_WAIT_S
            except KindUnknownError:
                if kind not in OPTIONAL:
                    self.say(f"{kind}: the cluster serves no such kind")
                return
            except AiopsError as error:
                self.say(f"{kind}: {error.wire()[:300]}; again in {wait_s:.0f} s")
                await anyio.sleep(wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            left = None if left is None else left - 1

    async def _round(self, kind: str, word: str) -> None:
        """The whole list, then every change for a while."""
        now = await self.clock.now()
        listed = [
            await self._shown(obj, kind, now) async for obj in self.kube.every(word) if not _is_noise(obj)
        ]
        self._count(await self.journal.settle(self.cluster, kind, listed, await self.clock.now()))
        async with aclosing(self.kube.watch(word, for_s=self.round_s)) as changes:
            async for event in changes:
                await self._changed(event, kind)
        await self.journal.alive(self.cluster, kind, await self.clock.now())

    def _count(self, written: int) -> None:
        """Beside the await: `+=` with an await in it would lose what another watch counted meanwhile."""
        self.written += written

    async def _changed(self, event: WatchEvent, kind: str) -> None:
        obj, now = mapping(event.object), await self.clock.now()
        if _is_noise(obj):
            return
        if event.type == "DELETED":
            gone_at = moment(meta(obj).get("deletionTimestamp")) or now
            self._count(await self.journal.gone(self.cluster, kind, [_uid(obj)], min(gone_at, now)))
        else:
            self._count(await self.journal.take(self.cluster, [await self._shown(obj, kind, now)]))

    async def _shown(self, obj: Obj, kind: str, now: datetime) -> Seen:
        """As the journal keeps it; who listens sees it whole."""
        if self.also is not None:
            await self.also.saw(kind, obj)
        return self._seen(obj, kind, now)

    async def _heard(self, events: Sequence[KeptEvent]) -> None:
        await self.journal.heard(self.cluster, events)
        if self.also is not None:
            await self.also.heard(events)

    def _seen(self, obj: Obj, kind: str, now: datetime) -> Seen:
        namespace, name = place(obj)
        view = self.viewer.view(obj, kind)
        last = max(writes_of(obj), key=lambda write: write.at, default=None)
        return Seen(
            uid=_uid(obj),
            kind=kind,
            namespace=namespace,
            name=name,
            version=text(meta(obj).get("resourceVersion")),
            view=view,
            digest=self.viewer.digest(view),
            at=min(last.at, now) if last else now,
            made_at=created(obj) or now,
            client=last.manager if last else "",
        )

    async def _events(self) -> None:
        """Warning events: those that are there in batches, then each one as it comes."""
        known: dict[str, str] = {}
        batch: list[KeptEvent] = []
        async for obj in self.kube.every("events", fields=WARNINGS):
            known[_uid(obj)] = text(meta(obj).get("resourceVersion"))
            batch += [kept] if (kept := self._event(obj)) is not None else []
            if len(batch) >= BATCH:
                await self._heard(batch)
                batch = []
        await self._heard(batch)
        await self.journal.alive(self.cluster, EVENTS, await self.clock.now())
        async with aclosing(self.kube.watch("events", fields=WARNINGS, for_s=self.round_s)) as changes:
            async for event in changes:
                obj = mapping(event.object)
                if event.type == "DELETED" or known.pop(_uid(obj), "") == meta(obj).get("resourceVersion"):
                    continue
                if (kept := self._event(obj)) is not None:
                    await self._heard([kept])
        await self.journal.alive(self.cluster, EVENTS, await self.clock.now())

    def _event(self, obj: Obj) -> KeptEvent | None:
        about = part(obj, "involvedObject") or part(obj, "regarding")
        series = moment(part(obj, "series").get("lastObservedTime"))
        times = [series, moment(obj.get("lastTimestamp")), moment(obj.get("eventTime")), created(obj)]
        last = next((each for each in times if each), None)
        if last is None or not _uid(obj):
            return None
        counts = [part(obj, "series").get("count"), obj.get("count"), 1]
        return KeptEvent(
            uid=_uid(obj),
            kind=text(about.get("kind"))[:128],
            namespace=text(about.get("namespace"))[:256] or place(obj)[0],
            name=text(about.get("name"))[:256],
            reason=text(obj.get("reason"))[:256],
            message=self.viewer.redact(text(obj.get("message")) or text(obj.get("note")))[:1024],
            count=next(count for count in counts if isinstance(count, int)),
            first_at=moment(obj.get("firstTimestamp")) or created(obj) or last,
            last_at=last,
        )


def _uid(obj: Obj) -> str:
    return text(meta(obj).get("uid"))[:64]


def _is_noise(obj: Any) -> bool:
    """Leases in ConfigMaps, and the CA that every namespace gets."""
    return _LEADER in part(meta(obj), "annotations") or place(obj)[1] == "kube-root-ca.crt"
