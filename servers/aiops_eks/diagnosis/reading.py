"""Kubernetes objects as facts: the one place that knows their field names.

Called by `clients/facts.py` and by the tests. An object comes from an API server that may be broken or
hostile (T14): a missing or misshapen field reads as absent, never as a crash.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from aiops_eks.diagnosis.objects import (
    Claim,
    Condition,
    Event,
    LabelRule,
    Node,
    Pod,
    Ref,
    Service,
    ServicePort,
    Usage,
    Workload,
)
from aiops_eks.diagnosis.quantities import millicores, whole_bytes
from aiops_eks.diagnosis.reading_containers import claims_of, containers, moment, needs, strings
from aiops_eks.models.fields import Obj, controller_of, count, items, part, text, words


def ref_of(obj: Obj, kind: str = "") -> Ref:
    """An object's identity."""
    meta = part(obj, "metadata")
    return Ref(kind or text(obj, "kind"), text(meta, "namespace"), text(meta, "name"))


def parent_of(obj: Obj) -> Ref | None:
    """The direct controller named in ownerReferences."""
    owner = controller_of(obj)
    if owner is None:
        return None
    kind = owner[1]
    return Ref(kind, "" if kind == "Node" else text(obj, "metadata", "namespace"), owner[2])


class Tops:
    """Finds the top of owner chains: the Deployment rather than the ReplicaSet.

    Thousands of pods share a controller, so each is looked up once.
    """

    def __init__(self, workloads: Iterable[Workload]) -> None:
        self._parents = {w.ref: w.parent for w in workloads}
        self._known: dict[tuple[Ref | None, str], Ref | None] = {}

    def owned(self, one: Pod) -> Pod:
        """The pod with its top."""
        owner = self.of(one.parent, one.labels)
        return one if one.owner == owner else replace(one, owner=owner)

    def of(self, parent: Ref | None, labels: Mapping[str, str]) -> Ref | None:
        """The top over a pod with this controller and these labels; None for a bare pod."""
        key = parent, labels.get("pod-template-hash", "")
        if key not in self._known:
            self._known[key] = self._top(*key)
        return self._known[key]

    def _top(self, parent: Ref | None, template_hash: str) -> Ref | None:
        found = parent
        for _ in range(4):  # a chain that names itself ends
            above = self._parents.get(found) if found else None
            if above is None:
                break
            found = above
        unread = found and found.kind == "ReplicaSet" and found not in self._parents
        if found and unread and template_hash and found.name.endswith(f"-{template_hash}"):
            return Ref("Deployment", found.namespace, found.name.removesuffix(f"-{template_hash}"))
        return found


def _conditions_of(obj: Obj) -> tuple[Condition, ...]:
    """The status conditions."""
    return tuple(
        Condition(
            type=text(c, "type"),
            status=text(c, "status"),
            reason=text(c, "reason"),
            message=text(c, "message"),
            since=moment(c, "lastTransitionTime") or moment(c, "lastUpdateTime"),
            heartbeat_at=moment(c, "lastHeartbeatTime"),
        )
        for c in items(obj, "status", "conditions")
    )


# pods


def pod(obj: Obj) -> Pod:
    """One Pod; its top owner is filled in by whoever knows the other objects."""
    meta, spec, status = part(obj, "metadata"), part(obj, "spec"), part(obj, "status")
    parent = parent_of(obj)
    return Pod(
        namespace=text(meta, "namespace"),
        name=text(meta, "name"),
        uid=text(meta, "uid"),
        phase=text(status, "phase"),
        reason=text(status, "reason"),
        message=text(status, "message"),
        created_at=moment(meta, "creationTimestamp"),
        deleted_at=moment(meta, "deletionTimestamp"),
        node=text(spec, "nodeName"),
        parent=parent,
        owner=parent,
        labels=strings(meta, "labels"),
        conditions=_conditions_of(obj),
        containers=tuple(containers(spec, status)),
        needs=tuple(needs(text(meta, "namespace"), spec)),
        claims=tuple(claim for _, claim in claims_of(text(meta, "name"), spec)),
        claim_of=dict(claims_of(text(meta, "name"), spec)),
        host_network=spec.get("hostNetwork") is True,
        pull_secrets=tuple(text(s, "name") for s in items(spec, "imagePullSecrets")),
        gates=tuple(text(g, "name") for g in items(spec, "schedulingGates")),
        finalizers=tuple(words(meta, "finalizers")),
        restart_policy=text(spec, "restartPolicy") or "Always",
        node_selector=strings(spec, "nodeSelector"),
        node_affinity=tuple(_affinity_terms(spec)),
        service_account=text(spec, "serviceAccountName"),
    )


