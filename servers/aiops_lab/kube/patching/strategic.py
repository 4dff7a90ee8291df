"""Strategic merge patch: like a merge patch, but keyed lists merge element by element.

Directives after k8s.io/apimachinery/pkg/util/strategicpatch: `$patch`, `$retainKeys`,
`$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`.
"""

from typing import Any

from aiops_lab.kube.bodies import go_kind
from aiops_lab.kube.errors import bad_request, go_error
from aiops_lab.kube.gotext import go_map
from aiops_lab.kube.patching.schema import Path, Schema
from aiops_lab.kube.wire import Obj, clone

_ORDER = "$setElementOrder/"
_REMOVE = "$deleteFromPrimitiveList/"


def strategic_merge(live: Obj, patch: object, schema: Schema) -> Obj:
    """Merge `patch` into a copy of `live`. Raises ApiError 400 or 500 for a malformed patch."""
    if not isinstance(patch, dict):
        got = go_kind(patch)
        raise bad_request(f"json: cannot unmarshal {got} into Go value of type map[string]interface {{}}")
    return _Merger(schema).maps(clone(live), clone(patch), ())


class _Merger:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def maps(self, live: Obj, patch: Obj, path: Path) -> Obj:
        shown = go_map(patch)
        match patch.pop("$patch", None):
            case "replace":
                return patch
            case "delete":
                return {}
            case None | "merge":
                pass
            case other:
                raise go_error(f"unknown patch type: {str(other)[:40]} in map: {shown[:200]}")
        retain = patch.pop("$retainKeys", None)
        for field in [key for key in patch if key.startswith(_REMOVE)]:
            gone = patch.pop(field)
            name = field.removeprefix(_REMOVE)
            live[name] = [item for item in live.get(name) or [] if item not in gone]
        orders = {f.removeprefix(_ORDER): patch.pop(f) for f in list(patch) if f.startswith(_ORDER)}
        for field, value in patch.items():
            self._field(live, field, value, (*path, field))
        for field, order in orders.items():
            self._reorder(live, field, order, (*path, field))
        if isinstance(retain, list):
            return {key: value for key, value in live.items() if key in retain}
        return live

    def _field(self, live: Obj, field: str, value: Any, path: Path) -> None:
        if value is None:
            live.pop(field, None)
        elif isinstance(value, dict):
            held = live.get(field)
            live[field] = self.maps(held if isinstance(held, dict) else {}, value, path)
        elif isinstance(value, list):
            held = live.get(field)
            live[field] = self._lists(held if isinstance(held, list) else [], value, path)
        else:
            live[field] = value

    def _lists(self, live: list[Any], patch: list[Any], path: Path) -> list[Any]:
        directives = [item.get("$patch") for item in patch if isinstance(item, dict)]
        if "replace" in directives:
            return [item for item in patch if not (isinstance(item, dict) and "$patch" in item)]
        if self._schema.is_set(path):
            return live + [item for item in patch if item not in live]
        keys = self._schema.keys(path)[:1]  # strategic merge knows one key, server-side apply may know two
        if not keys or not (live or all(isinstance(item, dict) for item in patch)):
            return patch
        return self._keyed(live, patch, keys[0], path)

    def _keyed(self, live: list[Any], patch: list[Any], key: str, path: Path) -> list[Any]:
        for item in patch:
            if not isinstance(item, dict):
                said = f"[{go_map(live)} {go_map(patch)}]"
                raise go_error(f"list element types are not identical: {said[:200]}")
            if item.get(key) is None:
                raise go_error(f"map: {go_map(item)[:200]} does not contain declared merge key: {key}")
            found = next((i for i, held in enumerate(live) if held.get(key) == item[key]), None)
            if item.get("$patch") == "delete":
                live = [held for held in live if held.get(key) != item[key]]
            elif found is None:
                live.append(self.maps({}, item, path))
            else:
                live[found] = self.maps(live[found], item, path)
        return live

    def _reorder(self, live: Obj, field: str, order: Any, path: Path) -> None:
        held = live.get(field)
        if not isinstance(held, list) or not isinstance(order, list):
            return
        keys = self._schema.keys(path)[:1]
        wanted = [item.get(keys[0]) if keys and isinstance(item, dict) else item for item in order]
        names = [item.get(keys[0]) if keys else item for item in held]
        asked = sorted(
            (i for i, name in enumerate(names) if name in wanted), key=lambda i: wanted.index(names[i])
        )
        others = [i for i, name in enumerate(names) if name not in wanted]
        live[field] = [held[i] for i in _interleave(asked, others)]


def _interleave(asked: list[int], others: list[int]) -> list[int]:
    """Keep the asked order; elements the client did not name stay before what they stood before."""
    result: list[int] = []
    for position in asked:
        while others and others[0] < position:
            result.append(others.pop(0))
        result.append(position)
    return result + others
