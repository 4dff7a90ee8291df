"""Who owns which field: what every write leaves in metadata.managedFields.

After structured-merge-diff `merge.Updater`: an update owns what it changed and takes it from others; an
apply owns what it sent, conflicts with others over values it would change, and gives up what it no
longer sends.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.patching.fields import Fields, changed, common, fields_of, leaves, minus, unclaimed, union
from aiops_lab.kube.patching.schema import Schema
from aiops_lab.kube.wire import Obj, dig


class Manager(NamedTuple):
    """Whose entry: two operations or subresources of one client are two owners."""

    name: str
    operation: str = "Update"
    subresource: str = ""


class Ownership:
    """The managedFields of one object while a write is worked out."""

    def __init__(self, live: Obj | None) -> None:
        self._entries: dict[Manager, dict[str, Any]] = {}
        for entry in dig(live, "metadata", "managedFields", default=[]):
            manager = Manager(entry["manager"], entry["operation"], entry.get("subresource", ""))
            self._entries[manager] = entry

    def of(self, manager: Manager) -> Fields:
        """The fields a manager owns now."""
        fields: Fields = dig(self._entries.get(manager), "fieldsV1", default={})
        return fields

    def others(self, manager: Manager) -> list[Manager]:
        """Everybody else."""
        return [other for other in self._entries if other != manager]

    def spoken(self, manager: Manager) -> str:
        """A manager as conflicts name it; one that updates is named with its API version."""
        using = f" using {self._entries[manager]['apiVersion']}" if manager.operation == "Update" else ""
        beside = f' with subresource "{manager.subresource}"' if manager.subresource else ""
        return f'"{manager.name}"{beside}{using}'

    def set(self, manager: Manager, fields: Fields, api_version: str, at: str) -> None:
        """Write a manager's entry; its time moves only when its fields do."""
        entry = self._entries.get(manager)
        if not fields:
            self._entries.pop(manager, None)
        elif entry is None or entry["fieldsV1"] != fields:
            self._entries[manager] = _entry(manager, fields, api_version, at)

    def touch(self, manager: Manager, at: str) -> None:
        """Say that a manager wrote again, though its fields stayed."""
        if manager in self._entries:
            self._entries[manager] = {**self._entries[manager], "time": at}

    def take_away(self, fields: Fields, managers: Iterable[Manager]) -> None:
        """Remove fields from these managers' entries."""
        if not fields:
            return
        for manager in list(managers):
            entry = self._entries[manager]
            left = minus(entry["fieldsV1"], fields)
            if not left:
                del self._entries[manager]
            elif left != entry["fieldsV1"]:
                self._entries[manager] = {**entry, "fieldsV1": left}

    def to_wire(self) -> list[dict[str, Any]]:
        """The entries as metadata.managedFields carries them."""
        return sorted(
            self._entries.values(), key=lambda entry: (entry["operation"], entry["time"], entry["manager"])
        )


def _entry(manager: Manager, fields: Fields, api_version: str, at: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": api_version,
        "time": at,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def track_update(old: Obj | None, new: Obj, manager: Manager, schema: Schema, at: str) -> None:
    """Write who owns what into `new` after a create, update or patch."""
    ownership = Ownership(old)
    written, gone = changed(old or {"metadata": {}}, new, schema)
    if written or gone:
        lost = union(written, gone)
        ownership.take_away(lost, ownership.others(manager))
        mine = union(minus(ownership.of(manager), gone), written)
        ownership.set(manager, mine, new["apiVersion"], at)
        ownership.touch(manager, at)
    new["metadata"]["managedFields"] = ownership.to_wire()


def check_conflicts(live: Obj, merged: Obj, manager: Manager, schema: Schema) -> None:
    """Refuse an apply that would change what others own. Raises ApiError 409 with one cause per field."""
    written, _ = changed(live, merged, schema)
    ownership = Ownership(live)
    lost = {other: leaves(common(written, ownership.of(other))) for other in ownership.others(manager)}
    causes = [(ownership.spoken(other), path) for other, paths in lost.items() for path in paths]
    if causes:
        raise _conflicts(causes)


def _conflicts(causes: list[tuple[str, str]]) -> ApiError:
    """Worded as apimachinery's `managedfields.NewConflictError`."""
    said = []
    for owner in dict.fromkeys(owner for owner, _ in causes):
        paths = [path for other, path in causes if other == owner]
        listed = f" {paths[0]}" if len(causes) == 1 else "".join(f"\n- {path}" for path in paths)
        said.append(
            f"conflict with {owner}:{listed}" if len(causes) == 1 else f"conflicts with {owner}:{listed}"
        )
    details = {
        "causes": [
            {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": path}
            for owner, path in causes
        ]
    }
    many = "conflict" if len(causes) == 1 else "conflicts"
    message = f"Apply failed with {len(causes)} {many}: " + "\n".join(said)
    return ApiError(409, "Conflict", message, details)


def own_applied(live: Obj, merged: Obj, config: Obj, manager: Manager, at: str, *, schema: Schema) -> None:
    """Write who owns what into `merged` after an apply that was allowed."""
    ownership = Ownership(live)
    written, gone = changed(live, merged, schema)
    ownership.take_away(union(written, gone), ownership.others(manager))
    ownership.set(manager, fields_of(config, schema), merged["apiVersion"], at)
    merged["metadata"]["managedFields"] = ownership.to_wire()


def dropped_fields(live: Obj, config: Obj, manager: Manager, schema: Schema) -> Fields:
    """Fields the manager applied before, no longer sends, and nobody else owns."""
    ownership = Ownership(live)
    left = unclaimed(ownership.of(manager), fields_of(config, schema))
    for other in ownership.others(manager):
        left = unclaimed(left, ownership.of(other)) if left else left
    return left
