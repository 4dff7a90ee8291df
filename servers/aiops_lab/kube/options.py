"""What a write may say beside its object: the options of create, update, patch and delete, checked as
`metav1validation.Validate{Create,Update,Patch,Delete}Options` do, and those of list and watch."""

from collections.abc import Iterator
from typing import Any

import orjson

from aiops_lab.kube.bodies import PATCH_TYPES, decode_object, media_type
from aiops_lab.kube.calls import Call, whole
from aiops_lab.kube.errors import FieldError, GoText, invalid_kind
from aiops_lab.kube.wire import dig

_META = "meta.k8s.io"
_KINDS = {
    "create": "CreateOptions",
    "update": "UpdateOptions",
    "patch": "PatchOptions",
    "delete": "DeleteOptions",
    "deletecollection": "DeleteOptions",
}
_LONGEST_MANAGER_BYTES = 128
_NEWER = "NotOlderThan"


def check_options(call: Call) -> None:
    """Raises ApiError 400 or 422 for options that no write may carry, 500 for a delete's unreadable body."""
    kind = _KINDS.get(call.verb)
    if kind is None:
        return
    deleting = kind == "DeleteOptions" and not call.target.subresource
    if call.verb == "patch" and media_type(call.content_type) not in PATCH_TYPES:
        return  # refused for its type
    errors = list(_of_delete(call) if deleting else _of_write(call))
    if errors:
        raise invalid_kind(kind, _META, "", errors)


def check_eviction_options(options: Any) -> None:
    """The DeleteOptions inside an Eviction. Raises ApiError 422."""
    asked = dig(options, "dryRun", default=[])
    errors = list(_dry_run(asked if isinstance(asked, list) else [asked]))
    if errors:
        raise invalid_kind("DeleteOptions", _META, "", errors)


def _of_write(call: Call) -> Iterator[FieldError]:
    if call.verb == "patch":
        applies = media_type(call.content_type) == "application/apply-patch+yaml"
        if applies and not call.query("fieldManager"):
            yield FieldError("fieldManager", "is required for apply patch", "", "Required value")
        if not applies and "force" in call.request.query_params:
            yield FieldError("force", "may not be specified for non-apply patch", None, "Forbidden")
    yield from _manager(call.query("fieldManager"))
    yield from _dry_run(call.request.query_params.getlist("dryRun"))
    mode = call.query("fieldValidation")
    if mode not in {"", "Ignore", "Warn", "Strict"}:
        yield _unsupported("fieldValidation", mode, "", "Ignore", "Strict", "Warn")


def _of_delete(call: Call) -> Iterator[FieldError]:
    asked = call.asked_dry_run()
    grace = call.deletion_option("gracePeriodSeconds")
    if isinstance(grace, str):
        whole(grace)
    propagation, orphan = call.deletion_option("propagationPolicy"), call.deletion_option("orphanDependents")
    if propagation is not None and orphan is not None:
        words = "orphanDependents and deletionPropagation cannot be both set"
        yield FieldError("propagationPolicy", words, propagation)
    if propagation not in {None, "Foreground", "Background", "Orphan"}:
        yield _unsupported("propagationPolicy", propagation, "Foreground", "Background", "Orphan", "nil")
    yield from _dry_run(asked)


def _manager(name: str) -> Iterator[FieldError]:
    if len(name.encode()) > _LONGEST_MANAGER_BYTES:
        yield FieldError(
            "fieldManager", f"may not be more than {_LONGEST_MANAGER_BYTES} bytes", None, "Too long"
        )
    for at, character in enumerate(name):
        if not character.isprintable():
            shown = "".join(
                c if c.isprintable() else f"\\{_GO_ESCAPES.get(c, f'x{ord(c):02x}')}" for c in name
            )
            words = f"invalid character U+{ord(character):04X} (at position {at})"
            yield FieldError("fieldManager", words, GoText(f'"{shown}"'))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    return "\\" + _GO_ESCAPES.get(character, f"x{ord(character):02x}")


_GO_ESCAPES = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}


def _dry_run(asked: list[Any]) -> Iterator[FieldError]:
    if any(value != "All" for value in asked):
        shown = GoText("[]string{" + ", ".join(orjson.dumps(str(v)).decode() for v in asked) + "}")
        yield FieldError("dryRun", 'supported values: "All"', shown, "Unsupported value")


def _unsupported(field: str, value: Any, *supported: str) -> FieldError:
    listed = ", ".join(f'"{word}"' for word in supported)
    return FieldError(field, f"supported values: {listed}", value, "Unsupported value")


def check_list_options(call: Call) -> None:
    """Raises ApiError 422 for a version match or initial events where they may not be
    (apimachinery, `ValidateListOptions`); the server's WatchList gate is off, as it is in 1.33."""
    errors = list(_of_watch(call) if call.verb == "watch" else _of_list(call))
    if errors:
        raise invalid_kind("ListOptions", _META, "", errors)


def _of_list(call: Call) -> Iterator[FieldError]:
    field = "resourceVersionMatch"
    match, version = call.query(field), call.query("resourceVersion")
    if match:
        if not version:
            yield _forbidden(field, f"{field} is forbidden unless resourceVersion is provided")
        if call.query("continue"):
            yield _forbidden(field, f"{field} is forbidden when continue is provided")
        if match not in {"Exact", _NEWER}:
            yield _unsupported(field, match, "Exact", _NEWER, "")
        if match == "Exact" and version == "0":
            yield _forbidden(field, f'{field} "exact" is forbidden for resourceVersion "0"')
    if "sendInitialEvents" in call.request.query_params:
        yield _forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")


def _of_watch(call: Call) -> Iterator[FieldError]:
    field = "resourceVersionMatch"
    match, initial = call.query(field), "sendInitialEvents" in call.request.query_params
    if initial and match != _NEWER:
        yield _forbidden(field, f"sendInitialEvents requires setting {field} to {_NEWER}")
    if initial:
        words = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
        yield _forbidden("sendInitialEvents", words)
    if not match:
        return
    if not initial:
        yield _forbidden(field, f"{field} is forbidden for watch unless sendInitialEvents is provided")
    if match != _NEWER:
        yield _unsupported(field, match, _NEWER)
    if call.query("continue"):
        yield _forbidden(field, f"{field} is forbidden when continue is provided")


def _forbidden(field: str, words: str) -> FieldError:
    return FieldError(field, words, None, "Forbidden")


def eviction_sent(call: Call) -> dict[str, Any]:
    """The Eviction in the body, its options checked. Raises ApiError 400, 415 or 422."""
    sent = decode_object(call.body, call.content_type, "Eviction")
    check_eviction_options(sent.get("deleteOptions"))
    return sent
