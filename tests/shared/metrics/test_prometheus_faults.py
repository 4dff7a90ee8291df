"""A Prometheus API that fails, lies or floods: a clear error or a partial answer with a warning, bounded."""

import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    AnswerTooLargeError,
    NotConfiguredError,
    NotFoundError,
    QueryInvalidError,
    ThrottledError,
    UnauthenticatedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.metrics.prometheus import Bounds, PrometheusMetrics
from aiops_shared.metrics.prometheus_http import MAX_ANSWER_BYTES, Place, PrometheusApi
from aiops_shared.metrics.series import Window
from tests.fakes.clocks import FakeClock
from tests.shared.http.wire_server import Reply, Seen, WireServer, as_json

SINCE = datetime(2026, 11, 22, 1, tzinfo=UTC)
WINDOW = Window.over(SINCE, SINCE + timedelta(hours=1), 60)
START = SINCE.timestamp()

Obj = dict[str, Any]
Answer = Callable[[Seen], Reply]


def matrix(*series: Obj, **more: Any) -> Reply:
    """A range query's answer."""
    return as_json({"status": "success", "data": {"resultType": "matrix", "result": list(series)}, **more})


def one(value: str = "1", **labels: str) -> Obj:
    return {"metric": labels, "values": [[START, value], [START + 60, value]]}


def probing(answer: Answer | Reply) -> Answer:
    """The price is told in peace, the query itself gets the answer."""

    def reply(seen: Seen) -> Reply:
        if "label_replace%28count" in seen.target or b"label_replace%28count" in seen.body:
            return matrix({"metric": {"aiops": "c0"}, "values": [[START, "3"]]})
        return answer if isinstance(answer, Reply) else answer(seen)

    return reply


def driver(url: str, *, timeout_s: float = 5.0, **place: Any) -> PrometheusMetrics:
    api = PrometheusApi(Place(url=url, thing="Prometheus", timeout_s=timeout_s, **place))
    return PrometheusMetrics(api, FakeClock(SINCE + timedelta(hours=1)), Bounds(5_000_000))


async def asked(answer: Answer | Reply, query: str = "foo", **more: Any) -> Any:
    async with WireServer(probing(answer)) as server:
        backend = driver(server.url, **more)
        try:
            return await backend.range(query, WINDOW)
        finally:
            await backend.aclose()


def failed(status: int, kind: str, text: str) -> Reply:
    return as_json({"status": "error", "errorType": kind, "error": text}, status)


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply(b"slow down", 429, {"retry-after": "1"}), ThrottledError, "again in 1 s"),
        (Reply(b"no", 401), UnauthenticatedError, "token"),
        (Reply(b"no", 403), AccessDeniedError, "let the token"),
        (Reply(b"nothing", 404), NotFoundError, "URL's path"),
        (Reply(b"", 302, {"location": "https://elsewhere.example"}), NotConfiguredError, "final URL"),
        (Reply(b"<html>upstream</html>", 503, content_type="text/html"), UpstreamError, "503"),
        (Reply(b"<html>oops</html>", 502), UpstreamError, "502"),
        (failed(503, "timeout", "query timed out in expression evaluation"), UpstreamTimeoutError, "gave up"),
        (failed(500, "internal", "disk"), UpstreamError, "500"),
        (failed(422, "execution", "found duplicate series"), QueryInvalidError, "on (…)"),
        (failed(400, "bad_data", "1:1: parse error"), QueryInvalidError, "parse error"),
        (failed(422, "execution", "query processing would load too many samples"), QueryInvalidError, "step"),
        (Reply(b'{"status":"success","data":{"resultType":"matrix","resu'), UpstreamError, "not JSON"),
        (Reply(b"[]"), UpstreamError, "no object"),
        (Reply(b"\xff\xfe"), UpstreamError, "not JSON"),
        (as_json({"status": "success"}), UpstreamError, "instead of a matrix"),
        (
            as_json({"status": "success", "data": {"resultType": "vector", "result": []}}),
            UpstreamError,
            "vector instead of a matrix",
        ),
        (matrix({"metric": {"a": 1}, "values": []}), UpstreamError, "without labels"),
        (matrix({"metric": {}, "values": [[START, "x"]]}), UpstreamError, "no numbers"),
        (matrix({"metric": {}, "values": "x"}), UpstreamError, "no numbers"),
        (Reply(reset=True), UpstreamError, ""),
    ],
)
@pytest.mark.fault("R21")
async def test_each_failure_has_its_own_error(reply: Reply, error: type[AiopsError], words: str) -> None:
    with pytest.raises(error) as caught:
        await asked(reply)
    assert words in str(caught.value)


@pytest.mark.fault("R1")
async def test_a_throttled_query_is_tried_once_more() -> None:
    left = [Reply(b"wait", 429), matrix(one(pod="a"))]
    answer = await asked(lambda _: left.pop(0))
    assert [dict(found.labels) for found in answer.series] == [{"pod": "a"}]


@pytest.mark.fault("R3")
async def test_no_answer_in_time_is_a_timeout_and_the_fifth_one_opens_the_breaker() -> None:
    async def never() -> AsyncIterator[bytes]:
        await anyio.sleep(30)
        yield b""

    async with WireServer(lambda _: Reply(pieces=never)) as server:
        backend = driver(server.url, timeout_s=1.05)
        for _ in range(1):
            with pytest.raises(UpstreamTimeoutError):
                await backend.range("foo", WINDOW)
        await backend.aclose()


@pytest.mark.fault("R21")
async def test_after_five_silences_it_is_left_alone() -> None:
    backend = driver("http://127.0.0.1:1")
    for _ in range(5):
        with pytest.raises(UnreachableError, match="no connection"):
            await backend.range("foo", WINDOW)
    with pytest.raises(UnreachableError, match="5 calls in a row"):
        await backend.range("foo", WINDOW)
    await backend.aclose()


