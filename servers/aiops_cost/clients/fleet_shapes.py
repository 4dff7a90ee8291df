"""Nodes, pods, pools, volumes and budgets of a cluster, from its objects. Pure; they may be misshapen (T14).

Called by `fleet_reading` with each object of a page, which is forgotten then: 5,000 pods are small records.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from aiops_cost.analysis.fleet import FARGATE, ON_DEMAND, SPOT, Budget, Node, Pod, Pool, Room, Volume
from aiops_cost.clients.fleet_rules import rules_of
from aiops_shared.kube.quantities import amount
from aiops_shared.kube.shapes import mapping, meta, rows, text, words

Obj = dict[str, Any]
INSTANCE_TYPE, ARCH = "node.kubernetes.io/instance-type", "kubernetes.io/arch"
ZONE, OLD_ZONE = "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"
NODE_POOL, NODE_GROUP = "karpenter.sh/nodepool", "eks.amazonaws.com/nodegroup"
DONE = frozenset({"Succeeded", "Failed"})
_ZONES = frozenset({ZONE, OLD_ZONE, "topology.ebs.csi.aws.com/zone"})
# CronJobs name a Job by the minute it was due (kubernetes, cronjob_controllerv2.go, getJobName).
_CRON = re.compile(r"(.+)-[0-9]{8,10}")
_KEEP = ("karpenter.sh/do-not-disrupt", "cluster-autoscaler.kubernetes.io/safe-to-evict")
_MIRROR = "kubernetes.io/config.mirror"
_LOCAL = frozenset({"hostPath"})  # an emptyDir is lost, but nothing keeps the pod on its node


@dataclass(frozen=True, slots=True)
class Span:
    """The window, Unix seconds."""

    since_s: float
    until_s: float

    @property
    def hours(self) -> float:
        """Its length."""
        return (self.until_s - self.since_s) / 3600

    def hours_of(self, born_s: float | None, ended_s: float | None = None) -> float:
        """How much of it something lived; what has no birth lived all along."""
        first = max(self.since_s, born_s if born_s is not None else self.since_s)
        last = min(self.until_s, ended_s if ended_s is not None else self.until_s)
        return max(0.0, last - first) / 3600


def seconds(value: Any) -> float | None:
    """A timestamp of the API as Unix seconds."""
    try:
        return datetime.fromisoformat(text(value)).timestamp()
    except ValueError:
        return None


def number(value: Any) -> float:
    """A quantity as a number; 0 for none."""
    return _number(value) if isinstance(value, str | int | float) else 0.0


@lru_cache(maxsize=4096, typed=True)  # thousands of pods ask for a few hundred different amounts
def _number(value: str | int | float) -> float:
    found = amount(value)
    return float(found) if found is not None else 0.0


def labels_of(obj: Any) -> dict[str, str]:
    """An object's labels."""
    found = mapping(meta(obj).get("labels"))
    return {key: value for key, value in found.items() if isinstance(value, str)}


def node_of(obj: Obj, span: Span) -> Node:
    """A Node object."""
    labels, status, spec = labels_of(obj), mapping(obj.get("status")), mapping(obj.get("spec"))
    provider = text(spec.get("providerID"))
    return Node(
        name=text(meta(obj).get("name")),
        instance_type=labels.get(INSTANCE_TYPE, labels.get("beta.kubernetes.io/instance-type", "")),
        zone=labels.get(ZONE, labels.get(OLD_ZONE, "")),
        capacity_type=_capacity_type(labels),
        pool=labels.get(NODE_POOL) or labels.get(NODE_GROUP, ""),
        capacity=_room(status.get("capacity")),
        allocatable=_room(status.get("allocatable")),
        architecture=labels.get(ARCH) or text(mapping(status.get("nodeInfo")).get("architecture")) or "amd64",
        hours=span.hours_of(seconds(meta(obj).get("creationTimestamp"))),
        labels=labels,
        taints=_taints(spec),
        instance_id=provider.rpartition("/")[2] if provider.startswith("aws:") else "",
    )


def _capacity_type(labels: Mapping[str, str]) -> str:
    if labels.get("eks.amazonaws.com/compute-type") == "fargate":
        return FARGATE
    found = labels.get("karpenter.sh/capacity-type") or labels.get("eks.amazonaws.com/capacityType", "")
    return SPOT if found.lower() == "spot" else ON_DEMAND


def _room(found: Any) -> Room:
    said = mapping(found)
    return Room(number(said.get("cpu")), number(said.get("memory")), int(number(said.get("pods"))))


