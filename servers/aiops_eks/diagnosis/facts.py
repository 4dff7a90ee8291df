"""Everything a diagnosis may know about a cluster, with its indexes.

`clients/facts.py` gathers it, the rules read it and see nothing else. A fact that could not be asked for is
absent, and `Facts.gaps` says so.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import groupby
from typing import Any, Self, TypeVar

from aiops_eks.diagnosis.objects import (
    Claim,
    Event,
    LogTail,
    Lookup,
    Node,
    Pod,
    Ref,
    Revision,
    Service,
    Sick,
    Usage,
    UsageHistory,
    Workload,
    selects,
)

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Facts:
    """Everything a diagnosis may know; the rules see nothing else."""

    cluster: str
    now: datetime
    namespace: str = ""  # empty: all
    target: Ref | None = None  # the one object that was asked about, if any
    pods: tuple[Pod, ...] = ()
    sick: tuple[Sick, ...] = ()
    events: tuple[Event, ...] = ()
    logs: tuple[LogTail, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    workloads: tuple[Workload, ...] = ()
    services: tuple[Service, ...] = ()
    nodes: tuple[Node, ...] = ()
    claims: tuple[Claim, ...] = ()
    usage: tuple[Usage, ...] = ()
    history: tuple[UsageHistory, ...] = ()
    revisions: tuple[Revision, ...] = ()
    others: Mapping[type[Any], tuple[Any, ...]] = field(default_factory=dict)  # by `further.FURTHER`
    gaps: tuple[str, ...] = ()
    logs_allowed: bool = True

    def ordered(self) -> Self:
        """The same facts in the order of their names: whatever order they came in, the answer is one."""
        return replace(
            self,
            pods=_in_order(self.pods, lambda pod: (pod.ref, pod.uid)),
            sick=_in_order(self.sick, lambda sick: sick.pod),
            events=_in_order(self.events, lambda e: (e.about, e.reason, e.message, e.container, e.uid)),
            logs=_in_order(self.logs, lambda tail: (tail.pod, tail.container)),
            lookups=_in_order(self.lookups, lambda lookup: lookup.target),
            workloads=_in_order(self.workloads, lambda workload: workload.ref),
            services=_in_order(self.services, lambda service: service.ref),
            nodes=_in_order(self.nodes, lambda node: node.name),
            claims=_in_order(self.claims, lambda claim: claim.ref),
            usage=_in_order(self.usage, lambda usage: (usage.pod, usage.container)),
            history=_in_order(self.history, lambda history: (history.pod, history.container)),
            revisions=_in_order(self.revisions, lambda revision: revision.ref),
            others={kind: _in_order(found, lambda one: one.ref) for kind, found in self.others.items()},
        )

    def all(self, kind: type[T]) -> tuple[T, ...]:
        """Every object of a further kind (an Ingress, a quota, …); empty when none was read."""
        return self.others.get(kind, ())

    def was_read(self, kind: type[Any]) -> bool:
        """Whether objects of a further kind were asked for and answered: absence then means absence."""
        return kind in self.others

    # Indexes, each made once: every rule asks by object, and a cluster has 10,000 of them.

    @cached_property
    def _events(self) -> dict[Ref, list[Event]]:
        return _grouped(self.events, lambda event: event.about)

    @cached_property
    def _logs(self) -> dict[tuple[Ref, str], list[LogTail]]:
        return _grouped(self.logs, lambda tail: (tail.pod, tail.container))

    @cached_property
    def _logs_by_parent(self) -> dict[tuple[Ref, str], list[LogTail]]:
        parents = ((tail, self.pod(tail.pod)) for tail in self.logs)
        placed = [(tail, pod.parent) for tail, pod in parents if pod is not None and pod.parent is not None]
        groups = _grouped(placed, lambda pair: (pair[1], pair[0].container))
        return {key: sorted((t for t, _ in found), key=lambda t: t.pod) for key, found in groups.items()}

    @cached_property
    def _lookups(self) -> dict[Ref, Lookup]:
        return {found.target: found for found in self.lookups}

    @cached_property
    def _workloads(self) -> dict[Ref, Workload]:
        return {found.ref: found for found in self.workloads}

    @cached_property
    def _workloads_by_name(self) -> dict[tuple[str, str], list[Workload]]:
        return _grouped(self.workloads, lambda found: (found.ref.namespace, found.ref.name))

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return {found.name: found for found in self.nodes}

    @cached_property
    def _by_owner(self) -> dict[Ref | None, list[Pod]]:
        return _grouped(self.pods, lambda pod: pod.owner)

    @cached_property
    def _by_node(self) -> dict[str, list[Pod]]:
        return _grouped(self.pods, lambda pod: pod.node)

    @cached_property
    def _by_label(self) -> dict[tuple[str, str, str], list[Pod]]:
        found: dict[tuple[str, str, str], list[Pod]] = {}
        for pod in self.pods:
            for key, value in pod.labels.items():
                found.setdefault((pod.namespace, key, value), []).append(pod)
        return found

    @cached_property
    def _values(self) -> dict[tuple[str, str], frozenset[str]]:
        found: dict[tuple[str, str], set[str]] = {}
        for namespace, key, value in self._by_label:
            found.setdefault((namespace, key), set()).add(value)
        return {place: frozenset(values) for place, values in found.items()}

    @cached_property
    def _by_name(self) -> dict[Ref, Pod]:
        return {pod.ref: pod for pod in self.pods}

    def events_about(self, target: Ref, uid: str = "") -> tuple[Event, ...]:
        """Events of one object, newest first; those of an earlier object of the same name are left out."""
        found = [e for e in self._events.get(target, ()) if not (uid and e.uid and e.uid != uid)]
        return tuple(sorted(found, key=lambda e: e.last_at or self.now, reverse=True))

    def age_s(self, moment: datetime | None) -> float:
        """Seconds since a moment; an unknown one is infinitely long ago."""
        return float("inf") if moment is None else (self.now - moment).total_seconds()

    def lookup(self, target: Ref) -> Lookup | None:
        """What is known about a referenced object."""
        return self._lookups.get(target)

    def log(self, pod: Ref, container: str) -> LogTail | None:
        """The log that tells of a container's death: the previous run's before the current one's."""
        return min(self._logs.get((pod, container), []), key=lambda tail: not tail.previous, default=None)

    def logs_of(self, parent: Ref, container: str) -> Sequence[LogTail]:
        """The logs that were read of one container of a controller's pods."""
        return self._logs_by_parent.get((parent, container), [])

    def workload(self, ref: Ref | None) -> Workload | None:
        """One workload by identity."""
        return self._workloads.get(ref) if ref else None

    def named(self, namespace: str, name: str) -> Sequence[Workload]:
        """The workloads of that name, of any kind."""
        return self._workloads_by_name.get((namespace, name), [])

    def node(self, name: str) -> Node | None:
        """One node by name."""
        return self._nodes.get(name)

    def pod(self, ref: Ref) -> Pod | None:
        """One pod by identity."""
        return self._by_name.get(ref)

    def pods_of(self, owner: Ref) -> Sequence[Pod]:
        """The pods whose top owner it is."""
        return self._by_owner.get(owner, [])

    def pods_on(self, node: str) -> Sequence[Pod]:
        """The pods of a node."""
        return self._by_node.get(node, [])

    def selected(self, namespace: str, selector: Mapping[str, str]) -> Sequence[Pod]:
        """The pods that an equality selector takes."""
        found = [self._by_label.get((namespace, key, value), []) for key, value in selector.items()]
        return [pod for pod in min(found, key=len, default=[]) if selects(selector, pod.labels)]

    def label_values(self, namespace: str, key: str) -> frozenset[str]:
        """All values that one label has."""
        return self._values.get((namespace, key), frozenset())


def _in_order(found: Iterable[T], by: Callable[[T], Any]) -> tuple[T, ...]:
    """Sorted by name; what bears one name twice (an API server may lie) by everything it says."""
    groups = groupby(sorted(found, key=by), key=by)
    same = (list(group) for _, group in groups)
    return tuple(one for group in same for one in (sorted(group, key=repr) if len(group) > 1 else group))


def _grouped(found: Iterable[T], by: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for one in found:
        groups.setdefault(by(one), []).append(one)
    return groups
