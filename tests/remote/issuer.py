"""An OpenID issuer of the tests' own, and a server behind every layer of HTTP: real sockets on loopback.

    async with issuer() as idp:
        settings = remote_settings(idp, tmp_path)                     # AIOPS_HTTP_* by name
    async with served(make(settings), settings) as place:
        async with place.client(idp.token(sub="anna", scope="aiops:read")) as client:   # FastMCP's, modern
            await client.list_tools()
        answer = await place.rpc("tools/list", token=idp.token())                       # one raw request

Both run in threads of their own, so fixtures of any scope may hold them (`with` works like `async with`) and
the test's loop may block. `idp.token(...)`: every claim by name, `None` leaves one out; `head=` adds header
fields; `idp.signed(head, claims, key)` makes what no honest issuer would.
"""

import hmac
import json
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

import anyio
import httpx
import uvicorn
from fastmcp import Client, FastMCP
from fastmcp.client.transports import StreamableHttpTransport
from joserfc.jwk import ECKey, Key, KeyParameters, KeySet, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64encode

from aiops_shared.remote.application import Application, around
from aiops_shared.remote.scopes import scopes_of
from aiops_shared.settings import Settings

AUDIENCE = "https://aiops.example.com/mcp"
EVERYTHING = "aiops:read aiops:sensitive aiops:plan aiops:execute aiops:approve"
MODERN = "2026-07-28"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the system's roots takes longer than a request
Given = Mapping[str, Any]


@cache
def made_key(kid: str) -> RSAKey | ECKey:
    """A key pair by its id, made once in a run: RSA unless the id begins with `ec`."""
    names: KeyParameters = {"kid": kid, "use": "sig"}
    return ECKey.generate_key("P-256", names) if kid.startswith("ec") else RSAKey.generate_key(2048, names)


class InThread:
    """Something that runs in a thread of its own, for `with` and for `async with`."""

    def start(self) -> None:
        """Runs, and is reachable when this returns."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends, and its thread with it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await anyio.to_thread.run_sync(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.stop)


@dataclass
class Issuer(InThread):
    """What it publishes is `published`; what it was asked is in `asked`; `down` answers 503."""

    kids: list[str] = field(default_factory=lambda: ["rsa-1", "ec-1"])
    asked: list[str] = field(default_factory=list)
    further_keys: list[dict[str, Any]] = field(default_factory=list)
    down: bool = False
    url: str = ""

    def start(self) -> None:
        """Listen on a free port of loopback."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._answer))
        server.daemon_threads = True
        self._server = server
        self._thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"

    def stop(self) -> None:
        """Close the port: what asks from now on finds nobody."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def rotate(self, *kids: str) -> None:
        """Other keys from now on; tokens of the old ones are nobody's."""
        self.kids = list(kids)

    def token(self, kid: str = "", head: Given | None = None, **claims: Any) -> str:
        """An access token (RFC 9068) of this issuer, valid for ten minutes, with every scope."""
        now = int(time.time())
        said: dict[str, Any] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "anna",
            "client_id": "console",
            "iat": now,
            "exp": now + 600,
            "scope": EVERYTHING,
            "jti": str(time.monotonic_ns()),
            **claims,
        }
        chosen = kid or self.kids[0]
        key = made_key(chosen)
        headers = {"typ": "at+jwt", "alg": "ES256" if key.key_type == "EC" else "RS256", "kid": chosen}
        return self.signed({**headers, **(head or {})}, said, key)

    @staticmethod
    def signed(head: Given, claims: Given | bytes, key: Key | bytes) -> str:
        """Any header over any claims, signed as the header says, with bytes by HMAC-SHA-256; `None` in either
        leaves a field out."""
        body = claims if isinstance(claims, bytes) else _json(claims)
        text = urlsafe_b64encode(_json(head)) + b"." + urlsafe_b64encode(body)
        if isinstance(key, bytes):
            signature = hmac.digest(key, text, "sha256")
        else:
            signature = JWSRegistry.algorithms[head["alg"]].sign(text, key)
        return (text + b"." + urlsafe_b64encode(signature)).decode()

    def pem(self, kid: str) -> bytes:
        """The public key as everybody can have it: the secret of an algorithm confusion."""
        found = made_key(kid).as_pem(private=False)
        return found if isinstance(found, bytes) else found.encode()

    def _answer(self, path: str) -> tuple[int, Any]:
        self.asked.append(path)
        if self.down:
            return 503, {}
        if path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            own = KeySet([made_key(kid) for kid in self.kids]).as_dict(private=False)["keys"]
            return 200, {"keys": [*own, *self.further_keys]}
        return 404, {}