def _taints(spec: Obj) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (text(one.get("key")), text(one.get("value")), text(one.get("effect")))
        for one in rows(spec, "taints")
    )


def pod_of(obj: Obj, span: Span) -> Pod:
    """A Pod object, its owner resolved without asking for it."""
    about, spec, status = meta(obj), mapping(obj.get("spec")), mapping(obj.get("status"))
    labels, containers = labels_of(obj), rows(spec, "containers")
    kind, name = owner_of(about, labels)
    ended = _ended(status) if text(status.get("phase")) in DONE else None
    return Pod(
        namespace=text(about.get("namespace")),
        name=text(about.get("name")),
        node=text(spec.get("nodeName")),
        owner_kind=kind,
        owner_name=name,
        requests=requests_of(spec),
        memory_limit_bytes=_limits(spec, "memory"),
        cpu_limit_cores=_limits(spec, "cpu"),
        hours=span.hours_of(seconds(status.get("startTime") or about.get("creationTimestamp")), ended),
        labels=labels,
        node_selector={
            key: value for key, value in mapping(spec.get("nodeSelector")).items() if isinstance(value, str)
        },
        tolerations=tuple(_tolerations(spec)),
        images=tuple(text(one.get("image")) for one in containers),
        priority=spec["priority"] if isinstance(spec.get("priority"), int) else 0,
        evictable=_evictable(about, spec),
        wants_zones=_zones(mapping(mapping(spec.get("affinity")).get("nodeAffinity"))),
        claims=tuple(_claims(spec)),
        rules=rules_of(spec),
    )


def owner_of(about: Obj, labels: Mapping[str, str]) -> tuple[str, str]:
    """Kind and name of what people call the pod's workload.

    A ReplicaSet of a Deployment is named `<deployment>-<pod-template-hash>` and its pods carry the hash
    (kubernetes, deployment/sync.go, getNewReplicaSet); Argo Rollouts do the same with a label of their own.
    """
    owners = rows(about, "ownerReferences")
    owner = next((one for one in owners if one.get("controller") is True), owners[0] if owners else {})
    kind, name = text(owner.get("kind")), text(owner.get("name"))
    if not kind or not name:
        return "Pod", text(about.get("name"))
    if kind == "ReplicaSet":
        for label, above in (("pod-template-hash", "Deployment"), ("rollouts-pod-template-hash", "Rollout")):
            ending = f"-{labels.get(label, '')}"
            if len(ending) > 1 and name.endswith(ending):
                return above, name.removesuffix(ending)
    if kind == "Job" and (match := _CRON.fullmatch(name)):
        return "CronJob", match[1]
    return kind, name


def requests_of(spec: Obj) -> Room:
    """What the scheduler counts (k8s.io/component-helpers/resource/helpers.go, PodRequests).

    Containers and sidecars together, or the largest init container with the sidecars started before it;
    pod-level requests replace the sum; the runtime's overhead comes on top.
    """
    cores, memory = (_asked(spec, name) for name in ("cpu", "memory"))
    return Room(cores, memory, 1)


def _asked(spec: Obj, name: str) -> float:
    running = sum(_request(one, name) for one in rows(spec, "containers"))
    sidecars = most = 0.0
    for one in rows(spec, "initContainers"):
        if text(one.get("restartPolicy")) == "Always":
            sidecars += _request(one, name)
            most = max(most, sidecars)
        else:
            most = max(most, sidecars + _request(one, name))
    whole = mapping(mapping(spec.get("resources")).get("requests")).get(name)
    found = number(whole) if whole is not None else max(running + sidecars, most)
    return found + number(mapping(spec.get("overhead")).get(name))


def _request(container: Obj, name: str) -> float:
    resources = mapping(container.get("resources"))
    return number(mapping(resources.get("requests")).get(name))


def _limits(spec: Obj, name: str) -> float:
    """The limits of all containers; 0 as soon as one has none."""
    found = [
        number(mapping(mapping(one.get("resources")).get("limits")).get(name))
        for one in rows(spec, "containers")
    ]
    return sum(found) if found and all(found) else 0.0


def _ended(status: Obj) -> float | None:
    ends = [
        seconds(mapping(mapping(one.get("state")).get("terminated")).get("finishedAt"))
        for one in rows(status, "containerStatuses")
    ]
    known = [one for one in ends if one is not None]
    return max(known) if known else seconds(status.get("startTime"))


def _tolerations(spec: Obj) -> Iterator[tuple[str, str, str, str]]:
    for one in rows(spec, "tolerations"):
        yield tuple_of(one)


