"""Services whose traffic goes nowhere.

A Service without endpoints is mostly a symptom of its pods; it is a cause of its own only when its selector
takes no pod while a workload of that namespace nearly fits, or its target port has no such name. Without a
selector, with a workload scaled to zero, or as a standby it is as it should be.
Source: `pkg/controller/endpointslice`.
"""

from collections.abc import Iterator, Mapping

from aiops_eks.diagnosis.facts import Facts, Pod, Service, selects
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_shared.results import Evidence

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
        pods = [
            p
            for p in facts.pods
            if p.namespace == service.ref.namespace and selects(service.selector, p.labels)
        ]
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


def _symptom(service: Service, pods: list[Pod]) -> Told:
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
    near = [p for p in facts.pods if p.namespace == service.ref.namespace and _nearly(service.selector, p)]
    asleep = [
        w
        for w in facts.workloads
        if w.ref.namespace == service.ref.namespace and _is_for(service, w.selector)
    ]
    if not near or asleep:
        return
    other = near[0]
    lacking = {k: v for k, v in service.selector.items() if other.labels.get(k) != v}
    words = ", ".join(
        f"{k}={v} (pods have {other.labels.get(k, 'none')})" for k, v in sorted(lacking.items())
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


def _nearly(selector: Mapping[str, str], pod: Pod) -> bool:
    """Has every key of the selector with one other value, or lacks one of several."""
    same = [key for key, value in selector.items() if pod.labels.get(key) == value]
    if len(selector) > 1:
        return len(same) == len(selector) - 1
    (key, value), mine = next(iter(selector.items())), pod.labels
    return key in mine and (mine[key].startswith(value) or value.startswith(mine[key]))


def _is_for(service: Service, selector: Mapping[str, str]) -> bool:
    return bool(selector) and all(
        service.selector.get(k) == v for k, v in selector.items() if k in service.selector
    )


def _ports(service: Service, pods: list[Pod]) -> Iterator[Told]:
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
