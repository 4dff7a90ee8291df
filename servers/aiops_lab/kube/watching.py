"""watch: changes as they are committed, one JSON document a line."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

import anyio
import orjson
from starlette.responses import Response, StreamingResponse

from aiops_lab.kube.calls import Call
from aiops_lab.kube.errors import ApiError, go_error
from aiops_lab.kube.history import Change
from aiops_lab.kube.options import check_list_options
from aiops_lab.kube.paging import parse_version
from aiops_lab.kube.selectors import Matches, parse_fields, parse_labels
from aiops_lab.kube.store import Store
from aiops_lab.kube.tables import partial, table, wants_metadata, wants_table
from aiops_lab.kube.views import shown
from aiops_lab.kube.wire import Obj, name_of, namespace_of

_DEFAULT_TIMEOUT_S = 1800
_BOOKMARK_EVERY_S = 60.0


@dataclass(frozen=True)
class Watching:
    """The watch handler."""

    store: Store
    now: Callable[[], datetime]

    def watch(self, call: Call) -> Response:
        """Stream changes until the client leaves or `timeoutSeconds` (real time) pass."""
        check_list_options(call)
        feed = _Feed(self.store, call, self.now)
        return StreamingResponse(feed.lines(), media_type="application/json")


class _Feed:
    def __init__(self, store: Store, call: Call, now: Callable[[], datetime]) -> None:
        self._store = store
        self._call = call
        self._now = now
        resource = call.target.resource
        self._selectors = [
            matches
            for matches in (
                parse_labels(call.query("labelSelector")),
                parse_fields(call.query("fieldSelector"), resource.kind, custom=resource.custom),
            )
            if matches
        ]
        self._asked = _watched_version(call.query("resourceVersion"))
        self._timeout_s = call.number("timeoutSeconds") or _DEFAULT_TIMEOUT_S
        self._bookmarks = call.flag("allowWatchBookmarks")
        self._initial = call.flag("sendInitialEvents")
        self._headed = False

    async def lines(self) -> AsyncIterator[bytes]:
        """Every event as a line; an error is an event too, and the last one."""
        cursor = self._store.shelf.version if self._from_now() else self._asked
        try:
            if self._from_now():
                for line in self._initial_events(cursor):
                    yield line
            async for line in self._following(cursor):
                yield line
        except ApiError as error:
            yield _line("ERROR", error.to_status())

    def _from_now(self) -> bool:
        return self._initial or not self._asked

    def _initial_events(self, version: int) -> list[bytes]:
        resource = self._call.target.resource
        objects = [obj for obj in self._store.shelf.all(resource) if self._wanted(obj)]
        lines = [self._event("ADDED", obj) for obj in objects]
        if self._initial and self._bookmarks:
            lines.append(self._bookmark(version, {"k8s.io/initial-events-end": "true"}))
        return lines

    async def _following(self, cursor: int) -> AsyncIterator[bytes]:
        history = self._store.shelf.history
        deadline = anyio.current_time() + self._timeout_s
        while True:
            changed = anyio.Event()
            leave = history.on_change(changed.set)
            try:
                for change in history.since(cursor):
                    cursor = change.version
                    if line := self._line_of(change):
                        yield line
                if not await _waited(changed, deadline):
                    if self._bookmarks:
                        yield self._bookmark(max(cursor, self._store.shelf.version))
                    if anyio.current_time() >= deadline:
                        return
            finally:
                leave()

    def _line_of(self, change: Change) -> bytes | None:
        if change.storage != self._call.target.resource.storage:
            return None
        before = change.old is not None and self._wanted(change.old)
        after = change.type != "DELETED" and self._wanted(change.obj)
        if after:
            return self._event("MODIFIED" if before else "ADDED", change.obj)
        # An object that no longer matches the selector is gone for this watch.
        return self._event("DELETED", change.obj) if before else None

    def _wanted(self, obj: Obj) -> bool:
        target = self._call.target
        if target.namespace and namespace_of(obj) != target.namespace:
            return False
        if target.name and name_of(obj) != target.name:
            return False
        return _all(self._selectors, obj)

    def _event(self, kind: str, obj: Obj) -> bytes:
        return _line(kind, self._form(shown(self._call.target.resource, obj)))

    def _form(self, obj: Obj) -> Obj:
        if wants_metadata(self._call.accept):
            return partial(obj)
        if not wants_table(self._call.accept):
            return obj
        meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        include = self._call.query("includeObject")
        row = table(self._call.target.resource, [obj], meta, include, self._now())
        if self._headed:  # only the first event names the columns
            row["columnDefinitions"] = None
        self._headed = True
        return row

    def _bookmark(self, version: int, annotations: dict[str, str] | None = None) -> bytes:
        resource = self._call.target.resource
        meta: Obj = {"resourceVersion": str(version), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        return _line(
            "BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        )


async def _waited(changed: anyio.Event, deadline: float) -> bool:
    """Wait for a change, a bookmark's turn, or the deadline; whether a change came."""
    left_s = min(deadline - anyio.current_time(), _BOOKMARK_EVERY_S)
    with anyio.move_on_after(max(left_s, 0)):
        await changed.wait()
    return changed.is_set()


def _watched_version(text: str) -> int:
    """The version to start after; a watch answers an unreadable one with 500. Raises ApiError."""
    try:
        return parse_version(text)
    except ApiError as error:
        raise go_error(error.message.removeprefix("invalid resource version: ")) from error


def _all(selectors: list[Matches], obj: Obj) -> bool:
    return all(matches(obj) for matches in selectors)


def _line(kind: str, obj: Obj) -> bytes:
    return orjson.dumps({"type": kind, "object": obj}, option=orjson.OPT_APPEND_NEWLINE)
