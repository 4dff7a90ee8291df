"""The issuer's keys: rotated, kept while it is away, never those of anybody else (T3)."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from aiops_eks.server import make
from aiops_shared.errors import NotConfiguredError, UnreachableError
from aiops_shared.remote.keys import AGAIN_S, KEEP_S, STALE_S
from aiops_shared.remote.tokens import BadTokenError, Tokens
from aiops_shared.settings import AuthSettings
from tests.remote.issuer import AUDIENCE, NO_TLS, issuer, made_key, remote_settings, served
from tests.remote.verifying import Clock, b64, claims_of, header_of, tokens_of


@pytest.mark.threat("T3")
async def test_rotated_keys_are_found_without_a_restart_and_unknown_ids_ask_seldom() -> None:
    async with issuer() as idp:
        clock = Clock()
        tokens = tokens_of(idp, clock)
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
        tokens = tokens_of(idp, clock)
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
        shared = {"kty": "oct", "kid": "shared", "k": b64(secret), "alg": "HS256"}
        broken = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
        cipher = made_key("rsa-9").as_dict(private=False) | {"use": "enc", "kid": "cipher"}
        idp.further_keys = [shared, broken, cipher, {"kty": ["RSA"]}, {"kid": "none"}]
        tokens = tokens_of(idp)
        await tokens.caller(idp.token())
        for head, key in (
            (header_of(idp, alg="HS256", kid="shared"), secret),
            (header_of(idp, kid="cipher"), made_key("rsa-9")),
        ):
            with pytest.raises(BadTokenError):
                await tokens.caller(idp.signed(head, claims_of(idp), key))


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
