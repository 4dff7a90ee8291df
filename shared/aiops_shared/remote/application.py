"""Puts the layers around a server: what `--http` serves, and what tests mount."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from fastmcp import FastMCP

from aiops_shared.auth.scopes import SCOPES
from aiops_shared.guardrails.sealing import Sealer
from aiops_shared.remote.approvals import base_of
from aiops_shared.remote.approvals_sessions import PATH, Browsers
from aiops_shared.remote.asgi import App, Receive, Scope, Send
from aiops_shared.remote.bearers import Bearers
from aiops_shared.remote.bodies import Bodies
from aiops_shared.remote.challenges import Challenges
from aiops_shared.remote.checks import KeysCheck, StoreCheck
from aiops_shared.remote.draining import Draining
from aiops_shared.remote.exposition import page
from aiops_shared.remote.intake import Intake
from aiops_shared.remote.listed import Listed
from aiops_shared.remote.measures import Measures
from aiops_shared.remote.metering import Meter, Routes
from aiops_shared.remote.observing import Naming, Observing
from aiops_shared.remote.places import Places
from aiops_shared.remote.probes import METADATA, Probes, Readiness
from aiops_shared.remote.senders import Senders, door_of
from aiops_shared.remote.shedding import Shedding
from aiops_shared.remote.tokens import Tokens
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore
from aiops_shared.state.keys import Keys


@dataclass(frozen=True)
class Application:
    """An ASGI application; its lifespan is the server's."""

    outermost: App
    readiness: Readiness
    store: StateStore
    draining: Draining
    intake: Intake
    meter: Meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        try:
            await self.outermost(scope, receive, send)
        finally:
            if scope["type"] == "lifespan":
                self.store.close()


def around(server: FastMCP, settings: Settings, scopes: Mapping[str, str]) -> Application:
    """The server behind every layer. `scopes`: tool -> the scope that a call of it needs.

    Raises NotConfiguredError for an issuer whose tokens would prove nothing.
    """
    http, auth = settings.http, settings.auth
    tokens = Tokens.of(auth, http.public_url) if auth.issuer else None
    challenges = Challenges(metadata_url(settings), auth.scope_prefix)
    store = StateStore(settings.state)  # of `/readyz` alone; opened by the first who asks
    readiness = Readiness({"state": StoreCheck(store)})
    if tokens is not None:
        readiness.checks["issuer"] = KeysCheck(tokens.keys)
    app: Any = server.http_app(path=http.path, stateless_http=True, json_response=False)
    server_routes = app.routes
    approves = any(getattr(route, "path", "") == PATH for route in server_routes)
    meter = Meter()
    routes = Routes.of(server_routes)
    app = shedding = Shedding(Listed(app, server), http, tokens is not None, meter.turned_away)
    app = Bodies(app, http.path, http.max_request_bytes, lambda name: scopes.get(name, ""), challenges)
    app = Naming(Measures(partial(page, meter), app))
    behind, app = app, Bearers(app, tokens, challenges)
    if (door := door_of(server_routes)) is not None:
        app = Senders(app, behind, door)
    if tokens is not None and approves:
        app = Browsers(app, tokens, Sealer(Keys(settings.state)), base_of(settings))
    app = Places.of(http, app)
    app = intake = Intake(app, http.bodies_bytes, http.connections, meter.turned_away)
    app = draining = Draining(app, readiness)
    app = Probes(Observing(app, meter, routes.label), readiness, _metadata(settings) if tokens else None)
    for name, says, value in (
        ("aiops_http_requests_in_flight", "HTTP requests under way", lambda: draining.under_way),
        ("aiops_http_places_taken", "Places that answer requests", lambda: shedding.turns.under_way),
        ("aiops_http_requests_waiting", "HTTP requests that wait", lambda: shedding.turns.waiting),
        ("aiops_http_connections", "Open HTTP connections", lambda: intake.connections()),
        ("aiops_http_body_bytes", "Bytes of request bodies held", lambda: intake.held_bytes),
    ):
        meter.gauge(name, says, value)
    return Application(app, readiness, store, draining, intake, meter)


def metadata_url(settings: Settings) -> str:
    """Where the metadata is: the well-known path before the endpoint's own (RFC 9728, section 3.1)."""
    url = urlsplit(resource_url(settings))
    return f"{url.scheme}://{url.netloc}{METADATA}{url.path.rstrip('/')}"


def resource_url(settings: Settings) -> str:
    """The endpoint as clients know it."""
    http = settings.http
    return http.public_url or f"http://{http.host}:{http.port}{http.path}"


def _metadata(settings: Settings) -> dict[str, Any]:
    """RFC 9728, section 2."""
    return {
        "resource": resource_url(settings),
        "authorization_servers": [settings.auth.issuer],
        "scopes_supported": [settings.auth.scope_prefix + scope for scope in SCOPES],
        "bearer_methods_supported": ["header"],
        "resource_name": "EKS AIOps",
    }
