"""Watch a kind: first what there is, then each change, across broken connections and forgotten positions.

After a 410 the list is read again and compared, so that no change is lost and none comes twice (fault R4).
Bounded: in time, in the size of one event, and in the objects it remembers.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import httpx

from aiops_shared.errors import AiopsError, AnswerTooLargeError, ExpiredError, UpstreamError
from aiops_shared.http.answers import broken, parse_json, pieces
from aiops_shared.kube import names
from aiops_shared.kube.connection import Ask, Connection
from aiops_shared.kube.discovery import Discovery
from aiops_shared.kube.listing import Endless, collection
from aiops_shared.kube.models import Kind, WatchEvent
from aiops_shared.kube.shapes import identity, mapping, meta, rows, text, whole
from aiops_shared.kube.statuses import error_for, read_status

Obj = dict[str, Any]
Change = Literal["ADDED", "MODIFIED", "DELETED"]
MAX_EVENT_BYTES = 4 * 1024 * 1024
MAX_OBJECTS = 50_000
ROUND_S = 300.0  # the server closes after so long; we go on from where it was
FAILURES = 5
WAIT_S = 0.5


@dataclass(slots=True)
class _State:
    """What a watch remembers: its position and which object stood at which version."""

    position: str = ""
    known: dict[str, Obj] = field(default_factory=dict)  # uid → kind, name, namespace, version

    def note(self, change: Change, obj: Obj) -> None:
        self.position = text(meta(obj).get("resourceVersion")) or self.position
        if change == "DELETED":
            self.known.pop(identity(obj), None)
        else:
            self.known[identity(obj)] = _stub(obj)
        _require_few(self.known)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A whole list, by what tells its objects apart, and its position."""

    objects: dict[str, Obj]
    at: str


class Watching:
    """The watching half of `KubeApi`."""

    _connection: Connection
    _discovery: Discovery

    async def watch(
        self, kind: str, namespace: str = "", selector: str = "", *, fields: str = "", for_s: float = 300.0
    ) -> AsyncGenerator[WatchEvent, None]:
        """Changes for `for_s` seconds, the present objects first, as ADDED. Ends by itself.

        Raises `AiopsError`; a connection that breaks five times in a row is one.
        """
        names.any_namespace(namespace)
        names.selector(selector)
        names.fields(fields)
        found = await self._discovery.find(kind)
        params = {"labelSelector": selector, "fieldSelector": fields}
        one = _Watch(
            self._connection,
            found,
            collection(found, namespace),
            {name: value for name, value in params.items() if value},
            anyio.current_time() + for_s,
        )
        async with aclosing(one.events()) as events:
            async for event in events:
                yield event


