"""What every controller of one world holds in its hands, and how a controller is woken.

`Cluster` bundles the Store, the cache of its objects, the clock, chance and the event recorder. A
`Controller` says which objects concern it; a change of one puts a key into its queue, and the clock plays
the queue at the next moment, never inside the API request that caused it.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from aiops_lab.clock import VirtualClock
from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.store import Store
from aiops_lab.scenarios.images import Registry
from aiops_lab.world.cache import Cache
from aiops_lab.world.events import Recorder, Said
from aiops_lab.world.objects import Key, Obj, controller_of, key_of, meta, stamp

FIRST_RETRY_S, LONGEST_RETRY_S = 0.005, 1000.0  # client-go, DefaultTypedControllerRateLimiter
_LOG = logging.getLogger(__name__)
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # k8s.io/apimachinery/pkg/util/rand: no vowels, no 0 1 3


@dataclass
class Fixed:
    """Names that a scenario wants letter by letter, used up in order before chance is asked."""

    hashes: dict[Key, list[str]] = field(default_factory=dict)  # of a Deployment
    suffixes: dict[Key, list[str]] = field(default_factory=dict)  # of a Deployment's next pods


@dataclass
class Cluster:
    """One world's parts; rebuilt (`reset`) whenever a scenario is loaded."""

    store: Store
    clock: VirtualClock
    cache: Cache
    rng: Random = field(default_factory=Random)
    registry: Registry = field(default_factory=Registry)
    fixed: Fixed = field(default_factory=Fixed)
    seed: int = 0
    failures: deque[str] = field(default_factory=lambda: deque(maxlen=200))  # for the lab's own tests
    events: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.events = Recorder(self.store, self.clock, lambda: self.rng)

    def reset(self, seed: int, name: str) -> None:
        """Forget what belonged to the last world; chance starts anew from seed and name."""
        self.seed, self.rng = seed, Random(f"{name}/{seed}")
        self.registry, self.fixed = Registry(), Fixed()
        self.events.forget()
        self.failures.clear()

    def say(self, said: Said) -> None:
        """Write an event."""
        self.events.say(said)

    def stamp(self) -> str:
        """This moment, as Kubernetes writes it."""
        return stamp(self.clock.now())

    def letters(self, count: int) -> str:
        """The random end of a generated name."""
        return "".join(self.rng.choice(_SUFFIX_LETTERS) for _ in range(count))

    def pod_suffix(self, owner: Obj) -> str:
        """The five letters behind a ReplicaSet's or DaemonSet's name."""
        parent = controller_of(owner)
        wanted = self.fixed.suffixes.get((key_of(owner)[0], parent["name"])) if parent else None
        return wanted.pop(0) if wanted else self.letters(5)

    def template_hash(self, deployment: Obj) -> str:
        """The pod-template-hash of a new revision."""
        wanted = self.fixed.hashes.get(key_of(deployment))
        return wanted.pop(0) if wanted else self.letters(10)

    def write_status(self, obj: Obj, status: Obj) -> None:
        """Write a status if it says something new, to the object that still exists."""
        namespace, name = key_of(obj)
        current = self.cache.get(obj["kind"], namespace, name)
        if current is not None and current.get("status") != status:
            self.store.set_status(obj["kind"], namespace or None, name, status)

    def edit(self, obj: Obj, change: Callable[[Obj], None], manager: str) -> Obj | None:
        """Change the stored object by a function and give it, to be read; None when it is gone."""
        namespace, name = key_of(obj)
        fresh = self.store.get(obj["kind"], namespace or None, name)
        if fresh is None:
            return None
        change(fresh)
        return self.store.replace(fresh, manager=manager)

    def remove(self, obj: Obj, *, grace_s: int | None = None) -> None:
        """Delete an object if it is still there."""
        namespace, name = key_of(obj)
        if self.cache.get(obj["kind"], namespace, name) is not None:
            self.store.delete(obj["kind"], namespace or None, name, grace_s=grace_s)


