"""Which fields the kinds of the Kubernetes API have: their names, types and protobuf numbers.

`protobuf_fields.json` is made from the types of k8s.io/api by `tests/cluster/controlplane/protofields`.
`protobuf.py` reads bodies by it, `admission/unknown.py` finds fields that no type has.
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import orjson


class Field(NamedTuple):
    """One field of a message. Flags: r repeated, m map of strings, p pointer, i inlined into the object."""

    name: str
    kind: str  # string, int, bool, bytes, double, time, quantity, intstr, raw, or a message with a dot
    flags: str


@cache
def _messages() -> dict[str, dict[int, Field]]:
    return {
        name: {int(number): Field(*field) for number, field in fields.items()}
        for name, fields in _table()["messages"].items()
    }


@cache
def _table() -> dict[str, dict[str, dict[str, list[str]]]]:
    found: dict[str, dict[str, dict[str, list[str]]]] = orjson.loads(
        files("aiops_lab.kube").joinpath("protobuf_fields.json").read_bytes()
    )
    return found


def message_of(api_version: str, kind: str) -> str | None:
    """The message of a kind; None for kinds that are not in the table."""
    kinds = _table()["kinds"]
    found = kinds.get(f"{api_version}/{kind}") or kinds.get(kind)
    return None if found is None else str(found)


def fields_by_number(message: str) -> dict[int, Field]:
    """The fields of a message as protobuf numbers them."""
    return _messages()[message]


@cache
def fields_by_name(message: str) -> dict[str, Field]:
    """The fields as JSON names them, those of inlined messages among them."""
    found: dict[str, Field] = {}
    for field in _messages()[message].values():
        found |= fields_by_name(field.kind) if "i" in field.flags else {field.name: field}
    return found


@cache
def is_list(message: str) -> bool:
    """Whether JSON shows the message as a list (authentication/v1 ExtraValue)."""
    fields = list(_messages()[message].values())
    return len(fields) == 1 and fields[0].name == "" and fields[0].flags == "r"
