"""What an HTTP server lets in: names and origins (T11), routes without a token, bodies, probes, upstreams."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aiops_eks.server import make as make_eks
from aiops_observability.server import make as make_observability
from aiops_shared.errors import NotConfiguredError
from aiops_shared.remote.application import around
from aiops_shared.remote.running import require_safe
from aiops_shared.settings import AuthSettings, Settings
from aiops_sop.server import make as make_sop
from eks_aiops.approving_http import add_approvals
from eks_aiops.gateway import make as make_gateway
from eks_aiops.serving import serve
from tests.remote.issuer import (
    NO_TLS,
    Issuer,
    Served,
    issuer,
    modern,
    modern_headers,
    remote_settings,
    served,
)

OURS = "https://aiops.example.com/mcp"
METADATA = "/.well-known/oauth-protected-resource"
EVERY_ADDRESS = ".".join("0000")


@pytest.fixture(scope="module")
def idp() -> Iterator[Issuer]:
    with issuer() as found:
        yield found


@pytest.fixture(scope="module")
def place(idp: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The gateway, with approvals, as the command line serves it."""
    settings = remote_settings(
        idp,
        tmp_path_factory.mktemp("state"),
        allowed_hosts=["*.svc.cluster.local", "Other.Example.com:8443"],
        allowed_origins=["https://console.example.com/"],
        max_request_bytes=20_000,
    )
    server = make_gateway(settings)
    add_approvals("gateway", server, settings)
    with served(server, settings) as found:
        yield found


