"""Reads request bodies: JSON, YAML and the one protobuf message that clients insist on; with limits."""

from typing import Any

import orjson
import yaml
from starlette.requests import Request

from aiops_lab.kube.errors import ApiError, bad_request, unsupported_media
from aiops_lab.kube.protobuf import access_review
from aiops_lab.kube.wire import Obj, clone

LARGEST_BODY_BYTES = 3 * 1024 * 1024  # the apiserver's MaxRequestBodyBytes
PATCH_TYPES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
_PROTOBUF = "application/vnd.kubernetes.protobuf"


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


def decode_object(body: bytes, content_type: str | None) -> Obj:
    """The object in a create or update. Raises ApiError 400 or 415."""
    kind = media_type(content_type)
    if kind == _PROTOBUF:
        return access_review(body)
    decoded = decode_value(body, kind)
    if not isinstance(decoded, dict):
        raise bad_request("couldn't get version/kind; json parse error: the body is not an object")
    return decoded


def decode_value(body: bytes, kind: str) -> Any:
    """Any JSON or YAML value. Raises ApiError 400 or 415."""
    if kind in {"application/yaml", "application/apply-patch+yaml"}:
        return _decode_yaml(body)
    if kind != "application/json" and not kind.endswith("+json"):
        raise unsupported_media(
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json, application/yaml"
        )
    try:
        return clone(orjson.loads(body))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise bad_request(f"the object provided is unrecognized: {str(error)[:120]}") from error


def _decode_yaml(body: bytes) -> Any:
    try:
        return clone(orjson.loads(body))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass  # not JSON: kubectl sends YAML as well
    try:
        return clone(yaml.load(body, Loader=_PlainLoader))  # noqa: S506 - a SafeLoader without aliases
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise bad_request(
            f"error converting YAML to JSON: {type(error).__name__}: {str(error)[:120]}"
        ) from error
