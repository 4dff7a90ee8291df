"""How a browser signs in to the approvals page, and only there (T9, T11).

A browser sends no bearer header. A person pastes an access token once; it is verified as every other one,
sealed, and kept in a cookie that the page's path alone gets and that ends with the token. This layer stands
before `bearers` and turns the cookie into the header for requests below /approvals; on any other path a
cookie counts for nothing. A 401 there is a sign-in form for who asks for HTML.
"""

import base64
import binascii
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import anyio.to_thread

from aiops_shared.errors import UnreachableError
from aiops_shared.guardrails.sealing import BrokenSealError, Sealer
from aiops_shared.http.client import is_loopback
from aiops_shared.remote.approvals_page import CHARSET, HEADERS, sign_in
from aiops_shared.remote.asgi import (
    App,
    Message,
    Receive,
    Scope,
    Send,
    StoppedError,
    header,
    stop,
    whole_body,
)
from aiops_shared.remote.tokens import BadTokenError, Tokens

COOKIE: Final = "aiops_approvals"
PATH: Final = "/approvals"
SIGN_IN, SIGN_OUT = f"{PATH}/sign-in", f"{PATH}/sign-out"
SESSION: Final = "aiops.session"  # in the scope: what the form's token is bound to
MOST_COOKIE: Final = 4_000  # what browsers keep is 4,096 with its name
MOST_BODY: Final = 65_536
LEEWAY_S: Final = 60
_ABOUT: Final = "approvals-session"
_NEXT: Final = re.compile(r"(?:apr|ask)_[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True)
class Browsers:
    """The layer. `base`: the page's path as browsers know it (a proxy may have one before it)."""

    inner: App
    tokens: Tokens
    sealer: Sealer
    base: str = PATH

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not below(scope["path"]):
            await self.inner(scope, receive, send)
            return
        try:
            if scope["method"] == "POST" and scope["path"] == SIGN_IN:
                await self._sign_in(scope, receive, send)
            elif scope["method"] == "POST" and scope["path"] == SIGN_OUT:
                require_same_origin(scope)
                await _answer(
                    send, 303, "", {"location": self.base, "set-cookie": self._cookie(scope, "", 0)}
                )
            else:
                await self._pass(scope, receive, send)
        except StoppedError as stopped:
            await stop(send, stopped)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """On, with the cookie's token as header where none came."""
        given = header(scope, b"authorization")
        cookie = "" if given else _cookie_of(scope)
        if cookie:
            token = await anyio.to_thread.run_sync(self._opened, cookie)
            bearer = [(b"authorization", f"Bearer {token}".encode("latin-1"))] if token else []
            digest = hashlib.sha256(cookie.encode()).hexdigest()
            scope = {**scope, "headers": [*scope["headers"], *bearer], SESSION: digest if token else ""}
        if wants_html(scope):
            says = "The sign-in ended with its token." if cookie else ""
            send = self._asking(scope, send, says, over=bool(cookie))
        await self.inner(scope, receive, send)

    def _asking(self, scope: Scope, send: Send, says: str, *, over: bool) -> Send:
        """`send` that turns a 401 into the form."""
        refused = False

        async def go(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] == 401:
                refused = True
                kept = {b.decode(): v.decode("latin-1") for b, v in message["headers"] if b == _CHALLENGE}
                away = {"set-cookie": self._cookie(scope, "", 0)} if over else {}
                page = sign_in(self.base, _next_of(scope["path"]), says)
                await _answer(send, 401, page, {**kept, **away})
            elif not refused:
                await send(message)

        return go

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        require_same_origin(scope)
        fields = form_of(scope, await whole_body(receive, MOST_BODY))
        token, about = fields.get("token", "").strip(), fields.get("next", "")
        about = about if _NEXT.fullmatch(about) else ""
        token = token[7:].strip() if token.lower().startswith("bearer ") else token
        try:
            await self.tokens.caller(token)
        except BadTokenError:
            page = sign_in(self.base, about, "This token is not taken: it is wrong, for others, or over.")
            await _answer(send, 401, page, {"www-authenticate": 'Bearer error="invalid_token"'})
            return
        except UnreachableError:
            page = sign_in(self.base, about, "Tokens cannot be checked just now: try again in a moment.")
            await _answer(send, 503, page, {"retry-after": "5"})
            return
        sealed = await anyio.to_thread.run_sync(self.sealer.seal, token, _ABOUT)
        value = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
        if len(value) > MOST_COOKIE:
            says = "This token is too long for a cookie: let a proxy send it as Authorization header."
            await _answer(send, 413, sign_in(self.base, about, says))
            return
        left = max(1, int(_ends(token) + LEEWAY_S - self.tokens.now()))
        where = f"{self.base}/{about}" if about else self.base
        await _answer(send, 303, "", {"location": where, "set-cookie": self._cookie(scope, value, left)})

    def _opened(self, cookie: str) -> str:
        """The token of a cookie, "" for one that is not ours."""
        try:
            sealed = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
            return self.sealer.open(sealed, _ABOUT)
        except (BrokenSealError, binascii.Error, ValueError):
            return ""

    def _cookie(self, scope: Scope, value: str, left_s: int) -> str:
        host = urlsplit(f"//{header(scope, b'host')}").hostname or ""
        plain = is_loopback(host) and scope.get("scheme") != "https"
        secure = "" if plain else "; Secure"
        return f"{COOKIE}={value}; Path={self.base}; Max-Age={left_s}; HttpOnly; SameSite=Strict{secure}"


_CHALLENGE: Final = b"www-authenticate"


def below(path: str) -> bool:
    """Whether a path is the page's."""
    return path == PATH or path.startswith(f"{PATH}/")


def wants_html(scope: Scope) -> bool:
    """Whether a browser asks: JSON is for who does not say."""
    return "text/html" in _any(scope, b"accept")


def require_same_origin(scope: Scope) -> None:
    """A form is taken from our own page alone. Raises StoppedError.

    `places` refused foreign origins already; a browser that says neither where from nor which site does not
    exist, and a program sends JSON.
    """
    site, origin = _any(scope, b"sec-fetch-site"), _any(scope, b"origin")
    if site not in {"", "same-origin", "none"} or not (site or origin):
        raise StoppedError(403, "forbidden_origin", "a form is taken from this server's own page alone")


def form_of(scope: Scope, body: bytes) -> Mapping[str, str]:
    """A form's fields, each once. Raises StoppedError."""
    kind = _any(scope, b"content-type").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise StoppedError(415, "unsupported_media_type", "send JSON, or the page's own form")
    try:
        fields = parse_qs(body.decode(CHARSET), max_num_fields=16, errors="strict")
    except (ValueError, UnicodeError):
        raise StoppedError(400, "invalid_request", "the form cannot be read") from None
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


def _any(scope: Scope, name: bytes) -> str:
    return ", ".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def _cookie_of(scope: Scope) -> str:
    try:
        jar = SimpleCookie("; ".join(v.decode("latin-1") for k, v in scope["headers"] if k == b"cookie"))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def _next_of(path: str) -> str:
    about = path.removeprefix(PATH).strip("/")
    return about if _NEXT.fullmatch(about) else ""


def _ends(token: str) -> float:
    """When a token that was verified ends."""
    body = token.split(".")[1]
    claims: Any = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return float(claims.get("exp", time.time()))


async def _answer(send: Send, status: int, page: str, more: Mapping[str, str] | None = None) -> None:
    body = page.encode(CHARSET)
    every = {**HEADERS, "content-length": str(len(body)), **(more or {})}
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
