"""OpenTelemetry: with an endpoint set a server exports spans and counts of its calls; without it does not."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from aiops_shared.settings import inherited

pytestmark = pytest.mark.slow


class Sink(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    got: list[tuple[str, bytes]]

    def do_POST(self) -> None:  # the base class names it
        """Take one export."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # the base class names it
        """Say nothing."""


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """An OTLP/HTTP endpoint on loopback, and what reached it."""
    got: list[tuple[str, bytes]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Taking", (Sink,), {"got": got}))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("wanted", [True, False])
async def test_spans_and_counts_are_exported_only_where_an_endpoint_is_set(
    wanted: bool, tmp_path: Path
) -> None:
    with collector() as (url, got):
        environment = {**inherited("PATH", "HOME"), "AIOPS_STATE_DIR": str(tmp_path)}
        if wanted:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
        transport = StdioTransport(
            sys.executable, ["-m", "eks_aiops", "eks"], env=environment, keep_alive=False
        )
        async with Client(transport) as client:
            await client.call_tool("get_action", {"action_id": "act_" + "x" * 20}, raise_on_error=False)
    assert bool(got) is wanted
    if wanted:
        assert {path for path, _ in got} == {"/v1/traces", "/v1/metrics"}
        body = b"".join(body for path, body in got if path == "/v1/traces")
        assert b"tools/call get_action" in body
        assert b"aiops.result_bytes" in body or b"gen_ai.tool.name" in body
        assert b"eks-aiops-eks" in body
        counted = b"".join(body for path, body in got if path == "/v1/metrics")
        for name in (b"aiops.tool.calls", b"aiops.tool.duration", b"eks-aiops-eks", b"get_action"):
            assert name in counted
        assert b"action_not_found" in counted, "the outcome is the error's code"
        assert b"act_" not in counted, "an argument is no label"
