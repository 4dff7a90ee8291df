"""Services whose traffic goes nowhere.

A Service without endpoints is mostly a symptom of its pods; it is a cause of its own only when its selector
takes no pod while a workload of that namespace nearly fits or bears the Service's name, or its target port
is none of its pods'. Without a selector, with a workload scaled to zero, or as a standby it is as it
should be. Source: `pkg/controller/endpointslice`.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from aiops_eks.diagnosis.blame import telling_line
from aiops_eks.diagnosis.case import START_GRACE_S, Case
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Pod, Ref, Service, ServicePort, Workload, selects
from aiops_eks.diagnosis.rules import calls
from aiops_eks.diagnosis.rules.crash import DEPENDENCY_UNREACHABLE
from aiops_shared.results import Evidence

_REFUSED = re.compile(r"connection refused|ECONNREFUSED", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
SHORTEST, ALIKE = 3, 0.65  # of two misspelt values: characters, and how much of them is the same
ROLES = frozenset(
    {"leader", "master", "primary", "standby", "replica", "secondary", "active", "passive"}
    | {"canary", "stable", "blue", "green", "preview"}
)
ROLE_KEY = re.compile(r"role|leader|primary|active|track|slot|colou?r|pod-name|pod-index", re.IGNORECASE)
SERVING = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
SWITCHES = frozenset({"true", "false", "yes", "no"})  # a label that somebody sets on the pods that may serve
SERVICE_SELECTOR_MISMATCH = Cause(
    code="SERVICE_SELECTOR_MISMATCH",
    severity="high",
    means="A Service's selector takes no pod although pods that nearly fit are running.",
    told_by="No endpoints, no pod and no workload's template matches the selector, and either pods miss it "
    "by one misspelt value, or the running workload of the Service's own name has other labels. A workload "
    "scaled to zero, a role that nobody has now (leader, canary, blue), or no such pods is no finding.",
    source="pkg/controller/endpointslice",
    next_step="compare the Service's selector with the pods' labels (get_resource); "
    "plan_manifest(action=apply)",
)
SERVICE_PORT_MISMATCH = Cause(
    code="SERVICE_PORT_MISMATCH",
    severity="high",
    means="A Service's target port is none that its pods listen on.",
    told_by="The selector takes ready pods and no container declares the target port, by name; or by number, "
    "and then a caller is refused there, or it is the Service's only port, no Service leads to the one port "
    "that is declared and probed, and so it is meant. A number that nobody declares is legal by itself.",
    source="pkg/controller/endpointslice (named ports); core/v1 ContainerPort: informational",
    next_step="correct targetPort or the container port's name (plan_manifest(action=apply))",
)
SERVICE_WITHOUT_ENDPOINTS = Cause(
    code="SERVICE_WITHOUT_ENDPOINTS",
    severity="high",
    means="A Service has no ready endpoint.",
    told_by="Only ever a symptom: the finding that holds its pods names it.",
    source="pkg/controller/endpointslice",
    next_step="see the finding of its pods",
)


def services(facts: Facts) -> Iterator[Told]:
    """All three, for Services with a selector whose EndpointSlices could be read."""
    for service in facts.services:
        if not service.selector or service.type == "ExternalName":
            continue
        pods = facts.selected(service.ref.namespace, service.selector)
        if service.ready_addresses == 0 and pods:
            yield _symptom(service, pods)
        elif service.ready_addresses == 0:
            yield from _mismatch(facts, service)
        else:
            yield from _ports(service, pods)
            yield from _undeclared(facts, service, pods)


def _says(service: Service) -> Evidence:
    chosen = ",".join(f"{key}={value}" for key, value in sorted(service.selector.items()))
    count = "no" if not service.ready_addresses else str(service.ready_addresses)
    says = f"selector {chosen}; {count} ready endpoints"
    return Evidence(source="kubernetes", query=f"{service.ref} and its EndpointSlices", says=says)


def _symptom(service: Service, pods: Sequence[Pod]) -> Told:
    refs = tuple(p.ref for p in pods)
    return Told(
        cause=SERVICE_WITHOUT_ENDPOINTS,
        at=service.ref,
        subject=service.ref,
        predicate="has no ready endpoint",
        root_cause=f"None of the {len(pods)} pods of {service.ref} is ready.",
        hurts=refs,
        evidence=(_says(service),),
        agree=2,
        explained_by=refs,
        stands_alone=False,
    )


def _mismatch(facts: Facts, service: Service) -> Iterator[Told]:
    asleep = any(_is_for(service, w) for w in facts.workloads if w.ref.namespace == service.ref.namespace)
    young = service.created_at is not None and facts.age_s(service.created_at) < START_GRACE_S
    near = [] if asleep or young else _near(facts, service) or _namesake(facts, service)
    if not near:
        return
    other = near[0]
    lacking = _lacking(service, other)
    words = ", ".join(
        f"{key}={value} (pods have {other.labels.get(key, 'none')})" for key, value in sorted(lacking.items())
    )
    yield Told(
        cause=SERVICE_SELECTOR_MISMATCH,
        at=service.ref,
        subject=service.ref,
        predicate=f"selects no pod: {words}",
        root_cause=f"{service.ref} asks for {words}, which no pod has, so it sends traffic nowhere; "
        f"{len(near)} pods of {other.subject} nearly fit.",
        hurts=(service.ref,),
        evidence=(
            _says(service),
            Evidence(source="kubernetes", query=f"{other.ref} labels", says=_labels(other)),
        ),
        agree=3,
        ruled_out=("crashing pods: no pod is selected at all", "scaled to zero: no workload's template fits"),
    )


def _lacking(service: Service, pod: Pod) -> dict[str, str]:
    return {key: value for key, value in service.selector.items() if pod.labels.get(key) != value}


def _labels(pod: Pod) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(pod.labels.items()))[:200]


def _near(facts: Facts, service: Service) -> list[Pod]:
    """Pods that miss the selector by one label's misspelt value; a role that nobody has now is no error."""
    found: dict[Ref, Pod] = {}
    for key, value in service.selector.items():
        if _is_role(key, value):
            continue
        rest = {k: v for k, v in service.selector.items() if k != key}
        for other in facts.label_values(service.ref.namespace, key):
            if _alike(value, other):
                taken = facts.selected(service.ref.namespace, {**rest, key: other})
                found.update((pod.ref, pod) for pod in taken)
    return list(found.values())


