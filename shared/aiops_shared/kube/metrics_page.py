"""`GET /metrics` of an API server: its own measurements, read as they come and never held whole.

The page of a large cluster is tens of megabytes, of which a caller wants a few metrics. Called by
`KubeApi.measured`. The right needed is `get` on the non-resource URL /metrics.
"""

from collections.abc import AsyncIterator, Callable, Sequence

import httpx

from aiops_shared.errors import AnswerTooLargeError, InvalidInputError, UpstreamError
from aiops_shared.http.answers import broken, deadline, pieces
from aiops_shared.kube.connection import Ask, Connection

MAX_PAGE_BYTES = 64 * 1024 * 1024
MAX_LINE_BYTES = 16 * 1024
PAGE_S = 12.0
TEXT = "text/plain; version=0.0.4"


async def samples(
    connection: Connection,
    thing: str,
    names: Sequence[str],
    take: Callable[[str], None],
    *,
    most_bytes: int = MAX_PAGE_BYTES,
    timeout_s: float = PAGE_S,
) -> None:
    """Hand the lines of the metrics named to `take` as they come, without comments, in the server's order.

    No iterator: a deadline around a `yield` would outlive a caller that stops. Raises `AiopsError`:
    AccessDeniedError, AnswerTooLargeError after `most_bytes` (what came stands), UpstreamTimeoutError after
    `timeout_s`, UpstreamError for a page that is no text.
    """
    if not names:
        raise InvalidInputError(thing, "no metric is named")
    wanted = tuple(end for name in names for end in (f"{name}{{".encode(), f"{name} ".encode()))
    with deadline(thing, timeout_s):
        try:
            async with connection.stream(Ask(thing, "/metrics", accept=TEXT), timeout_s=timeout_s) as answer:
                async for line in _lines(answer, thing, most_bytes):
                    if line.startswith(wanted):
                        take(line.decode("utf-8", "replace"))
        except httpx.TransportError as error:
            raise broken(thing, error) from error


async def _lines(answer: httpx.Response, thing: str, most_bytes: int) -> AsyncIterator[bytes]:
    if "html" in answer.headers.get("content-type", ""):
        raise UpstreamError(thing, "answered with a web page instead of metrics")
    read, rest = 0, b""
    async for piece in pieces(answer, thing, most_bytes):
        read += len(piece)
        if read > most_bytes:
            raise AnswerTooLargeError(thing, f"the page exceeds {most_bytes} bytes")
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > MAX_LINE_BYTES:
            raise UpstreamError(thing, f"a line exceeds {MAX_LINE_BYTES} bytes")
    yield rest
