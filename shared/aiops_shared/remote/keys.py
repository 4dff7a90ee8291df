"""The issuer's published keys: read once in a while, and when a token names one that is not known.

A key id that nobody has makes no request of its own: the issuer is asked every AGAIN_S at most, whatever
tokens say. While it does not answer, the keys that it gave last hold for a day.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import httpx
import orjson
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from aiops_shared.errors import AiopsError, NotConfiguredError, UnreachableError
from aiops_shared.http.client import is_loopback, make_client
from aiops_shared.settings import AuthSettings

KEEP_S: Final = 300.0
AGAIN_S: Final = 10.0
STALE_S: Final = 86_400.0
ANSWER_S: Final = 5.0
MOST_BYTES: Final = 1_000_000
MOST_KEYS: Final = 64
_KINDS: Final = ("RSA", "EC", "OKP")  # never `oct`: what everybody can read signs nothing

_log = logging.getLogger("aiops.remote")


@dataclass
class IssuerKeys:
    """The keys in force."""

    settings: AuthSettings
    monotonic: Callable[[], float] = time.monotonic
    _held: KeySet | None = None
    _read_at: float = float("-inf")
    _asked_at: float = float("-inf")
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def current(self, kid: str = "") -> KeySet:
        """Keys to check a signature with; asks the issuer when `kid` is unknown or they are old.

        Raises UnreachableError when there are none.
        """
        if self._known(kid) and (self._fresh(KEEP_S) or self._lock.statistics().locked):
            return self._set()
        async with self._lock:
            asked = self.monotonic() - self._asked_at < AGAIN_S
            if not asked and not (self._known(kid) and self._fresh(KEEP_S)):
                self._asked_at = self.monotonic()
                await self._ask()
        return self._set()

    def _set(self) -> KeySet:
        if self._held is None or not self._fresh(STALE_S):
            raise UnreachableError("token issuer", "its keys cannot be read", "again in some seconds")
        return self._held

    def _known(self, kid: str) -> bool:
        return self._held is not None and (not kid or any(key.kid == kid for key in self._held))

    def _fresh(self, for_s: float) -> bool:
        return self.monotonic() - self._read_at < for_s

    async def _ask(self) -> None:
        try:
            with anyio.fail_after(ANSWER_S):
                self._held = _public(await _read(await self._where()))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TimeoutError, AiopsError) as error:
            _log.warning("keys of the token issuer: %s: %s", type(error).__name__, error)
        else:
            self._read_at = self.monotonic()

    async def _where(self) -> str:
        """Where the keys are; as OpenID Connect Discovery 1.0, section 4, has it."""
        if self.settings.jwks_url:
            return self.settings.jwks_url
        issuer = self.settings.issuer
        found = await _read(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise ValueError("discovery names another issuer")
        where = str(found.get("jwks_uri", ""))
        if urlsplit(issuer).scheme == "https" and urlsplit(where).scheme != "https":
            raise ValueError("discovery names keys that are not behind https")
        return where


def require_https(url: str, setting: str) -> None:
    """Raises NotConfiguredError for what is neither https nor on loopback."""
    found = urlsplit(url)
    if not found.hostname or (found.scheme != "https" and not is_loopback(found.hostname)):
        raise NotConfiguredError(setting, "keys of tokens are fetched over https only", "give an https URL")


async def _read(url: str) -> dict[str, Any]:
    """A JSON object. Raises httpx.HTTPError, ValueError, AiopsError."""
    at = urlsplit(url)
    plain = is_loopback(at.hostname or "")
    client = make_client(
        f"{at.scheme}://{at.netloc}", timeout_s=ANSWER_S, upstream="issuer", plain_http=plain
    )
    body = bytearray()
    async with client, client.stream("GET", url) as response:
        response.raise_for_status()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MOST_BYTES:
                raise ValueError(f"it answers more than {MOST_BYTES} bytes")
    return _mapping(orjson.loads(body))


def _mapping(found: Any) -> dict[str, Any]:
    if isinstance(found, dict):
        return found
    raise ValueError("it answers no JSON object")


def _public(found: dict[str, Any]) -> KeySet:
    """Those of its keys that sign; one that cannot be read leaves the others."""
    listed = found.get("keys")
    keys = [key for one in (listed if isinstance(listed, list) else [])[:MOST_KEYS] if (key := _key(one))]
    if not keys:
        raise ValueError("it publishes no key that signs")
    return KeySet(keys)


def _key(one: Any) -> Key | None:
    if not isinstance(one, dict) or one.get("kty") not in _KINDS or one.get("use", "sig") != "sig":
        return None
    try:
        return JWKRegistry.import_key(one)
    except (JoseError, ValueError, TypeError, KeyError):
        _log.warning("a key of the token issuer cannot be read")
        return None