def _alike(wanted: str, other: str) -> bool:
    """Whether one is a misspelling of the other: `web-v2` is none of `web`, nor `shard-2` of `shard-1`."""
    if _DIGITS.findall(wanted) != _DIGITS.findall(other):
        return False
    if wanted == other or min(len(wanted), len(other)) < SHORTEST or abs(len(wanted) - len(other)) > 1:
        return False
    return SequenceMatcher(None, wanted, other, autojunk=False).ratio() >= ALIKE


def _namesake(facts: Facts, service: Service) -> list[Pod]:
    """Running pods of the workload that bears the Service's name, unless they only lack a role."""
    found = [
        pod
        for w in facts.named(service.ref.namespace, service.ref.name)
        if w.ref.kind in SERVING
        for pod in facts.pods_of(w.ref)
        if pod.phase == "Running" and pod.deleted_at is None
    ]
    return (
        [] if any(_is_role(*pair) for pod in found[:1] for pair in _lacking(service, pod).items()) else found
    )


def _is_role(key: str, value: str) -> bool:
    return value.lower() in ROLES | SWITCHES or bool(ROLE_KEY.search(key))


def _is_for(service: Service, workload: Workload) -> bool:
    """Whether the workload's pods would be taken, had it any."""
    return selects(service.selector, workload.template_labels or workload.selector)


def _ports(service: Service, pods: Sequence[Pod]) -> Iterator[Told]:
    ready = [p for p in pods if p.ready and p.containers]
    names = {name for p in ready for c in p.containers for name, _ in c.ports}
    for port in service.ports:
        if not ready or calls.is_number(port.target) or not port.target or port.target in names:
            continue
        known = ", ".join(sorted(n for n in names if n)) or "none"
        yield Told(
            cause=SERVICE_PORT_MISMATCH,
            at=service.ref,
            subject=service.ref,
            predicate=f"has a target port {port.target} that its pods do not name",
            root_cause=f"{service.ref} sends port {port.port} to the port named {port.target}; its pods "
            f"name: {known}.",
            hurts=(service.ref,),
            evidence=(
                _says(service),
                Evidence(source="kubernetes", query=f"{ready[0].ref} ports", says=known),
            ),
            agree=3,
        )


