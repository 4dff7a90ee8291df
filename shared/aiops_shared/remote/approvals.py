"""GET and POST /approvals: what waits for a person, as JSON or as a page, and their decision (D4, D5, T9).

    serve_approvals(server, guard, settings, asks)     # by `eks_aiops.serving`, once a process

FastMCP custom routes, inside every layer: `bearers` said who calls. They check the scope themselves, since
`bodies` looks at MCP alone. A form counts only with the token that was made for this session, caller and
digest (CSRF); JSON only as `application/json`, which no foreign page can send without being asked first.
"""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import anyio.to_thread
from fastmcp import FastMCP
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from aiops_shared.app.boundary import clean
from aiops_shared.auth.callers import inbound
from aiops_shared.errors import AiopsError, ApprovalInvalidError, InvalidInputError
from aiops_shared.guardrails.canonical import mac_of
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.remote import approvals_page as pages
from aiops_shared.remote.approvals_deciding import Asks, Decided, Desk, RefusedError
from aiops_shared.remote.approvals_sessions import (
    MOST_BODY,
    PATH,
    SESSION,
    form_of,
    require_same_origin,
    wants_html,
)
from aiops_shared.remote.asgi import StoppedError, whole_body
from aiops_shared.settings import Settings
from aiops_shared.state.keys import Keys

_SCOPE: Final = 'Bearer error="insufficient_scope", scope="aiops:approve"'
_UPSTREAM: Final = 503
Answering = Callable[[Request], Awaitable[Response]]


class Wish(BaseModel):
    """The body of a POST."""

    model_config = ConfigDict(extra="forbid", strict=True)

    decision: Literal["approve", "decline"]
    digest: str = Field(min_length=64, max_length=64, pattern=r"^[0-9a-f]+$")


def serve_approvals(server: FastMCP, guard: Guardrails, settings: Settings, asks: Asks | None = None) -> None:
    """Add the routes. `guard`: over the store that holds the approvals; `asks`: questions of runs."""
    page = Approvals(Desk(guard, asks), guard, Keys(settings.state), base_of(settings))
    server.custom_route(PATH, methods=["GET"])(page.safely(page.every))
    server.custom_route(f"{PATH}/{{about}}", methods=["GET"])(page.safely(page.one))
    server.custom_route(f"{PATH}/{{about}}", methods=["POST"])(page.safely(page.decide))


def base_of(settings: Settings) -> str:
    """The page's path as browsers know it."""
    return urlsplit(settings.http.approvals_url()).path or PATH


@dataclass(frozen=True, slots=True)
class Approvals:
    """The routes."""

    desk: Desk
    guard: Guardrails
    keys: Keys
    base: str

    def safely(self, answer: Answering) -> Answering:
        """`answer`, whose refusals become answers too."""

        async def go(request: Request) -> Response:
            try:
                return await answer(request)
            except RefusedError as refused:
                return self._refusal(request, refused.status, refused.error)
            except StoppedError as stopped:
                error = InvalidInputError("request", stopped.says)
                return self._refusal(request, stopped.status, error)
            except AiopsError as error:
                return self._refusal(request, _UPSTREAM, error)

        return go

    async def every(self, request: Request) -> Response:
        """What waits."""
        waiting = await self.desk.waiting()
        if wants_html(request.scope):
            return self._page(request, "Approvals", pages.listed(waiting, self._now()))
        return _json(
            {"caller": self.desk.caller.name, "waiting": [self._linked(one.plain()) for one in waiting]}
        )

    async def one(self, request: Request) -> Response:
        """One thing whole."""
        shown = await self.desk.one(request.path_params["about"])
        if not wants_html(request.scope):
            return _json(self._linked(shown.plain()))
        csrf = await anyio.to_thread.run_sync(self._csrf, request, shown.id, shown.digest)
        body = pages.page_of(shown, self._now(), csrf, self.desk.may_decide)
        return self._page(request, shown.says[:80], body)

    async def decide(self, request: Request) -> Response:
        """A person's word."""
        about = request.path_params["about"]
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await whole_body(request.receive, MOST_BODY)
        wish = _json_wish(body) if kind == "application/json" else await self._form_wish(request, about, body)
        done = await self.desk.decide(about, wish.decision, wish.digest)
        return self._done(request, done)

    async def _form_wish(self, request: Request, about: str, body: bytes) -> Wish:
        """The page's own form. Raises RefusedError, StoppedError."""
        fields = dict(form_of(request.scope, body))
        require_same_origin(request.scope)
        given = fields.pop("csrf", "")
        wish = _wish(fields)
        made = await anyio.to_thread.run_sync(self._csrf, request, about, wish.digest)
        if inbound() is not None and not hmac.compare_digest(given.encode(), made.encode()):
            error = ApprovalInvalidError(
                f"approval {about[:40]}", "the form is not of this session", "reload it"
            )
            raise RefusedError(403, error)
        return wish

    def _done(self, request: Request, done: Decided) -> Response:
        if not wants_html(request.scope):
            return _json(done.model_dump(mode="json"))
        if done.state == "pending":  # declined: the page itself would not say so
            return self._page(request, "Declined", pages.told("Declined", done.says))
        return RedirectResponse(f"{self.base}/{done.id}", 303, {"cache-control": "no-store"})

    def _csrf(self, request: Request, about: str, digest: str) -> str:
        said = ["csrf", str(request.scope.get(SESSION, "")), self.desk.caller.name, about[:64], digest]
        return mac_of(self.keys.derive("approvals"), said)

    def _page(self, request: Request, title: str, body: str, status: int = 200) -> Response:
        signed_in = bool(request.scope.get(SESSION))
        who = self.desk.caller.name if inbound() is not None else ""
        text = pages.whole(title, body, base=self.base, who=who, signed_in=signed_in)
        return HTMLResponse(text, status, pages.HEADERS)

    def _refusal(self, request: Request, status: int, error: AiopsError) -> Response:
        says = clean(error.wire())
        more = {"www-authenticate": _SCOPE} if status == 403 and "lacks the scope" in says else {}
        if wants_html(request.scope):
            answer = self._page(request, "Not done", pages.told("Not done", says), status)
            answer.headers.update(more)
            return answer
        return _json({"error": error.code, "error_description": says}, status, more)

    def _linked(self, plain: dict[str, Any]) -> dict[str, Any]:
        return {**plain, "url": f"{self.base}/{plain['id']}"}

    def _now(self) -> Any:
        return self.guard.clock.safe_now()


def _json_wish(body: bytes) -> Wish:
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(400, InvalidInputError("body", "is no JSON")) from None
    return _wish(sent)


def _wish(sent: Any) -> Wish:
    try:
        return Wish.model_validate(sent)
    except ValidationError:
        says = 'give {"decision": "approve" or "decline", "digest": the 64 digits that are shown}'
        raise RefusedError(400, InvalidInputError("body", "does not fit", says)) from None


def _json(says: Mapping[str, Any], status: int = 200, more: Mapping[str, str] | None = None) -> Response:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", **(more or {})}
    return JSONResponse(says, status, headers)
