"""Services and Ingresses whose load balancer is not made, in the words of the controller that should.

A refusal counts while no success came after it. Sources: aws-load-balancer-controller (reasons
FailedBuildModel, FailedDeployModel, SuccessfullyReconciled) and cloud-provider's service controller
(SyncLoadBalancerFailed, EnsuredLoadBalancer).
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.case import event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.network import Gateway, Ingress
from aiops_eks.diagnosis.objects import Event, Ref, Service
from aiops_eks.diagnosis.quantities import duration_text
from aiops_shared.results import Evidence

REFUSED_S = 1800.0  # a controller that is refused tries again within 17 minutes
MADE_WITHIN_S = 300.0
_SOURCE = "aws-load-balancer-controller; cloud-provider controllers/service"
_FAILED = frozenset(
    {
        "FailedBuildModel",
        "FailedDeployModel",
        "SyncLoadBalancerFailed",
        "FailedReconcile",
        "UpdateLoadBalancerFailed",
    }
)
_DONE = frozenset({"SuccessfullyReconciled", "EnsuredLoadBalancer", "UpdatedLoadBalancer"})
_SUBNETS = re.compile(
    r"unable to resolve at least one subnet|could not find any suitable subnets"
    r"|subnets count less than minimal",
    re.IGNORECASE,
)
SUBNETS_UNRESOLVED = Cause(
    code="LOAD_BALANCER_SUBNETS_UNRESOLVED",
    severity="high",
    means="The load balancer controller finds no subnets: they are not tagged, or too few.",
    told_by="FailedBuildModel (or SyncLoadBalancerFailed) with `unable to resolve at least one subnet` or "
    "`could not find any suitable subnets`, and no success since.",
    source=_SOURCE,
    next_step="tag public subnets kubernetes.io/role/elb=1, private ones kubernetes.io/role/internal-elb=1, "
    "in two zones or more; or name them by annotation",
)
LOAD_BALANCER_FAILED = Cause(
    code="LOAD_BALANCER_FAILED",
    severity="high",
    means="The load balancer controller cannot make or update the load balancer; its words are quoted.",
    told_by="FailedBuildModel, FailedDeployModel or SyncLoadBalancerFailed for another reason, and no "
    "success since. With a missing Service or port behind an Ingress, that finding holds it.",
    source=_SOURCE,
    next_step="read the quote: rights of the controller's role, annotations, certificates, quotas",
)
LOAD_BALANCER_PENDING = Cause(
    code="LOAD_BALANCER_PENDING",
    severity="high",
    means="A Service of type LoadBalancer has no address, and no controller says why.",
    told_by="No address five minutes after it was made, and no event about it: nobody acts on it. With a "
    "refusal it is LOAD_BALANCER_FAILED.",
    source=_SOURCE,
    next_step="check that a load balancer controller runs and that loadBalancerClass is one it serves",
)


def refused(facts: Facts) -> Iterator[Told]:
    """LOAD_BALANCER_SUBNETS_UNRESOLVED and LOAD_BALANCER_FAILED."""
    fronts = [s.ref for s in facts.services if s.type == "LoadBalancer"]
    others = [*(i.ref for i in facts.all(Ingress)), *(g.ref for g in facts.all(Gateway))]
    for ref in (*fronts, *others):
        said = refusal(facts, ref)
        if said is not None:
            yield _refused(facts, ref, said)


def refusal(facts: Facts, ref: Ref) -> Event | None:
    """The newest refusal about an object, unless a success came after it."""
    events = facts.events_about(ref)
    newest = next((e for e in events if e.reason in _FAILED), None)
    done = next((e for e in events if e.reason in _DONE), None)
    if newest is None or facts.age_s(newest.last_at) > REFUSED_S:
        return None
    return None if done and facts.age_s(done.last_at) <= facts.age_s(newest.last_at) else newest


def _refused(facts: Facts, ref: Ref, said: Event) -> Told:
    subnets = bool(_SUBNETS.search(said.message))
    words = "finds no subnets for" if subnets else "cannot make"
    again = said.count > 1
    return Told(
        cause=SUBNETS_UNRESOLVED if subnets else LOAD_BALANCER_FAILED,
        at=ref,
        subject=ref,
        predicate=f"gets no load balancer: the controller {words} it",
        root_cause=f"The load balancer controller {words} {ref}; its words are quoted.",
        hurts=(ref,),
        evidence=(_status(facts, ref), event_evidence(facts, said)),
        agree=2 + subnets + again,
        ruled_out=("its pods: the load balancer itself is not made",),
        explained_by=() if subnets or ref.kind != "Ingress" else (ref,),
        since=said.first_at,
    )


def _status(facts: Facts, ref: Ref) -> Evidence:
    known = [(s.ref, s.has_address) for s in facts.services] + [
        (i.ref, i.has_address) for i in facts.all(Ingress)
    ]
    has = dict(known).get(ref, False)
    says = "has an address of earlier" if has else "no address"
    return Evidence(source="kubernetes", query=f"{ref} status.loadBalancer", says=says)


def pending(facts: Facts) -> Iterator[Told]:
    """LOAD_BALANCER_PENDING."""
    for service in facts.services:
        late = facts.age_s(service.created_at) > MADE_WITHIN_S and service.created_at is not None
        if service.type != "LoadBalancer" or service.has_address or not late:
            continue
        if any(e.reason in _FAILED | _DONE for e in facts.events_about(service.ref)):
            continue
        yield _pending(facts, service)


def _pending(facts: Facts, service: Service) -> Told:
    age = duration_text(facts.age_s(service.created_at))
    kind = f" of class {service.load_balancer_class}" if service.load_balancer_class else ""
    says = f"type LoadBalancer{kind}, no address after {age}; no event of a controller"
    return Told(
        cause=LOAD_BALANCER_PENDING,
        at=service.ref,
        subject=service.ref,
        predicate="has no load balancer, and no controller acts on it",
        root_cause=f"{service.ref} has waited {age} for a load balancer{kind} that nobody makes.",
        hurts=(service.ref,),
        evidence=(Evidence(source="kubernetes", query=f"{service.ref} and its events", says=says),),
        agree=3,
        doubt=0 if facts.age_s(service.created_at) < 3600 else 1,  # events are kept for an hour
        ruled_out=("its pods: traffic from outside has no way in at all",),
    )


RULES = (
    WorldRule((SUBNETS_UNRESOLVED, LOAD_BALANCER_FAILED), refused),
    WorldRule((LOAD_BALANCER_PENDING,), pending),
)
