"""Whose tokens are taken: T3, each case as a request to a real server with a real issuer."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from aiops_eks.server import make
from tests.listening import Listener
from tests.remote.issuer import AUDIENCE, NO_TLS, Issuer, Served, issuer, made_key, remote_settings, served
from tests.remote.verifying import NOW, b64, claims_of, header_of

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


Case = Callable[[Issuer], str]


def confused(idp: Issuer) -> str:
    """HS256 with the RSA public key as the secret (BI-112)."""
    return idp.signed(header_of(idp, alg="HS256"), claims_of(idp), idp.pem("rsa-1"))


def unsigned(idp: Issuer, alg: str = "none") -> str:
    return f"{b64(json.dumps(header_of(idp, alg=alg)).encode())}.{b64(json.dumps(claims_of(idp)).encode())}."


def resigned(idp: Issuer) -> str:
    """A good token with another body under the old signature."""
    head, _, signature = idp.token().split(".")
    return f"{head}.{b64(json.dumps(claims_of(idp, sub='root')).encode())}.{signature}"


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
    "HS256 with nothing": lambda idp: idp.signed(header_of(idp, alg="HS256"), claims_of(idp), b"x" * 32),
    "an EC signature under an RSA key's id": lambda idp: idp.signed(
        header_of(idp, alg="ES256"), claims_of(idp), made_key("ec-1")
    ),
    "alg is a list": lambda idp: b64(b'{"alg":["RS256"],"kid":"rsa-1"}') + ".e30.AAAA",
    "kid is a mapping": lambda idp: b64(b'{"alg":"RS256","kid":{"a":1}}') + ".e30.AAAA",
    "an algorithm that is not on the list": lambda idp: idp.token(head={"alg": "RS512"}),
    "an unknown key id": lambda idp: idp.signed(header_of(idp, kid="who"), claims_of(idp), made_key("rsa-9")),
    "the key of another under our key id": lambda idp: idp.signed(
        header_of(idp), claims_of(idp), made_key("rsa-9")
    ),
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
    "a body that is no object": lambda idp: idp.signed(header_of(idp), b'["a"]', made_key("rsa-1")),
    "a body that is no JSON": lambda idp: idp.signed(header_of(idp), b"\xff\xfe{", made_key("rsa-1")),
    "a body of brackets": lambda idp: idp.signed(header_of(idp), b"[" * 9_000, made_key("rsa-1")),
    "a head of brackets": lambda idp: f"{b64(b'[' * 9_000)}.e30.AAAA",
    "a head that is no UTF-8": lambda idp: f"{b64(bytes([0xFF, 0xFE]))}.e30.AAAA",
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
    head = header_of(idp, **{name: values.get(name, listener.url), "kid": "rsa-9"})
    try:
        for kid in ("rsa-9", "rsa-1"):
            token = idp.signed({**head, "kid": kid}, claims_of(idp), foreign)
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
