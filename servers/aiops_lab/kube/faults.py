"""Makes the API misbehave on purpose: throttled, broken, silent, hostile.

Tests set faults in process; `aiops_lab.run` sets them over the lab's control API.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import anyio
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from aiops_lab.kube.calls import refuse
from aiops_lab.kube.errors import ApiError

FaultKind = Literal[
    "throttle",  # 429 with Retry-After, nothing done
    "error",  # `status`, nothing done
    "reset_before",  # connection dropped, nothing done
    "reset_after",  # connection dropped, the change is done
    "stall",  # no answer for `stall_s`, nothing done
    "huge",  # a list of `body_bytes`
    "bad_utf8",  # JSON with invalid UTF-8
    "deep",  # JSON nested 10^5 deep
    "wrong_type",  # HTML where JSON was due
]
_CHUNK_BYTES = 64 * 1024
_DEPTH = 100_000


@dataclass(frozen=True)
class Fault:
    """One way to misbehave, for which requests, and how often."""

    kind: FaultKind
    times: int | None = 1  # how many requests; None for ever
    share: float = 1.0  # of the requests that match
    verbs: frozenset[str] = frozenset()  # RBAC verbs; empty: all
    path_contains: str = ""
    status: int = 503
    retry_after_s: int = 1
    stall_s: float = 30.0
    body_bytes: int = 64 * 1024 * 1024

    def matches(self, verb: str, path: str) -> bool:
        """Whether a request is meant."""
        return (not self.verbs or verb in self.verbs) and self.path_contains in path


@dataclass
class Faults:
    """The faults set now; the first that matches is played."""

    seed: int = 0
    played: int = 0
    latency_s: float = 0.0  # before every answer: a network between, not a fault
    _set: list[Fault] = field(default_factory=list)
    _times: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)

    def add(self, fault: Fault) -> None:
        """Set one more fault."""
        self._set.append(fault)

    def clear(self) -> None:
        """Behave well again."""
        self._set.clear()
        self._times.clear()

    def next(self, verb: str, path: str) -> Fault | None:
        """The fault to play on this request, or None."""
        for index, fault in enumerate(self._set):
            times = self._times.get(index, 0)
            spent = fault.times is not None and times >= fault.times
            if spent or not fault.matches(verb, path) or self._rng.random() >= fault.share:
                continue
            self._times[index] = times + 1
            self.played += 1
            return fault
        return None


class Dropped(Response):
    """No answer at all: the connection is reset."""

    def __init__(self) -> None:
        super().__init__(status_code=500)
        self.status_code = 0  # what the request log shows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Abort the transport under uvicorn's request cycle."""
        getattr(receive, "__self__").transport.abort()  # noqa: B009 - no ASGI message resets a connection


async def played(fault: Fault) -> Response:
    """The answer of a misbehaving server; `reset_after` is up to the caller."""
    match fault.kind:
        case "throttle":
            details = {"retryAfterSeconds": fault.retry_after_s}
            message = "Too many requests, please try again later."
            return refuse(ApiError(429, "TooManyRequests", message, details))
        case "error":
            reason = "ServiceUnavailable" if fault.status == 503 else "InternalError"
            return refuse(ApiError(fault.status, reason, "an error on the server was played by the lab"))
        case "stall":
            await anyio.sleep(fault.stall_s)
            return refuse(ApiError(504, "Timeout", "the lab played a server that does not answer"))
        case "huge":
            return StreamingResponse(_huge(fault.body_bytes), media_type="application/json")
        case "bad_utf8":
            return Response(
                b'{"kind":"Pod","metadata":{"name":"\xff\xfe\xc3("}}', media_type="application/json"
            )
        case "deep":
            return Response(b'{"a":' * _DEPTH + b"1" + b"}" * _DEPTH, media_type="application/json")
        case "wrong_type":
            return HTMLResponse("<html><body>proxy login</body></html>")
        case _:
            return Dropped()


async def _huge(size_bytes: int) -> AsyncIterator[bytes]:
    yield b'{"kind":"PodList","apiVersion":"v1","metadata":{},"items":["'
    for _ in range(size_bytes // _CHUNK_BYTES):
        yield b"x" * _CHUNK_BYTES
    yield b'"]}'
