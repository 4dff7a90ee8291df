"""What a printer is: columns and one function from an object to its cells; and kubectl's way to say ages."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops_lab.kube.wire import Obj, dig, parse_time

Cells = list[Any]
UNKNOWN, NONE, UNSET = "<unknown>", "<none>", "<unset>"


@dataclass(frozen=True)
class Column:
    """One column; priority above 0 shows in `-o wide` only."""

    name: str
    type: str = "string"
    priority: int = 0
    format: str = ""

    def to_wire(self) -> Obj:
        """As a Table's columnDefinitions list it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": "",
            "priority": self.priority,
        }


@dataclass(frozen=True)
class Printer:
    """How one kind is printed."""

    columns: tuple[Column, ...]
    cells: Callable[[Obj, datetime], Cells]


_TYPES = {"#": "integer", "?": "boolean", "@": "date"}


def columns(*names: str, wide: tuple[str, ...] = ()) -> tuple[Column, ...]:
    """Columns by name; the first one is the object's name.

    A mark at the end says the type: `#` integer, `?` boolean, `@` date; `*` a string in the form of a name.
    """
    found = []
    for index, name in enumerate([*names, *wide]):
        kind = _TYPES.get(name[-1], "string")
        priority = 1 if index >= len(names) else 0
        form = "name" if index == 0 or name.endswith("*") else ""
        found.append(Column(name.rstrip("#?@*"), kind, priority, form))
    return tuple(found)


def age(obj: Obj, now: datetime) -> str:
    """How long ago the object was created."""
    return since(dig(obj, "metadata", "creationTimestamp"), now)


def since(at: object, now: datetime) -> str:
    """How long ago a time was, as kubectl says it."""
    moment = parse_time(at)
    return UNKNOWN if moment is None else spoken((now - moment).total_seconds())


def spoken(elapsed_s: float) -> str:
    """A duration in at most two units (k8s.io/apimachinery/pkg/util/duration.HumanDuration)."""
    seconds = int(elapsed_s)
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if hours < 3:
        return _two(minutes, "m", seconds % 60, "s", exact=minutes >= 10)
    if days < 2:
        return _two(hours, "h", minutes % 60, "m", exact=hours >= 8)
    if days < 2 * 365:
        return _two(days, "d", hours % 24, "h", exact=days >= 8)
    return _two(days // 365, "y", days % 365, "d", exact=days >= 8 * 365)


def _two(whole: int, unit: str, rest: int, small: str, *, exact: bool) -> str:
    return f"{whole}{unit}" if exact or not rest else f"{whole}{unit}{rest}{small}"


def map_text(values: dict[str, str] | None) -> str:
    """Labels or a selector as `k=v,k=v`."""
    return ",".join(f"{key}={value}" for key, value in sorted((values or {}).items())) or NONE


def selector_text(selector: Obj | None) -> str:
    """A LabelSelector on one line."""
    if selector is None:
        return NONE
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or []:
        values = ",".join(sorted(one.get("values") or []))
        key, operator = one.get("key", ""), one.get("operator")
        words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})"}
        words |= {"Exists": key, "DoesNotExist": f"!{key}"}
        parts.append(words.get(operator, f"{key} {operator} ({values})"))
    return ",".join(parts) or NONE


def container_texts(pod_spec: Obj | None) -> tuple[str, str]:
    """Names and images of a pod template's containers."""
    containers = dig(pod_spec, "containers", default=[])
    return ",".join(c["name"] for c in containers), ",".join(c.get("image", "") for c in containers)
