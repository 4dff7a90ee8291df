"""Whose tokens are taken: T3, each case as a request to a real server with a real issuer."""

import base64
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from aiops_eks.server import make
from aiops_shared.errors import NotConfiguredError, UnreachableError
from aiops_shared.remote.keys import AGAIN_S, KEEP_S, STALE_S, IssuerKeys
from aiops_shared.remote.tokens import BadTokenError, Tokens
from aiops_shared.settings import AuthSettings
from tests.remote.issuer import AUDIENCE, NO_TLS, Issuer, Served, issuer, made_key, remote_settings, served

NOW = int(time.time())
CANARY = "canary-never-to-be-seen"


@pytest.fixture(scope="module")
def idp() -> Iterator[Issuer]:
    with issuer() as found:
        yield found


@pytest.fixture(scope="module")
def place(idp: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = remote_settings(idp, tmp_path_factory.mktemp("state"))
    with served(make(settings), settings) as found:
        yield found


class Listener:
    """A port that notes who connects."""

    def __init__(self) -> None:
        self.seen = 0
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._sock.getsockname()[1]}/keys"
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                found, _ = self._sock.accept()
            except OSError:
                return
            self.seen += 1
            found.close()

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._thread.join()


Case = Callable[[Issuer], str]


def _head(idp: Issuer, **head: Any) -> dict[str, Any]:
    return {"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1", **head}


def _claims(idp: Issuer, **claims: Any) -> dict[str, Any]:
    good = {"iss": idp.url, "aud": AUDIENCE, "sub": "anna", "scope": "aiops:read", "exp": NOW + 600}
    return {**good, **claims}


def _b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def confused(idp: Issuer) -> str:
    """HS256 with the RSA public key as the secret (BI-112)."""
    return idp.signed(_head(idp, alg="HS256"), _claims(idp), idp.pem("rsa-1"))


def unsigned(idp: Issuer, alg: str = "none") -> str:
    return f"{_b64(json.dumps(_head(idp, alg=alg)).encode())}.{_b64(json.dumps(_claims(idp)).encode())}."


def resigned(idp: Issuer) -> str:
    """A good token with another body under the old signature."""
    head, _, signature = idp.token().split(".")
    return f"{head}.{_b64(json.dumps(_claims(idp, sub='root')).encode())}.{signature}"


