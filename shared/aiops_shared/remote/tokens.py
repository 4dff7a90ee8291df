"""Access tokens: JWTs of one issuer, checked by its published keys (RFC 8725, RFC 9068; T3).

What a token says is believed only after its signature held: by a key of the operator's issuer, under an
algorithm of the operator's list, never by what the token itself points to (`jku`, `x5u`, `jwk`). The token
goes no further than `bearers`: upstreams are asked with the server's own credentials.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from aiops_shared.auth.callers import CallerIdentity
from aiops_shared.errors import NotConfiguredError
from aiops_shared.remote.claims import identity
from aiops_shared.remote.keys import IssuerKeys, require_https
from aiops_shared.settings import AuthSettings

LEEWAY_S: Final = 60
LONGEST: Final = 16_384
ASYMMETRIC: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
_TYPES: Final = ("", "jwt", "at+jwt", "application/at+jwt")
_KEYCLOAK_TYPES: Final = (None, "Bearer")  # its ID and refresh tokens differ from access tokens by this claim


class BadTokenError(Exception):
    """A token that is not taken; what it says is for the log, not for who sent it."""


@dataclass
class Tokens:
    """Turns a bearer token into who calls."""

    settings: AuthSettings
    audience: frozenset[str]
    keys: IssuerKeys
    now: Callable[[], float] = time.time

    @classmethod
    def of(cls, settings: AuthSettings, public_url: str) -> "Tokens":
        """As the settings say. Raises NotConfiguredError where tokens would prove nothing."""
        audience = frozenset(settings.audience or ([public_url] if public_url else []))
        if not audience and not settings.cognito_clients:
            raise NotConfiguredError(
                "AIOPS_AUTH_ISSUER",
                "no audience is known, so tokens for other services would be taken",
                "give AIOPS_HTTP_PUBLIC_URL or AIOPS_AUTH_AUDIENCE",
            )
        if not settings.algorithms or (wrong := sorted(set(settings.algorithms) - ASYMMETRIC)):
            raise NotConfiguredError(
                "AIOPS_AUTH_ALGORITHMS",
                f"{', '.join(wrong) if settings.algorithms else 'nothing'} proves no issuer",
                f"known: {', '.join(sorted(ASYMMETRIC))}",
            )
        require_https(settings.issuer, "AIOPS_AUTH_ISSUER")
        if settings.jwks_url:
            require_https(settings.jwks_url, "AIOPS_AUTH_JWKS_URL")
        return cls(settings, audience, IssuerKeys(settings))

    async def caller(self, token: str) -> CallerIdentity:
        """Whom a token names. Raises BadTokenError, UnreachableError."""
        kid = self._kid(token)
        keys = await self.keys.current(kid)
        registry = JWSRegistry(algorithms=self.settings.algorithms, strict_check_header=False)
        try:
            claims = jwt.decode(token, keys, registry=registry).claims
        except (JoseError, ValueError, RecursionError) as error:
            raise BadTokenError(f"signature: {type(error).__name__}") from error
        self._check_source(claims)
        self._check_times(claims)
        found = identity(claims, self.settings)
        if found is None:
            raise BadTokenError(f"no usable name in {self.settings.name_claim}")
        return found

    def _kid(self, token: str) -> str:
        """The key that it names, once its form and its header are those of an access token."""
        if len(token) > LONGEST or token.count(".") != 2:
            raise BadTokenError("no JWT")
        try:
            head = orjson.loads(urlsafe_b64decode(token.partition(".")[0].encode("ascii")))
        except ValueError as error:  # of base64, UTF-8 and JSON alike
            raise BadTokenError("no JWT") from error
        if not isinstance(head, dict) or head.get("alg") not in self.settings.algorithms:
            raise BadTokenError("algorithm")
        if "crit" in head or str(head.get("typ", "")).lower() not in _TYPES:
            raise BadTokenError("no access token")
        kid = head.get("kid", "")
        if not isinstance(kid, str) or len(kid) > 256:
            raise BadTokenError("key id")
        return kid

    def _check_source(self, claims: Mapping[str, Any]) -> None:
        """By our issuer, for us, and an access token."""
        if claims.get("iss") != self.settings.issuer:
            raise BadTokenError("issuer")
        if claims.get("token_use", "access") != "access" or claims.get("typ") not in _KEYCLOAK_TYPES:
            raise BadTokenError("no access token")
        if "at_hash" in claims or "c_hash" in claims:  # OpenID Connect Core 1.0: of id tokens
            raise BadTokenError("an id token")
        if "cnf" in claims:  # RFC 7800: who shows it must prove a key, and nobody asks for that here
            raise BadTokenError("bound to a key")
        clients = self.settings.cognito_clients
        if clients and (claims.get("token_use") != "access" or claims.get("client_id") not in clients):
            raise BadTokenError("client")
        if (not clients or "aud" in claims) and not self.audience & _audiences(claims):
            raise BadTokenError("audience")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self.now()
        if not _is_time(claims.get("exp")) or now >= claims["exp"] + LEEWAY_S:
            raise BadTokenError("expired, or without an end")
        for name in ("nbf", "iat"):
            if name in claims and (not _is_time(claims[name]) or claims[name] > now + LEEWAY_S):
                raise BadTokenError(f"{name} is in the future")


def _audiences(claims: Mapping[str, Any]) -> set[str]:
    said = claims.get("aud")
    return {one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str)}


def _is_time(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)
