"""Kubernetes objects as facts: the one place that knows their field names.

Called by `clients/facts.py` and by the tests. An object comes from an API server that may be broken or
hostile (T14): a missing or misshapen field reads as absent, never as a crash.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from aiops_eks.diagnosis.objects import (
    Claim,
    Condition,
    Container,
    Event,
    LabelRule,
    Need,
    Node,
    Pod,
    Probe,
    Ref,
    Role,
    Service,
    ServicePort,
    Termination,
    Usage,
    Workload,
)
from aiops_eks.diagnosis.quantities import millicores, whole_bytes
from aiops_eks.models import fields
from aiops_eks.models.fields import Obj, controller_of, count, items, part, text, words


def moment(obj: Obj, *path: str) -> datetime | None:
    """A time, UTC; absent when it lies beyond the calendar once its zone is taken off."""
    try:
        return fields.moment(obj, *path)
    except OverflowError:
        return None


def _strings(obj: Obj, *path: str) -> dict[str, str]:
    return {key: value for key, value in part(obj, *path).items() if isinstance(value, str)}


def ref_of(obj: Obj, kind: str = "") -> Ref:
    """An object's identity."""
    meta = part(obj, "metadata")
    return Ref(kind or text(obj, "kind"), text(meta, "namespace"), text(meta, "name"))


def _parent(obj: Obj) -> Ref | None:
    """The direct controller named in ownerReferences."""
    owner = controller_of(obj)
    if owner is None:
        return None
    kind = owner[1]
    return Ref(kind, "" if kind == "Node" else text(obj, "metadata", "namespace"), owner[2])


def with_owners(pods: Iterable[Pod], workloads: Iterable[Workload]) -> tuple[Pod, ...]:
    """The pods with the top of their owner chains: the Deployment rather than the ReplicaSet."""
    parents = {w.ref: w.parent for w in workloads}
    return tuple(replace(one, owner=_top(one, parents)) for one in pods)


def _top(one: Pod, parents: Mapping[Ref, Ref | None]) -> Ref | None:
    found = one.parent
    for _ in range(4):  # a chain that names itself ends
        above = parents.get(found) if found else None
        if above is None:
            break
        found = above
    suffix = f"-{one.labels.get('pod-template-hash', '')}"
    if (
        found
        and found.kind == "ReplicaSet"
        and found not in parents
        and found.name.endswith(suffix)
        and suffix != "-"
    ):
        return Ref("Deployment", found.namespace, found.name.removesuffix(suffix))
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
    parent = _parent(obj)
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
        labels=_strings(meta, "labels"),
        conditions=_conditions_of(obj),
        containers=tuple(_containers(spec, status)),
        needs=tuple(_needs(text(meta, "namespace"), spec)),
        claims=tuple(claim for _, claim in _claims(text(meta, "name"), spec)),
        claim_of=dict(_claims(text(meta, "name"), spec)),
        host_network=spec.get("hostNetwork") is True,
        pull_secrets=tuple(text(s, "name") for s in items(spec, "imagePullSecrets")),
        gates=tuple(text(g, "name") for g in items(spec, "schedulingGates")),
        finalizers=tuple(words(meta, "finalizers")),
        restart_policy=text(spec, "restartPolicy") or "Always",
        node_selector=_strings(spec, "nodeSelector"),
        node_affinity=tuple(_affinity_terms(spec)),
    )


