"""A Lambda function that answers a Bedrock agent's action groups with the suite's tools.

One function serves every group: the event names the group (`actionGroup`) and the operation (`apiPath`), and
`groups.json` beside this file says which tools a group has; anything else is 404. The event and its
answer are messageVersion 1.0 of
https://docs.aws.amazon.com/bedrock/latest/userguide/agents-lambda.html

Environment:
    AIOPS_MCP_URL          the endpoint, as https://aiops.example.com/mcp; empty: the suite runs in here
    AIOPS_MCP_SECRET_ARN   Secrets Manager: {"token": …}, or {"client_id", "client_secret", "issuer", "scope"}
The package needs `eks-aiops` (deploy/agentcore/README.md); nothing here speaks HTTP by itself.
"""

import json
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import anyio
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

MOST_BYTES: Final = 25_000  # what Bedrock takes of a function: 25 KB
CALL_S: Final = 110.0  # Bedrock waits two minutes
NOTE: Final = "shortened to fit into 25 KB: ask for less (limit, tail, detail), or go on with next_cursor"
Obj = dict[str, Any]
_CODE: Final = re.compile(r"\[([a-z_]{1,40})\]")
_STATUS: Final = {
    **dict.fromkeys(("invalid_input", "query_invalid", "kind_unknown", "confirm_mismatch"), 400),
    "unauthenticated": 401,
    **dict.fromkeys(("refused", "access_denied", "read_only", "frozen", "repeat_limit", "undo_refused"), 403),
    **dict.fromkeys(("approval_pending", "approval_invalid", "behalf_invalid"), 403),
    **dict.fromkeys(("conflict", "plan_stale", "plan_expired", "plan_tampered", "expired"), 409),
    **dict.fromkeys(("rate_limited", "throttled", "queue_full"), 429),
    **dict.fromkeys(("upstream_error", "unreachable"), 502),
    "timeout": 504,
}


class AnsweredError(Exception):
    """An event that is answered without a tool: status, what it says."""

    def __init__(self, status: int, says: str) -> None:
        super().__init__(says)
        self.status = status


def handler(event: Obj, context: Any) -> Obj:
    """What Lambda calls."""
    del context
    try:
        status, body = anyio.run(answered, event)
    except AnsweredError as error:
        status, body = error.status, {"error": str(error)}
    return envelope(event, status, body)


async def answered(event: Obj) -> tuple[int, Obj]:
    """The tool's answer and its status. Raises AnsweredError."""
    name = tool_of(event)
    arguments = arguments_of(event)
    try:
        with anyio.fail_after(CALL_S):
            async with Client(_server()) as client:
                result = await client.call_tool(name, arguments, raise_on_error=False)
    except TimeoutError:
        raise AnsweredError(504, f"[timeout] {name}: no answer within {CALL_S:.0f} s; ask for less") from None
    except Exception as error:  # whatever it is: the agent gets an envelope, never a trace
        status = getattr(getattr(error, "response", None), "status_code", 0)
        if status in {401, 403, 429, 503}:
            raise AnsweredError(status, f"[refused] {name}: the endpoint answered {status}") from error
        raise AnsweredError(502, f"[unreachable] tools: {type(error).__name__}; try again") from error
    text = "".join(getattr(block, "text", "") for block in result.content)
    if result.is_error:
        return status_of(text), {"error": text}
    return 200, dict(result.structured_content or {"text": text})


def tool_of(event: Obj) -> str:
    """The tool that an event means. Raises AnsweredError for one that its group does not have."""
    group, path = str(event.get("actionGroup", "")), str(event.get("apiPath", ""))
    name = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", path.strip("/")).lower()  # getPodLogs is get_pod_logs
    found = groups().get(group, {}).get(name)
    if found is None:
        raise AnsweredError(404, f"[not_found] {path[:80]}: no operation of action group {group[:80]!r}")
    return found


@cache
def groups() -> Mapping[str, Mapping[str, str]]:
    """Action group -> operation -> the tool's name at the gateway."""
    found: Mapping[str, Mapping[str, str]] = json.loads(
        Path(__file__).with_name("groups.json").read_text("utf-8")
    )
    return found


