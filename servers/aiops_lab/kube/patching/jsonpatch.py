"""JSON patch (RFC 6902) over JSON pointers (RFC 6901)."""

from typing import Any

from aiops_lab.kube.bodies import go_kind
from aiops_lab.kube.errors import ApiError, bad_request
from aiops_lab.kube.wire import Obj, clone

_MOST_OPERATIONS = 10_000


def _refused() -> ApiError:
    # The real server answers every failed operation with this one sentence.
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def _steps(pointer: object) -> list[str]:
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise _refused()
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _position(held: list[Any], step: str, *, end: int) -> int:
    if step == "-" and end == len(held):
        return end
    if not step.isascii() or not step.isdecimal() or int(step) > end:
        raise _refused()
    return int(step)


def _get(document: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list):
            document = document[_position(document, step, end=len(document) - 1)]
        else:
            raise _refused()
    return document


def _add(document: Obj, steps: list[str], value: Any) -> Obj:
    if not steps:
        return _whole(value)
    holder = _get(document, steps[:-1])
    if isinstance(holder, list):
        holder.insert(_position(holder, steps[-1], end=len(holder)), value)
    elif isinstance(holder, dict):
        holder[steps[-1]] = value
    else:
        raise _refused()
    return document


def _whole(value: Any) -> Obj:
    if not isinstance(value, dict):
        raise _refused()
    return value


def _remove(document: Obj, steps: list[str]) -> Any:
    value = _get(document, steps)
    if not steps:
        raise _refused()
    holder = _get(document, steps[:-1])
    if isinstance(holder, list):
        del holder[int(steps[-1])]
    else:
        del holder[steps[-1]]
    return value


def _set(document: Obj, steps: list[str], value: Any) -> Obj:
    """Replace; a key that a map lacks is added, as evanphx/json-patch does against RFC 6902."""
    if not steps:
        return _whole(value)
    holder = _get(document, steps[:-1])
    if not isinstance(holder, dict):
        _get(document, steps)
    holder[int(steps[-1]) if isinstance(holder, list) else steps[-1]] = value
    return document


def _one(document: Obj, operation: dict[str, Any]) -> Obj:
    steps = _steps(operation.get("path"))
    match operation.get("op"):
        case "add":
            return _add(document, steps, operation.get("value"))
        case "remove":
            _remove(document, steps)
        case "replace":
            return _set(document, steps, operation.get("value"))
        case "test":
            if _get(document, steps) != operation.get("value"):
                raise _refused()
        case "move":
            value = _remove(document, _steps(operation.get("from")))
            return _add(document, steps, value)
        case "copy":
            value = clone({"v": _get(document, _steps(operation.get("from")))})["v"]
            return _add(document, steps, value)
        case _:
            raise _refused()
    return document


def json_patch(live: Obj, operations: object) -> Obj:
    """Apply the operations in order; none counts where one fails. Raises ApiError 400, 413 or 422."""
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        got = go_kind(operations if not isinstance(operations, list) else operations[0])
        wanted = "[]handlers.jsonPatchOp" if not isinstance(operations, list) else "handlers.jsonPatchOp"
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {got} into Go value of type {wanted}"
        )
    if len(operations) > _MOST_OPERATIONS:
        message = (
            f"Request entity too large: The allowed maximum operations in a JSON patch is "
            f"{_MOST_OPERATIONS}, got {len(operations)}"
        )
        raise ApiError(413, "RequestEntityTooLarge", message)
    document = clone(live)
    for operation in operations:
        document = _one(document, operation)
    return document
