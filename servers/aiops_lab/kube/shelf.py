"""Where objects lie: by kind and name, with one version counter, owners' index, history and listeners.

No rule of the API is here; `Store` decides what may be put or taken.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any

from aiops_lab.kube.history import FIRST_VERSION, Change, History, Snapshots
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, clone, dig, name_of, namespace_of

Listener = Callable[[str, Obj], None]
Key = tuple[str, str, str]  # storage, namespace, name


class Shelf:
    """Objects by key. What is put here belongs to the shelf and is never changed in place."""

    def __init__(self) -> None:
        self.version = FIRST_VERSION
        self.history = History()
        self.snapshots = Snapshots()
        self._objects: dict[str, dict[tuple[str, str], Obj]] = defaultdict(dict)
        self._owned: dict[str, set[Key]] = defaultdict(set)
        self._listeners: list[Listener] = []
        self._untold: deque[Change] = deque()
        self._telling = False

    def find(self, resource: Resource, namespace: str, name: str) -> Obj | None:
        """The stored object itself; callers must not change it."""
        return self._objects.get(resource.storage, {}).get((namespace, name))

    def all(self, resource: Resource, namespace: str = "") -> tuple[Obj, ...]:
        """Stored objects of a kind by namespace and name; callers must not change them."""
        shelf = self._objects.get(resource.storage, {})
        return tuple(shelf[key] for key in sorted(shelf) if not namespace or key[0] == namespace)

    def owned_by(self, uid: str) -> list[Key]:
        """Keys of the objects with an ownerReference to `uid`."""
        return sorted(self._owned.get(uid, ()))

    def at(self, key: Key) -> Obj | None:
        """The stored object under a key."""
        return self._objects.get(key[0], {}).get(key[1:])

    def keys_in(self, namespace: str) -> Iterator[Key]:
        """Keys of everything in a namespace."""
        for storage, shelf in list(self._objects.items()):
            yield from [(storage, *key) for key in sorted(shelf) if key[0] == namespace]

    def put(self, resource: Resource, obj: Obj) -> Obj:
        """Store an object under its name with the next version, and tell everybody."""
        key = (resource.storage, namespace_of(obj), name_of(obj))
        old = self.at(key)
        self._commit(
            Change(self.version + 1, "MODIFIED" if old else "ADDED", resource.storage, obj, old), key
        )
        return obj

    def take(self, resource: Resource, obj: Obj) -> Obj:
        """Remove an object; its last state carries the version of the removal."""
        key = (resource.storage, namespace_of(obj), name_of(obj))
        last = clone(obj)
        self._commit(Change(self.version + 1, "DELETED", resource.storage, last, self.at(key)), key)
        return last

    def _commit(self, change: Change, key: Key) -> None:
        self.version = change.version
        change.obj["metadata"]["resourceVersion"] = str(change.version)
        for uid in _owner_uids(change.old):
            self._owned[uid].discard(key)
            if not self._owned[uid]:
                del self._owned[uid]
        if change.type == "DELETED":
            del self._objects[key[0]][key[1:]]
            if not self._objects[key[0]]:
                del self._objects[key[0]]
        else:
            self._objects[key[0]][key[1:]] = change.obj
            for uid in _owner_uids(change.obj):
                self._owned[uid].add(key)
        self.history.append(change)
        self._tell(change)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after each commit, in commit order, until the returned function is called.

        It gets the stored object itself, for a world writes thousands: it must not change it.
        """
        self._listeners.append(listener)

        def leave() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return leave

    def _tell(self, change: Change) -> None:
        # A listener may write: its change queues behind this one, so that all see the same order.
        self._untold.append(change)
        if self._telling:
            return
        self._telling = True
        try:
            while self._untold:
                told = self._untold.popleft()
                for listener in tuple(self._listeners):
                    listener(told.type, told.obj)
        finally:
            self._telling = False

    def dump(self) -> dict[str, Any]:
        """Everything that `load` needs; stored objects are shared, since none is ever changed."""
        return {
            "version": self.version,
            "objects": {kind: dict(held) for kind, held in self._objects.items()},
        }

    def load(self, dumped: dict[str, Any]) -> None:
        """Put everything back and forget history. The version goes on rising: clients must relist."""
        self._objects = defaultdict(dict, {kind: dict(held) for kind, held in dumped["objects"].items()})
        self._owned = defaultdict(set)
        for storage, held in self._objects.items():
            for key, obj in held.items():
                for uid in _owner_uids(obj):
                    self._owned[uid].add((storage, *key))
        self.version = max(self.version, dumped["version"]) + 1
        self.history.forget(self.version)
        self.snapshots.clear()


def _owner_uids(obj: Obj | None) -> list[str]:
    return [str(ref.get("uid", "")) for ref in dig(obj, "metadata", "ownerReferences", default=[])]
