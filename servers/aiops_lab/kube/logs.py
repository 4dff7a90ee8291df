"""pods/log: the checks and wording of the kubelet, the lines of the world's `LogSource`."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from aiops_lab.kube.calls import Call
from aiops_lab.kube.errors import ApiError, FieldError, bad_request, invalid_kind, not_found
from aiops_lab.kube.ports import LogSource
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import Obj, dig, name_of, parse_time

Line = tuple[datetime, str]
_FOLLOW_EVERY_S = 0.2
_FOLLOW_AT_MOST_S = 1800


@dataclass(frozen=True)
class Logs:
    """The log handler."""

    store: Store
    source: LogSource
    now: Callable[[], datetime]

    def answer(self, call: Call) -> Response:
        """The lines asked for. Raises ApiError 400 or 404."""
        target = call.target
        pod = self.store.shelf.find(target.resource, target.namespace, target.name)
        if pod is None:
            raise not_found(target.resource, target.name)
        cut = _Cut.of(call, self.now())
        container = _container(pod, call.query("container"))
        if not dig(pod, "spec", "nodeName"):
            return Response(status_code=204)  # nobody has started it yet: there is nothing to ask
        previous = call.flag("previous")
        lines = self.source.lines(target.namespace, target.name, container, previous=previous)
        if lines is None:
            raise _nothing(pod, container, previous=previous)
        text = cut.text(lines)
        if call.flag("follow") and not previous:
            return StreamingResponse(
                self._follow(call, container, cut, len(lines), text), media_type="text/plain"
            )
        return PlainTextResponse(text)

    async def _follow(
        self, call: Call, container: str, cut: "_Cut", told: int, text: bytes
    ) -> AsyncIterator[bytes]:
        yield text
        target = call.target
        with anyio.move_on_after(_FOLLOW_AT_MOST_S):
            while self.store.shelf.find(target.resource, target.namespace, target.name):
                await anyio.sleep(_FOLLOW_EVERY_S)
                lines = self.source.lines(target.namespace, target.name, container, previous=False) or []
                if len(lines) < told:
                    return  # another instance runs now; a real server ends the stream too
                if len(lines) > told:
                    yield cut.plain(lines[told:])
                told = len(lines)


@dataclass(frozen=True)
class _Cut:
    """Which part of the lines is wanted."""

    since: datetime | None
    tail: int | None
    limit_bytes: int | None
    timestamps: bool

    @classmethod
    def of(cls, call: Call, now: datetime) -> "_Cut":
        seconds, moment = call.number("sinceSeconds"), call.query("sinceTime")
        since = now - timedelta(seconds=min(seconds, 10**9)) if seconds is not None else parse_time(moment)
        if moment and parse_time(moment) is None:
            words = f'cannot parse "{moment[:40]}" as "2006"'
            raise bad_request(f'parsing time "{moment[:40]}" as "2006-01-02T15:04:05Z07:00": {words}')
        limit, tail = call.number("limitBytes"), call.number("tailLines")
        errors = []
        if tail is not None and tail < 0:
            errors.append(FieldError("tailLines", "must be greater than or equal to 0", tail))
        if limit is not None and limit < 1:
            errors.append(FieldError("limitBytes", "must be greater than 0", limit))
        if seconds is not None and moment:
            words = "at most one of `sinceTime` or `sinceSeconds` may be specified"
            errors.append(FieldError("[]", words, None, "Forbidden"))
        elif seconds is not None and seconds < 1:
            errors.append(FieldError("sinceSeconds", "must be greater than 0", seconds))
        if call.query("stream"):
            errors.append(FieldError("stream", "may not be specified", None, "Forbidden"))
        if errors:
            raise invalid_kind("PodLogOptions", "", call.target.name, errors)
        return cls(since, tail, limit, call.flag("timestamps"))

    def text(self, lines: list[Line]) -> bytes:
        """The wanted part: newest `tail` lines since a moment, cut at `limit_bytes`."""
        if self.tail is not None:
            lines = lines[-self.tail :] if self.tail else []
        wanted = [line for line in lines if self.since is None or line[0] >= self.since]
        return self.plain(wanted)[: self.limit_bytes]

    def plain(self, lines: list[Line]) -> bytes:
        """One line each, with its time where asked."""
        if not self.timestamps:
            return "".join(f"{text}\n" for _, text in lines).encode()
        return "".join(f"{_nanoseconds(at)} {text}\n" for at, text in lines).encode()


def _nanoseconds(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def _container(pod: Obj, asked: str) -> str:
    spec = pod["spec"]
    names = [c["name"] for c in spec.get("containers") or []]
    init = [c["name"] for c in spec.get("initContainers") or []]
    ephemeral = [c["name"] for c in spec.get("ephemeralContainers") or []]
    if asked:
        if asked not in {*names, *init, *ephemeral}:
            raise bad_request(f"container {asked} is not valid for pod {name_of(pod)}")
        return asked
    if len(names) == 1:
        return str(names[0])
    choice = f"[{' '.join([*init, *names, *ephemeral])}]"
    raise bad_request(f"a container name must be specified for pod {name_of(pod)}, choose one of: {choice}")


def _nothing(pod: Obj, container: str, *, previous: bool) -> ApiError:
    where = f'container "{container}" in pod "{name_of(pod)}"'
    if previous:
        return bad_request(f"previous terminated {where} not found")
    words = {
        "ErrImagePull": "image can't be pulled",
        "ImagePullBackOff": "trying and failing to pull image",
    }
    reason = _waiting_reason(pod, container)
    return bad_request(f"{where} is waiting to start: {words.get(reason, reason)}")


def _waiting_reason(pod: Obj, container: str) -> str:
    status = pod.get("status") or {}
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for one in status.get(field) or []:
            if one.get("name") == container:
                return str(dig(one, "state", "waiting", "reason", default="ContainerCreating"))
    return "ContainerCreating"
