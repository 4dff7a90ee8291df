"""JSON merge patch (RFC 7386): maps merge, null removes, everything else replaces."""

from typing import Any

from aiops_lab.kube.bodies import go_kind
from aiops_lab.kube.errors import bad_request
from aiops_lab.kube.wire import Obj, clone


def merge_patch(live: Obj, patch: object) -> Obj:
    """Merge `patch` into a copy of `live`. Raises ApiError 400 for a patch that is no object."""
    if not isinstance(patch, dict):
        got = go_kind(patch)
        words = f"json: cannot unmarshal {got} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding patch: {words}")
    merged: Obj = _merge(clone(live), clone(patch))
    return merged


def _merge(live: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = live if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged
