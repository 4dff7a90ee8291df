"""The ten to twenty facts of an object that matter, by kind.

Called by the object reader, with an object that is already free of noise and secrets. Pure. A kind without
an outline of its own shows its conditions and the scalars of spec and status.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import accumulate

from aiops_eks.models.fields import (
    Obj,
    ago,
    conditions_of,
    count,
    items,
    labels_of,
    moment,
    part,
    seconds_since,
    text,
    words,
)
from aiops_eks.models.health import ending, judge_object

Facts = Iterator[tuple[str, str]]
MOST_FACTS = 24
MOST_CHARS = 2_400  # of all facts together; view=yaml has the rest
VALUE_CHARS = 300
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def outline(kind: str, obj: Obj, now: datetime) -> list[tuple[str, str]]:
    """Facts as (name, value); empty values are left out."""
    own = _OUTLINES.get(kind, _anything)
    facts = [*_common(kind, obj, now), *own(obj, now), *_conditions(obj)]
    kept = [(name, _short(value)) for name, value in facts if value][:MOST_FACTS]
    sizes = accumulate(len(name) + len(value) + 8 for name, value in kept)
    return [fact for fact, size in zip(kept, sizes, strict=True) if size <= MOST_CHARS]


def _short(value: str) -> str:
    return value if len(value) <= VALUE_CHARS else value[: VALUE_CHARS - 1] + "…"


def _common(kind: str, obj: Obj, now: datetime) -> Facts:
    health = judge_object(kind, obj, now)
    yield "health", health.word if health else ""
    yield "age", ago(seconds_since(now, moment(obj, "metadata", "creationTimestamp")))
    yield "being deleted since", text(obj, "metadata", "deletionTimestamp")
    yield "finalizers", ", ".join(words(obj, "metadata", "finalizers"))
    yield "labels", _pairs(labels_of(obj), 6)


def _pairs(values: Obj, most: int = 12) -> str:
    said = [
        f"{key}={value}" for key, value in list(values.items())[:most] if not isinstance(value, dict | list)
    ]
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(said) + more


def _conditions(obj: Obj) -> Facts:
    for name, each in list(conditions_of(obj).items())[:8]:
        reason, message = text(each, "reason"), text(each, "message")
        detail = ": ".join(part for part in (reason, message) if part)
        yield f"condition {name}", f"{text(each, 'status')}{f' ({detail})' if detail else ''}"


# --- pods and what makes them -----------------------------------------------------------------------------


def _pod(pod: Obj, now: datetime) -> Facts:
    spec, status = part(pod, "spec"), part(pod, "status")
    reason = text(status, "reason")
    yield "phase", text(status, "phase") + (f" ({reason}: {text(status, 'message')})" if reason else "")
    yield "node", text(spec, "nodeName")
    yield "ip", text(status, "podIP")
    yield "qos", text(status, "qosClass")
    states = {
        text(each, "name"): each
        for key in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
        for each in items(status, key)
    }
    yield from _pod_spec(spec, now, states)


def _pod_spec(spec: Obj, now: datetime, states: dict[str, Obj] | None = None) -> Facts:
    for key, word in (("containers", "container"), ("initContainers", "init container")):
        for container in items(spec, key):
            yield from _container(f"{word} {text(container, 'name')}", container, now, states or {})
    yield "service account", text(spec, "serviceAccountName")
    yield "node selector", _pairs(part(spec, "nodeSelector"))
    yield "priority class", text(spec, "priorityClassName")
    yield "volumes", "; ".join(_volumes(spec))


def _container(title: str, container: Obj, now: datetime, states: dict[str, Obj]) -> Facts:
    name = text(container, "name")
    state = _state(states[name], now) if name in states else ""
    yield title, "; ".join(part for part in (text(container, "image"), state) if part)
    yield f"{name} resources", _resources(container)
    yield f"{name} probes", "; ".join(_probes(container))
    yield f"{name} env from", "; ".join(_env_sources(container))
    yield f"{name} command", " ".join([*words(container, "command"), *words(container, "args")])


def _state(status: Obj, now: datetime) -> str:
    said = [f"restarts {count(status, 'restartCount')}"]
    waiting, running = part(status, "state", "waiting"), part(status, "state", "running")
    ended, last = part(status, "state", "terminated"), part(status, "lastState", "terminated")
    if waiting:
        said.insert(0, f"waiting {text(waiting, 'reason')}: {text(waiting, 'message')}".rstrip(": "))
    if running:
        ready = "ready" if status.get("ready") is True else "not ready"
        said.insert(0, f"running {ago(seconds_since(now, moment(running, 'startedAt')))}, {ready}")
    if ended:
        said.insert(0, f"ended {_end(ended, now)}")
    if last:
        said.append(f"last run ended {_end(last, now)}")
    return "; ".join(said)


def _end(ended: Obj, now: datetime) -> str:
    finished, started = moment(ended, "finishedAt"), moment(ended, "startedAt")
    when = f" {ago(seconds_since(now, finished))} ago" if finished else ""
    ran = f" after {ago((finished - started).total_seconds())}" if finished and started else ""
    message = text(ended, "message")
    return f"{ending(ended)}{when}{ran}{f': {message}' if message else ''}"


def _resources(container: Obj) -> str:
    asked, most = part(container, "resources", "requests"), part(container, "resources", "limits")
    if not asked and not most:
        return "no requests, no limits"
    return f"requests {_pairs(asked) or 'none'}; limits {_pairs(most) or 'none'}"


def _probes(container: Obj) -> Iterator[str]:
    for key in _PROBES:
        probe = part(container, key)
        if probe:
            every = count(probe, "periodSeconds", otherwise=10)
            times = count(probe, "failureThreshold", otherwise=3)
            delay = count(probe, "initialDelaySeconds")
            after = f", first after {delay}s" if delay else ""
            yield f"{key.removesuffix('Probe')} {_handler(probe)} every {every}s x{times}{after}"


def _handler(probe: Obj) -> str:
    http, tcp, grpc = part(probe, "httpGet"), part(probe, "tcpSocket"), part(probe, "grpc")
    if http:
        return f"{text(http, 'scheme') or 'HTTP'} :{text(http, 'port')}{text(http, 'path')}"
    if tcp:
        return f"TCP :{text(tcp, 'port')}"
    return f"gRPC :{text(grpc, 'port')}" if grpc else f"exec {' '.join(words(probe, 'exec', 'command'))}"


def _env_sources(container: Obj) -> Iterator[str]:
    for source in items(container, "envFrom"):
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if text(source, key, "name"):
                yield f"{kind} {text(source, key, 'name')}{_optional(part(source, key))}"
    for variable in items(container, "env"):
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            ref = part(variable, "valueFrom", key)
            if ref:
                place = f"{kind} {text(ref, 'name')}.{text(ref, 'key')}"
                yield f"{text(variable, 'name')} ← {place}{_optional(ref)}"


def _optional(ref: Obj) -> str:
    return " (optional)" if ref.get("optional") is True else ""


def _volumes(spec: Obj) -> Iterator[str]:
    names = {
        "configMap": "name",
        "secret": "secretName",
        "persistentVolumeClaim": "claimName",
        "hostPath": "path",
    }
    for volume in items(spec, "volumes"):
        kind = next((key for key in volume if key != "name"), "")
        if kind != "projected":
            yield f"{text(volume, 'name')} ← {kind} {text(volume, kind, names.get(kind, 'name'))}".rstrip()


def _workload(obj: Obj, now: datetime) -> Facts:
    spec, status = part(obj, "spec"), part(obj, "status")
    yield "replicas", _replicas(spec, status)
    yield "strategy", text(spec, "strategy", "type") or text(spec, "updateStrategy", "type")
    yield "paused", text(spec, "paused")
    yield "revision", text(obj, "metadata", "annotations", "deployment.kubernetes.io/revision")
    yield "selector", _pairs(part(spec, "selector", "matchLabels"))
    yield from _pod_spec(part(spec, "template", "spec"), now)


def _replicas(spec: Obj, status: Obj) -> str:
    wanted = text(spec, "replicas") or text(status, "desiredNumberScheduled")
    names = (
        ("ready", "readyReplicas", "numberReady"),
        ("updated", "updatedReplicas", "updatedNumberScheduled"),
        ("available", "availableReplicas", "numberAvailable"),
    )
    said = [f"{word} {count(status, one) or count(status, other)}" for word, one, other in names]
    return f"wanted {wanted or 1}, {', '.join(said)}"


def _job(obj: Obj, now: datetime) -> Facts:
    spec, status = part(obj, "spec"), part(obj, "status")
    for key in ("active", "succeeded", "failed", "startTime", "completionTime"):
        yield key, text(status, key)
    for key in ("completions", "parallelism", "backoffLimit", "activeDeadlineSeconds", "suspend"):
        yield key, text(spec, key)
    yield from _pod_spec(part(spec, "template", "spec"), now)


def _cronjob(obj: Obj, now: datetime) -> Facts:
    spec, status = part(obj, "spec"), part(obj, "status")
    for key in ("schedule", "timeZone", "suspend", "concurrencyPolicy", "startingDeadlineSeconds"):
        yield key, text(spec, key)
    yield "last schedule", text(status, "lastScheduleTime")
    yield "last success", text(status, "lastSuccessfulTime")
    yield "active", ", ".join(text(each, "name") for each in items(status, "active"))
    yield from _pod_spec(part(spec, "jobTemplate", "spec", "template", "spec"), now)


# --- the rest ---------------------------------------------------------------------------------------------


def _service(obj: Obj, now: datetime) -> Facts:
    spec = part(obj, "spec")
    yield "type", text(spec, "type")
    yield "cluster ip", text(spec, "clusterIP")
    yield "external name", text(spec, "externalName")
    yield "ports", ", ".join(_port(port) for port in items(spec, "ports"))
    yield "selector", _pairs(part(spec, "selector")) or "none"
    yield "load balancer", _addresses(obj)


def _port(port: Obj) -> str:
    to, protocol = text(port, "targetPort"), text(port, "protocol")
    return f"{text(port, 'name')} {text(port, 'port')}→{to}/{protocol}".strip()


def _addresses(obj: Obj) -> str:
    found = items(obj, "status", "loadBalancer", "ingress")
    return ", ".join(text(each, "hostname") or text(each, "ip") for each in found)


def _node(obj: Obj, now: datetime) -> Facts:
    spec, status, labels = part(obj, "spec"), part(obj, "status"), labels_of(obj)
    yield "unschedulable", text(spec, "unschedulable")
    yield (
        "taints",
        ", ".join(
            f"{text(each, 'key')}={text(each, 'value')}:{text(each, 'effect')}"
            for each in items(spec, "taints")
        ),
    )
    yield "instance type", labels.get("node.kubernetes.io/instance-type", "")
    yield "zone", labels.get("topology.kubernetes.io/zone", "")
    yield "allocatable", _pairs(part(status, "allocatable"))
    yield "capacity", _pairs(part(status, "capacity"))
    yield "kubelet", text(status, "nodeInfo", "kubeletVersion")
    yield "os", text(status, "nodeInfo", "osImage")


def _hpa(obj: Obj, now: datetime) -> Facts:
    spec, status = part(obj, "spec"), part(obj, "status")
    yield "target", f"{text(spec, 'scaleTargetRef', 'kind')}/{text(spec, 'scaleTargetRef', 'name')}"
    yield (
        "replicas",
        (
            f"min {text(spec, 'minReplicas') or 1}, max {text(spec, 'maxReplicas')}, "
            f"current {text(status, 'currentReplicas') or 0}, wanted {text(status, 'desiredReplicas') or 0}"
        ),
    )
    for word, found in (("metric", items(spec, "metrics")), ("metric now", items(status, "currentMetrics"))):
        yield word, "; ".join(_flat_said(each) for each in found)
    yield "last scaled", text(status, "lastScaleTime")


def _flat_said(value: Obj) -> str:
    return ", ".join(f"{path}={found}" for path, found in _flat(value, "", 4) if found)


def _claim(obj: Obj, now: datetime) -> Facts:
    spec, status = part(obj, "spec"), part(obj, "status")
    yield "phase", text(status, "phase")
    yield "class", text(spec, "storageClassName")
    yield "wants", text(spec, "resources", "requests", "storage")
    yield "has", text(status, "capacity", "storage")
    yield "access", ", ".join(words(spec, "accessModes"))
    yield "volume", text(spec, "volumeName")


def _config_map(obj: Obj, now: datetime) -> Facts:
    yield "immutable", text(obj, "immutable")
    for key, value in list(part(obj, "data").items())[:15]:
        said = str(value)
        yield f"data {key}", said if len(said) <= 120 else f"{len(said)} characters: {said[:100]}…"
    yield "binary", ", ".join(part(obj, "binaryData"))


def _secret(obj: Obj, now: datetime) -> Facts:
    """Names only: the values were taken out before, and are not shown even masked."""
    yield "type", text(obj, "type")
    yield "keys", ", ".join([*part(obj, "data"), *part(obj, "stringData")])


def _ingress(obj: Obj, now: datetime) -> Facts:
    spec = part(obj, "spec")
    yield "class", text(spec, "ingressClassName")
    yield (
        "rules",
        "; ".join(
            f"{text(rule, 'host') or '*'}{text(path, 'path')} → {text(path, 'backend', 'service', 'name')}"
            for rule in items(spec, "rules")
            for path in items(rule, "http", "paths")
        ),
    )
    yield "tls", "; ".join(text(each, "secretName") for each in items(spec, "tls"))
    yield "address", _addresses(obj)


def _anything(obj: Obj, now: datetime) -> Facts:
    for section in ("spec", "status"):
        yield from list(_flat(part(obj, section), section, 4))[:14]


def _flat(value: object, path: str, depth: int) -> Facts:
    if isinstance(value, dict) and depth:
        for key, item in value.items():
            if key != "conditions":
                yield from _flat(item, f"{path}.{key}" if path else str(key), depth - 1)
    elif isinstance(value, list):
        yield path, ", ".join(_scalars(value)) or f"{len(value)} items"
    elif value is not None and not isinstance(value, dict):
        yield path, str(value)


def _scalars(values: Iterable[object]) -> list[str]:
    return [str(each) for each in values if isinstance(each, str | int | float | bool)][:8]


_OUTLINES: dict[str, Callable[[Obj, datetime], Facts]] = {
    "Pod": _pod,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "ReplicaSet": _workload,
    "Job": _job,
    "CronJob": _cronjob,
    "Service": _service,
    "Node": _node,
    "HorizontalPodAutoscaler": _hpa,
    "PersistentVolumeClaim": _claim,
    "ConfigMap": _config_map,
    "Secret": _secret,
    "Ingress": _ingress,
}
