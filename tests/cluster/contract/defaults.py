"""What of a new object is compared: everything but its identity, its status and what is allocated."""

from typing import Any

from tests.cluster.contract.server import Obj

_LEFT_OUT = frozenset({"kind", "apiVersion", "status"})
_KEPT_OF_METADATA = frozenset({"labels", "generation"})


def named(name: str, **fields: object) -> Obj:
    """An object with a name and these fields."""
    return {"metadata": {"name": name}, **fields}


def shown(obj: Obj) -> Obj:
    """The comparable part; a null is an absent field, an address or node port is ALLOCATED."""
    kept: Obj = {key: value for key, value in obj.items() if key not in _LEFT_OUT}
    kept["metadata"] = {key: value for key, value in obj["metadata"].items() if key in _KEPT_OF_METADATA}
    if "clusterIP" in kept.get("spec", {}):
        kept["spec"] = _allocated(kept["spec"])
    bare: Obj = _without_nulls(kept)
    return bare


def _allocated(spec: Obj) -> Obj:
    addresses = {
        key: "ALLOCATED"
        for key in ("clusterIP", "clusterIPs")
        if spec.get(key) not in (None, "None", ["None"])
    }
    ports = [
        {key: "ALLOCATED" if key == "nodePort" else value for key, value in port.items()}
        for port in spec.get("ports") or []
    ]
    return {**spec, **addresses, **({"ports": ports} if ports else {})}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(held) for key, held in value.items() if not _is_null(held)}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _is_null(value: Any) -> bool:
    """Go writes the metadata of a template as `{"creationTimestamp": null}` where there is none."""
    return value is None or (isinstance(value, dict) and value == {"creationTimestamp": None})
