"""Parts of the tests about tokens: a verifier with a clock of the test's own, and tokens made by hand."""

import base64
import time
from typing import Any

from aiops_shared.remote.keys import IssuerKeys
from aiops_shared.remote.tokens import Tokens
from aiops_shared.settings import AuthSettings
from tests.remote.issuer import AUDIENCE, Issuer

NOW = int(time.time())


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def tokens_of(found: Issuer, clock: Clock | None = None, **auth: Any) -> Tokens:
    settings = AuthSettings(issuer=found.url, **auth)
    tokens = Tokens.of(settings, AUDIENCE)
    tokens.keys = IssuerKeys(settings, clock or Clock())
    return tokens


def header_of(idp: Issuer, **head: Any) -> dict[str, Any]:
    return {"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1", **head}


def claims_of(idp: Issuer, **claims: Any) -> dict[str, Any]:
    good = {"iss": idp.url, "aud": AUDIENCE, "sub": "anna", "scope": "aiops:read", "exp": NOW + 600}
    return {**good, **claims}


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