def _affinity_terms(spec: Obj) -> Iterator[tuple[LabelRule, ...]]:
    required = part(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for term in items(required, "nodeSelectorTerms"):
        yield tuple(
            LabelRule(text(rule, "key"), text(rule, "operator"), tuple(words(rule, "values")))
            for rule in items(term, "matchExpressions")
        )


# everything else


def event(obj: Obj) -> Event:
    """One core/v1 Event, the counted or the series form."""
    about = part(obj, "involvedObject") or part(obj, "regarding")
    series = part(obj, "series")
    last = moment(series, "lastObservedTime") or moment(obj, "lastTimestamp")
    first = moment(obj, "firstTimestamp") or moment(obj, "eventTime")
    field = text(about, "fieldPath")
    kind = text(about, "kind")
    return Event(
        about=Ref(kind, "" if kind == "Node" else text(about, "namespace"), text(about, "name")),
        reason=text(obj, "reason"),
        message=text(obj, "message") or text(obj, "note"),
        warning=text(obj, "type") == "Warning",
        count=count(series, "count") or count(obj, "count") or 1,
        first_at=first,
        last_at=last or first or moment(part(obj, "metadata"), "creationTimestamp"),
        container=field.partition("{")[2].rstrip("}"),
        uid=text(about, "uid"),
    )


def workload(obj: Obj, kind: str) -> Workload:
    """One Deployment, ReplicaSet, StatefulSet, DaemonSet or Job."""
    meta, spec, status = part(obj, "metadata"), part(obj, "spec"), part(obj, "status")
    template = part(spec, "template", "spec")
    conditions = _conditions_of(obj)
    return Workload(
        ref=ref_of(obj, kind),
        **_replicas(kind, spec, status),
        paused=spec.get("paused") is True,
        suspended=spec.get("suspend") is True,
        settled=count(status, "observedGeneration") >= count(meta, "generation"),
        selector=strings(spec, "selector", "matchLabels"),
        template_labels=strings(spec, "template", "metadata", "labels"),
        conditions=conditions,
        images=tuple(text(c, "image") for c in items(template, "containers")),
        revision=strings(meta, "annotations").get("deployment.kubernetes.io/revision", ""),
        created_at=moment(meta, "creationTimestamp"),
        parent=parent_of(obj),
        template_pull_secrets=tuple(text(s, "name") for s in items(template, "imagePullSecrets")),
        service=text(spec, "serviceName"),
        failed=count(status, "failed"),
        labels=strings(meta, "labels"),
        finished=any(c.type == "Complete" and c.status == "True" for c in conditions),
    )


def _replicas(kind: str, spec: Obj, status: Obj) -> dict[str, int]:
    if kind == "DaemonSet":
        return {
            "desired": count(status, "desiredNumberScheduled"),
            "ready": count(status, "numberReady"),
            "updated": count(status, "updatedNumberScheduled"),
            "available": count(status, "numberAvailable"),
        }
    return {
        "desired": count(spec, "parallelism" if kind == "Job" else "replicas", otherwise=1),
        "ready": count(status, "ready" if kind == "Job" else "readyReplicas"),
        "updated": count(status, "updatedReplicas"),
        "available": count(status, "availableReplicas"),
    }


def service(obj: Obj, ready_addresses: int | None) -> Service:
    """One Service."""
    spec = part(obj, "spec")
    return Service(
        ref=ref_of(obj, "Service"),
        selector=strings(spec, "selector"),
        type=text(spec, "type") or "ClusterIP",
        headless=text(spec, "clusterIP") == "None",
        ports=tuple(
            ServicePort(text(p, "name"), count(p, "port"), str(p.get("targetPort", p.get("port", ""))))
            for p in items(spec, "ports")
        ),
        ready_addresses=ready_addresses,
        created_at=moment(part(obj, "metadata"), "creationTimestamp"),
        cluster_ip=text(spec, "clusterIP"),
        has_address=bool(items(obj, "status", "loadBalancer", "ingress")),
        load_balancer_class=text(spec, "loadBalancerClass"),
    )


def ready_addresses(endpoint_slice: Obj) -> tuple[Ref, int]:
    """The Service of an EndpointSlice and how many of its endpoints are ready (absent means ready)."""
    meta = part(endpoint_slice, "metadata")
    name = strings(meta, "labels").get("kubernetes.io/service-name", "")
    ready = [e for e in items(endpoint_slice, "endpoints") if part(e, "conditions").get("ready") is not False]
    return Ref("Service", text(meta, "namespace"), name), len(ready)


def node(obj: Obj) -> Node:
    """One Node."""
    spec = part(obj, "spec")
    return Node(
        name=text(part(obj, "metadata"), "name"),
        conditions=_conditions_of(obj),
        cordoned=spec.get("unschedulable") is True,
        taints=tuple(_taint(t) for t in items(spec, "taints")),
        labels=strings(obj, "metadata", "labels"),
        allocatable_memory_bytes=whole_bytes(part(obj, "status", "allocatable").get("memory")),
        created_at=moment(part(obj, "metadata"), "creationTimestamp"),
        cordoned_at=next((moment(t, "timeAdded") for t in items(spec, "taints") if _is_cordon(t)), None),
        kubelet_version=text(obj, "status", "nodeInfo", "kubeletVersion"),
        deleted_at=moment(part(obj, "metadata"), "deletionTimestamp"),
    )


def _is_cordon(taint: Obj) -> bool:
    return text(taint, "key") == "node.kubernetes.io/unschedulable"


def _taint(found: Obj) -> str:
    value = text(found, "value")
    return f"{text(found, 'key')}{'=' + value if value else ''}:{text(found, 'effect')}"


def claim(obj: Obj, classes: Mapping[str, bool] | None) -> Claim:
    """One PersistentVolumeClaim; `classes` says of each StorageClass whether it waits for a consumer."""
    spec = part(obj, "spec")
    name = spec.get("storageClassName")
    wanted = name if isinstance(name, str) else None
    return Claim(
        ref=ref_of(obj, "PersistentVolumeClaim"),
        phase=text(part(obj, "status"), "phase"),
        storage_class=wanted,
        class_exists=None if classes is None or wanted is None else wanted == "" or wanted in classes,
        waits_for_consumer=bool(classes and wanted and classes.get(wanted)),
        created_at=moment(part(obj, "metadata"), "creationTimestamp"),
        volume=text(spec, "volumeName"),
        access_modes=tuple(words(spec, "accessModes")),
        requested_bytes=whole_bytes(part(spec, "resources", "requests").get("storage")),
        capacity_bytes=whole_bytes(part(obj, "status", "capacity").get("storage")),
        conditions=_conditions_of(obj),
    )


def usages(obj: Obj) -> Iterator[Usage]:
    """The containers of one PodMetrics."""
    pod_ref = ref_of(obj, "Pod")
    for container in items(obj, "containers"):
        memory = whole_bytes(part(container, "usage").get("memory"))
        if memory is not None:
            cpu = millicores(part(container, "usage").get("cpu")) or 0
            yield Usage(pod_ref, text(container, "name"), memory, cpu)