BAD: dict[str, Case] = {
    "another audience (BI-110)": lambda idp: idp.token(aud="https://other.example.com"),
    "an audience that begins like ours": lambda idp: idp.token(aud=AUDIENCE + "/more"),
    "audiences without ours": lambda idp: idp.token(aud=["a", {"b": 1}, None, 7]),
    "no audience": lambda idp: idp.token(aud=None),
    "another issuer": lambda idp: idp.token(iss="https://evil.example.com"),
    "our issuer with a slash": lambda idp: idp.token(iss=idp.url + "/"),
    "expired (BI-114)": lambda idp: idp.token(exp=NOW - 3600),
    "expired by more than the leeway": lambda idp: idp.token(exp=NOW - 61),
    "not yet valid (BI-114)": lambda idp: idp.token(nbf=NOW + 3600),
    "issued in the future": lambda idp: idp.token(iat=NOW + 3600),
    "no end": lambda idp: idp.token(exp=None),
    "an end that is a text": lambda idp: idp.token(exp="9999999999"),
    "an end that is no number": lambda idp: idp.token(exp=float("nan")),
    "an end that never comes": lambda idp: idp.token(exp=float("inf")),
    "an end that is true": lambda idp: idp.token(exp=True),
    "a start that is a text": lambda idp: idp.token(nbf="0"),
    "alg none": unsigned,
    "alg None": lambda idp: unsigned(idp, "None"),
    "HS256 with the public key (BI-112)": confused,
    "HS256 with nothing": lambda idp: idp.signed(_head(idp, alg="HS256"), _claims(idp), b"x" * 32),
    "an EC signature under an RSA key's id": lambda idp: idp.signed(
        _head(idp, alg="ES256"), _claims(idp), made_key("ec-1")
    ),
    "alg is a list": lambda idp: _b64(b'{"alg":["RS256"],"kid":"rsa-1"}') + ".e30.AAAA",
    "kid is a mapping": lambda idp: _b64(b'{"alg":"RS256","kid":{"a":1}}') + ".e30.AAAA",
    "an algorithm that is not on the list": lambda idp: idp.token(head={"alg": "RS512"}),
    "an unknown key id": lambda idp: idp.signed(_head(idp, kid="who"), _claims(idp), made_key("rsa-9")),
    "another's key under our key id": lambda idp: idp.signed(_head(idp), _claims(idp), made_key("rsa-9")),
    "another body": resigned,
    "no signature": lambda idp: idp.token().rpartition(".")[0] + ".",
    "an id token by its use": lambda idp: idp.token(token_use="id"),
    "an id token by its hash": lambda idp: idp.token(at_hash="x"),
    "Keycloak's id token": lambda idp: idp.token(typ="ID"),
    "Keycloak's refresh token": lambda idp: idp.token(typ="Refresh"),
    "a logout token": lambda idp: idp.token(head={"typ": "logout+jwt"}),
    "a token bound to a key": lambda idp: idp.token(cnf={"jkt": "x"}),
    "critical extensions": lambda idp: idp.token(head={"crit": ["exp"], "exp": 1}),
    "a body that is not encoded": lambda idp: idp.token(head={"crit": ["b64"], "b64": False}),
    "a body that is no object": lambda idp: idp.signed(_head(idp), b'["a"]', made_key("rsa-1")),
    "a body that is no JSON": lambda idp: idp.signed(_head(idp), b"\xff\xfe{", made_key("rsa-1")),
    "a body of brackets": lambda idp: idp.signed(_head(idp), b"[" * 9_000, made_key("rsa-1")),
    "a head of brackets": lambda idp: f"{_b64(b'[' * 9_000)}.e30.AAAA",
    "a head that is no UTF-8": lambda idp: f"{_b64(bytes([0xFF, 0xFE]))}.e30.AAAA",
    "no base64": lambda idp: "!!!!.e30.AAAA",
    "padded base64": lambda idp: idp.token().replace(".", "=.", 1),
    "two parts": lambda idp: idp.token().rpartition(".")[0],
    "five parts (JWE)": lambda idp: idp.token() + ".a.b",
    "an opaque token": lambda idp: "0123456789abcdef",
    "two tokens in one header": lambda idp: f"{idp.token()}, Bearer {idp.token()}",
    "oversized": lambda idp: idp.token(filling="x" * 20_000),
    "nobody's name, though a client's": lambda idp: idp.token(sub=None),
    "a name that is a list": lambda idp: idp.token(sub=["anna"]),
    "a name with a line end": lambda idp: idp.token(sub="anna\nroot"),
    "an endless name": lambda idp: idp.token(sub="a" * 300),
}


