"""Fields that no schema knows: refused when asked to be strict, else dropped with a warning.

Field names are those of the types in k8s.io/api (`field_table.py`); custom resources and the few kinds that
the table does not hold keep what they are sent.
"""

from collections.abc import Iterator
from typing import Any

from aiops_lab.kube.errors import ApiError, bad_request
from aiops_lab.kube.field_table import Field, fields_by_name, is_list, message_of
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj

_TYPE = frozenset({"apiVersion", "kind"})
_Found = tuple[Obj, str, str]  # holder, key, path


def settle_unknown(resource: Resource, obj: Obj, mode: str) -> list[str]:
    """Drop unknown fields in place and return their paths; `Strict` refuses them. Raises ApiError 400."""
    if mode not in {"", "Ignore", "Warn", "Strict"}:
        raise bad_request(f"invalid fieldValidation {mode[:40]!r}: must be Ignore, Warn or Strict")
    message = None if resource.custom else message_of(resource.api_version, resource.kind)
    found = list(_beside(obj, message, "", _TYPE)) if message else []
    if found and mode == "Strict":
        raise _refused(resource, [path for _, _, path in found])
    for holder, key, _ in found:
        del holder[key]
    return [] if mode == "Ignore" else [path for _, _, path in found]


def _refused(resource: Resource, paths: list[str]) -> ApiError:
    said = ", ".join(f'unknown field "{path}"' for path in paths[:20])
    return bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
        f"strict decoding error: {said}"
    )


def _beside(
    holder: object, message: str, prefix: str, more: frozenset[str] = frozenset()
) -> Iterator[_Found]:
    """What stands in an object, and below it, beside the fields of its message."""
    if not isinstance(holder, dict):
        return
    fields = fields_by_name(message)
    for key, value in holder.items():
        field = fields.get(key)
        if field is not None:
            yield from _inside(value, field, prefix + key)
        elif key not in more and key[:1] != "$":  # a strategic merge patch names its directives so
            yield holder, key, prefix + key


def _inside(value: Any, field: Field, path: str) -> Iterator[_Found]:
    if "." not in field.kind or is_list(field.kind):
        return
    if "r" in field.flags:
        for index, element in enumerate(value if isinstance(value, list) else []):
            yield from _beside(element, field.kind, f"{path}[{index}].")
    elif "m" in field.flags:
        for key, element in value.items() if isinstance(value, dict) else ():
            yield from _beside(element, field.kind, f"{path}.{key}.")
    else:
        yield from _beside(value, field.kind, f"{path}.")