class Controller:
    """Something that keeps objects of one kind true; one queue, one key at a time."""

    kind = ""  # whose keys stand in the queue
    watches: tuple[str, ...] = ()  # other kinds whose changes concern it

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._queue: dict[Key, None] = {}
        self._woken = False
        self._refused: dict[Key, int] = {}

    def reset(self) -> None:
        """A new world: whatever was queued is of the old one."""
        self._queue.clear()
        self._woken = False
        self._refused.clear()

    def keys_for(self, change: str, obj: Obj) -> Iterable[Key]:
        """Which keys a change of a watched kind concerns: that of its controller, where it is of our kind."""
        del change
        owner = controller_of(obj)
        return [(meta(obj)["namespace"], owner["name"])] if owner and owner["kind"] == self.kind else ()

    def reconcile(self, key: Key) -> None:
        """Make one object true; called with the clock standing at the moment."""
        raise NotImplementedError

    def hears(self, kind: str) -> bool:
        """Whether a change of this kind may concern anybody here; `hear` is called for no other."""
        return kind == self.kind or kind in self.watches

    def hear(self, change: str, obj: Obj) -> None:
        """Note whom this change concerns."""
        if obj["kind"] == self.kind:
            self.wake(key_of(obj))
        if obj["kind"] in self.watches:
            for key in self.keys_for(change, obj):
                self.wake(key)

    def wake(self, key: Key, after_s: float = 0.0) -> None:
        """Look at `key` soon, or after some seconds."""
        if after_s > 0:
            self.cluster.clock.call_later(after_s, lambda: self.wake(key))
            return
        self._queue[key] = None
        if not self._woken:
            self._woken = True
            self.cluster.clock.call_later(0, self._drain)

    def retry(self, key: Key) -> None:
        """Look again after a refusal: soon at first, then ever later, as a rate limited work queue does."""
        times = self._refused.get(key, 0)
        self._refused[key] = times + 1
        self.wake(key, after_s=min(FIRST_RETRY_S * 2 ** min(times, 18), LONGEST_RETRY_S))

    def worked(self, key: Key) -> None:
        """The next refusal is the first again."""
        self._refused.pop(key, None)

    def create_pods(self, owner: Obj, pods: Iterable[Obj], by: str) -> ApiError | None:
        """Make pods for an owner in batches of 1, 2, 4, ... and say so; stops after a batch with a refusal.

        The refusal comes back, and is said as FailedCreate (controller_utils.go, slowStartBatch and
        createPods), except in a namespace that is being deleted.
        """
        waiting, size, refusal = deque(pods), 1, None
        while waiting and refusal is None:
            for pod in [waiting.popleft() for _ in range(min(size, len(waiting)))]:
                refusal = self._create_pod(owner, pod, by) or refusal
            size *= 2
        return refusal

    def _create_pod(self, owner: Obj, pod: Obj, by: str) -> ApiError | None:
        try:
            made = self.cluster.store.add(pod, manager=by)
        except ApiError as refusal:
            if not _of_ending_namespace(refusal):
                self.cluster.say(Said(owner, "FailedCreate", f"Error creating: {refusal}", by, warning=True))
            return refusal
        self.cluster.say(Said(owner, "SuccessfulCreate", f"Created pod: {meta(made)['name']}", by))
        return None

    def _drain(self) -> None:
        self._woken = False
        keys, self._queue = self._queue, {}
        for key in keys:
            self._try(key)

    def _try(self, key: Key) -> None:
        """One object that cannot be handled stops neither the others nor the clock."""
        try:
            self.reconcile(key)
        except ApiError as refusal:
            self.cluster.failures.append(f"{self.kind} {key}: {refusal}")
            self.retry(key)
        except (LookupError, TypeError, ValueError) as failure:
            self.cluster.failures.append(f"{self.kind} {key}: {failure!r}")
            _LOG.warning("%s of %s %s failed", type(self).__name__, self.kind, key, exc_info=True)


def _of_ending_namespace(refusal: ApiError) -> bool:
    causes = (refusal.details or {}).get("causes") or ()
    return any(each.get("reason") == "NamespaceTerminating" for each in causes)
