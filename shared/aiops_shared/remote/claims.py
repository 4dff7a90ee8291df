"""Who calls, read from the claims of a token whose signature held: name, person or agent, scopes, groups.

Issuers name things differently; the shapes are those of RFC 9068 and of the issuers' own documentation:

    Cognito    scope, client_id, username; client credentials: sub is the client id
    Keycloak   scope, azp; client credentials: preferred_username is service-account-CLIENT
    Auth0      scope, azp; client credentials: gty
    Entra ID   scp, azp or appid; client credentials: idtyp, roles, sub is the oid
    Okta       scp as a list, cid
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from aiops_shared.auth.callers import CallerIdentity
from aiops_shared.auth.scopes import SCOPES
from aiops_shared.settings import AuthSettings

LONGEST_NAME: Final = 256
MOST_GROUPS: Final = 64
_CLIENT: Final = ("client_id", "azp", "cid", "appid")
Claims = Mapping[str, Any]


def identity(claims: Claims, settings: AuthSettings) -> CallerIdentity | None:
    """The caller; None when the claim that names it says nothing usable."""
    kind = _kind(claims, settings.agent_clients)
    name = claims.get(settings.name_claim)
    if not name and kind == "agent":
        name = _client(claims)
    if settings.name_claim == "email" and claims.get("email_verified") is False:
        return None
    # A person is never named by the client: everybody who uses it would be one caller.
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        return None
    groups = _words(claims.get(settings.groups_claim)) if settings.groups_claim else []
    return CallerIdentity(name, kind, scopes(claims, settings.scope_prefix), tuple(groups[:MOST_GROUPS]))


def scopes(claims: Claims, prefix: str) -> frozenset[str]:
    """Ours among the token's, without the issuer's prefix.

    In `scp` they may be bare: Entra ID wants `api://ID/NAME` asked for and writes NAME, for one audience.
    `roles` count only where there are no scopes at all: its client credentials have nothing else.
    """
    words = [word for word in _words(claims.get("scope"), split=True) if word.startswith(prefix)]
    if "scp" in claims:
        words += _words(claims["scp"], split=True)
    elif "scope" not in claims:
        words += _words(claims.get("roles"))
    return frozenset({word.removeprefix(prefix) for word in words} & set(SCOPES))


def _kind(claims: Claims, agents: Iterable[str]) -> Literal["human", "agent"]:
    """A person, unless the token is a program's own, or one that somebody's agent acts with (RFC 8693)."""
    client = _client(claims)
    subject = claims.get("sub")
    own = (
        (bool(subject) and subject in (client, claims.get("oid")))
        or claims.get("gty") == "client-credentials"
        or claims.get("idtyp") == "app"
        or str(claims.get("preferred_username", "")).startswith("service-account-")
    )
    return "agent" if own or "act" in claims or client in agents else "human"


def _client(claims: Claims) -> str:
    found = next((claims[name] for name in _CLIENT if claims.get(name)), "")
    return found if isinstance(found, str) else ""


def _words(said: Any, *, split: bool = False) -> list[str]:
    if isinstance(said, str):
        return said.split() if split else [said]
    return [one for one in said if isinstance(one, str)] if isinstance(said, list) else []
