"""Services whose traffic goes nowhere.

A Service without endpoints is mostly a symptom of its pods; it is a cause of its own only when its selector
takes no pod while a workload of that namespace nearly fits or bears the Service's name, or its target port
has no such name. Without a selector, with a workload scaled to zero, or as a standby it is as it should be.
Source: `pkg/controller/endpointslice`.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from aiops_eks.diagnosis.case import START_GRACE_S
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Pod, Ref, Service, Workload, selects
from aiops_shared.results import Evidence

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
