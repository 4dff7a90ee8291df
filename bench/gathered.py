"""One crowd: healthy pods, the planted faults among them, and the truth about those."""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from bench.crowd import NAMESPACES, Maker, Obj, healthy, uid
from bench.furniture import agents, config_maps, controllers, nodes
from bench.planted import Truth, planted

SEED = 20


@dataclass(frozen=True)
class Crowd:
    """Objects ready to be stored, and what is wrong with which of them."""

    namespaces: tuple[Obj, ...]
    pods: tuple[Obj, ...]
    events: tuple[Obj, ...]
    around: tuple[Obj, ...]  # nodes, controllers, ConfigMaps
    truths: tuple[Truth, ...]

    @property
    def suspects(self) -> tuple[tuple[str, str], ...]:
        """Who must be looked at whole, since a Table row does not tell: the broken and the leaving."""
        leaving = [pod["metadata"] for pod in self.pods if "deletionTimestamp" in pod["metadata"]]
        broken = {(truth.namespace, truth.name) for truth in self.truths}
        return tuple(sorted(broken | {(about["namespace"], about["name"]) for about in leaving}))


def crowd(now: datetime, count: int, *, scattered: bool) -> Crowd:
    """`count` healthy pods and sixty faults, spread over the namespaces; the same names each time."""
    maker = Maker(now, Random(SEED))
    broken = list(planted(maker, scattered=scattered))
    daemons = tuple(agents(maker))
    pods = (*daemons, *healthy(maker, max(0, count - len(daemons))), *(pod for pod, _, _ in broken))
    return Crowd(
        namespaces=tuple(_namespace(maker, name) for name in NAMESPACES),
        pods=pods,
        events=tuple(event for _, events, _ in broken for event in events),
        around=(*nodes(maker), *controllers(maker, pods), *config_maps(maker, NAMESPACES, pods)),
        truths=tuple(truth for _, _, truth in broken),
    )


def _namespace(maker: Maker, name: str) -> Obj:
    about = {
        "name": name,
        "uid": uid(name),
        "resourceVersion": "1",
        "creationTimestamp": maker.stamp(days=30),
        "labels": {"kubernetes.io/metadata.name": name},
    }
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": about,
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