def issuer() -> Issuer:
    """An issuer, not yet listening."""
    return Issuer()


def remote_settings(idp: Issuer | None, tmp_path: Path, **http: Any) -> Settings:
    """Settings of an authenticated server on loopback whose state is under `tmp_path`; `http`: AIOPS_HTTP_*.

    Without an issuer: nobody is asked for a token. More: `settings.model_copy(update=...)`.
    """
    plain = Settings()
    where = plain.http.model_copy(update={"port": 0, "public_url": AUDIENCE if idp else "", **http})
    whose = plain.auth.model_copy(update={"issuer": idp.url if idp else ""})
    state = plain.state.model_copy(update={"dir": tmp_path})
    return plain.model_copy(update={"http": where, "auth": whose, "state": state})


@dataclass
class Served(InThread):
    """A server behind every layer, on a free port of loopback."""

    server: FastMCP
    settings: Settings
    scopes: Mapping[str, str] | None = None
    base: str = ""
    app: Application = field(init=False)

    @property
    def url(self) -> str:
        """The MCP endpoint."""
        return self.base + self.settings.http.path

    def start(self) -> None:
        """Listen. Raises RuntimeError when the server's lifespan fails."""
        self._thread = Thread(target=lambda: anyio.run(self._run), daemon=True)
        self._uvicorn: uvicorn.Server | None = None
        self._thread.start()
        while self._thread.is_alive() and not (self._uvicorn and self._uvicorn.started):
            self._thread.join(0.01)
        if self._uvicorn is None or not self._uvicorn.started:
            raise RuntimeError("the server did not start")
        port = self._uvicorn.servers[0].sockets[0].getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"

    async def _run(self) -> None:
        scopes = await scopes_of(self.server) if self.scopes is None else self.scopes
        self.app = around(self.server, self.settings, scopes)
        config = uvicorn.Config(
            self.app, port=0, http="h11", ws="none", log_config=None, timeout_graceful_shutdown=2
        )
        self._uvicorn = uvicorn.Server(config)
        await self._uvicorn.serve()

    def stop(self) -> None:
        """End the server as a signal would."""
        if self._uvicorn:
            self._uvicorn.should_exit = True
        self._thread.join()

    def client(self, token: str = "", **more: Any) -> Client[StreamableHttpTransport]:
        """FastMCP's client with this token; `mode="legacy"` for the older handshake."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return Client(StreamableHttpTransport(self.url, headers=headers), **more)

    async def rpc(
        self,
        method: str,
        params: Given | None = None,
        *,
        token: str = "",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> httpx.Response:
        """One request of 2026-07-28, as it goes over the wire; `headers` add or replace, `body` replaces."""
        message = modern(method, params or {})
        given: dict[str, str] = modern_headers(message)
        if token:
            given["authorization"] = f"Bearer {token}"
        given.update(headers)
        content = json.dumps(message).encode() if body is None else body
        async with httpx.AsyncClient(timeout=10, trust_env=False, verify=NO_TLS) as client:
            return await client.post(self.url, content=content, headers=given)


def served(server: FastMCP, settings: Settings, scopes: Mapping[str, str] | None = None) -> Served:
    """The server behind `application.around`, not yet listening; scopes as its tools' tags say."""
    return Served(server, settings, scopes)


def modern(method: str, params: Given) -> dict[str, Any]:
    """A JSON-RPC request of 2026-07-28."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}


def modern_headers(message: Given) -> dict[str, str]:
    """The headers that go with such a request."""
    named = message["params"].get("name") or message["params"].get("uri")
    return {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": MODERN,
        "mcp-method": message["method"],
        **({"mcp-name": named} if named else {}),
    }


def _json(value: Given) -> bytes:
    return json.dumps({name: one for name, one in value.items() if one is not None}).encode()


def _handler(answer: Any) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the base class names it
            status, says = answer(self.path)
            body = json.dumps(says).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # the base class names it
            """Say nothing."""

    return Answering
