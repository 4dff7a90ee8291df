"""Reading an answer that may be hostile: bounded, whole, and JSON or an error (threat T14).

A server that is compromised, broken or simply not what it should be must cost no more than the limit in
memory and the deadline in time. Nothing here trusts Content-Length, Content-Type or Content-Encoding.
"""

import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import httpx
import orjson

from aiops_shared.errors import AnswerTooLargeError, UnreachableError, UpstreamError, UpstreamTimeoutError
from aiops_shared.http.snippets import snippet


@contextmanager
def deadline(thing: str, seconds: float, hint: str = "ask for less, or again later") -> Iterator[None]:
    """Bound everything inside to `seconds` of real time. Raises UpstreamTimeoutError."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as error:
        raise UpstreamTimeoutError(thing, f"no complete answer within {seconds:g} s", hint) from error


def broken(thing: str, error: httpx.TransportError) -> UpstreamError:
    """What a failed transport means to the caller."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return UnreachableError(thing, f"no connection ({snippet(str(error)) or type(error).__name__})")
    if isinstance(error, httpx.TimeoutException):
        return UpstreamTimeoutError(thing, "no answer in time", "ask for less, or again later")
    return UpstreamError(thing, f"the connection broke ({snippet(str(error)) or type(error).__name__})")


async def read_body(response: httpx.Response, thing: str, max_bytes: int) -> bytes:
    """The whole body. Raises AnswerTooLargeError as soon as it exceeds `max_bytes`, unpacked."""
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(thing, max_bytes)
    body = bytearray()
    async for piece in pieces(response, thing, max_bytes):
        body += piece
        if len(body) > max_bytes:
            raise _too_large(thing, max_bytes)
    return bytes(body)


async def pieces(response: httpx.Response, thing: str, max_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes, gzip unpacked with a bound, so that a small bomb stays small."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip", ""}:
        raise UpstreamError(thing, f"answered with unknown content encoding {snippet(encoding)!r}")
    unpack = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    async for piece in response.aiter_raw():
        yield piece if unpack is None else _unpacked(unpack, piece, thing, max_bytes)


def _unpacked(unpack: "zlib._Decompress", piece: bytes, thing: str, max_bytes: int) -> bytes:
    try:
        data = unpack.decompress(piece, max_bytes + 1)
    except zlib.error as error:
        raise UpstreamError(thing, "answered with broken gzip") from error
    if unpack.unconsumed_tail:
        raise _too_large(thing, max_bytes)
    return data


def _too_large(thing: str, max_bytes: int) -> AnswerTooLargeError:
    return AnswerTooLargeError(
        thing, f"the answer exceeds {max_bytes} bytes", "ask for less: a namespace, a selector, a limit"
    )


def parse_json(body: bytes, thing: str) -> Any:
    """JSON, strictly. Raises UpstreamError for anything else: bad UTF-8, too deep (1,024), cut short."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamError(
            thing, f"answered with something that is not JSON ({snippet(error.msg)})"
        ) from error


def require_json(response: httpx.Response, thing: str) -> None:
    """Raises UpstreamError when the answer does not say that it is JSON (a login page, a proxy's text)."""
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise UpstreamError(thing, f"answered with content type {snippet(kind) or 'none'!r} instead of JSON")
