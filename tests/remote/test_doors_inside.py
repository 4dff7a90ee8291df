"""Behind the tokens: bodies that say other than they seem (T12), and upstreams that see no token (T3)."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import httpx
import pytest

from aiops_eks.server import make as make_eks
from aiops_observability.server import make as make_observability
from aiops_shared.remote.application import around
from aiops_shared.remote.asgi import App
from aiops_sop.server import make as make_sop
from eks_aiops.gateway import make as make_gateway
from tests.remote.issuer import (
    Issuer,
    Served,
    issuer,
    modern,
    remote_settings,
    served,
)

DENIED = b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"


@pytest.fixture(scope="module")
def idp() -> Iterator[Issuer]:
    with issuer() as found:
        yield found


@pytest.fixture(scope="module")
def place(idp: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = remote_settings(idp, tmp_path_factory.mktemp("state"), max_request_bytes=20_000)
    with served(make_gateway(settings), settings) as found:
        yield found


def _call(name: str, **arguments: Any) -> dict[str, Any]:
    return modern("tools/call", {"name": name, "arguments": arguments})


@pytest.mark.threat("T12")
async def test_headers_and_body_that_disagree_are_refused_behind_our_layers(
    place: Served, idp: Issuer
) -> None:
    token = idp.token()
    params = {"name": "eks_list_clusters", "arguments": {}}
    for headers, code in (
        ({"mcp-name": "eks_execute_plan"}, -32020),
        ({"mcp-method": "tools/list"}, -32020),
        ({"mcp-method": "Tools/Call"}, -32020),
        ({"mcp-name": "EKS_LIST_CLUSTERS"}, -32020),
    ):
        answer = await place.rpc("tools/call", params, token=token, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code), headers
    other = modern("tools/list", {})
    other["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2025-11-25"
    answer = await place.rpc("tools/list", token=token, body=json.dumps(other).encode())  # BI-118
    assert answer.status_code == 400


@pytest.mark.threat("T12")
async def test_odd_bodies_are_refused_and_never_run_more_than_the_door_saw(
    place: Served, idp: Issuer
) -> None:
    token = idp.token(scope="aiops:read")
    write = _call("sop_start_run", sop="x", mode="auto")
    plain = json.dumps(modern("tools/list", {}))
    twice = json.dumps(write)[:-1] + ', "method": "tools/list"}'
    hidden = plain[:-1] + f', "params": {json.dumps(write["params"])}, "method": "tools/call"}}'
    deep = b"[" * 5_000
    for body, statuses in (
        (json.dumps([write, write]).encode(), {403}),
        (json.dumps([modern("tools/list", {})]).encode(), {400}),
        (hidden.encode(), {403}),  # two methods, two params: the last counts, for the door as for the server
        (twice.encode(), {400, 200}),
        (json.dumps({**write, "method": "tools\\u002fcall"}).replace("\\\\", "\\").encode(), {403}),
        (json.dumps({**write, "method": "TOOLS/CALL"}).encode(), {400, 404}),
        (json.dumps({**write, "method": "tools/call "}).encode(), {400, 404}),
        (json.dumps({**write, "method": ["tools/call"]}).encode(), {400}),
        (json.dumps(write).encode("utf-16"), {400}),
        (b"\xef\xbb\xbf" + json.dumps(write).encode(), {400}),
        (json.dumps({**write, "id": float("nan")}).encode(), {400}),
        (plain.encode()[:-1], {400}),
        (b"", {400}),
        (b"\xff\xfe", {400}),
        (b"null", {400}),
        (deep, {400}),
        (b'"' + b"x" * 21_000 + b'"', {413}),
    ):
        answer = await place.rpc(
            "tools/list",
            token=token,
            body=body,
            headers={"mcp-method": "tools/call", "mcp-name": "sop_start_run"},
        )
        assert answer.status_code in statuses, (body[:200], answer.status_code, answer.text)
        assert "run_" not in answer.text
    zipped = await place.rpc("tools/list", token=token, headers={"content-encoding": "gzip"})
    assert zipped.status_code == 415


class Upstream:
    """Stands for AWS, Prometheus and a server of the suite: notes every header, knows nothing."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        heads = self.heads

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the base class names it
                heads.append(f"{self.requestline}\n{self.headers}")
                self.rfile.read(int(self.headers.get("content-length") or 0))
                self.send_response(403)
                self.send_header("content-length", str(len(DENIED)))
                self.end_headers()
                self.wfile.write(DENIED)

            def do_POST(self) -> None:  # the base class names it
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:  # the base class names it
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


UPSTREAMS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "AWS": (make_eks, "list_clusters", {}),
    "Prometheus": (make_observability, "query_metrics", {"query": "up"}),
    "servers of the suite": (make_sop, "investigate", {"symptom": "504 on checkout", "cluster": "prod"}),
}


@pytest.mark.threat("T3")
@pytest.mark.parametrize("which", UPSTREAMS)
async def test_no_upstream_ever_sees_the_inbound_token(
    which: str, idp: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, tool, arguments = UPSTREAMS[which]
    upstream = Upstream()
    token = idp.token()
    plain = remote_settings(idp, tmp_path)
    metrics = plain.metrics.model_copy(update={"prometheus_url": upstream.url})
    urls = dict.fromkeys(("eks_url", "observability_url", "cost_url"), f"{upstream.url}/mcp")
    update = {"metrics": metrics, "sop": plain.sop.model_copy(update=urls)}
    settings = plain.model_copy(update=update)
    for name, value in (
        ("AWS_ENDPOINT_URL", upstream.url),
        ("AWS_ACCESS_KEY_ID", "AKIAFAKEFAKEFAKEFAKE"),
        ("AWS_SECRET_ACCESS_KEY", "fake"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch.setenv(name, value)
    try:
        async with served(maker(settings), settings) as found:
            with anyio.fail_after(25):
                await found.rpc("tools/call", {"name": tool, "arguments": arguments}, token=token)
        assert upstream.heads
        assert not [head for head in upstream.heads if any(part in head for part in token.split("."))]
    finally:
        upstream.close()


@pytest.mark.threat("T3")
async def test_what_stands_behind_the_tokens_never_sees_one(idp: Issuer, tmp_path: Path) -> None:
    """The framework's client sends on the headers of the request that it works for, if it finds any."""
    settings = remote_settings(idp, tmp_path)
    server = make_eks(settings)
    seen: list[str] = []

    @server.custom_route("/seen", methods=["GET"])
    async def look(request: Any) -> Any:
        from starlette.responses import Response

        seen.extend(request.headers)
        return Response("ok")

    app: App = around(server, settings, {})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
        answer = await client.get("/seen", headers={"authorization": f"Bearer {idp.token()}", "x-kept": "1"})
    assert answer.status_code == 200
    assert "x-kept" in seen
    assert "authorization" not in seen
