"""pods/log: the checks and wording of the kubelet, the lines of the world's `LogSource`."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from aiops_lab.kube.calls import Call
from aiops_lab.kube.errors import ApiError, bad_request, not_found
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
        container = _container(pod, call.query("container"))
        cut = _Cut.of(call, self.now())
        if not dig(pod, "spec", "nodeName"):
            return PlainTextResponse("")  # nobody has started it yet; a real server answers nothing
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
        if seconds is not None and moment:
            raise _invalid("sinceTime", "at most one of `sinceTime` or `sinceSeconds` may be specified")
        since = now - timedelta(seconds=min(seconds, 10**9)) if seconds is not None else parse_time(moment)
        if moment and since is None:
            raise bad_request(f"invalid sinceTime {moment[:40]!r}: not RFC 3339")
        limit = call.number("limitBytes")
        if limit == 0:
            raise _invalid("limitBytes", "must be greater than 0")
        return cls(since, call.number("tailLines"), limit, call.flag("timestamps"))

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


def _invalid(field: str, why: str) -> ApiError:
    message = f'PodLogOptions.core "" is invalid: {field}: Invalid value: {why}'
    return ApiError(422, "Invalid", message)


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
    choice = f"[{' '.join(names)}]"
    if init:
        choice += f" or one of the init containers: [{' '.join(init)}]"
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
