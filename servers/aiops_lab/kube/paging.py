"""`limit` and `continue`: every page of one list shows the same version (apiserver's `EncodeContinue`)."""

import base64
import binascii
from dataclasses import dataclass

import orjson

from aiops_lab.kube.errors import ApiError, bad_request
from aiops_lab.kube.history import FIRST_VERSION
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.shelf import Shelf
from aiops_lab.kube.wire import Obj, dig, name_of, namespace_of

_ENCODING = "meta.k8s.io/v1"


@dataclass(frozen=True)
class Asked:
    """The list parameters that say which version and which part of it."""

    limit: int = 0
    token: str = ""
    version: str = ""
    match: str = ""


@dataclass(frozen=True)
class Start:
    """The list a page is cut from."""

    version: int
    objects: tuple[Obj, ...]
    after: tuple[str, str] | None = None


def start_of(shelf: Shelf, resource: Resource, asked: Asked) -> Start:
    """The consistent list to page through. Raises ApiError 400, 410 or 504."""
    if asked.token:
        version, after = _read_token(asked.token)
        if asked.version not in {"", "0"}:
            raise bad_request("specifying resource version is not allowed when using continue")
        return Start(version, shelf.snapshots.at(resource.storage, version), after)
    wanted = parse_version(asked.version)
    if wanted > shelf.version:
        raise too_large(wanted, shelf.version)
    if asked.match == "Exact" and wanted not in {0, shelf.version}:
        return Start(wanted, shelf.snapshots.at(resource.storage, wanted))
    return Start(shelf.version, shelf.all(resource))


def parse_version(text: str) -> int:
    """A resourceVersion as a number; 0 where none is asked for. Raises ApiError 400."""
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise bad_request(
            f"Invalid value: {orjson.dumps(text[:40]).decode()}: resourceVersion is not a number"
        )
    return int(text)


def too_large(wanted: int, current: int) -> ApiError:
    """504 for a version that does not exist yet."""
    message = f"Too large resource version: {wanted}, current: {current}"
    details = {"retryAfterSeconds": 1, "causes": [{"reason": "ResourceVersionTooLarge", "message": message}]}
    return ApiError(504, "Timeout", f"Timeout: {message}", details)


def write_token(version: int, last: Obj) -> str:
    """The token of the page after `last`."""
    start = f"{namespace_of(last)}/{name_of(last)}"
    token = orjson.dumps({"v": _ENCODING, "rv": version, "start": start})
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        decoded = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"continue key is not valid: {error}") from error
    version, start = dig(decoded, "rv", default=0), dig(decoded, "start", default="")
    if dig(decoded, "v") != _ENCODING or not isinstance(start, str) or "/" not in start:
        raise bad_request("continue key is not valid: server does not recognize this encoded version")
    if not isinstance(version, int) or version < FIRST_VERSION:
        raise bad_request("continue key is not valid: incorrect encoded start resourceVersion")
    namespace, _, name = start.partition("/")
    return version, (namespace, name)
