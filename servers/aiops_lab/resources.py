"""What pods ask of nodes, as numbers: the world schedules by it and the bill is split by it."""

import re
from functools import lru_cache
from typing import Any

Obj = dict[str, Any]
_UNITS = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
}  # fmt: skip


_QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)")


@lru_cache(maxsize=4096)
def quantity(text: str | int | float) -> float:
    """A Kubernetes quantity ("250m", "256Mi", 2) as a number. Raises ValueError on anything else."""
    parts = _QUANTITY.fullmatch(str(text).strip())
    if parts is None or parts[2] not in _UNITS:
        raise ValueError(f"quantity {text!r}: not a number with a unit of Kubernetes")
    return float(parts[1]) * _UNITS[parts[2]]


def millicores(text: str | int | float) -> int:
    """A cpu quantity in thousandths of a core."""
    return round(quantity(text) * 1000)


def requested(spec: Obj, resource: str) -> float:
    """What the pod asks of a node: the sum of its containers, or the largest init container."""
    main = sum(_request(container, resource) for container in spec.get("containers") or ())
    first = [_request(container, resource) for container in spec.get("initContainers") or ()]
    return max([main, *first])


def _request(container: Obj, resource: str) -> float:
    resources = container.get("resources") or {}
    wanted = (resources.get("requests") or {}).get(resource)
    if wanted is None:
        wanted = (resources.get("limits") or {}).get(resource, 0)
    return quantity(wanted)
