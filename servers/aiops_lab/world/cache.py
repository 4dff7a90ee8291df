"""What the controllers see: every object of the Store, kept by its watch and read without copying.

One per world. The controllers ask it hundreds of times for each change, so it hands out the objects
themselves; they are read only.
"""

from collections import defaultdict
from collections.abc import Iterator

from aiops_lab.world.objects import Key, Obj, controller_of, key_of, labels_of, meta, selects


class Cache:
    """Objects by kind, by namespace and by owner."""

    def __init__(self) -> None:
        self._kinds: defaultdict[str, dict[Key, Obj]] = defaultdict(dict)
        self._owned: defaultdict[str, dict[tuple[str, str, str], Obj]] = defaultdict(dict)
        self._on_node: defaultdict[str, dict[Key, Obj]] = defaultdict(dict)
        self._keeping_off: dict[Key, Obj] = {}

    def clear(self) -> None:
        """A new world."""
        self._kinds.clear()
        self._owned.clear()
        self._on_node.clear()
        self._keeping_off.clear()

    def take(self, change: str, obj: Obj) -> None:
        """Follow one watch event."""
        kind, key = obj["kind"], key_of(obj)
        self._disown(kind, key)
        if kind == "Pod":
            self._place(key, obj, gone=change == "DELETED")
        if change == "DELETED":
            self._kinds[kind].pop(key, None)
            return
        self._kinds[kind][key] = obj
        if (owner := controller_of(obj)) is not None:
            self._owned[owner["uid"]][kind, *key] = obj

    def _disown(self, kind: str, key: Key) -> None:
        before = self._kinds[kind].get(key)
        if before is not None and (owner := controller_of(before)) is not None:
            self._owned[owner["uid"]].pop((kind, *key), None)

    def _place(self, key: Key, pod: Obj, *, gone: bool) -> None:
        before = self._kinds["Pod"].get(key)
        if before is not None:
            self._on_node[before["spec"].get("nodeName") or ""].pop(key, None)
            self._keeping_off.pop(key, None)
        if not gone:
            self._on_node[pod["spec"].get("nodeName") or ""][key] = pod
            if "podAntiAffinity" in (pod["spec"].get("affinity") or ()):
                self._keeping_off[key] = pod

    def on_node(self, name: str) -> list[Obj]:
        """The pods bound to a node; those without one for an empty name."""
        return list(self._on_node[name].values())

    def keeping_off(self) -> list[Obj]:
        """The pods that want others kept away from them."""
        return list(self._keeping_off.values())

    def get(self, kind: str, namespace: str, name: str) -> Obj | None:
        """One object, or None."""
        return self._kinds[kind].get((namespace, name))

    def all(self, kind: str, namespace: str | None = None) -> list[Obj]:
        """Every object of a kind, in one namespace or in all."""
        found = self._kinds[kind]
        if namespace is None:
            return list(found.values())
        return [obj for (home, _), obj in found.items() if home == namespace] if found else []

    def selected(self, kind: str, namespace: str, selector: Obj | None) -> list[Obj]:
        """The objects of one namespace that a LabelSelector selects."""
        return [obj for obj in self.all(kind, namespace) if selects(selector, labels_of(obj))]

    def owned(self, owner: Obj, kind: str) -> list[Obj]:
        """What this owner controls, oldest first."""
        found = self._owned[meta(owner)["uid"]]
        return [obj for (each, _, _), obj in found.items() if each == kind]

    def everything(self) -> Iterator[Obj]:
        """Every object there is."""
        for found in self._kinds.values():
            yield from list(found.values())
