"""One face for two servers: contract tests send plain HTTP and compare what comes back, masked.

`conftest.py` hands out a `Server` per test, in a namespace of its own. What no two servers can share (uids,
times, versions, the namespace's name) is masked, so that an expected answer can stand in the test literally.
"""

import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx

from tests.cluster.contract.known import Known, known_difference

JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

Obj = dict[str, Any]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
# What Go prints of a whole struct, and what the simulator shows in its place: nobody parses that.
_DUMP = re.compile(r""" value: ("\{.*?\}"|"map\[.*?\]"|[\w.\[\]]*\{.*?\}|null)(?=: [A-Za-z`]|$)""", re.DOTALL)
_DIFF = re.compile(r"(was previously negative\))\n.*", re.DOTALL)
_RECORD = re.compile(r"(in record \(|current: )\d+")
_MASKED_KEYS = {"resourceVersion": "RV", "continue": "TOKEN", "uid": "UID"}


def masked(value: Any, namespace: str) -> Any:
    """The same value without what differs from server to server and from run to run."""
    if isinstance(value, dict):
        return {
            masked(key, namespace): _MASKED_KEYS[key]
            if key in _MASKED_KEYS and isinstance(held, str) and held not in {"", "0"}
            else masked(held, namespace)
            for key, held in value.items()
        }
    if isinstance(value, list):
        return [masked(item, namespace) for item in value]
    if isinstance(value, str):
        plain = _TIME.sub("TIME", _UUID.sub("UID", value.replace(namespace, "{ns}")))
        return _RECORD.sub(r"\1RV", _DIFF.sub(r"\1", _DUMP.sub(" value: DUMP", plain)))
    return value


@dataclass(frozen=True)
class Answer:
    """What a server said; `body` as sent, `masked` to compare."""

    code: int
    body: Any
    headers: Mapping[str, str]
    namespace: str

    @property
    def masked(self) -> Any:
        """The body with what cannot be equal masked."""
        return masked(self.body, self.namespace)

    @property
    def refusal(self) -> Obj:
        """Code, reason, message and details of a Status, masked; fails where the body is none."""
        body = self.masked
        assert body["kind"] == "Status", body
        assert (body["apiVersion"], body["metadata"]) == ("v1", {}), body
        assert body["code"] == self.code, body
        return {key: body[key] for key in ("code", "reason", "message", "details") if key in body}

    @property
    def ok(self) -> Any:
        """The body of a success; fails with the refusal where it is none."""
        assert self.code < 300, self.body
        return self.body


@dataclass(frozen=True)
class Server:
    """One of the two servers, seen by one test."""

    name: str
    namespace: str
    url: str
    context: ssl.SSLContext
    token: Callable[[str], str]
    compact: Callable[[], Awaitable[None]]  # forget history, as a real server does every five minutes

    @asynccontextmanager
    async def client(self, who: str = "lab-admin") -> AsyncIterator[httpx.AsyncClient]:
        """A plain client that acts as an identity."""
        headers = {"authorization": f"Bearer {self.token(who)}", "user-agent": "contract/1"}
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, verify=self.context, trust_env=False, timeout=20.0
        ) as client:
            yield client

    async def ask(
        self,
        request: str,
        body: Any = None,
        *,
        sent_as: str = JSON,
        accept: str = JSON,
        who: str = "lab-admin",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send `METHOD path` as written, `{ns}` replaced; a body that is no text goes as JSON."""
        method, _, path = self._filled(request).partition(" ")
        sent = {"accept": accept, **(headers or {})}
        content = b""
        if body is not None:
            content = body if isinstance(body, bytes) else self._filled(json.dumps(body)).encode()
            sent["content-type"] = sent_as
        async with self.client(who) as client:
            raw = client.build_request(method, "/", content=content, headers=sent)
            raw.url = raw.url.copy_with(raw_path=path.replace(" ", "%20").encode())
            answer = await client.send(raw)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return Answer(
            answer.status_code, answer.json() if is_json else answer.text, answer.headers, self.namespace
        )

    async def made(self, path: str, body: Obj, who: str = "lab-admin") -> Obj:
        """Create an object that the test starts from."""
        obj: Obj = (await self.ask(f"POST {path}", body, who=who)).ok
        return obj

    async def events(self, path: str, most: int, *, within_s: float = 10.0, accept: str = JSON) -> list[Obj]:
        """The first `most` events of a watch, or those before the server ends it."""
        found: list[Obj] = []
        with anyio.fail_after(within_s):
            async with (
                self.client() as client,
                client.stream("GET", self._filled(path), headers={"accept": accept}) as answer,
            ):
                async for line in answer.aiter_lines():
                    found.append(json.loads(line))
                    if len(found) == most:
                        break
        return found

    def differing(self, name: str) -> Any:
        """This server's side of a difference listed in `differences/NAME.md`."""
        return known_difference(name).of(self.name)

    def known(self, name: str) -> Known:
        """The listed difference itself."""
        return known_difference(name)

    def _filled(self, text: str) -> str:
        return text.replace("{ns}", self.namespace)


def trusting(ca_path: Path) -> ssl.SSLContext:
    """A context that trusts one CA; made once, for it is slow to make."""
    return ssl.create_default_context(cafile=str(ca_path))
