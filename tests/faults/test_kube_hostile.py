"""Threat T14: a hostile API server costs an error within the deadline and little memory, never more."""

import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import anyio
import anyio.lowlevel
import orjson
import pytest

from aiops_shared.errors import AiopsError, AnswerTooLargeError, InvalidInputError, UpstreamError
from tests.faults.kube_scripts import RecordedPace
from tests.shared.http.wire_server import Reply, Seen
from tests.shared.kube.fake_api import fake_api

pytestmark = pytest.mark.threat("T14")
PODS = "/api/v1/namespaces/shop/pods"
LIMIT = 4_000_000
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@contextmanager
def little_memory(most_bytes: int = 4 * LIMIT) -> Iterator[None]:
    """What Python holds at once inside stays under `most_bytes`; the server of the test counts too."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most_bytes
    finally:
        tracemalloc.stop()


def gzip_bomb() -> bytes:
    """500 MB of blanks in half a megabyte, made piece by piece."""
    pack = zlib.compressobj(wbits=31)
    return b"".join(pack.compress(b" " * 1_000_000) for _ in range(500)) + pack.flush()


async def endless_list() -> AsyncIterator[bytes]:
    """A pod list that never ends."""
    yield b'{"kind":"PodList","items":['
    item = b'{"metadata":{"name":"' + b"a" * 60_000 + b'"}},'
    while True:
        yield item
        await anyio.lowlevel.checkpoint()


HOSTILE = {
    "an endless list": Reply(pieces=endless_list),
    "a declared length of 2 GB": Reply(headers={"content-length": str(2 * 1024**3)}),
    "JSON 100,000 deep": Reply(b"[" * 100_000 + b"]" * 100_000),
    "a login page": Reply(b"<html>log in</html>", content_type="text/html"),
    "no content type": Reply(b"{}", content_type=""),
    "a good list that is called a page": Reply(
        b'{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}', content_type="text/html"
    ),
    "invalid UTF-8": Reply(b'{"kind":"PodList","items":[{"metadata":{"name":"\xff\xfe"}}]}'),
    "half a document": Reply(b'{"kind":"PodList","items":['),
    "a list without items": Reply(b'{"kind":"PodList"}'),
    "an array": Reply(b"[1,2]"),
    "NaN": Reply(b'{"items": NaN}'),
    "a gzip bomb": Reply(gzip_bomb(), headers={"content-encoding": "gzip"}),
    "broken gzip": Reply(b"\x1f\x8b\x08\x00nonsense", headers={"content-encoding": "gzip"}),
    "an unknown encoding": Reply(b"{}", headers={"content-encoding": "br"}),
    "a redirect elsewhere": Reply(b"", 302, {"location": "http://127.0.0.1:9/steal"}),
}


@pytest.mark.parametrize("reply", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_answer_is_an_error_within_the_deadline_and_bounded_in_memory(reply: Reply) -> None:
    def answer(seen: Seen) -> Reply | None:
        return reply if seen.path == PODS else None

    async with fake_api(answer, timeout_s=4, max_answer_bytes=LIMIT) as (api, _):
        await api.kind("pods")
        with little_memory(), anyio.fail_after(20), pytest.raises(UpstreamError):
            await api.list("pods", "shop")


@pytest.mark.parametrize("code", [400, 401, 403, 409, 429, 500])
@pytest.mark.parametrize("body", [DEEP, b"\xff\xfe", b"<html>", b'{"kind":"Status","message":"\xff"}', b""])
async def test_a_hostile_error_text_still_gives_the_error_that_its_status_means(
    code: int, body: bytes
) -> None:
    reply = Reply(body, code)
    async with fake_api(lambda seen: reply if seen.path == PODS else None, pace=RecordedPace()) as (api, _):
        with pytest.raises(AiopsError) as caught:
            await api.list("pods", "shop")
    meant = {400: "invalid_input", 401: "unauthenticated", 403: "access_denied", 409: "conflict"}
    assert caught.value.code == meant.get(code, {429: "throttled"}.get(code, "upstream_error"))


@pytest.mark.threat("T5")
async def test_a_redirect_never_carries_the_token_away() -> None:
    reply = Reply(b"", 307, {"location": "/elsewhere"})
    async with fake_api(lambda seen: reply if seen.path == PODS else None) as (api, server):
        with pytest.raises(UpstreamError):
            await api.list("pods", "shop")
    assert all(seen.path != "/elsewhere" for seen in server.seen)


def _watching(reply: Reply) -> Callable[[Seen], Reply | None]:
    """An empty list, then `reply` to each watch."""

    def answer(seen: Seen) -> Reply | None:
        if seen.path != PODS:
            return None
        if "watch" in seen.query:
            return reply
        return Reply(b'{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[]}')

    return answer


async def test_a_line_without_end_in_a_watch_is_too_large() -> None:
    async def endless_line() -> AsyncIterator[bytes]:
        while True:
            yield b"a" * 100_000
            await anyio.lowlevel.checkpoint()

    async with fake_api(_watching(Reply(pieces=endless_line))) as (api, _):
        with little_memory(), pytest.raises(AnswerTooLargeError):
            [event async for event in api.watch("pods", "shop", for_s=20)]


async def test_a_watch_that_never_ends_stops_when_its_time_is_up() -> None:
    async def events() -> AsyncIterator[bytes]:
        while True:
            yield b'{"type":"MODIFIED","object":{"metadata":{"name":"a","uid":"u","resourceVersion":"2"}}}\n'
            await anyio.sleep(0.01)

    async def dribble() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await anyio.sleep(0.01)

    for pieces in (events, dribble):
        async with fake_api(_watching(Reply(pieces=pieces))) as (api, _):
            with anyio.move_on_after(20) as bound:
                async for _event in api.watch("pods", "shop", for_s=1):
                    pass
            assert not bound.cancel_called, "it did not end by itself"


@pytest.mark.parametrize(
    "line",
    [
        DEEP + b"\n",
        b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}\n',
        b"nonsense\n",
        b'{"type":"ADDED"}\n',
        b"[]\n",
        b'{"type":"ERROR","object":{}}\n',
    ],
)
async def test_an_event_that_is_none_ends_the_watch_with_an_error(line: bytes) -> None:
    async with fake_api(_watching(Reply(line))) as (api, _):
        with pytest.raises(UpstreamError):
            [event async for event in api.watch("pods", "shop", for_s=5)]


async def test_an_error_text_is_cut_and_holds_no_control_characters() -> None:
    message = "\x1b]0;pwn\x07\u202e" + "x" * 5000
    reply = Reply(orjson.dumps({"kind": "Status", "code": 400, "message": message}), 400)
    async with fake_api(lambda seen: reply if seen.path == PODS else None) as (api, _):
        with pytest.raises(InvalidInputError) as caught:
            await api.list("pods", "shop")
    assert len(caught.value.reason) <= 256
    assert caught.value.reason.isprintable()


async def test_log_bytes_that_are_no_utf8_are_replaced_and_still_read() -> None:
    pod = (
        b'{"kind":"Pod","metadata":{"name":"web","namespace":"shop"},"spec":{"containers":[{"name":"app"}]}}'
    )

    def answer(seen: Seen) -> Reply | None:
        if seen.path == f"{PODS}/web/log":
            return Reply(b"2026-11-22T02:00:00.123456789Z a\xffb\nno stamp\n", content_type="text/plain")
        return Reply(pod) if seen.path == f"{PODS}/web" else None

    async with fake_api(answer) as (api, _):
        lines = await api.logs("shop", "web")
    assert [line.text for line in lines] == ["a\ufffdb", "no stamp"]
    assert lines[0].at is not None
    assert lines[0].at.microsecond == 123456