def _affinity_terms(spec: Obj) -> Iterator[tuple[LabelRule, ...]]:
    required = part(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for term in items(required, "nodeSelectorTerms"):
        yield tuple(
            LabelRule(text(rule, "key"), text(rule, "operator"), tuple(words(rule, "values")))
            for rule in items(term, "matchExpressions")
        )


def _containers(spec: Obj, status: Obj) -> Iterator[Container]:
    lists: tuple[tuple[str, str], ...] = (
        ("initContainers", "initContainerStatuses"),
        ("containers", "containerStatuses"),
    )
    for declared, reported in lists:
        states = {text(s, "name"): s for s in items(status, reported)}
        for wanted in items(spec, declared):
            init = declared == "initContainers"
            role: Role = (
                "app" if not init else ("sidecar" if wanted.get("restartPolicy") == "Always" else "init")
            )
            yield _container(wanted, states.get(text(wanted, "name"), {}), role)


def _container(wanted: Obj, state: Obj, role: Role) -> Container:
    waiting, running = part(state, "state", "waiting"), part(state, "state", "running")
    limits, requests = part(wanted, "resources", "limits"), part(wanted, "resources", "requests")
    return Container(
        name=text(wanted, "name"),
        role=role,
        image=text(wanted, "image"),
        command=(*words(wanted, "command"), *words(wanted, "args")),
        ready=state.get("ready") is True,
        restarts=count(state, "restartCount"),
        waiting_reason=text(waiting, "reason"),
        waiting_message=text(waiting, "message"),
        running_since=moment(running, "startedAt"),
        ended=_termination(part(state, "state", "terminated")),
        last=_termination(part(state, "lastState", "terminated")),
        memory_limit_bytes=whole_bytes(limits.get("memory")),
        memory_request_bytes=whole_bytes(requests.get("memory")),
        cpu_limit_m=millicores(limits.get("cpu")),
        cpu_request_m=millicores(requests.get("cpu")),
        literal_env=tuple(text(e, "name") for e in items(wanted, "env") if "value" in e),
        ports=tuple((text(p, "name"), count(p, "containerPort")) for p in items(wanted, "ports")),
        mounts=tuple((text(m, "name"), text(m, "mountPath")) for m in items(wanted, "volumeMounts")),
        liveness=_probe(part(wanted, "livenessProbe")),
        readiness=_probe(part(wanted, "readinessProbe")),
        startup=_probe(part(wanted, "startupProbe")),
    )


def _termination(found: Obj) -> Termination | None:
    if not found:
        return None
    return Termination(
        reason=text(found, "reason"),
        exit_code=count(found, "exitCode"),
        signal=count(found, "signal"),
        message=text(found, "message"),
        started_at=moment(found, "startedAt"),
        finished_at=moment(found, "finishedAt"),
    )


def _probe(found: Obj) -> Probe | None:
    if not found:
        return None
    how, port = _probe_target(found)
    return Probe(
        how=how,
        port=port,
        initial_delay_s=count(found, "initialDelaySeconds"),
        period_s=count(found, "periodSeconds", otherwise=10),
        timeout_s=count(found, "timeoutSeconds", otherwise=1),
        failures=count(found, "failureThreshold", otherwise=3),
    )


def _probe_target(found: Obj) -> tuple[str, str]:
    http, tcp, grpc = part(found, "httpGet"), part(found, "tcpSocket"), part(found, "grpc")
    if http:
        port = str(http.get("port", ""))
        return f"{text(http, 'scheme') or 'HTTP'} GET :{port}{text(http, 'path') or '/'}", port
    if tcp:
        return f"TCP :{tcp.get('port', '')}", str(tcp.get("port", ""))
    if grpc:
        return f"gRPC :{grpc.get('port', '')}", str(grpc.get("port", ""))
    return f"exec {' '.join(words(part(found, 'exec'), 'command'))}".strip(), ""


_FROM = (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))
_KEY = (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))
_VOLUME = (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName"))


def _needs(namespace: str, spec: Obj) -> Iterator[Need]:
    for declared in ("initContainers", "containers"):
        for container in items(spec, declared):
            yield from _container_needs(namespace, container)
    for volume in items(spec, "volumes"):
        yield from _volume_needs(namespace, volume)


def _container_needs(namespace: str, container: Obj) -> Iterator[Need]:
    name = text(container, "name")
    for source in items(container, "envFrom"):
        for field, kind in _FROM:
            if found := part(source, field):
                target = Ref(kind, namespace, text(found, "name"))
                yield Need(target, "envFrom", found.get("optional") is True, container=name)
    for variable in items(container, "env"):
        for field, kind in _KEY:
            if found := part(variable, "valueFrom", field):
                target = Ref(kind, namespace, text(found, "name"))
                via = f"env {text(variable, 'name')}"
                yield Need(target, via, found.get("optional") is True, text(found, "key"), name)


def _volume_needs(namespace: str, volume: Obj) -> Iterator[Need]:
    sources = [volume, *items(volume, "projected", "sources")]
    for source in sources:
        for field, kind, name_field in _VOLUME:
            found = part(source, field)
            name = text(found, name_field) or text(found, "name")
            if name:
                target = Ref(kind, namespace, name)
                yield Need(target, f"volume {text(volume, 'name')}", found.get("optional") is True)


def _claims(pod_name: str, spec: Obj) -> Iterator[tuple[str, str]]:
    """The volumes that are claims, with the claims' names."""
    for volume in items(spec, "volumes"):
        name = text(volume, "name")
        if claim := text(part(volume, "persistentVolumeClaim"), "claimName"):
            yield name, claim
        elif "ephemeral" in volume:
            yield name, f"{pod_name}-{name}"


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
        selector=_strings(spec, "selector", "matchLabels"),
        template_labels=_strings(spec, "template", "metadata", "labels"),
        conditions=conditions,
        images=tuple(text(c, "image") for c in items(template, "containers")),
        revision=_strings(meta, "annotations").get("deployment.kubernetes.io/revision", ""),
        created_at=moment(meta, "creationTimestamp"),
        parent=_parent(obj),
        template_pull_secrets=tuple(text(s, "name") for s in items(template, "imagePullSecrets")),
        service=text(spec, "serviceName"),
        failed=count(status, "failed"),
        labels=_strings(meta, "labels"),
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
        selector=_strings(spec, "selector"),
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
    name = _strings(meta, "labels").get("kubernetes.io/service-name", "")
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
        labels=_strings(obj, "metadata", "labels"),
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
