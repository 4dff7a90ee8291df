"""Who calls, in the claims that issuers write."""

from collections.abc import Iterator
from typing import Any

import pytest

from aiops_shared.remote.tokens import BadTokenError
from tests.remote.issuer import AUDIENCE, Issuer, issuer
from tests.remote.verifying import tokens_of


@pytest.fixture(scope="module")
def idp() -> Iterator[Issuer]:
    with issuer() as found:
        yield found


COGNITO: dict[str, Any] = {
    "cognito_clients": ["console"],
    "scope_prefix": "eks-aiops/",
    "name_claim": "username",
}
COGNITO_PERSON: dict[str, Any] = {
    "aud": None,
    "token_use": "access",
    "username": "anna",
    "sub": "11111111-2222-3333-4444-555555555555",
    "scope": "openid eks-aiops/aiops:read eks-aiops/aiops:plan other/aiops:execute aiops:approve",
    "cognito:groups": ["sre"],
}


@pytest.mark.threat("T3")
async def test_cognito_tokens_are_known_by_client_and_use_since_they_have_no_audience() -> None:
    async with issuer() as idp:
        tokens = tokens_of(idp, groups_claim="cognito:groups", **COGNITO)
        who = await tokens.caller(idp.token(**COGNITO_PERSON))
        assert (who.name, who.kind, who.groups) == ("anna", "human", ("sre",))
        assert set(who.held) == {
            "aiops:read",
            "aiops:plan",
        }  # another resource server's, and a bare one, are not ours
        bound = await tokens.caller(idp.token(**{**COGNITO_PERSON, "aud": AUDIENCE}))
        assert bound.name == "anna"
        machine = idp.token(**{**COGNITO_PERSON, "username": None, "sub": "console"})
        assert (await tokens.caller(machine)).kind == "agent"
        changes: list[dict[str, Any]] = [
            {"client_id": "other"},
            {"client_id": None},
            {"token_use": None},
            {"token_use": "id", "aud": "console"},
            {"aud": "https://other.example.com"},
            {"username": None},  # a person without a name is not the client
        ]
        for change in changes:
            with pytest.raises(BadTokenError):
                await tokens.caller(idp.token(**{**COGNITO_PERSON, **change}))


SHAPES: dict[str, tuple[dict[str, Any], str, str, set[str]]] = {
    "Keycloak, a person": (
        {"client_id": None, "azp": "console", "typ": "Bearer", "scope": "profile aiops:read"},
        "anna",
        "human",
        {"aiops:read"},
    ),
    "Keycloak, a service account": (
        {"client_id": "bot", "azp": "bot", "sub": "f1", "preferred_username": "service-account-bot"},
        "f1",
        "agent",
        {"aiops:read", "aiops:sensitive", "aiops:plan", "aiops:execute", "aiops:approve"},
    ),
    "Auth0, a person": (
        {
            "client_id": None,
            "azp": "spa",
            "sub": "auth0|1",
            "permissions": ["aiops:execute"],
            "scope": "aiops:read",
        },
        "auth0|1",
        "human",
        {"aiops:read"},
    ),
    "Auth0, a program": (
        {
            "client_id": None,
            "azp": "m2m",
            "sub": "m2m@clients",
            "gty": "client-credentials",
            "scope": "aiops:read",
        },
        "m2m@clients",
        "agent",
        {"aiops:read"},
    ),
    "Entra ID, a person": (
        {
            "client_id": None,
            "azp": "app",
            "oid": "o1",
            "scope": None,
            "scp": "aiops:read aiops:plan",
            "roles": ["x"],
        },
        "anna",
        "human",
        {"aiops:read", "aiops:plan"},
    ),
    "Entra ID, a program": (
        {"client_id": None, "appid": "app", "sub": "o1", "oid": "o1", "scope": None, "roles": ["aiops:read"]},
        "o1",
        "agent",
        {"aiops:read"},
    ),
    "Okta, a person": (
        {"client_id": None, "cid": "0oa1", "scope": None, "scp": ["openid", "aiops:read"]},
        "anna",
        "human",
        {"aiops:read"},
    ),
    "Okta, a program": (
        {"client_id": None, "cid": "0oa1", "sub": "0oa1", "scope": "aiops:read"},
        "0oa1",
        "agent",
        {"aiops:read"},
    ),
    "an agent on behalf of a person": (
        {"act": {"sub": "copilot"}, "scope": "aiops:read"},
        "anna",
        "agent",
        {"aiops:read"},
    ),
    "a client that the operator calls an agent": (
        {"client_id": "robot", "scope": "aiops:read"},
        "anna",
        "agent",
        {"aiops:read"},
    ),
    "scopes of no kind": ({"scope": {"aiops:read": True}, "scp": None}, "anna", "human", set()),
    "scopes that only begin so": ({"scope": "aiops:reader aiops:admin AIOPS:READ"}, "anna", "human", set()),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_callers_are_read_from_the_claims_that_issuers_write(idp: Issuer, shape: str) -> None:
    claims, name, kind, scopes = SHAPES[shape]
    who = await tokens_of(idp, agent_clients=["robot"]).caller(idp.token(**claims))
    assert (who.name, who.kind, set(who.held)) == (name, kind, scopes)


async def test_a_prefix_that_is_only_asked_for_is_not_missed_in_the_token(idp: Issuer) -> None:
    """Entra ID: `api://ID/aiops:read` is asked for, `aiops:read` comes."""
    tokens = tokens_of(idp, scope_prefix="api://1/")
    who = await tokens.caller(
        idp.token(scope=None, scp="aiops:read api://1/aiops:plan api://2/aiops:execute")
    )
    assert set(who.held) == {"aiops:read", "aiops:plan"}
    assert (await tokens.caller(idp.token(scope="aiops:read"))).scopes == frozenset()


async def test_an_address_that_nobody_verified_names_nobody(idp: Issuer) -> None:
    tokens = tokens_of(idp, name_claim="email")
    assert (await tokens.caller(idp.token(email="a@example.com"))).name == "a@example.com"
    unnamed: list[dict[str, Any]] = [{"email": "a@example.com", "email_verified": False}, {}]
    for claims in unnamed:
        with pytest.raises(BadTokenError):
            await tokens.caller(idp.token(**claims))
