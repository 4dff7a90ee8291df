"""/metrics, request ids and the access log, on a server behind every layer."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from fastmcp import FastMCP
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from aiops_shared.app.logs import JsonLines
from aiops_shared.errors import NotConfiguredError
from aiops_shared.remote.application import Application, around
from aiops_shared.remote.asgi import Message
from aiops_shared.remote.running import metrics_socket
from aiops_shared.results.counting import Instruments
from aiops_shared.settings import HttpSettings
from bench.http_client import MODERN, call_body
from tests.remote.issuer import Issuer, remote_settings

MARK = "canary-token-of-nobody"


def server() -> FastMCP:
    made = FastMCP("counted")

    @made.tool
    async def hello(name: str) -> str:
        """Greet."""
        logging.getLogger("aiops.tests").warning("greeting")
        return f"hello {name}"

    return made


@asynccontextmanager
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as found:
        yield found


async def call(http: httpx.AsyncClient, token: str = "", **headers: str) -> httpx.Response:
    return await http.post(
        "/mcp",
        content=call_body("hello", {"name": "ann"}, 1, MODERN),
        headers={
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": "hello",
            **({"authorization": f"Bearer {token}"} if token else {}),
            **headers,
        },
    )


@asynccontextmanager
async def lived(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client, while the application's lifespan runs."""
    up, over, down = anyio.Event(), anyio.Event(), anyio.Event()

    async def receive() -> Message:
        if not up.is_set():
            return {"type": "lifespan.startup"}
        await over.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        (up if message["type"] == "lifespan.startup.complete" else down).set()

    life = asyncio.get_running_loop().create_task(app({"type": "lifespan", "state": {}}, receive, send))
    await up.wait()
    async with client(app) as http:
        yield http
    over.set()
    await life


async def test_who_called_what_is_counted_and_said_and_nothing_private_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aiops.access")
    with Issuer() as idp:
        settings = remote_settings(idp, tmp_path)
        app = around(server(), settings, {"hello": "aiops:read"})
        async with lived(app) as http:
            good = await call(http, idp.token(), **{"x-request-id": "req-7"})
            assert (good.status_code, good.headers["x-request-id"]) == (200, "req-7")
            odd = await call(http, MARK, **{"x-request-id": 'a"b\x01'})
            assert odd.status_code == 401
            assert len(odd.headers["x-request-id"]) == 16
            lost = await http.get(f"/nowhere-{MARK}?q={MARK}")
            assert lost.status_code in {401, 404}
            assert (await http.get("/metrics")).status_code == 401
            other = await http.get(
                "/metrics", headers={"authorization": f"Bearer {idp.token(scope='aiops:plan')}"}
            )
            assert other.status_code == 403
            page = await http.get("/metrics", headers={"authorization": f"Bearer {idp.token()}"})
    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    said = page.text.splitlines()
    assert 'aiops_http_requests_total{route="/mcp",method="POST",code="2xx"} 1' in said
    assert 'aiops_http_requests_total{route="/mcp",method="POST",code="4xx"} 1' in said
    assert 'aiops_http_requests_total{route="other",method="GET",code="4xx"} 1' in said
    assert 'aiops_http_request_duration_seconds_count{route="/mcp"} 2' in said
    assert "aiops_http_requests_in_flight 1" in said
    assert {"aiops_http_places_taken 0", "aiops_http_requests_waiting 0"} <= set(said)
    assert MARK not in page.text
    lines = [json.loads(JsonLines().format(one)) for one in caplog.records]
    first = next(one for one in lines if one["logger"] == "aiops.access")
    assert first["says"] == "request"
    assert {first["method"], first["route"], str(first["status"])} == {"POST", "/mcp", "200"}
    assert first["caller"]
    assert MARK not in json.dumps(lines)


async def test_every_log_line_of_a_request_has_its_id(tmp_path: Path) -> None:
    heard: list[dict[str, object]] = []

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(json.loads(JsonLines().format(record)))

    handler = Hearing()
    logging.getLogger("aiops.tests").addHandler(handler)
    settings = remote_settings(None, tmp_path)
    app = around(server(), settings, {"hello": "aiops:read"})
    async with lived(app) as http:
        assert (await call(http, **{"x-request-id": "req-8"})).status_code == 200
    logging.getLogger("aiops.tests").removeHandler(handler)
    assert [one["request"] for one in heard] == ["req-8"]


async def test_the_suites_own_counts_stand_beside_those_of_http(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    counts = Instruments.of(MeterProvider([reader]).get_meter("aiops"))
    counts.calls.add(2, {"server": "eks", "tool": "diagnose", "outcome": "ok"})
    counts.duration.record(0.3, {"server": "eks", "tool": "diagnose"})
    settings = remote_settings(None, tmp_path)
    app = around(server(), settings, {})
    app.meter.suite = reader
    async with client(app) as http:
        page = (await http.get("/metrics")).text
    assert 'aiops_tool_calls_total{server="eks",tool="diagnose",outcome="ok"} 2' in page
    assert 'aiops_tool_duration_seconds_bucket{server="eks",tool="diagnose",le="0.5"} 1' in page
    assert 'aiops_tool_duration_seconds_bucket{server="eks",tool="diagnose",le="0.25"} 0' in page
    assert 'aiops_tool_duration_seconds_count{server="eks",tool="diagnose"} 1' in page


def test_a_port_of_its_own_that_is_none_is_said_before_anything_starts() -> None:
    for wrong in ("9464", "127.0.0.1:x", "127.0.0.1:99999"):
        with pytest.raises(NotConfiguredError, match="AIOPS_HTTP_METRICS_LISTEN"):
            metrics_socket(HttpSettings(metrics_listen=wrong))
    taken = metrics_socket(HttpSettings(metrics_listen="127.0.0.1:0"))
    assert taken is not None
    with pytest.raises(NotConfiguredError, match="cannot listen there"):
        metrics_socket(HttpSettings(metrics_listen=f"127.0.0.1:{taken.getsockname()[1]}"))
    taken.close()