def tuple_of(toleration: Obj) -> tuple[str, str, str, str]:
    """Key, operator, value, effect."""
    operator = text(toleration.get("operator")) or "Equal"
    return (
        text(toleration.get("key")),
        operator,
        text(toleration.get("value")),
        text(toleration.get("effect")),
    )


def _evictable(about: Obj, spec: Obj) -> bool:
    notes = mapping(about.get("annotations"))
    held = notes.get(_KEEP[0]) == "true" or notes.get(_KEEP[1]) == "false"
    local = any(_LOCAL & set(one) for one in rows(spec, "volumes"))
    return not (held or local or _MIRROR in notes)


def _claims(spec: Obj) -> Iterator[str]:
    for volume in rows(spec, "volumes"):
        name = text(mapping(volume.get("persistentVolumeClaim")).get("claimName"))
        if name:
            yield name


def _zones(affinity: Obj) -> tuple[str, ...]:
    """Zones that a required affinity allows; empty: any. Terms are alternatives."""
    required = mapping(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    terms = rows(required, "nodeSelectorTerms")
    found: set[str] = set()
    for term in terms:
        named = [
            words(one.get("values"))
            for one in rows(term, "matchExpressions")
            if text(one.get("key")) in _ZONES and text(one.get("operator")) == "In"
        ]
        if not named:
            return ()
        found |= set(named[0]).intersection(*named[1:])
    return tuple(sorted(found))


def nodepool_of(obj: Obj) -> Pool:
    """A Karpenter NodePool (karpenter.sh/v1)."""
    spec = mapping(obj.get("spec"))
    template = mapping(spec.get("template"))
    inner = mapping(template.get("spec"))
    return Pool(
        name=text(meta(obj).get("name")),
        kind="NodePool",
        requirements={
            text(one.get("key")): (text(one.get("operator")), words(one.get("values")))
            for one in rows(inner, "requirements")
        },
        cpu_limit=number(mapping(spec.get("limits")).get("cpu")),
        labels=labels_of(template),
        taints=_taints(inner),
        node_class=text(mapping(inner.get("nodeClassRef")).get("name")),
    )


def groups_of(nodes: Iterable[Node]) -> Iterator[Pool]:
    """Node groups as their nodes show them: the types and kind of capacity they have now."""
    found: dict[str, list[Node]] = {}
    for node in nodes:
        if node.labels.get(NODE_GROUP) and not node.labels.get(NODE_POOL):
            found.setdefault(node.pool, []).append(node)
    for name, members in sorted(found.items()):
        yield Pool(
            name=name,
            kind="Nodegroup",
            requirements={
                INSTANCE_TYPE: ("In", tuple(sorted({one.instance_type for one in members}))),
                "karpenter.sh/capacity-type": ("In", tuple(sorted({one.capacity_type for one in members}))),
            },
            labels={NODE_GROUP: name},
            taints=tuple(set.intersection(*(set(one.taints) for one in members))),
        )


def volume_of(obj: Obj) -> Volume:
    """A PersistentVolume."""
    spec = mapping(obj.get("spec"))
    claim = mapping(spec.get("claimRef"))
    handle = text(mapping(spec.get("csi")).get("volumeHandle"))
    old = text(mapping(spec.get("awsElasticBlockStore")).get("volumeID")).rpartition("/")[2]
    affinity = mapping(spec.get("nodeAffinity"))
    return Volume(
        name=text(meta(obj).get("name")),
        namespace=text(claim.get("namespace")),
        claim=text(claim.get("name")),
        storage_class=text(spec.get("storageClassName")),
        size_bytes=number(mapping(spec.get("capacity")).get("storage")),
        volume_id=handle or old,
        zones=_zones({"requiredDuringSchedulingIgnoredDuringExecution": affinity.get("required")}),
    )


def budget_of(obj: Obj) -> Budget:
    """A PodDisruptionBudget."""
    selector = mapping(mapping(obj.get("spec")).get("selector"))
    allowed = mapping(obj.get("status")).get("disruptionsAllowed")
    named = mapping(selector.get("matchLabels"))
    return Budget(
        namespace=text(meta(obj).get("namespace")),
        name=text(meta(obj).get("name")),
        labels={key: value for key, value in named.items() if isinstance(value, str)},
        expressions=tuple(
            (text(one.get("key")), text(one.get("operator")), words(one.get("values")))
            for one in rows(selector, "matchExpressions")
        ),
        allowed=allowed if isinstance(allowed, int) else 0,
    )