def arguments_of(event: Obj) -> Obj:
    """The tool's arguments: the body's properties over the parameters. Raises AnsweredError."""
    body = event.get("requestBody") or {}
    content = body.get("content") or {}
    listed = (content.get("application/json") or {}).get("properties") or []
    return {**_named(event.get("parameters") or []), **_named(listed)}


def _named(listed: Any) -> Obj:
    """A list of {name, type, value}; a plain mapping is taken as it is (older examples send one)."""
    if isinstance(listed, Mapping):
        return dict(listed)
    return {str(one["name"]): _value(one) for one in listed if isinstance(one, Mapping) and "name" in one}


def _value(one: Mapping[str, Any]) -> Any:
    """Values come as texts, whatever their type."""
    value, kind = one.get("value"), one.get("type")
    if not isinstance(value, str):
        return value
    try:
        if kind == "integer":
            return int(value)
        if kind == "number":
            return float(value)
        if kind in {"array", "object"}:
            return json.loads(value)
    except ValueError:
        if kind == "array":
            return value  # a comma list: the tools read these
        raise AnsweredError(400, f"[invalid_input] {str(one['name'])[:40]}: is no {kind}") from None
    return value.strip().lower() == "true" if kind == "boolean" else value


def status_of(text: str) -> int:
    """The HTTP status of a refusal, by the code that leads it."""
    code = _CODE.match(text)
    if code is None:
        return 500
    return 404 if code[1].endswith("not_found") else _STATUS.get(code[1], 500)


def envelope(event: Obj, status: int, body: Obj) -> Obj:
    """The answer that Bedrock takes, never longer than it takes."""

    def made(said: Obj) -> Obj:
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        response = {
            "actionGroup": event.get("actionGroup", ""),
            "apiPath": event.get("apiPath", ""),
            "httpMethod": event.get("httpMethod", "POST"),
            "httpStatusCode": status,
            "responseBody": {"application/json": {"body": text}},
        }
        return {"messageVersion": "1.0", "response": response}

    while _size(made(body)) > MOST_BYTES:
        shorter = _shorter(body)
        if shorter is None:
            says = str(body.get("summary") or body.get("error") or "")[:2_000]
            return made({"summary": says, "truncated": True, "note": NOTE})
        body = {**shorter, "truncated": True, "note": NOTE}
    return made(body)


def _size(made: Obj) -> int:
    return len(json.dumps(made).encode())


def _shorter(body: Obj) -> Obj | None:
    """The same with its largest list halved; None where no list is left to be halved."""
    lists = [path for path in _lists(body, ()) if len(_at(body, path)) > 1]
    if not lists:
        return None
    largest = max(lists, key=lambda path: len(json.dumps(_at(body, path))))
    copy: Obj = json.loads(json.dumps(body))
    place = _at(copy, largest)
    del place[len(place) // 2 :]
    return copy


def _lists(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in _lists(item, (*path, key))]
    return [path] if isinstance(value, list) else []


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _server() -> Any:
    """What a client is made of: the endpoint, or the gateway in this process."""
    url = os.environ.get("AIOPS_MCP_URL", "")  # noqa: TID251  # a Lambda function is configured by nothing else
    if url:
        return StreamableHttpTransport(url, auth=_auth(url))
    from aiops_shared.settings import Settings
    from eks_aiops.gateway import make

    return make(Settings())


@cache
def _auth(url: str) -> Any:
    """The secret's token, or who fetches one when it is needed; kept while Lambda keeps this process."""
    arn = os.environ.get("AIOPS_MCP_SECRET_ARN", "")  # noqa: TID251  # as above
    if not arn:
        return None
    import boto3

    client = boto3.client("secretsmanager")  # noqa: TID251  # stands alone: no part of the suite's AWS access
    secret: Obj = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    if "token" in secret:
        return str(secret["token"])
    from fastmcp.client.auth.client_credentials import ClientCredentialsOAuthProvider

    names = ("client_id", "client_secret", "issuer")
    given = {name: secret[name] for name in names}
    return ClientCredentialsOAuthProvider(url, **given, scopes=secret.get("scope"))
