"""World time from a lab's address, and the refusals when it is none."""

from datetime import UTC, datetime

import pytest

from aiops_shared.clock import SystemClock
from aiops_shared.errors import NotConfiguredError, UnreachableError, UpstreamError
from aiops_shared.http import RemoteClock, make_clock
from aiops_shared.settings import Settings
from tests.shared.http.wire_server import Reply, WireServer, as_json


async def test_now_is_what_the_lab_says_and_waiting_lets_it_advance() -> None:
    async with WireServer(lambda _: as_json({"now": "2026-03-01T12:00:00+00:00"})) as server:
        clock = RemoteClock(f"{server.url}/time")
        assert await clock.now() == datetime(2026, 3, 1, 12, tzinfo=UTC)
        await clock.sleep(90)
        await clock.aclose()
    assert [(one.method, one.target) for one in server.seen] == [("GET", "/time"), ("POST", "/time/advance")]
    assert server.seen[1].body == b'{"seconds":90}'


async def test_safety_time_stays_real() -> None:
    real = SystemClock().safe_now()
    assert abs((RemoteClock("http://127.0.0.1:9").safe_now() - real).total_seconds()) < 5


@pytest.mark.parametrize(
    "reply",
    [
        as_json({"now": "noon"}),
        as_json({"now": "2026-03-01T12:00:00"}),
        as_json({}),
        as_json([]),
        Reply(b"x" * 10_000),
        Reply(b"not json"),
        as_json({"now": "2026-03-01T12:00:00Z"}, 500),
    ],
)
async def test_a_time_source_that_tells_no_time_is_an_error(reply: Reply) -> None:
    async with WireServer(lambda _: reply) as server:
        clock = RemoteClock(server.url)
        with pytest.raises(UpstreamError):
            await clock.now()
        await clock.aclose()


async def test_a_time_source_that_is_gone_is_unreachable() -> None:
    async with WireServer(lambda _: Reply()) as server:
        url = server.url
    clock = RemoteClock(url)
    with pytest.raises(UnreachableError):
        await clock.sleep(1)
    await clock.aclose()


def test_the_settings_choose_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(make_clock(Settings())) is SystemClock
    monkeypatch.setenv("AIOPS_TIME_SOURCE", "http://127.0.0.1:9/time")
    assert isinstance(make_clock(Settings()), RemoteClock)
    monkeypatch.setenv("AIOPS_TIME_SOURCE", "sundial")
    with pytest.raises(NotConfiguredError, match="sundial"):
        make_clock(Settings())
