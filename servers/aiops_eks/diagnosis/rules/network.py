"""Services whose traffic goes nowhere.

A Service without endpoints is mostly a symptom of its pods; it is a cause of its own only when its selector
takes no pod while a workload of that namespace nearly fits, or its target port has no such name. Without a
selector, with a workload scaled to zero, or as a standby it is as it should be.
Source: `pkg/controller/endpointslice`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Pod, Ref, Service
from aiops_shared.results import Evidence

_DIGITS = re.compile(r"\d+")
SHORTEST, ALIKE = 3, 0.65  # of two misspelt values: characters, and how much of them is the same
ROLES = frozenset(
    {"leader", "master", "primary", "standby", "replica", "secondary", "active", "passive"}
    | {"canary", "stable", "blue", "green", "preview"}
)
SERVICE_SELECTOR_MISMATCH = Cause(
    code="SERVICE_SELECTOR_MISMATCH",
    severity="high",
    means="A Service's selector takes no pod although pods that nearly fit are running.",
    told_by="No endpoints, no pod and no workload's template matches the selector, and pods share some "
    "but not all "
    "of its labels. A workload scaled to zero, or no such pods at all, is no finding.",
    source="pkg/controller/endpointslice",
    next_step="compare the Service's selector with the pods' labels (get_resource); "
    "plan_manifest(action=apply)",
)
SERVICE_PORT_MISMATCH = Cause(
    code="SERVICE_PORT_MISMATCH",
    severity="high",
    means="A Service's target port has a name that none of its pods' containers declares.",
    told_by="The selector takes ready pods, the target port is a name, and no container port has it.",
    source="pkg/controller/endpointslice (named ports)",
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
    asleep = [
        w
        for w in facts.workloads
        if w.ref.namespace == service.ref.namespace and _is_for(service, w.selector)
    ]
    near = [] if asleep else _near(facts, service)
    if not near:
        return
    other = near[0]
    lacking = {k: v for k, v in service.selector.items() if other.labels.get(k) != v}
    words = ", ".join(
        f"{key}={value} (pods have {other.labels.get(key, 'none')})" for key, value in sorted(lacking.items())
    )
    yield Told(
        cause=SERVICE_SELECTOR_MISMATCH,
        at=service.ref,
        subject=service.ref,
        predicate=f"selects no pod: {words}",
        root_cause=f"{service.ref} asks for {words}; {len(near)} pods of {other.subject} fit otherwise.",
        hurts=(service.ref,),
        evidence=(
            _says(service),
            Evidence(source="kubernetes", query=f"{other.ref} labels", says=_labels(other)),
        ),
        agree=3,
        ruled_out=("crashing pods: no pod is selected at all",),
    )


def _labels(pod: Pod) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(pod.labels.items()))[:200]


def _near(facts: Facts, service: Service) -> list[Pod]:
    """Pods that miss the selector by one label's misspelt value; a role that nobody has now is no error."""
    found: dict[Ref, Pod] = {}
    for key, value in service.selector.items():
        if value in ROLES:
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


def _is_for(service: Service, selector: Mapping[str, str]) -> bool:
    return bool(selector) and all(
        service.selector.get(k) == v for k, v in selector.items() if k in service.selector
    )


def _ports(service: Service, pods: Sequence[Pod]) -> Iterator[Told]:
    ready = [p for p in pods if p.ready]
    names = {name for p in ready for c in p.containers for name, _ in c.ports}
    for port in service.ports:
        if not ready or port.target.isdigit() or not port.target or port.target in names:
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


RULES = (WorldRule((SERVICE_SELECTOR_MISMATCH, SERVICE_PORT_MISMATCH, SERVICE_WITHOUT_ENDPOINTS), services),)
