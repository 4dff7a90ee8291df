"""APIs beside the built-in ones: aggregated APIs that do not answer, custom kinds that are not served.

An aggregated API whose pods are broken is a symptom of these; the autoscalers and namespaces that wait for it
are its symptoms. Sources: `kube-aggregator/pkg/controllers/status/remote/remote_available_controller.go`,
`apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go`.
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.case import EVENT_RECENT_S, event_evidence
from aiops_eks.diagnosis.evidence import condition_evidence, stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.policy import Definition, ServedApi
from aiops_eks.diagnosis.objects import Condition, Event, Ref
from aiops_eks.diagnosis.quoting import plain_name
from aiops_shared.results import Evidence

SETTLED_S = 180.0  # a program that is replaced is away for a moment
_CONVERSION = re.compile(r"conversion webhook for ([A-Za-z0-9.-]{1,253})/(\w{1,30}), Kind=(\w{1,63}) failed")
APISERVICE_UNAVAILABLE = Cause(
    code="APISERVICE_UNAVAILABLE",
    severity="high",
    means="An aggregated API does not answer: its Service, its pods or its certificate is broken.",
    told_by="Condition Available of the APIService is False for three minutes. When the pods behind its "
    "Service have a finding, that one holds it.",
    source="kube-aggregator/pkg/controllers/status/remote/remote_available_controller.go",
    next_step="get_resource of its Service and Deployment; delete the APIService if its program is gone",
)
CRD_NOT_ESTABLISHED = Cause(
    code="CRD_NOT_ESTABLISHED",
    severity="high",
    means="A custom kind is not served because its names collide with another's.",
    told_by="Condition NamesAccepted or Established of the CustomResourceDefinition is False.",
    source="apiextensions-apiserver/pkg/controller/status/naming_controller.go",
    next_step="rename the kind, or delete the definition that holds the name",
)
CRD_CONVERSION_FAILING = Cause(
    code="CRD_CONVERSION_FAILING",
    severity="high",
    means="Objects of a custom kind cannot be read: its conversion webhook does not answer.",
    told_by="`conversion webhook for … failed` in an event, and a definition of that kind with a converter.",
    source="apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go",
    next_step="bring back the Service of spec.conversion.webhook; get_resource of the definition names it",
)


def served_apis(facts: Facts) -> Iterator[Told]:
    """APISERVICE_UNAVAILABLE."""
    for one in facts.all(ServedApi):
        held = one.available
        if held is None or held.status != "False" or one.service is None:
            continue
        if facts.age_s(held.since) >= SETTLED_S:
            yield _unavailable(facts, one, held, one.service)


def _unavailable(facts: Facts, one: ServedApi, held: Condition, service: Ref) -> Told:
    behind = _behind(facts, service)
    why = _WHY.get(held.reason, "it does not answer")
    return Told(
        cause=APISERVICE_UNAVAILABLE,
        at=one.ref,
        subject=one.ref,
        predicate=f"is not served: {why}",
        root_cause=f"{one.ref} is served by {service}, and {why}.",
        hurts=(one.ref,),
        evidence=(condition_evidence(one.ref, held), *_service_says(facts, service)),
        agree=3 + bool(facts.services and not facts.namespace),
        ruled_out=() if behind else ("crashing pods: there are none behind its Service",),
        explained_by=behind,
        since=held.since,
    )


_WHY = {
    "ServiceNotFound": "its Service does not exist",
    "ServicePortError": "its Service does not listen on its port",
    "EndpointsNotFound": "its Service has no endpoints",
    "MissingEndpoints": "its Service has no ready endpoint",
    "FailedDiscoveryCheck": "what answers there is not the API",
}


def _behind(facts: Facts, service: Ref) -> tuple[Ref, ...]:
    """What explains it: the Service, its pods, their owners."""
    found = next((one for one in facts.services if one.ref == service), None)
    if found is None:
        return ()
    pods = facts.selected(service.namespace, found.selector)
    return tuple(dict.fromkeys((service, *(pod.ref for pod in pods), *(pod.subject for pod in pods))))


def _service_says(facts: Facts, service: Ref) -> tuple[Evidence, ...]:
    if facts.namespace and facts.namespace != service.namespace:
        return ()
    found = next((one for one in facts.services if one.ref == service), None)
    if found is None:
        return (stated(service, "among the Services", "not there"),)
    return (stated(service, "EndpointSlices", f"{found.ready_addresses or 0} ready endpoints"),)


def definitions(facts: Facts) -> Iterator[Told]:
    """CRD_NOT_ESTABLISHED and CRD_CONVERSION_FAILING."""
    for one in facts.all(Definition):
        refused = [
            c
            for kind in ("NamesAccepted", "Established")
            if (c := one.condition(kind)) and c.status == "False"
        ]
        if refused and facts.age_s(refused[0].since) >= SETTLED_S:
            yield _not_served(one, refused)
    for event in facts.events:
        match = _CONVERSION.search(event.message)
        if match and facts.age_s(event.last_at) <= EVENT_RECENT_S:
            yield _unconverted(facts, event, match[1], match[3])


def _not_served(one: Definition, refused: list[Condition]) -> Told:
    return Told(
        cause=CRD_NOT_ESTABLISHED,
        at=one.ref,
        subject=one.ref,
        predicate="is not served: its names are taken",
        root_cause=f"{one.ref} was not established ({plain_name(refused[0].reason)}): another definition has "
        "its names, so no object of it can be read or written.",
        hurts=(one.ref,),
        evidence=tuple(condition_evidence(one.ref, c) for c in refused),
        agree=2 + len(refused),
    )


def _unconverted(facts: Facts, event: Event, group: str, kind: str) -> Told:
    found = next((d for d in facts.all(Definition) if (d.group, d.kind) == (group, kind)), None)
    at = found.ref if found else Ref("CustomResourceDefinition", "", f"{kind}.{group}".lower())
    converter = found.converter if found else None
    behind = _behind(facts, converter) if converter else ()
    says = _service_says(facts, converter) if converter else ()
    return Told(
        cause=CRD_CONVERSION_FAILING,
        at=at,
        subject=event.about,
        predicate=f"cannot be read: the conversion webhook of {kind} fails",
        root_cause=f"Objects of {at} are stored in another version and are converted by "
        f"{converter or 'a webhook'}, which does not answer.",
        hurts=(event.about,),
        evidence=(event_evidence(facts, event), *says),
        agree=2 + bool(found) + bool(says),
        explained_by=behind,
    )


RULES = (
    WorldRule((APISERVICE_UNAVAILABLE,), served_apis),
    WorldRule((CRD_NOT_ESTABLISHED, CRD_CONVERSION_FAILING), definitions),
)
