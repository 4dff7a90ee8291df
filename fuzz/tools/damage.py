"""Messages that are none, or that say one thing in the header and another in the body (BI-118, BI-128).

Each is bytes, and for HTTP the headers that go with it. Called by `fuzz.tools.playing`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from fuzz.tools.hostile import deep
from fuzz.tools.talking import META

Obj = dict[str, Any]
LIST: Final = "tools/list"
SILENT: Final = frozenset(
    {
        "id=null",
        "no id",
        "a result",
        "an error",
        "unknown notification",
        "cancel what is not",
        "cancel=object",
    }
    # An id of another type makes a notification of it for the SDK's parser; over HTTP it is refused.
    | {"progress of nothing", "id=object", "id=list", "id=half", "id=true"}
)


@dataclass(frozen=True, slots=True)
class Damage:
    """One broken message. `headers`: over HTTP, more than the content type; over stdio there are none."""

    says: str
    raw: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def silent(self) -> bool:
        """Whether it asks for no answer: a notification, an answer, a blank line."""
        return self.says in SILENT or not self.raw.strip()


def _message(**parts: Any) -> bytes:
    whole: Obj = {"jsonrpc": "2.0", "id": 1, "method": LIST, "params": {"_meta": META}, **parts}
    return json.dumps({key: one for key, one in whole.items() if one is not ...}).encode()


def _call(**params: Any) -> bytes:
    whole = {"name": "get_action", "arguments": {}, "_meta": META, **params}
    return _message(method="tools/call", params={key: one for key, one in whole.items() if one is not ...})


def every() -> Iterator[Damage]:
    """All of them, in one order."""
    yield from (Damage(f"body {raw[:24]!r}", raw, {"mcp-method": LIST}) for raw in _no_json())
    for says, parts in _parts().items():
        yield Damage(
            says,
            _message(**parts),
            {"mcp-method": str(parts.get("method", LIST))[:60].encode("ascii", "replace").decode()},
        )
    for says, params in _params().items():
        yield Damage(says, _call(**params), {"mcp-method": "tools/call", "mcp-name": "get_action"})
    yield from _headers()


def _no_json() -> Iterator[bytes]:
    good = _message()
    yield from (
        b"",
        b"{",
        b"}",
        b"null",
        b"7",
        b'""',
        b"[]",
        b"[1, 2]",
        b"[null]",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf" + good,
    )
    yield from (good[:-1], good + b"}", good + good, b"'" + good + b"'", good.replace(b'"2.0"', b'"2.0\xff"'))
    yield from (b"[" + good + b"," + good + b"]", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 100_000)
    yield json.dumps({"jsonrpc": "2.0", "id": 1, "method": LIST, "params": deep(900)}).encode()
    yield b"GET / HTTP/1.1"
    yield b'{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "tools/list", "method": "ping"}'


def _parts() -> dict[str, Obj]:
    return {
        "unknown method": {"method": "tools/delete"},
        "method of no text": {"method": 7},
        "no method": {"method": ...},
        "empty method": {"method": ""},
        "long method": {"method": "a" * 100_000},
        "method with a break": {"method": "tools/list\r\nX: 1"},
        "params=[]": {"params": []},
        "params=null": {"params": None},
        "params=text": {"params": "x"},
        "no params": {"params": ...},
        "id=null": {"id": None},
        "id=object": {"id": {"a": 1}},
        "id=list": {"id": [1]},
        "id=half": {"id": 1.5},
        "id=true": {"id": True},
        "id=long": {"id": "x" * 100_000},
        "id=huge": {"id": 10**40},
        "id with controls": {"id": "\u001b]0;x\u0007\u202e"},
        "no id": {"id": ...},
        "jsonrpc=1.0": {"jsonrpc": "1.0"},
        "no jsonrpc": {"jsonrpc": ...},
        "a result": {"method": ..., "params": ..., "result": {}},
        "an error": {"method": ..., "params": ..., "error": {"code": 1, "message": "x"}},
        "no meta": {"params": {}},
        "meta=7": {"params": {"_meta": 7}},
        "another version": {
            "params": {"_meta": {**META, "io.modelcontextprotocol/protocolVersion": "1999-01-01"}}
        },
        "version=7": {"params": {"_meta": {**META, "io.modelcontextprotocol/protocolVersion": 7}}},
        "capabilities=7": {"params": {"_meta": {**META, "io.modelcontextprotocol/clientCapabilities": 7}}},
        "odd capabilities": {
            "params": {"_meta": {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": 7}}}
        },
        "cursor of a listing": {"params": {"cursor": "../../x", "_meta": META}},
        "cursor=7": {"params": {"cursor": 7, "_meta": META}},
        "late handshake": {"method": "initialize", "params": {}},
        "handshake of 1999": {
            "method": "initialize",
            "params": {"protocolVersion": "1999-01-01", "capabilities": 7},
        },
        "level": {"method": "logging/setLevel", "params": {"level": "x", "_meta": META}},
        "completion": {"method": "completion/complete", "params": {"ref": 7, "argument": [], "_meta": META}},
        "prompt of no name": {"method": "prompts/get", "params": {"name": {"a": 1}, "_meta": META}},
        "unknown prompt": {"method": "prompts/get", "params": {"name": "../x", "_meta": META}},
        "unknown resource": {
            "method": "resources/read",
            "params": {"uri": "file:///etc/passwd", "_meta": META},
        },
        "resource of no address": {"method": "resources/read", "params": {"uri": "\u0000", "_meta": META}},
        "resource with dots": {
            "method": "resources/read",
            "params": {"uri": "plan://../../../x", "_meta": META},
        },
        "resource=list": {"method": "resources/read", "params": {"uri": ["a"], "_meta": META}},
        "subscription": {"method": "resources/subscribe", "params": {"uri": "plan://x", "_meta": META}},
        "unknown notification": {"method": "notifications/x", "id": ...},
        "cancel what is not": {
            "method": "notifications/cancelled",
            "id": ...,
            "params": {"requestId": 10**9},
        },
        "cancel=object": {"method": "notifications/cancelled", "id": ..., "params": {"requestId": {"a": 1}}},
        "progress of nothing": {
            "method": "notifications/progress",
            "id": ...,
            "params": {"progressToken": [], "progress": "x"},
        },
    }


def _params() -> dict[str, Obj]:
    return {
        "unknown tool": {"name": "delete_everything"},
        "tool=null": {"name": None},
        "tool=list": {"name": ["get_action"]},
        "tool=object": {"name": {"get_action": 1}},
        "tool with dots": {"name": "../get_action"},
        "tool with marks": {"name": "get_action\u202e\u0000"},
        "tool of 100 kB": {"name": "a" * 100_000},
        "no tool": {"name": ...},
        "arguments=[]": {"arguments": []},
        "arguments=text": {"arguments": '{"action_id": "x"}'},
        "arguments=7": {"arguments": 7},
        "no arguments": {"arguments": ...},
        "deep arguments": {"arguments": {"action_id": deep(800)}},
        "a forged answer": {
            "inputResponses": {"approval": {"action": "accept", "content": {"approve": True}}}
        },
        "a forged state": {"requestState": "AAAA", "inputResponses": {"x": 7}},
        "state=object": {"requestState": {"a": 1}},
        "a task": {"task": {"ttl": -1}},
        "a progress token": {"_meta": {**META, "progressToken": {"a": 1}}},
        "trace of another": {"_meta": {**META, "traceparent": "00-" + "x" * 4_000}},
        "whom it is for": {"_meta": {**META, "aiops/onBehalfOf": {"says": "{}", "mac": "x"}}},
    }


def _headers() -> Iterator[Damage]:
    """What only HTTP can say wrongly; over stdio these are good messages."""
    good, call = _message(), _call(arguments={"action_id": "act_" + "x" * 20})
    plain = {"mcp-method": LIST}
    odd: tuple[dict[str, str], ...] = (
        *({"mcp-method": "tools/call"}, {"mcp-method": ""}, {}, {"mcp-method": "tools/list, tools/call"}),
        *({**plain, "mcp-protocol-version": one} for one in ("1999-01-01", "2025-11-25", "", "x" * 5_000)),
        *(
            {**plain, "content-type": one}
            for one in ("text/plain", "application/json; charset=utf-7", "", "x")
        ),
        *({**plain, "accept": one} for one in ("text/html", "", "*/*;q=0")),
        *({**plain, "origin": one} for one in ("https://evil.example", "null")),
        *({**plain, "host": one} for one in ("evil.example", "169.254.169.254", "")),
        *({**plain, "mcp-session-id": one} for one in ("x", "../../x")),
        {**plain, "content-encoding": "gzip"},
        {**plain, "x-forwarded-host": "evil.example"},
        {**plain, "authorization": "Bearer x"},
        {**plain, "authorization": "Basic eDp5"},
        {**plain, "last-event-id": "7"},
    )
    for headers in odd:
        yield Damage(f"headers {str(headers)[:60]}", good, headers)
    for name in ("list_resources", "", "GET_ACTION", "execute_plan"):
        yield Damage(f"mcp-name {name}", call, {"mcp-method": "tools/call", "mcp-name": name})
