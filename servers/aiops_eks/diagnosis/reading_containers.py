"""Containers, probes and references of a pod template as facts: the larger half of `reading.py`.

Like there, a missing or misshapen field reads as absent, never as a crash (T14).
"""

from collections.abc import Iterator
from datetime import datetime

from aiops_eks.diagnosis.objects import Container, Need, Probe, Ref, Role, Termination
from aiops_eks.diagnosis.quantities import millicores, whole_bytes
from aiops_eks.models import fields
from aiops_eks.models.fields import Obj, count, items, part, text, words


def moment(obj: Obj, *path: str) -> datetime | None:
    """A time, UTC; absent when it lies beyond the calendar once its zone is taken off."""
    try:
        return fields.moment(obj, *path)
    except OverflowError:
        return None


def strings(obj: Obj, *path: str) -> dict[str, str]:
    """A mapping of texts; whatever else it holds is left out."""
    return {key: value for key, value in part(obj, *path).items() if isinstance(value, str)}


def containers(spec: Obj, status: Obj) -> Iterator[Container]:
    """Every container of a pod, as it was asked for and as it is."""
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


def needs(namespace: str, spec: Obj) -> Iterator[Need]:
    """The objects that containers and volumes refer to."""
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


def claims_of(pod_name: str, spec: Obj) -> Iterator[tuple[str, str]]:
    """The volumes that are claims, with the claims' names."""
    for volume in items(spec, "volumes"):
        name = text(volume, "name")
        if claim := text(part(volume, "persistentVolumeClaim"), "claimName"):
            yield name, claim
        elif "ephemeral" in volume:
            yield name, f"{pod_name}-{name}"
