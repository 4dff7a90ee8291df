"""Objects in wire shape: the type, the copy, and the few look-ups every room here needs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

Obj = dict[str, Any]


def clone(obj: Obj) -> Obj:
    """Copy an object deeply; a JSON round trip is five times faster than `copy.deepcopy`."""
    copied: Obj = orjson.loads(orjson.dumps(obj))
    return copied


def without_nulls(value: Any) -> Any:
    """Copy a value without its null fields: to the Go types of a real server a null is an absent field."""
    sent = orjson.dumps(value)
    copied = orjson.loads(sent)
    return _stripped(copied) if b"null" in sent else copied


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(held) for key, held in value.items() if held is not None}
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    return value


def dig(obj: Any, *path: str | int, default: Any = None) -> Any:
    """Follow keys and list positions; `default` where the path ends early or the value is null."""
    for step in path:
        if type(obj) is dict or isinstance(obj, Mapping):  # an abstract class takes ten times as long to ask
            obj = obj.get(step)
        elif isinstance(obj, list) and isinstance(step, int) and -len(obj) <= step < len(obj):
            obj = obj[step]
        else:
            return default
    return default if obj is None else obj


@lru_cache(maxsize=64)  # a thousand writes happen at the same few moments
def timestamp(at: datetime) -> str:
    """A metav1.Time: UTC, whole seconds."""
    return at.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def parse_time(text: object) -> datetime | None:
    """Read a metav1.Time or MicroTime; None where it is absent or no time at all."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def name_of(obj: Obj) -> str:
    """metadata.name, or nothing while generateName still has to make one."""
    return str(dig(obj, "metadata", "name", default=""))


def namespace_of(obj: Obj) -> str:
    """metadata.namespace; empty for a cluster-scoped object."""
    return str(dig(obj, "metadata", "namespace", default=""))