@pytest.mark.threat("T3")
@pytest.mark.parametrize("case", BAD)
async def test_a_token_that_is_not_ours_is_401_and_says_where_to_get_one(
    place: Served, idp: Issuer, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = BAD[case](idp)
    answer = await place.rpc("tools/list", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401, answer.text
    says = answer.headers["www-authenticate"]
    assert says.startswith('Bearer error="invalid_token"')
    assert 'resource_metadata="https://aiops.example.com/.well-known/oauth-protected-resource/mcp"' in says
    assert answer.json() == {"error": "invalid_token", "error_description": "show a valid access token"}
    assert len(token) < 20 or token not in caplog.text


@pytest.mark.threat("T3")
async def test_good_tokens_of_both_kinds_are_taken_within_the_leeway(place: Served, idp: Issuer) -> None:
    for token in (
        idp.token(),
        idp.token(kid="ec-1"),
        idp.token(exp=int(time.time()) - 30, nbf=int(time.time()) + 30),
        idp.token(aud=["https://other.example.com", AUDIENCE], iat=None),
        idp.token(head={"typ": None, "pi.atm": "1"}),  # a header of an issuer's own says nothing to us
        idp.token(typ="Bearer", token_use="access"),
        idp.token(exp=10**400, iat=1.5),
    ):
        assert (await place.rpc("tools/list", token=token)).status_code == 200


@pytest.mark.threat("T3")
@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
async def test_no_key_is_taken_from_where_a_token_points_to(place: Served, idp: Issuer, name: str) -> None:
    foreign = made_key("rsa-9")
    listener = Listener()
    values = {"jwk": foreign.as_dict(private=False), "x5c": ["AAAA"]}
    head = _head(idp, **{name: values.get(name, listener.url), "kid": "rsa-9"})
    try:
        for kid in ("rsa-9", "rsa-1"):
            token = idp.signed({**head, "kid": kid}, _claims(idp), foreign)
            assert (await place.rpc("tools/list", token=token)).status_code == 401
        assert listener.seen == 0
    finally:
        listener.close()


@pytest.mark.threat("T3")
async def test_a_token_counts_once_and_in_its_header_alone(place: Served, idp: Issuer) -> None:
    good = idp.token()
    bearer = ("authorization", f"Bearer {good}")
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        for headers, query in (
            ([bearer, bearer], {}),
            ([bearer, ("authorization", f"Bearer {idp.token(sub='eve')}")], {}),
            ([("authorization", f"Basic {good}")], {}),
            ([("authorization", good)], {}),
            ([("authorization", "Bearer")], {}),
            ([("cookie", f"authorization={good}; access_token={good}")], {}),
            (
                [("x-forwarded-authorization", f"Bearer {good}"), ("proxy-authorization", f"Bearer {good}")],
                {},
            ),
            ([], {"access_token": good, "authorization": f"Bearer {good}"}),
        ):
            answer = await client.post(place.url, json=message, headers=headers, params=query)
            assert answer.status_code == 401, headers
            assert answer.headers["www-authenticate"].startswith("Bearer ")
        form = await client.post(place.url, data={"access_token": good})
        assert form.status_code == 401
    assert (await place.rpc("tools/list", headers={"authorization": f"bEARER  {good}"})).status_code == 200


async def test_without_a_token_nobody_is_blamed(place: Served) -> None:
    answer = await place.rpc("tools/list")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer scope="aiops:read", resource_metadata=')
    assert "error=" not in answer.headers["www-authenticate"]  # RFC 6750, section 3.1: nothing was shown


@pytest.mark.threat("T3")
async def test_a_token_stands_in_no_log_and_no_answer(
    idp: Issuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = remote_settings(idp, tmp_path)
    async with served(make(settings), settings) as place:
        for token in (
            idp.token(jti=CANARY),
            idp.token(jti=CANARY, aud="other"),
            f"{CANARY}.{CANARY}.{CANARY}",
        ):
            answer = await place.rpc("tools/call", {"name": "list_clusters", "arguments": {}}, token=token)
            parts = [part for part in token.split(".") if len(part) > 20]
            assert all(part not in answer.text + str(answer.headers) + caplog.text for part in parts)
        assert CANARY not in caplog.text
    assert CANARY.encode() not in _everything_below(tmp_path)


def _everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def _tokens(found: Issuer, clock: Clock | None = None, **auth: Any) -> Tokens:
    settings = AuthSettings(issuer=found.url, **auth)
    tokens = Tokens.of(settings, AUDIENCE)
    tokens.keys = IssuerKeys(settings, clock or Clock())
    return tokens


@pytest.mark.threat("T3")
async def test_rotated_keys_are_found_without_a_restart_and_unknown_ids_ask_seldom() -> None:
    async with issuer() as idp:
        clock = Clock()
        tokens = _tokens(idp, clock)
        old = idp.token()
        await tokens.caller(old)
        assert idp.asked.count("/keys") == 1
        idp.rotate("rsa-2")
        clock.at += AGAIN_S
        assert (await tokens.caller(idp.token(sub="ben"))).name == "ben"
        assert idp.asked.count("/keys") == 2
        for number in range(50):  # a stranger's key ids: not one request each
            bad = idp.token(head={"kid": f"made-up-{number}"})
            with pytest.raises(BadTokenError):
                await tokens.caller(bad)
            clock.at += 0.01
        assert idp.asked.count("/keys") == 2
        with pytest.raises(BadTokenError):  # the old key is gone
            await tokens.caller(old)
        clock.at += KEEP_S
        await tokens.caller(idp.token())
        assert idp.asked.count("/keys") == 3


@pytest.mark.threat("T3")
async def test_keys_are_kept_for_a_day_while_the_issuer_is_down() -> None:
    async with issuer() as idp:
        clock = Clock()
        tokens = _tokens(idp, clock)
        await tokens.caller(idp.token())
        idp.down = True
        clock.at += KEEP_S + 1
        asked = len(idp.asked)
        for _ in range(20):
            await tokens.caller(idp.token())
        assert len(idp.asked) == asked + 1
        clock.at += STALE_S
        with pytest.raises(UnreachableError):
            await tokens.caller(idp.token())
        idp.down = False
        clock.at += AGAIN_S
        await tokens.caller(idp.token())


async def test_without_any_keys_a_request_is_503_and_the_server_is_not_ready(tmp_path: Path) -> None:
    async with issuer() as idp:
        idp.down = True
        settings = remote_settings(idp, tmp_path)
        async with served(make(settings), settings) as place:
            answers = [await place.rpc("tools/list", token=idp.token()) for _ in range(5)]
            assert {answer.status_code for answer in answers} == {503}
            assert {answer.headers["retry-after"] for answer in answers} == {"10"}
            assert len(idp.asked) == 1  # five requests are not five questions
            async with httpx.AsyncClient(base_url=place.base, trust_env=False, verify=NO_TLS) as client:
                ready = await client.get("/readyz")
                assert (ready.status_code, ready.json()) == (
                    503,
                    {"status": "not ready", "issuer": "not ready"},
                )
                assert (await client.get("/healthz")).status_code == 200


@pytest.mark.threat("T3")
async def test_a_shared_secret_among_the_keys_signs_nothing_and_a_broken_key_spoils_none() -> None:
    async with issuer() as idp:
        secret = b"everybody-can-read-this-secret-0123456789"
        shared = {"kty": "oct", "kid": "shared", "k": _b64(secret), "alg": "HS256"}
        broken = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
        cipher = made_key("rsa-9").as_dict(private=False) | {"use": "enc", "kid": "cipher"}
        idp.further_keys = [shared, broken, cipher, {"kty": ["RSA"]}, {"kid": "none"}]
        tokens = _tokens(idp)
        await tokens.caller(idp.token())
        for head, key in (
            (_head(idp, alg="HS256", kid="shared"), secret),
            (_head(idp, kid="cipher"), made_key("rsa-9")),
        ):
            with pytest.raises(BadTokenError):
                await tokens.caller(idp.signed(head, _claims(idp), key))


@pytest.mark.parametrize(
    ("auth", "names"),
    [
        ({"algorithms": ["RS256", "HS256"]}, "AIOPS_AUTH_ALGORITHMS"),
        ({"algorithms": ["none"]}, "AIOPS_AUTH_ALGORITHMS"),
        ({"algorithms": []}, "AIOPS_AUTH_ALGORITHMS"),
        ({"issuer": "http://login.example.com"}, "AIOPS_AUTH_ISSUER"),
        ({"issuer": "login.example.com"}, "AIOPS_AUTH_ISSUER"),
        ({"jwks_url": "http://login.example.com/keys"}, "AIOPS_AUTH_JWKS_URL"),
        ({"jwks_url": "file:///etc/passwd"}, "AIOPS_AUTH_JWKS_URL"),
    ],
)
def test_what_would_prove_nothing_does_not_start(auth: dict[str, Any], names: str) -> None:
    with pytest.raises(NotConfiguredError, match=names):
        Tokens.of(AuthSettings(**{"issuer": "https://login.example.com", **auth}), AUDIENCE)
    with pytest.raises(NotConfiguredError, match="audience"):
        Tokens.of(AuthSettings(issuer="https://login.example.com"), "")


@pytest.mark.threat("T3")
async def test_discovery_that_names_another_issuer_gives_no_keys() -> None:
    async with issuer() as idp:
        settings = AuthSettings(issuer=idp.url.replace("127.0.0.1", "localhost"))
        tokens = Tokens.of(settings, AUDIENCE)
        with pytest.raises(UnreachableError):
            await tokens.caller(idp.token(iss=settings.issuer))
        direct = Tokens.of(
            AuthSettings(issuer="https://login.example.com", jwks_url=f"{idp.url}/keys"), AUDIENCE
        )
        assert (await direct.caller(idp.token(iss="https://login.example.com"))).name == "anna"


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
        tokens = _tokens(idp, groups_claim="cognito:groups", **COGNITO)
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
    who = await _tokens(idp, agent_clients=["robot"]).caller(idp.token(**claims))
    assert (who.name, who.kind, set(who.held)) == (name, kind, scopes)


async def test_a_prefix_that_is_only_asked_for_is_not_missed_in_the_token(idp: Issuer) -> None:
    """Entra ID: `api://ID/aiops:read` is asked for, `aiops:read` comes."""
    tokens = _tokens(idp, scope_prefix="api://1/")
    who = await tokens.caller(
        idp.token(scope=None, scp="aiops:read api://1/aiops:plan api://2/aiops:execute")
    )
    assert set(who.held) == {"aiops:read", "aiops:plan"}
    assert (await tokens.caller(idp.token(scope="aiops:read"))).scopes == frozenset()


async def test_an_address_that_nobody_verified_names_nobody(idp: Issuer) -> None:
    tokens = _tokens(idp, name_claim="email")
    assert (await tokens.caller(idp.token(email="a@example.com"))).name == "a@example.com"
    unnamed: list[dict[str, Any]] = [{"email": "a@example.com", "email_verified": False}, {}]
    for claims in unnamed:
        with pytest.raises(BadTokenError):
            await tokens.caller(idp.token(**claims))


def test_the_tests_own_keys_are_long_enough() -> None:
    key = made_key("rsa-1")
    assert isinstance(key, RSAKey)
    assert key.raw_value.key_size >= 2048
