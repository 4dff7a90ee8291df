"""Gateway API: Gateways of a class that is not there, routes whose backends cannot be resolved.

Only clusters that serve the API have these. Sources: gateway-api spec, `ResolvedRefs` of an HTTPRoute's
parents; a controller sets it, so an old condition that still stands is true now.
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.case import START_GRACE_S
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.network import Gateway, GatewayClass, HttpRoute
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.quoting import plain_name, quoted
from aiops_shared.results import Evidence

GATEWAY_CLASS_MISSING = Cause(
    code="GATEWAY_CLASS_MISSING",
    severity="high",
    means="A Gateway names a GatewayClass that does not exist, so no controller takes it.",
    told_by="gatewayClassName names none of the GatewayClasses.",
    source="gateway.networking.k8s.io/v1 Gateway",
    next_step="correct gatewayClassName, or install the controller that brings the class",
)
ROUTE_REFS_UNRESOLVED = Cause(
    code="ROUTE_REFS_UNRESOLVED",
    severity="high",
    means="An HTTPRoute leads to something that its Gateway's controller cannot resolve or may not use.",
    told_by="Condition ResolvedRefs is False for a parent (BackendNotFound, RefNotPermitted, InvalidKind).",
    source="gateway.networking.k8s.io/v1 HTTPRoute status.parents",
    next_step="correct backendRefs; across namespaces a ReferenceGrant is needed",
)


def classes(facts: Facts) -> Iterator[Told]:
    """GATEWAY_CLASS_MISSING."""
    if not facts.was_read(GatewayClass):
        return
    known = {c.ref.name for c in facts.all(GatewayClass)}
    for one in facts.all(Gateway):
        if not one.class_name or one.class_name in known or facts.age_s(one.created_at) < START_GRACE_S:
            continue
        place = Ref("GatewayClass", "", one.class_name)
        says = f"not found; exist: {', '.join(sorted(known)[:5]) or 'none'}"
        yield Told(
            cause=GATEWAY_CLASS_MISSING,
            at=place,
            subject=one.ref,
            predicate=f"asks for GatewayClass {one.class_name}, which does not exist",
            root_cause=f"GatewayClass {one.class_name} does not exist, so no controller takes {one.ref}.",
            hurts=(one.ref,),
            evidence=(
                Evidence(source="kubernetes", query=f"{one.ref} spec", says=f"class {one.class_name}"),
                Evidence(source="kubernetes", query=f"get {place}", says=says),
            ),
            agree=3,
        )


def routes(facts: Facts) -> Iterator[Told]:
    """ROUTE_REFS_UNRESOLVED."""
    for route in facts.all(HttpRoute):
        found = [c for c in route.conditions if c.type == "ResolvedRefs" and c.status == "False"]
        if not found or facts.age_s(found[0].since or route.created_at) < START_GRACE_S:
            continue
        said, place = found[0], _missing(facts, route)
        reason = plain_name(said.reason) or "no reason given"
        says = f"False {reason}: {quoted(said.message)}"
        yield Told(
            cause=ROUTE_REFS_UNRESOLVED,
            at=route.ref,
            subject=route.ref,
            predicate=f"cannot be resolved: {reason}",
            root_cause=f"{route.ref} has a reference that its Gateway cannot resolve ({reason}); "
            + (f"{place} does not exist." if place else "the condition is quoted."),
            hurts=(route.ref, *((place,) if place else ())),
            evidence=(Evidence(source="kubernetes", query=f"{route.ref} condition ResolvedRefs", says=says),),
            agree=3 + bool(place),
        )


def _missing(facts: Facts, route: HttpRoute) -> Ref | None:
    known = {s.ref for s in facts.services}
    spaces = {facts.namespace} if facts.namespace else {ref.namespace for ref in route.backends}
    gone = (r for r in route.backends if r.kind == "Service" and r.namespace in spaces and r not in known)
    return next(gone, None)


RULES = (WorldRule((GATEWAY_CLASS_MISSING,), classes), WorldRule((ROUTE_REFS_UNRESOLVED,), routes))