async def test_remarks_of_a_partial_answer_are_carried_and_cut() -> None:
    remarks = [f"store {number} is down\x07" for number in range(9)]
    answer = await asked(matrix(one(), warnings=remarks, infos=["metric might not be a counter"]))
    assert answer.warnings[0] == "store 0 is down"
    assert answer.warnings[-1] == "5 more warnings"
    assert len(answer.warnings) == 6


async def test_nan_is_missing_infinity_is_missing_and_said_and_histograms_are_said() -> None:
    rows = {
        "metric": {},
        "values": [[START, "NaN"], [START + 60, "+Inf"], [START + 120, "-Inf"], [START + 180, "2"]],
    }
    answer = await asked(matrix(rows, {"metric": {"h": "1"}, "histograms": []}))
    assert answer.series[0].seen == 1
    assert np.nanmax(answer.series[0].values) == 2
    assert answer.warnings == (
        "2 points are infinite (a division by zero) and were taken as missing",
        "1 native histogram series were left out: use histogram_quantile()",
    )


async def test_a_hundred_thousand_series_are_read_within_bounds() -> None:
    rows = [{"metric": {"pod": f"p{number}"}, "values": [[START, "1"]]} for number in range(100_000)]
    answer = await asked(matrix(*rows))
    assert len(answer.series) == 100_000


@pytest.mark.threat("T14")
async def test_an_endless_answer_and_a_bomb_are_cut_off() -> None:
    async def flood() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1_000_000

    with pytest.raises(AnswerTooLargeError):
        await asked(Reply(pieces=flood))
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(b" " * (MAX_ANSWER_BYTES + 1)) + packer.flush()
    with pytest.raises(AnswerTooLargeError):
        await asked(Reply(bomb, headers={"content-encoding": "gzip"}))


async def test_a_long_query_goes_as_a_form_and_a_short_one_in_the_address() -> None:
    async with WireServer(probing(matrix(one()))) as server:
        backend = driver(server.url + "/select/0/prometheus/")
        await backend.range("foo", WINDOW)
        await backend.range(f'foo{{a=~"{"|".join(f"pod-{number}" for number in range(400))}"}}', WINDOW)
        await backend.aclose()
        first, last = server.seen[1], server.seen[-1]
        assert (first.method, first.path) == ("GET", "/select/0/prometheus/api/v1/query_range")
        assert (last.method, last.path, last.query) == ("POST", first.path, {})
        assert last.headers["content-type"] == "application/x-www-form-urlencoded"
        assert b"pod-399" in last.body


async def test_ten_million_samples_are_refused_before_they_are_read() -> None:
    def answer(seen: Seen) -> Reply:
        assert "label_replace" in seen.target, "the query itself was sent"
        return matrix({"metric": {"aiops": "c0"}, "values": [[START + 60 * n, "200000"] for n in range(61)]})

    async with WireServer(answer) as server:
        backend = driver(server.url)
        with pytest.raises(QueryInvalidError, match=r"12,200,000 samples of 200,000 series.*step="):
            await backend.range("foo", WINDOW)
        assert (await backend.estimate("foo", WINDOW)).samples == 12_200_000
        await backend.aclose()


async def test_a_query_without_a_name_is_refused_with_the_size_of_the_store() -> None:
    def answer(seen: Seen) -> Reply:
        assert seen.path.endswith("/status/tsdb")
        return as_json({"status": "success", "data": {"headStats": {"numSeries": 2_100_000}}})

    async with WireServer(answer) as server:
        backend = driver(server.url)
        with pytest.raises(
            QueryInvalidError, match=r"about 128,100,000 samples of 2,100,000 series.*show=card"
        ):
            await backend.range('count({__name__=~".+"}) by (__name__)', WINDOW)
        await backend.aclose()


async def test_a_token_is_read_anew_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n", encoding="utf-8")
    async with WireServer(probing(matrix(one()))) as server:
        backend = driver(server.url, token_file=file)
        await backend.range("foo", WINDOW)
        file.write_text("second", encoding="utf-8")
        await backend.range("foo", WINDOW)
        file.write_text("two words", encoding="utf-8")
        with pytest.raises(NotConfiguredError, match="holds no token"):
            await backend.range("foo", WINDOW)
        await backend.aclose()
        assert {seen.headers["authorization"] for seen in server.seen} == {"Bearer first", "Bearer second"}


@pytest.mark.threat("T5")
async def test_no_token_goes_over_plain_http_and_a_wrong_authority_file_is_told(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("worth-nothing", encoding="utf-8")
    with pytest.raises(NotConfiguredError, match="https"):
        driver("http://prometheus.example:9090", token_file=token)
    await driver("http://prometheus.example:9090").aclose()
    with pytest.raises(NotConfiguredError, match="authority"):
        driver("https://127.0.0.1:1", ca_file=Path("/nonexistent/ca.pem"))
    assert ssl.OPENSSL_VERSION


@pytest.mark.threat("T4")
async def test_alerts_of_another_cluster_in_a_shared_store_are_not_shown() -> None:
    rows = [
        {"labels": {"alertname": "High", "cluster": name}, "state": "firing", "value": "1e+00"}
        for name in ("mine", "other")
    ]
    async with WireServer(lambda _: as_json({"status": "success", "data": {"alerts": rows}})) as server:
        api = PrometheusApi(Place(url=server.url, thing="Prometheus", timeout_s=5))
        backend = PrometheusMetrics(api, FakeClock(SINCE), Bounds(5_000_000, ("cluster", "mine")))
        assert [one.labels["cluster"] for one in await backend.alerts()] == ["mine"]
        await backend.aclose()
