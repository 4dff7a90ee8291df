"""Access tokens: JWTs of one issuer, checked by its published keys (RFC 8725, RFC 9068; T3).

What a token says is believed only after its signature held: by a key of the operator's issuer, under an
algorithm of the operator's list, never by what the token itself points to (`jku`, `x5u`, `jwk`). The token
goes no further than this module: upstreams are asked with the server's own credentials.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from aiops_shared.auth.callers import CallerIdentity
from aiops_shared.errors import NotConfiguredError, UnreachableError
from aiops_shared.http.client import is_loopback
from aiops_shared.settings import AuthSettings

LEEWAY_S: Final = 60
KEEP_KEYS_S: Final = 300.0
AGAIN_S: Final = 10.0  # an unknown key id asks the issuer again, at most this often
LONGEST: Final = 16_384
SCOPES: Final = ("aiops:read", "aiops:sensitive", "aiops:plan", "aiops:execute", "aiops:approve")
_TYPES: Final = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})


class BadTokenError(Exception):
    """A token that is not taken; what it says is for the log, not for who sent it."""


@dataclass
class Keys:
    """The issuer's keys, fetched once in a while and when a token names an unknown one."""

    settings: AuthSettings
    monotonic: Callable[[], float] = time.monotonic
    _set: KeySet | None = None
    _at: float = float("-inf")
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def current(self, kid: str) -> KeySet:
        """The keys in force. Raises UnreachableError when there are none and the issuer does not answer."""
        async with self._lock:
            age = self.monotonic() - self._at
            known = self._set is not None and (not kid or any(key.kid == kid for key in self._set.keys))
            if self._set is None or age > KEEP_KEYS_S or (not known and age > AGAIN_S):
                try:
                    self._set = await self._fetched()
                except (httpx.HTTPError, ValueError, KeyError, JoseError) as error:
                    if self._set is None:
                        raise UnreachableError("token issuer", "its keys cannot be read") from error
                self._at = self.monotonic()
            return self._set

    async def _fetched(self) -> KeySet:
        async with httpx.AsyncClient(timeout=10.0, follow_redirects=False) as client:
            url = self.settings.jwks_url
            if not url:
                where = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
                found = (await client.get(where)).raise_for_status().json()
                if found["issuer"] != self.settings.issuer:
                    raise ValueError("discovery names another issuer")
                url = found["jwks_uri"]
            _check_url(url)
            held = (await client.get(url)).raise_for_status().json()
        public = [key for key in held["keys"] if key.get("kty") != "oct" and key.get("use", "sig") == "sig"]
        return KeySet.import_key_set({"keys": public})


@dataclass
class Tokens:
    """Turns a bearer token into who calls."""

    settings: AuthSettings
    audience: frozenset[str]
    keys: Keys
    now: Callable[[], float] = time.time

    @classmethod
    def of(cls, settings: AuthSettings, public_url: str) -> "Tokens":
        """As the settings say. Raises NotConfiguredError for an issuer without an audience."""
        audience = frozenset(settings.audience or ([public_url] if public_url else []))
        if not audience and not settings.cognito_clients:
            raise NotConfiguredError(
                "AIOPS_AUTH_ISSUER",
                "no audience is known, so tokens for other services would be taken",
                "give AIOPS_HTTP_PUBLIC_URL or AIOPS_AUTH_AUDIENCE",
            )
        _check_url(settings.issuer)
        return cls(settings, audience, Keys(settings))

    async def caller(self, token: str) -> CallerIdentity:
        """Whom a token names. Raises BadTokenError, UnreachableError."""
        head = _head(token)
        keys = await self.keys.current(str(head.get("kid") or ""))
        try:
            claims = jwt.decode(token, keys, algorithms=list(self.settings.algorithms)).claims
        except (JoseError, ValueError) as error:
            raise BadTokenError(f"signature: {type(error).__name__}") from error
        self._check(claims)
        return self._identity(claims)

    def _check(self, claims: Mapping[str, Any]) -> None:
        now = self.now()
        if claims.get("iss") != self.settings.issuer:
            raise BadTokenError("issuer")
        if not _is_time(claims.get("exp")) or now >= claims["exp"] + LEEWAY_S:
            raise BadTokenError("expired, or without an end")
        for name in ("nbf", "iat"):
            if name in claims and (not _is_time(claims[name]) or claims[name] > now + LEEWAY_S):
                raise BadTokenError(f"{name} is in the future")
        if self.settings.cognito_clients:
            if (
                claims.get("token_use") != "access"
                or claims.get("client_id") not in self.settings.cognito_clients
            ):
                raise BadTokenError("client")
            return
        said = claims.get("aud")
        audiences = {said} if isinstance(said, str) else set(said) if isinstance(said, list) else set()
        if not audiences & self.audience:
            raise BadTokenError("audience")

    def _identity(self, claims: Mapping[str, Any]) -> CallerIdentity:
        name = claims.get(self.settings.name_claim) or claims.get("client_id") or claims.get("azp")
        if not isinstance(name, str) or not name.strip() or len(name) > 256 or not name.isprintable():
            raise BadTokenError(f"no name in {self.settings.name_claim}")
        return CallerIdentity(
            name, self._kind(claims), _scopes(claims, self.settings.scope_prefix), self._groups(claims)
        )

    def _kind(self, claims: Mapping[str, Any]) -> Any:
        client = claims.get("client_id") or claims.get("azp") or ""
        subject = claims.get("sub") or client
        alone = subject == client or claims.get("gty") == "client-credentials" or claims.get("idtyp") == "app"
        return "agent" if alone or client in self.settings.agent_clients else "human"

    def _groups(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        found = claims.get(self.settings.groups_claim) if self.settings.groups_claim else None
        listed = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        return tuple(one for one in listed if isinstance(one, str))[:64]


def _scopes(claims: Mapping[str, Any], prefix: str) -> frozenset[str]:
    """Ours among the token's, without the issuer's prefix."""
    said = claims.get("scope", claims.get("scp", ""))
    words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
    named = {str(word).removeprefix(prefix) for word in words if str(word).startswith(prefix)}
    return frozenset(named & set(SCOPES))


def _head(token: str) -> Mapping[str, Any]:
    from joserfc.util import urlsafe_b64decode

    if len(token) > LONGEST or token.count(".") != 2:
        raise BadTokenError("no JWT")
    try:
        head = json.loads(urlsafe_b64decode(token.partition(".")[0].encode("ascii")))
    except (ValueError, UnicodeError) as error:
        raise BadTokenError("no JWT") from error
    if not isinstance(head, dict) or "crit" in head or str(head.get("typ", "")).lower() not in _TYPES:
        raise BadTokenError("no access token")
    return head


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_url(url: str) -> None:
    found = httpx.URL(url)
    if found.scheme != "https" and not is_loopback(found.host):
        raise NotConfiguredError("AIOPS_AUTH_ISSUER", "keys are fetched over https only", "give an https URL")
