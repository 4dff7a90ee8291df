"""Reads request bodies: JSON, YAML and the one protobuf message that clients insist on; with limits."""

from typing import Any

import orjson
import yaml
from starlette.requests import Request

from aiops_lab.kube.errors import ApiError, bad_request, go_error, unsupported_media
from aiops_lab.kube.protobuf import decode_protobuf
from aiops_lab.kube.wire import Obj, clone

LARGEST_BODY_BYTES = 3 * 1024 * 1024  # the apiserver's MaxRequestBodyBytes
PATCH_TYPES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_READ = frozenset({"application/json", "application/yaml"})
_ACCEPTED = (
    "the body of the request was in an unknown format - accepted media types include: "
    "application/json, application/yaml, application/vnd.kubernetes.protobuf"
)
_SHOWN_BYTES = 30
SCHEME = "pkg/runtime/scheme.go:110"  # where Go says that no kind is registered


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, which could name one small thing a billion times."""

    def compose_node(self, parent: yaml.nodes.Node | None, index: int) -> yaml.nodes.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted")
        return super().compose_node(parent, index)


async def read_body(request: Request) -> bytes:
    """The whole body. Raises ApiError 413 once it is larger than a real server takes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            message = f"Request entity too large: limit is {LARGEST_BODY_BYTES}"
            raise ApiError(413, "RequestEntityTooLarge", message)
    return bytes(body)


def media_type(content_type: str | None) -> str:
    """The type without its parameters."""
    return (content_type or "application/json").partition(";")[0].strip().lower()


def decode_object(body: bytes, content_type: str | None, wanted: str = "object") -> Obj:
    """The object in a create or update; `wanted` is the Kind. Raises ApiError 400 or 415."""
    kind = media_type(content_type)
    if kind == _PROTOBUF:
        return decode_protobuf(body)
    if kind not in _READ:
        raise unsupported_media(_ACCEPTED)
    try:
        decoded = _decoded(body, kind)
        problem = "" if isinstance(decoded, dict) else _no_struct(decoded)
    except ValueError as error:
        problem = str(error)
    if problem:
        raise bad_request(
            f"the object provided is unrecognized (must be of type {wanted}): couldn't get version/kind; "
            f"json parse error: {problem} ({_summary(body)})"
        )
    found: Obj = decoded
    return found


def decode_options(body: bytes, content_type: str | None) -> Obj:
    """The DeleteOptions in the body of a delete. Raises ApiError 415, or 500 for what is unreadable:
    the handler passes Go's error on as it is (endpoints/handlers/delete.go)."""
    kind = media_type(content_type)
    if kind not in _READ:
        raise unsupported_media(_ACCEPTED)
    try:
        decoded = _decoded(body, kind)
    except ValueError as error:
        raise go_error(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(decoded, dict):
        raise go_error(f"couldn't get version/kind; json parse error: {_no_struct(decoded)}")
    if decoded.get("kind", "DeleteOptions") != "DeleteOptions":
        said = f'no kind "{decoded["kind"]}" is registered for version "{decoded.get("apiVersion", "")}"'
        raise go_error(f'{said} in scheme "{SCHEME}"')
    if not isinstance(decoded.get("dryRun") or [], list):
        got = go_kind(decoded["dryRun"])
        raise go_error(
            f"json: cannot unmarshal {got} into Go struct field DeleteOptions.dryRun of type []string"
        )
    return decoded


def decode_patch(body: bytes, kind: str) -> Any:
    """The patch itself. Raises ApiError 400."""
    if kind == "application/apply-patch+yaml":
        return _decode_yaml(body)
    decoding = "" if kind == "application/strategic-merge-patch+json" else "error decoding patch: "
    try:
        return _decoded(body, kind)
    except ValueError as error:
        raise bad_request(f"{decoding}{error}") from error


def go_kind(value: Any) -> str:
    """What Go's JSON decoder calls a value."""
    names = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _decoded(body: bytes, kind: str) -> Any:
    """Any JSON or YAML value. Raises ValueError in Go's words, or ApiError 400 for YAML."""
    if kind == "application/yaml":
        return _decode_yaml(body)
    try:
        return clone(orjson.loads(body))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        if "UTF-8" in str(error):  # Go puts U+FFFD where bytes are no text
            return _replaced(body)
        raise ValueError(_go_syntax(body, error)) from error


def _replaced(body: bytes) -> Any:
    try:
        return clone(orjson.loads(body.decode("utf-8", "replace")))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise ValueError(_go_syntax(body, error)) from error


def _go_syntax(body: bytes, error: Exception) -> str:
    at = getattr(error, "pos", 0)
    if not body[at:].strip() or "end of data" in str(error):
        return "unexpected end of JSON input"
    character = repr(chr(body[at])) if chr(body[at]).isprintable() else f"'\\x{body[at]:02x}'"
    return f"invalid character {character} looking for beginning of value"


def _no_struct(value: Any) -> str:
    fields = 'APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\""'
    return f"json: cannot unmarshal {go_kind(value)} into Go value of type struct {{ {fields} }}"


def _summary(body: bytes) -> str:
    """The start of a body as `runtime.summarizeData` shows it."""
    if not body:
        return "<empty>"
    more = " ..." if len(body) > _SHOWN_BYTES else ""
    start = body[:_SHOWN_BYTES]
    return (start.decode("utf-8", "replace") if body[:1] == b"{" else start.hex()) + more


def _decode_yaml(body: bytes) -> Any:
    try:
        return clone(orjson.loads(body))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass  # not JSON: kubectl sends YAML as well
    try:
        return clone(yaml.load(body, Loader=_PlainLoader))  # noqa: S506 - a SafeLoader without aliases
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise bad_request(
            f"error decoding YAML: error converting YAML to JSON: yaml: {str(error)[:120]}"
        ) from error