@pytest.fixture(scope="module")
def open_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server on loopback that asks for no tokens: what a web page could reach (T11)."""
    settings = remote_settings(None, tmp_path_factory.mktemp("state"))
    with served(make_eks(settings), settings) as found:
        yield found


def raw(place: Served, head: str, body: bytes = b"") -> int:
    """The status of a request that no HTTP library would send; `head` without its last lines."""
    port = int(place.base.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        text = f"{head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        sock.sendall(text.encode("latin-1") + body)
        line = sock.makefile("rb").readline().split()
    return int(line[1]) if len(line) > 1 else 0


def listing(place: Served, target: str = "/mcp", host: str = "", more: str = "") -> int:
    """A tools/list as a raw request: to this target, with this Host and these further header lines."""
    message = modern("tools/list", {})
    headers = "".join(f"\r\n{name}: {value}" for name, value in modern_headers(message).items())
    own = place.base.removeprefix("http://")
    head = f"POST {target} HTTP/1.1\r\nHost: {host or own}{headers}{more}"
    return raw(place, head, json.dumps(message).encode())


@pytest.mark.threat("T11")
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1234", 200),
        ("localhost.", 200),
        ("127.0.0.1", 200),
        ("127.0.0.9:80", 200),
        ("[::1]", 200),
        ("[::1]:8000", 200),
        ("[0:0:0:0:0:0:0:1]", 200),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.nip.io", 421),
        ("evil.localhost", 421),
        ("127.0.0.1@evil.example", 421),
        ("evil.example@127.0.0.1", 421),
        ("127.0.0.1/evil.example", 421),
        ("127.0.0.1 evil.example", 421),
        ("[::1", 421),
        ("[::1]evil", 421),
        ("::1", 421),
        ("[fe80::1]", 421),
        (EVERY_ADDRESS, 421),
        ("[::]", 421),
        ("2130706433", 421),
        ("0x7f.1", 421),
        ("localhost:http", 421),
        ("localhost:123456", 421),
        ("aiops.example.com", 421),  # nobody named it: without an issuer there is no public URL
        ("169.254.169.254", 421),
        ("\xe9vil", 421),
    ],
)
def test_a_server_answers_to_its_own_names_alone(open_place: Served, host: str, status: int) -> None:
    found = listing(open_place, host=host)
    assert found == status or (status == 421 and found == 400)  # h11 refuses some before we see them


@pytest.mark.threat("T11")
@pytest.mark.parametrize(
    "host",
    ["aiops.example.com", "AIOPS.example.com:443", "eks.aiops.svc.cluster.local", "other.example.com."],
)
def test_the_operator_s_names_are_ours_in_any_case_and_with_any_port(place: Served, host: str) -> None:
    assert listing(place, host=host) == 401
    for foreign in (
        "svc.cluster.local",
        "evilsvc.cluster.local",
        "aiops.example.com.evil.example",
        "x.other.example.com",
    ):
        assert listing(place, host=foreign) == 421


@pytest.mark.threat("T11")
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),  # BI-106
        ("null", 403),
        ("http://localhost:1", 403),
        ("http://127.0.0.1", 403),
        ("http://evil.example@127.0.0.1", 403),
        ("http://[::1", 403),
        ("http://[", 403),
        ("file://", 403),
        ("//", 403),
        ("OWN", 200),
        ("", 200),
    ],
)
def test_a_web_page_of_another_origin_is_403_though_it_reaches_loopback(
    open_place: Served, origin: str, status: int
) -> None:
    own = origin.replace("OWN", open_place.base.upper().replace("HTTP", "http"))
    assert listing(open_place, more=f"\r\nOrigin: {own}" if own else "") == status
    if own:
        assert listing(open_place, more=f"\r\nOrigin: {own}\r\nOrigin: {own}") == 400


@pytest.mark.threat("T11")
def test_a_page_that_rebinds_its_name_reaches_nothing(open_place: Served) -> None:
    """The browser believes that evil.example is us: Host and Origin agree, and both are foreign."""
    assert listing(open_place, host="evil.example:8000", more="\r\nOrigin: http://evil.example:8000") == 421


@pytest.mark.threat("T11")
@pytest.mark.parametrize(
    "target", ["http://evil.example/mcp", "http://127.0.0.1/mcp", "evil.example:443", "*", "mcp"]
)
def test_a_target_that_is_no_path_is_not_looked_up(open_place: Served, target: str) -> None:
    assert listing(open_place, target=target) in {400, 421}


@pytest.mark.threat("T11")
async def test_no_origin_is_ever_allowed_to_read_an_answer(
    place: Served, open_place: Served, idp: Issuer
) -> None:
    """BI-124: a preflight, a request and an error carry no Access-Control-Allow-Origin."""
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        for at in (place, open_place):
            for origin in ("https://evil.example", "https://console.example.com", at.base):
                asks = {"origin": origin, "access-control-request-method": "POST"}
                for path in ("/mcp", "/healthz", METADATA, "/approvals"):
                    answer = await client.options(at.base + path, headers=asks)
                    assert not any(name.startswith("access-control") for name in answer.headers)
                    assert answer.status_code >= 400
    for origin, status in (("https://console.example.com", 200), ("https://evil.example", 403)):
        answer = await place.rpc("tools/list", token=idp.token(), headers={"origin": origin})
        assert answer.status_code == status
        assert not any(name.startswith("access-control") for name in answer.headers)


def _paths(place: Served) -> Iterator[str]:
    """Every route that the server has, and what one would try besides."""
    app: Any = place.server.http_app(path="/mcp", stateless_http=True)
    for route in app.routes:
        yield str(route.path).replace("{about}", "apr_x").replace("{path:path}", "x")
    yield from ("/", "/mcp/", "//mcp", "/%6dcp", "/mcp/x", "/metrics", "/metrics/", "/approvals/x", "/docs")
    yield from ("/openapi.json", "/debug", "/sse", "/messages", "/.well-known/openid-configuration")
    yield from (
        "/healthz/",
        "/healthz/x",
        "/readyz/..",
        "/readyz/../mcp",
        METADATA + "/other",
        METADATA + "/",
    )


@pytest.mark.threat("T3")
@pytest.mark.parametrize("which", ["gateway", "eks", "sop", "observability"])
async def test_every_route_without_a_token_is_401(
    which: str, place: Served, idp: Issuer, tmp_path: Path
) -> None:
    """BI-108. Walked in process: the layers are the same, and there are many routes."""
    if which == "gateway":
        server, settings = place.server, place.settings
    else:
        makers = {"eks": make_eks, "sop": make_sop, "observability": make_observability}
        settings = remote_settings(idp, tmp_path)
        server = makers[which](settings)
        add_approvals(which, server, settings)
    app: Any = around(server, settings, {})
    transport = httpx.ASGITransport(app)
    seen = 0
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
        for path in dict.fromkeys(_paths(Served(server, settings))):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "post"):
                answer = await client.request(method, path)
                assert answer.status_code == 401, (method, path)
                assert "resource_metadata=" in answer.headers["www-authenticate"]
                seen += 1
    assert seen > 100
    if which != "observability":
        assert "/approvals" in set(_paths(Served(server, settings)))


async def test_the_open_answers_are_two_probes_and_the_metadata(place: Served, idp: Issuer) -> None:
    async with httpx.AsyncClient(base_url=place.base, trust_env=False, verify=NO_TLS) as client:
        assert (await client.get("/healthz", headers={"host": "10.0.0.7:8000"})).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        assert (await client.head("/healthz")).status_code == 200
        for path in (METADATA, METADATA + "/mcp"):
            found = (await client.get(path)).json()
            assert found["resource"] == OURS
            assert found["authorization_servers"] == [idp.url]
            assert found["bearer_methods_supported"] == ["header"]
            assert set(found["scopes_supported"]) >= {"aiops:read", "aiops:execute", "aiops:approve"}
        assert (await client.post("/healthz")).status_code == 401


async def test_a_websocket_is_closed_before_any_layer_looks_at_it(idp: Issuer, tmp_path: Path) -> None:
    settings = remote_settings(idp, tmp_path)
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        raise AssertionError

    await around(make_eks(settings), settings, {})({"type": "websocket", "path": "/mcp"}, receive, send)
    assert said == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.fault("R8")
async def test_a_state_store_that_does_not_answer_makes_the_server_not_ready_and_says_nothing_else(
    tmp_path: Path,
) -> None:
    settings = remote_settings(None, tmp_path)
    secret = "postgresql+psycopg://aiops:canary-password@127.0.0.1:1/aiops"
    broken = settings.model_copy(update={"state": settings.state.model_copy(update={"url": secret})})
    async with (
        served(make_eks(broken), broken) as found,
        httpx.AsyncClient(base_url=found.base, trust_env=False, verify=NO_TLS) as client,
    ):
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "state": "not ready"}
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.threat("T11")
@pytest.mark.parametrize(
    "host",
    [
        EVERY_ADDRESS,
        "::",
        "",
        "0",
        "10.0.0.7",
        "aiops.example.com",
        "127.0.0.1.nip.io",
        "localhost.evil.example",
    ],
)
def test_an_address_that_others_reach_is_not_listened_to_without_tokens(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """BI-125."""
    assert serve("eks", http=True, host=host, port=0) == 1
    said = capsys.readouterr().err
    assert said.startswith("[not_configured]")
    assert "AIOPS_AUTH_ISSUER" in said
    assert said.count("\n") == 1


@pytest.mark.threat("T11")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.7", "127.0.0.1.nip.io"])  # noqa: S104  # refused
def test_only_loopback_is_safe_without_tokens(host: str) -> None:
    plain = Settings()
    reached = plain.model_copy(update={"http": plain.http.model_copy(update={"host": host})})
    with pytest.raises(NotConfiguredError, match="no tokens are asked for"):
        require_safe(reached)


@pytest.mark.threat("T11")
def test_a_public_url_without_tokens_does_not_start_either() -> None:
    plain = Settings()
    public = plain.http.model_copy(update={"public_url": OURS})
    with pytest.raises(NotConfiguredError, match=r"aiops\.example\.com"):
        require_safe(plain.model_copy(update={"http": public}))
    require_safe(plain)
    auth = AuthSettings(issuer="https://login.example.com")
    require_safe(plain.model_copy(update={"http": public, "auth": auth}))


def test_an_issuer_without_an_audience_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIOPS_AUTH_ISSUER", "https://login.example.com")
    assert serve("cost", http=True, host=EVERY_ADDRESS, port=0) == 1
    assert "AIOPS_HTTP_PUBLIC_URL" in capsys.readouterr().err