@dataclass(slots=True)
class _Watch:
    """One running watch. Time is checked between reads: no cancel scope may stay open across a yield."""

    connection: Connection
    kind: Kind
    path: str
    params: dict[str, str]
    ends_at: float
    state: _State = field(default_factory=_State)
    failures: int = 0

    @property
    def thing(self) -> str:
        """How errors name it."""
        return f"watch of {self.kind.plural}"

    def _left_s(self) -> float:
        return self.ends_at - anyio.current_time()

    async def events(self) -> AsyncGenerator[WatchEvent, None]:
        """List, then watch, and again from the list when the position is forgotten."""
        while self._left_s() > 0:
            if not self.state.position:
                for event in await self._relist():
                    yield event
            started = anyio.current_time()
            try:
                async with aclosing(self._round()) as changes:
                    async for event in changes:
                        self.failures = 0
                        yield event
                if anyio.current_time() - started < WAIT_S:
                    await self._after(ExpiredError(self.thing, "the server ends each watch at once"))
            except ExpiredError as error:
                self.state.position = ""
                await self._after(error)
            except httpx.TransportError as error:
                await self._after(broken(self.thing, error))

    async def _after(self, error: AiopsError) -> None:
        """A stream that ended badly is taken up again, a few times without an event between."""
        if self._left_s() <= 0:
            return
        self.failures += 1
        if self.failures >= FAILURES:
            raise error
        await anyio.sleep(min(WAIT_S * self.failures, max(self._left_s(), 0)))

    async def _relist(self) -> list[WatchEvent]:
        """Read everything again; what changed since the last position, as events.

        The list itself may be forgotten half way (410): then it is read from the start, once. What is
        remembered changes only when a list is whole, so that nothing comes twice and nothing is missed.
        """
        try:
            listed = await self._listed()
        except ExpiredError:
            listed = await self._listed()
        events = self._differences(listed.objects)
        self.state.known, self.state.position = (
            {uid: _stub(o) for uid, o in listed.objects.items()},
            listed.at,
        )
        return events

    def _differences(self, now: dict[str, Obj]) -> list[WatchEvent]:
        before = self.state.known
        changed = [event for uid, obj in now.items() for event in _difference(before.get(uid), obj)]
        gone = [WatchEvent(type="DELETED", object=obj) for uid, obj in before.items() if uid not in now]
        return changed + gone

    async def _listed(self) -> "_Listed":
        found: dict[str, Obj] = {}
        endless = Endless(self.thing)
        cursor = ""
        while True:
            page = {"limit": "500"} | ({"continue": cursor} if cursor else {})
            answer = await self.connection.json(Ask(self.thing, self.path, params=self.params | page))
            if not isinstance(mapping(answer).get("items"), list):
                raise UpstreamError(self.thing, "answered with no list")
            before = len(found)
            for item in rows(answer, "items"):
                obj = {"apiVersion": self.kind.api_version, "kind": self.kind.kind} | whole(item, self.thing)
                found[identity(obj)] = obj
            _require_few(found)
            endless.page(new=len(found) - before)
            cursor = text(meta(answer).get("continue"))
            if not cursor:
                return _Listed(found, text(meta(answer).get("resourceVersion")))

    async def _round(self) -> AsyncGenerator[WatchEvent, None]:
        """One watch request, from the last position on."""
        seconds = max(1, min(int(self._left_s()) + 1, int(ROUND_S)))
        params = self.params | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.state.position,
            "timeoutSeconds": str(seconds),
        }
        wait_s = max(self._left_s(), 0.1)
        async with (
            self.connection.stream(Ask(self.thing, self.path, params=params), timeout_s=wait_s) as response,
            aclosing(_lines(response, self.thing, self.ends_at)) as lines,
        ):
            async for line in lines:
                if (event := self._event(parse_json(line, self.thing))) is not None:
                    yield event
                if self._left_s() <= 0:
                    return

    def _event(self, event: Any) -> WatchEvent | None:
        obj = event.get("object") if isinstance(event, dict) else None
        if not isinstance(obj, dict):
            raise UpstreamError(self.thing, "answered with something that is no event")
        change = event.get("type")
        if change == "ERROR":
            code = obj.get("code")
            raise error_for(self.thing, read_status(code if isinstance(code, int) else 500, obj))
        if change == "BOOKMARK":
            self.state.position = text(meta(obj).get("resourceVersion")) or self.state.position
            return None
        if change not in {"ADDED", "MODIFIED", "DELETED"}:
            return None
        self.state.note(change, whole(obj, self.thing))
        return WatchEvent(type=change, object=obj)


async def _lines(response: httpx.Response, thing: str, ends_at: float) -> AsyncGenerator[bytes, None]:
    """Lines of the stream, none longer than an event may be."""
    rest = bytearray()
    async for piece in pieces(response, thing, MAX_EVENT_BYTES):
        rest += piece
        while (end := rest.find(b"\n")) >= 0:
            line = bytes(rest[:end])
            del rest[: end + 1]
            if line.strip():
                yield line
        if len(rest) > MAX_EVENT_BYTES:
            raise AnswerTooLargeError(thing, f"one event exceeds {MAX_EVENT_BYTES} bytes")
        if anyio.current_time() >= ends_at:
            return


def _require_few(found: dict[str, Obj]) -> None:
    if len(found) > MAX_OBJECTS:
        raise AnswerTooLargeError("watch", f"more than {MAX_OBJECTS} objects", "narrow it by a selector")


def _stub(obj: Obj) -> Obj:
    about = meta(obj)
    kept = {key: about[key] for key in ("name", "namespace", "uid", "resourceVersion") if key in about}
    return {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "metadata": kept}


def _difference(before: Obj | None, now: Obj) -> list[WatchEvent]:
    if before is None:
        return [WatchEvent(type="ADDED", object=now)]
    same = meta(before).get("resourceVersion") == meta(now).get("resourceVersion")
    return [] if same else [WatchEvent(type="MODIFIED", object=now)]