def _numbers(pods: Sequence[Pod]) -> frozenset[int]:
    return frozenset(number for p in pods for c in p.containers for _, number in c.ports)


def _is_foreign(port: ServicePort, pods: Sequence[Pod]) -> bool:
    """A number that no container declares, though every app container declares some."""
    telling = all(c.ports for p in pods for c in p.containers if c.role == "app")
    return calls.is_number(port.target) and telling and int(port.target) not in _numbers(pods)


def _undeclared(facts: Facts, service: Service, pods: Sequence[Pod]) -> Iterator[Told]:
    """By number: only where the one port that the pods declare and probe is reached by no Service."""
    ready = [p for p in pods if p.ready]
    declared = _numbers(ready)
    if not ready or len(service.ports) != 1 or len(declared) != 1 or service.headless:
        return
    port, number = service.ports[0], next(iter(declared))
    if not _is_foreign(port, ready) or not all(_probes(p, number) for p in ready):
        return
    others = [
        s
        for s in facts.services
        if s.ref != service.ref
        and s.ref.namespace == service.ref.namespace
        and s.selector
        and selects(s.selector, ready[0].labels)
    ]
    if not others:
        yield _wrong_number(service, port, ready, service.ref, ())


def _probes(pod: Pod, number: int) -> bool:
    """Whether its readiness, which holds, is asked at that port."""
    names = {str(number)} | {name for c in pod.containers for name, n in c.ports if n == number and name}
    return any(c.readiness is not None and c.readiness.port in names for c in pod.containers)


def _wrong_number(
    service: Service, port: ServicePort, ready: Sequence[Pod], hurt: Ref, heard: tuple[Evidence, ...]
) -> Told:
    known = ", ".join(str(n) for n in sorted(_numbers(ready)))
    return Told(
        cause=SERVICE_PORT_MISMATCH,
        at=service.ref,
        subject=service.ref,
        predicate=f"has a target port {port.target} that its pods do not declare",
        root_cause=f"{service.ref} sends port {port.port} to {port.target}; its pods declare: {known}.",
        hurts=(hurt,),
        evidence=(
            _says(service),
            Evidence(source="kubernetes", query=f"{ready[0].ref} ports", says=known),
            *heard,
        ),
        agree=3 + len(heard),
        doubt=0 if heard else 1,  # a port that nobody declares may be listened on
        ruled_out=("its pods: they are ready",),
    )


def refused(case: Case) -> Told | None:
    """A program that is refused at a Service of this cluster: by its wrong port, or for want of endpoints."""
    line = telling_line(case.lines) if case.container is not None else ""
    if not line or not _REFUSED.search(line):
        return None
    found = calls.through(case.facts, case.pod.namespace, line)
    if found is None:
        return None
    service, call = found
    pods = case.facts.selected(service.ref.namespace, service.selector)
    ready = [p for p in pods if p.ready]
    if service.ready_addresses == 0:
        return _without_endpoints(case, service, pods, line)
    port = calls.port_of(service, call.port)
    if port is None or not ready or not _is_foreign(port, ready):
        return None
    return _wrong_number(service, port, ready, case.pod.ref, (case.log_evidence(line),))


def _without_endpoints(case: Case, service: Service, pods: Sequence[Pod], line: str) -> Told:
    """Kube-proxy refuses what a Service without endpoints is sent; why it has none explains the rest."""
    evidence = (case.status_evidence(), case.log_evidence(line), _says(service))
    return Told(
        cause=DEPENDENCY_UNREACHABLE,
        at=case.subject,
        subject=case.subject,
        predicate=f"crashes: {service.ref}, which it calls, has no ready endpoint",
        root_cause=f"{case.pod.ref} is refused by {service.ref}, which has no ready endpoint.",
        hurts=(case.pod.ref,),
        evidence=evidence,
        agree=4,
        ruled_out=("out of memory: not OOMKilled",),
        explained_by=(service.ref, *(p.ref for p in pods), *(p.subject for p in pods)),
    )


CALLS = (CaseRule((SERVICE_PORT_MISMATCH, DEPENDENCY_UNREACHABLE), refused),)
RULES = (WorldRule((SERVICE_SELECTOR_MISMATCH, SERVICE_PORT_MISMATCH, SERVICE_WITHOUT_ENDPOINTS), services),)
