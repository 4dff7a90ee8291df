"""Kubernetes Events: written with the texts of the real components, counted up, gone after an hour.

Called by every controller. A repeated event (same object, field, reason, text) raises the count of the one
that exists, as client-go's correlator does; one hour after its last write an event disappears
(kube-apiserver `--event-ttl`, 1h on EKS and not configurable).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from aiops_lab.clock import VirtualClock
from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.store import Store
from aiops_lab.world.objects import Obj, key_of, meta, moment_of, stamp

TTL_S = 3600.0
MOST_ALIKE, ALIKE_S = 10, 600.0


@dataclass(frozen=True, slots=True)
class Said:
    """One event to write: about which object, by which component, with which words."""

    about: Obj
    reason: str
    message: str
    by: str
    warning: bool = False
    host: str = ""
    container: str = ""


class Recorder:
    """Writes events into the Store, and sweeps out those that are over."""

    def __init__(self, store: Store, clock: VirtualClock, rng: Callable[[], Random]) -> None:
        self._store, self._clock, self._rng = store, clock, rng
        self._known: dict[tuple[str, ...], tuple[str, str]] = {}
        self._similar: dict[tuple[str, ...], tuple[datetime, set[str]]] = {}
        self.mute = False  # while a world plays days of its past, which nobody could still see

    def forget(self) -> None:
        """A new world: nothing was ever said."""
        self._known.clear()
        self._similar.clear()

    def say(self, said: Said) -> None:
        """Write one event now, or count up the one that says the same."""
        if self.mute:
            return
        with suppress(ApiError):  # as the real recorder: an event that cannot be written is dropped
            self._write(said)

    def _write(self, said: Said) -> None:
        alike = (meta(said.about)["uid"], said.container, said.reason, said.by)
        same: tuple[str, ...] = (*alike, said.message)
        if self._too_many_alike(alike, said.message):
            same, said = alike, replace(said, message=f"(combined from similar events): {said.message}")
        known = self._known.get(same)
        before = self._store.peek("Event", *known) if known else None
        if before is None:
            made = self._store.add(self._event(said), manager=said.by)
            self._known[same] = key_of(made)
            self._expire_later(*key_of(made))
            return
        again = {
            "count": before["count"] + 1,
            "message": said.message,
            "lastTimestamp": stamp(self._clock.now()),
        }
        self._store.replace({**before, **again}, manager=said.by)

    def _too_many_alike(self, alike: tuple[str, ...], message: str) -> bool:
        """Ten texts that differ in ten minutes become one event (client-go, EventAggregator)."""
        now = self._clock.now()
        last, texts = self._similar.get(alike, (now, set()))
        if (now - last).total_seconds() > ALIKE_S:
            texts = set()
        texts.add(message)
        self._similar[alike] = (now, texts)
        if len(texts) < MOST_ALIKE:
            return False
        texts.pop()
        return True

    def _event(self, said: Said) -> Obj:
        about, now = said.about, stamp(self._clock.now())
        namespace = meta(about).get("namespace") or "default"
        involved = {
            "kind": about["kind"],
            "name": meta(about)["name"],
            "uid": meta(about)["uid"],
            "apiVersion": about["apiVersion"],
            "resourceVersion": meta(about).get("resourceVersion", ""),
        }
        if meta(about).get("namespace"):
            involved["namespace"] = namespace
        if said.container:
            involved["fieldPath"] = said.container
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{meta(about)['name']}.{self._rng().getrandbits(60):015x}",
                "namespace": namespace,
            },
            "involvedObject": involved,
            "reason": said.reason,
            "message": said.message,
            "type": "Warning" if said.warning else "Normal",
            "source": {"component": said.by} | ({"host": said.host} if said.host else {}),
            "reportingComponent": said.by,
            "reportingInstance": said.host,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "eventTime": None,
            "count": 1,
        }

    def _expire_later(self, namespace: str, name: str) -> None:
        def expire() -> None:
            event = self._store.peek("Event", namespace, name)
            if event is None:
                return
            if event["lastTimestamp"] <= stamp(self._clock.now() - timedelta(seconds=TTL_S)):
                self._store.delete("Event", namespace, name, grace_s=0)
            else:
                self._expire_later(namespace, name)

        event = self._store.peek("Event", namespace, name)
        if event is not None:
            self._clock.call_at(_end_of(event), expire)


def _end_of(event: Obj) -> datetime:
    return moment_of(event["lastTimestamp"]) + timedelta(seconds=TTL_S)
