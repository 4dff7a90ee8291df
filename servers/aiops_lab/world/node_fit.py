"""What a node itself says about a pod: cordon, taints, selectors, ports and room.

The first half of kube-scheduler's filters, with their texts (pkg/scheduler/framework/plugins:
nodeunschedulable, tainttoleration, nodeaffinity, nodeports, noderesources). DaemonSets ask the same.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiops_lab.kube.admission.amounts import amounts, of_pod
from aiops_lab.world.objects import Obj, labels_of, meta, selects

UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - a hostIP to compare with, nobody listens


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node does not take a pod; `final` where removing other pods would not help."""

    reasons: tuple[str, ...]
    final: bool = True


def tolerates(pod: Obj, taint: Obj) -> bool:
    """Whether one of the pod's tolerations covers this taint."""
    return any(covers(each, taint) for each in pod["spec"].get("tolerations") or ())


def covers(toleration: Obj, taint: Obj) -> bool:
    """Whether a toleration is for this taint (v1.Toleration.ToleratesTaint)."""
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    key = toleration.get("key")
    if toleration.get("operator") == "Exists":
        return key in (None, "", taint["key"])
    return bool(key == taint["key"]) and (toleration.get("value") or "") == (taint.get("value") or "")


def matches_node(pod: Obj, node: Obj) -> bool:
    """nodeSelector and required node affinity."""
    labels = labels_of(node)
    wanted = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    return affinity is None or matches_terms(affinity.get("nodeSelectorTerms") or (), node)


def matches_terms(terms: Iterable[Obj], node: Obj) -> bool:
    """Whether one of a NodeSelector's terms holds; a term without expressions never does."""
    return any(_term_holds(term, node) for term in terms)


def _term_holds(term: Obj, node: Obj) -> bool:
    rules, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not rules and not fields:
        return False
    names = {"metadata.name": meta(node)["name"]}
    return selects({"matchExpressions": rules}, labels_of(node)) and selects(
        {"matchExpressions": fields}, names
    )


def asked_of(pod: Obj) -> dict[str, int]:
    """What a pod requests, in thousandths of each resource's unit."""
    return {
        name: int(each.value * 1000) for name, each in of_pod(pod["spec"], "requests").items() if each.value
    }


def room_of(node: Obj) -> dict[str, int]:
    """What a node can give, in thousandths."""
    return {name: int(each.value * 1000) for name, each in amounts(node["status"].get("allocatable")).items()}


def refused_by_node(pod: Obj, node: Obj) -> Refusal | None:
    """Cordon, taints, selector: nothing that other pods could change."""
    if node["spec"].get("unschedulable") and not tolerates(pod, UNSCHEDULABLE):
        return Refusal(("node(s) were unschedulable",))
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] != "PreferNoSchedule" and not tolerates(pod, taint):
            words = f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value') or ''}}}"
            return Refusal((words,))
    if not matches_node(pod, node):
        return Refusal(("node(s) didn't match Pod's node affinity/selector",))
    return None


def refused_by_ports(pod: Obj, there: Iterable[Obj]) -> Refusal | None:
    """Host ports that somebody on the node already has."""
    wanted = list(host_ports(pod))
    if not wanted:
        return None
    taken = [port for each in there for port in host_ports(each)]
    if any(_clash(one, other) for one in wanted for other in taken):
        return Refusal(("node(s) didn't have free ports for the requested pod ports",), final=False)
    return None


def host_ports(pod: Obj) -> Iterator[tuple[str, str, int]]:
    """(address, protocol, port) of every host port a pod wants."""
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port.get("hostIP") or _ANY_ADDRESS, port.get("protocol") or "TCP", port["hostPort"]


def _clash(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    return one[1:] == other[1:] and (one[0] == other[0] or _ANY_ADDRESS in (one[0], other[0]))


def refused_by_room(asked: dict[str, int], used: dict[str, int], pods: int, node: Obj) -> Refusal | None:
    """Too many pods, or too little of something (noderesources, fitsRequest)."""
    room = room_of(node)
    short = ["Too many pods"] if (pods + 1) * 1000 > room.get("pods", 0) else []
    usual = [name for name in ("cpu", "memory", "ephemeral-storage") if name in asked]
    others = sorted(set(asked) - set(usual))
    lacking = [name for name in [*usual, *others] if asked[name] + used.get(name, 0) > room.get(name, 0)]
    short += [f"Insufficient {name}" for name in lacking]
    return Refusal(tuple(short), final=False) if short else None
