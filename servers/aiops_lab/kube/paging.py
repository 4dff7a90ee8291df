"""`limit` and `continue`: every page of one list shows the same version (apiserver's `EncodeContinue`)."""

import base64
import re
from dataclasses import dataclass

import orjson

from aiops_lab.kube.errors import ApiError, bad_request
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
        if asked.version not in {"", "0"}:
            raise bad_request("specifying resource version is not allowed when using continue")
        version, after = _read_token(asked.token)
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
        shown = orjson.dumps(text[:40]).decode()
        raise bad_request(
            f"invalid resource version: resourceVersion: Invalid value: {shown}: "
            f"strconv.ParseUint: parsing {shown}: invalid syntax"
        )
    return int(text)


def too_large(wanted: int, current: int) -> ApiError:
    """504 for a version that does not exist yet."""
    message = f"Too large resource version: {wanted}, current: {current}"
    details = {
        "retryAfterSeconds": 1,
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
    }
    return ApiError(504, "Timeout", f"Timeout: {message}", details)


def write_token(version: int, last: Obj) -> str:
    """The token of the page after `last`."""
    start = f"{namespace_of(last)}/{name_of(last)}"
    token = orjson.dumps({"v": _ENCODING, "rv": version, "start": start})
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    if wrong := re.search(r"[^A-Za-z0-9_-]", token):
        raise _no_token(f"illegal base64 data at input byte {wrong.start()}")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    try:
        decoded = orjson.loads(raw)
    except ValueError as error:
        character = repr(chr(raw[0])) if raw and chr(raw[0]).isprintable() else f"'\\x{(raw or b' ')[0]:02x}'"
        raise _no_token(f"invalid character {character} looking for beginning of value") from error
    version, start = dig(decoded, "rv", default=0), dig(decoded, "start", default="")
    if dig(decoded, "v") != _ENCODING:
        raise _no_token(f"server does not recognize this encoded version {dig(decoded, 'v', default='')}")
    if not isinstance(version, int) or version == 0:
        raise _no_token(f"incorrect encoded start resourceVersion (version {_ENCODING})")
    if not isinstance(start, str) or not start:
        raise _no_token(f"start key is empty (version {_ENCODING})")
    namespace, _, name = start.rpartition("/")
    return version, (namespace, name)


def _no_token(why: str) -> ApiError:
    return bad_request(f"invalid continue token: continue key is not valid: {why}")
