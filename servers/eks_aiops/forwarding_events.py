"""What `eks-aiops forward` sends on: Warning events that mean something, conditions of nodes; as events.

The form is the one of F16 (`source: eks-aiops`, `detail-type: Kubernetes Event`), by POST /events or on an
EventBridge bus. Only the leader sends. The others keep the last two minutes, so that what a leader saw and
did not send before it died is sent by the next one; the intake folds what comes twice.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
import httpx
import orjson

from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, NotConfiguredError, ThrottledError, UpstreamError
from aiops_shared.http.answers import broken, deadline
from aiops_shared.http.client import is_loopback, make_client
from aiops_shared.kube.changes.journal import KeptEvent
from aiops_shared.settings import EventsSettings, Settings
from aiops_sop.analysis.event_names import NODE_CONDITIONS, node_condition, pod_state

SOURCE, DETAIL_TYPE = "eks-aiops", "Kubernetes Event"
MOST_WAITING: Final = 2_000
KEPT: Final = timedelta(seconds=120)  # by those who do not lead
OLDEST: Final = timedelta(minutes=5)  # what happened before is history: diagnose reads it
AGAIN: Final = timedelta(seconds=60)  # the same event's next count
LONGEST_PAUSE_S: Final = 60.0
SEND_S: Final = 15.0
BUS_BATCH: Final = 10  # EventBridge PutEvents
# How often before it means something: a pod may be late once. B3 says five restarts of a crash loop.
FROM_COUNT: Final[Mapping[str, int]] = {
    "BackOff": 3,
    "FailedCreatePodSandBox": 3,
    "FailedMount": 3,
    "FailedScheduling": 3,
    "Unhealthy": 10,
}
Obj = dict[str, Any]


class Sink(Protocol):
    """Where events go."""

    async def send(self, events: Sequence[Obj]) -> None:
        """All of them. Raises AiopsError."""
        ...


@dataclass(frozen=True)
class HttpSink:
    """POST /events of a worker."""

    url: str
    token_file: Path | None

    async def send(self, events: Sequence[Obj]) -> None:
        """One request an event: each is answered for itself."""
        address = httpx.URL(self.url)
        base = f"{address.scheme}://{address.netloc.decode()}"
        token = self.token_file.read_text("utf-8").strip() if self.token_file else ""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        client = make_client(base, timeout_s=SEND_S, upstream="events", plain_http=is_loopback(address.host))
        async with client:
            for event in events:
                with deadline("POST /events", SEND_S):
                    try:
                        answer = await client.post(address.path, json=event, headers=headers)
                    except httpx.TransportError as error:
                        raise broken("POST /events", error) from error
                _check(answer.status_code)


@dataclass(frozen=True)
class BusSink:
    """An EventBridge bus (PutEvents)."""

    aws: AwsClients
    bus: str

    async def send(self, events: Sequence[Obj]) -> None:
        """Ten at a time. Raises UpstreamError for what the bus did not take."""
        for start in range(0, len(events), BUS_BATCH):
            entries = [
                {
                    "Source": SOURCE,
                    "DetailType": DETAIL_TYPE,
                    "Detail": orjson.dumps(one["detail"]).decode(),
                    "EventBusName": self.bus,
                }
                for one in events[start : start + BUS_BATCH]
            ]
            answer = await self.aws.call(AwsTarget(), "events", "put_events", Entries=entries)
            if answer.get("FailedEntryCount"):
                codes = {str(one.get("ErrorCode")) for one in answer["Entries"] if one.get("ErrorCode")}
                raise UpstreamError("EventBridge", f"did not take events ({', '.join(sorted(codes))[:200]})")


def sink_of(settings: Settings) -> Sink | None:
    """Where the settings send to; None when they say nothing. Raises NotConfiguredError for both at once."""
    told: EventsSettings = settings.events
    if told.forward_to and told.forward_bus:
        raise NotConfiguredError(
            "AIOPS_EVENTS_FORWARD_TO", "and AIOPS_EVENTS_FORWARD_BUS are both set", "set one of them"
        )
    if told.forward_to:
        return HttpSink(told.forward_to, told.forward_token_file)
    return BusSink(AwsClients(settings.aws), told.forward_bus) if told.forward_bus else None


@dataclass
class EventSender:
    """Keeps what is worth sending and sends it while it leads."""

    sink: Sink
    cluster: str
    clock: Clock
    say: Callable[[str], None]
    leads: Callable[[], bool]
    sent: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)
    _waiting: deque[tuple[datetime, Obj]] = field(default_factory=deque, init=False)
    _told: dict[str, datetime] = field(default_factory=dict, init=False)
    _bad: dict[str, dict[str, str]] = field(default_factory=dict, init=False)  # node -> type -> reason
    _came: anyio.Event = field(default_factory=anyio.Event, init=False)

    async def heard(self, events: Sequence[KeptEvent]) -> None:
        """Warning events, as the journal keeps them: redacted already."""
        now = await self.clock.now()
        for one in events:
            if _is_worth(one) and now - one.last_at <= OLDEST and self._is_due(one.uid, now):
                self._take(now, _form(self.cluster, one))

    async def saw(self, kind: str, obj: Mapping[str, Any]) -> None:
        """An object as it stands: the conditions of a node, once when they turn."""
        if kind != "Node":
            return
        name = str((obj.get("metadata") or {}).get("name") or "")
        conditions = (obj.get("status") or {}).get("conditions") or ()
        bad = dict(_bad_conditions(conditions))
        before, self._bad[name] = self._bad.get(name, {}), bad
        now = await self.clock.now()
        for type_, reason in bad.items():
            if type_ not in before:
                self._take(now, _node_form(self.cluster, name, reason, now))
        for type_, reason in before.items():
            if type_ not in bad:
                self._take(now, _node_form(self.cluster, name, reason, now, over=True))

    async def run(self) -> None:
        """Send until cancelled; what fails is sent again, later each time."""
        pause_s = 1.0
        while True:
            await self._wait(pause_s)
            if not self.leads():
                self._forget(await self.clock.now() - KEPT)
                continue
            batch = [event for _, event in list(self._waiting)[:BUS_BATCH]]
            if not batch:
                continue
            try:
                await self.sink.send(batch)
            except (AiopsError, OSError) as error:
                self.say(f"events: {error}; again in {pause_s:.0f} s")
                await anyio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            for _ in batch:
                self._waiting.popleft()
            self.sent += len(batch)
            pause_s = 1.0

    async def _wait(self, seconds: float) -> None:
        if self._waiting and self.leads():
            return
        with anyio.move_on_after(seconds):
            await self._came.wait()
        self._came = anyio.Event()

    def _take(self, now: datetime, event: Obj) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.dropped += 1
            if self.dropped == 1:
                self.say(f"events: more than {MOST_WAITING} wait; the oldest are dropped")
        self._waiting.append((now, event))
        self._came.set()

    def _forget(self, until: datetime) -> None:
        while self._waiting and self._waiting[0][0] < until:
            self._waiting.popleft()

    def _is_due(self, uid: str, now: datetime) -> bool:
        if len(self._told) > MOST_WAITING:
            self._told = {key: at for key, at in self._told.items() if now - at < AGAIN}
        if uid in self._told and now - self._told[uid] < AGAIN:
            return False
        self._told[uid] = now
        return True


def _is_worth(one: KeptEvent) -> bool:
    known = pod_state(one.reason, one.message) if one.kind == "Pod" else ""
    known = known or (node_condition(one.reason, one.message) if one.kind == "Node" else "")
    least = 1 if known == "ImagePullBackOff" else FROM_COUNT.get(one.reason, 1)
    return bool(known) and one.count >= least


def _form(cluster: str, one: KeptEvent) -> Obj:
    detail = {
        "cluster": cluster,
        "namespace": one.namespace,
        "involvedObject": {"kind": one.kind, "name": one.name},
        "reason": one.reason,
        "message": one.message,
        "count": one.count,
        "firstTimestamp": one.first_at.isoformat(),
        "lastTimestamp": one.last_at.isoformat(),
    }
    return {"source": SOURCE, "detail-type": DETAIL_TYPE, "time": one.last_at.isoformat(), "detail": detail}


def _node_form(cluster: str, node: str, reason: str, now: datetime, *, over: bool = False) -> Obj:
    detail = {
        "cluster": cluster,
        "involvedObject": {"kind": "Node", "name": node},
        "reason": reason,
        "state": "resolved" if over else "firing",
        "count": 1,
        "lastTimestamp": now.isoformat(),
    }
    return {"source": SOURCE, "detail-type": DETAIL_TYPE, "time": now.isoformat(), "detail": detail}


def _bad_conditions(conditions: Sequence[Mapping[str, Any]]) -> Sequence[tuple[str, str]]:
    """Type and reason of those that are bad: *Pressure is bad when True, *Ready when it is not."""
    found = []
    for one in conditions:
        type_, status, reason = (str(one.get(key) or "") for key in ("type", "status", "reason"))
        ready = type_.endswith("Ready")
        if (ready and status != "True") or (type_.endswith("Pressure") and status == "True"):
            known = reason if reason in NODE_CONDITIONS else type_
            known = "KubeletNotReady" if known == "Ready" else known
            found.append((type_, known))
    return found


def _check(status: int) -> None:
    if status in {200, 202, 400, 413}:  # what it will never take is not sent for ever
        return
    if status == 429:
        raise ThrottledError("POST /events", "asks to wait")
    raise UpstreamError("POST /events", f"answered HTTP {status}", "check the token and the worker")
