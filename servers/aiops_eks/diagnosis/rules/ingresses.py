"""Ingresses that lead nowhere: no class, no Service or port behind a path, no certificate, two of one path.

Nothing of this is an error for the API server, and most controllers only log it. What a controller does not
look at (TLS Secrets with an ALB, Services of an action) is no fault. Sources: networking.k8s.io/v1 Ingress;
ingress-nginx and aws-load-balancer-controller documents.
"""

from collections.abc import Iterator
from itertools import combinations

from aiops_eks.diagnosis.case import EVENT_RECENT_S, START_GRACE_S
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.network import Ingress, IngressClass, Route, SecretRow
from aiops_eks.diagnosis.objects import Ref, Service
from aiops_shared.results import Evidence

_SOURCE = "networking.k8s.io/v1 Ingress"
SERVED_WITHIN_S = 300.0
CERTIFICATE_WITHIN_S = 600.0
ALB = frozenset({"ingress.k8s.aws/alb", "eks.amazonaws.com/alb"})
BY_NOTE = "use-annotation"  # the port name with which an ALB action stands for a Service
_TLS = "kubernetes.io/tls"
_NEVER_TLS = frozenset(
    {
        "kubernetes.io/dockerconfigjson",
        "kubernetes.io/dockercfg",
        "kubernetes.io/basic-auth",
        "kubernetes.io/ssh-auth",
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
        "helm.sh/release.v1",
    }
)


def _cause(code: str, means: str, told_by: str, next_step: str) -> Cause:
    return Cause(code, "high", means, told_by, _SOURCE, next_step)


CLASS_MISSING = _cause(
    "INGRESS_CLASS_MISSING",
    "An Ingress names an IngressClass that does not exist, so no controller takes it.",
    "ingressClassName names none of the IngressClasses, and the Ingress has no address.",
    "correct ingressClassName, or install the controller that brings the class",
)
CLASS_UNSET = _cause(
    "INGRESS_CLASS_UNSET",
    "An Ingress names no class and there is no default one, so no controller takes it.",
    "Neither ingressClassName nor the old annotation is set, no IngressClass is marked as default, and for "
    "five minutes it has had no address and no event.",
    "set ingressClassName, or mark one class as default",
)
BACKEND_MISSING = _cause(
    "INGRESS_BACKEND_MISSING",
    "A path of an Ingress leads to a Service or a port that does not exist.",
    "The namespace has no Service of that name, or the Service no such port. A Service without ready pods is "
    "another code.",
    "correct the backend of the path, or create the Service (plan_manifest(action=apply))",
)
TLS_SECRET_MISSING = _cause(
    "INGRESS_TLS_SECRET_MISSING",
    "The Secret with an Ingress' certificate does not exist.",
    "No Secret of that name in the namespace (names and types only are read); an ALB takes its certificates "
    "from ACM and is not asked.",
    "create it, or look at the Certificate of cert-manager that should",
)
TLS_SECRET_INVALID = _cause(
    "INGRESS_TLS_SECRET_INVALID",
    "The Secret that an Ingress takes its certificate from cannot hold one.",
    "Its type is another one's (registry, account, Helm), or it has fewer than the two keys tls.crt and "
    "tls.key. Of an Opaque Secret with two keys nothing is said.",
    "make it of type kubernetes.io/tls with tls.crt and tls.key",
)
PATH_CONFLICT = Cause(
    code="INGRESS_PATH_CONFLICT",
    severity="medium",
    means="Two Ingresses of one class claim the same host and path for different Services.",
    told_by="Class, host, path and path type are the same and the backends differ; canaries, and ALBs of "
    "their own, are meant so.",
    source="ingress-nginx: the oldest rule wins",
    next_step="drop one of the two, or give it a path of its own",
)


def ingresses(facts: Facts) -> Iterator[Told]:
    """All but PATH_CONFLICT."""
    for one in facts.all(Ingress):
        if facts.age_s(one.created_at) < START_GRACE_S:
            continue
        yield from _class(facts, one)
        if _was_listed(facts, "Service"):
            yield from _backends(facts, one)
        if facts.was_read(SecretRow) and not _is_alb(facts, one):
            yield from _certificates(facts, one)


def _was_listed(facts: Facts, kind: str) -> bool:
    return not any(gap.startswith(f"{kind}:") for gap in facts.gaps)


def _class_of(facts: Facts, one: Ingress) -> IngressClass | None:
    classes = facts.all(IngressClass)
    name = one.class_name or one.old_class
    if not name:
        return next((c for c in classes if c.default), None)
    return next((c for c in classes if c.ref.name == name), None)


def _is_alb(facts: Facts, one: Ingress) -> bool:
    found = _class_of(facts, one)
    return (found is not None and found.controller in ALB) or (one.class_name or one.old_class) == "alb"


def _class(facts: Facts, one: Ingress) -> Iterator[Told]:
    if one.old_class or one.has_address or not facts.was_read(IngressClass):
        return
    there = ", ".join(sorted(c.ref.name for c in facts.all(IngressClass))[:5]) or "none"
    found = _class_of(facts, one)
    if found is not None:
        return
    if one.class_name:
        place = Ref("IngressClass", "", one.class_name)
        says = f"not found; exist: {there}"
        words = f"asks for IngressClass {one.class_name}, which does not exist"
        yield _told(
            one, CLASS_MISSING, words, Evidence(source="kubernetes", query=f"get {place}", says=says), place
        )
        return
    heard = any(facts.age_s(e.last_at) <= EVENT_RECENT_S for e in facts.events_about(one.ref))
    if facts.age_s(one.created_at) > SERVED_WITHIN_S and not heard:
        shown = Evidence(
            source="kubernetes", query="list IngressClass", says=f"none is default; exist: {there}"
        )
        yield _told(one, CLASS_UNSET, "names no class, and there is no default one", shown, one.ref)


def _backends(facts: Facts, one: Ingress) -> Iterator[Told]:
    known = {s.ref: s for s in facts.services}
    for route in one.routes:
        if route.port_name == BY_NOTE:
            continue
        ref = Ref("Service", one.ref.namespace, route.service)
        service = known.get(ref)
        if service is None:
            near = sorted(r.name for r in known if r.namespace == ref.namespace)[:5]
            says = f"not found; exist: {', '.join(near) or 'none'}"
            shown = Evidence(source="kubernetes", query=f"get {ref}", says=says)
            yield _told(
                one, BACKEND_MISSING, f"leads {_where(route)} to {ref}, which does not exist", shown, ref
            )
        elif not _has_port(service, route):
            ports = ", ".join(f"{p.name or '-'}:{p.port}" for p in service.ports) or "none"
            shown = Evidence(source="kubernetes", query=f"{ref} spec.ports", says=ports)
            wanted = route.port_name or str(route.port)
            words = f"leads {_where(route)} to port {wanted} of {ref}, which has no such port"
            yield _told(one, BACKEND_MISSING, words, shown, one.ref)


def _where(route: Route) -> str:
    return f"{route.host}{route.path}" if route.host or route.path else "everything"


def _has_port(service: Service, route: Route) -> bool:
    if service.type == "ExternalName" and not service.ports:
        return True
    return any(p.name == route.port_name if route.port_name else p.port == route.port for p in service.ports)


def _certificates(facts: Facts, one: Ingress) -> Iterator[Told]:
    known = {row.ref: row for row in facts.all(SecretRow)}
    for name in one.secrets:
        ref = Ref("Secret", one.ref.namespace, name)
        row = known.get(ref)
        if row is None:
            if facts.age_s(one.created_at) > CERTIFICATE_WITHIN_S or not _is_issued(one):
                shown = Evidence(source="kubernetes", query=f"get {ref} (name only)", says="not found")
                yield _told(one, TLS_SECRET_MISSING, f"has no certificate: {ref} does not exist", shown, ref)
        elif row.type != _TLS and (row.type in _NEVER_TLS or row.keys < 2):
            shown = Evidence(source="kubernetes", query=f"{ref} type", says=f"{row.type}, {row.keys} keys")
            yield _told(one, TLS_SECRET_INVALID, f"has no certificate: {ref} cannot hold one", shown, ref)


def _is_issued(one: Ingress) -> bool:
    """Whether cert-manager makes the Secret, which takes its minutes."""
    return any(key.startswith("cert-manager.io/") for key in one.notes)


def _told(one: Ingress, cause: Cause, words: str, shown: Evidence, place: Ref) -> Told:
    says = (
        f"class {one.class_name or one.old_class or 'not given'}, {'an' if one.has_address else 'no'} address"
    )
    return Told(
        cause=cause,
        at=place,
        subject=one.ref,
        predicate=words,
        root_cause=f"{one.ref} {words}.",
        hurts=(one.ref,),
        evidence=(Evidence(source="kubernetes", query=str(one.ref), says=says), shown),
        agree=4,
        ruled_out=("the pods behind it: the Ingress itself leads nowhere",),
    )


def conflicts(facts: Facts) -> Iterator[Told]:
    """INGRESS_PATH_CONFLICT, at the newer of the two."""
    claimed: dict[tuple[str, ...], list[tuple[Ingress, Route]]] = {}
    for one in facts.all(Ingress):
        if _is_alb(facts, one) or any("canary" in key or "mergeable" in key for key in one.notes):
            continue
        for route in one.routes:
            if route.host or route.path:
                name = one.class_name or one.old_class
                claimed.setdefault((name, route.host, route.path, route.path_type), []).append((one, route))
    seen: set[tuple[Ref, Ref]] = set()
    for found in claimed.values():
        for (one, mine), (other, theirs) in combinations(found, 2):
            if one.ref.namespace == other.ref.namespace and mine.service == theirs.service:
                continue
            if (one.ref, other.ref) not in seen and _both_old(facts, one, other):
                seen.add((one.ref, other.ref))
                yield _conflict(facts, (one, mine), (other, theirs))


def _both_old(facts: Facts, *both: Ingress) -> bool:
    return all(facts.age_s(one.created_at) >= START_GRACE_S for one in both)


def _conflict(facts: Facts, one: tuple[Ingress, Route], other: tuple[Ingress, Route]) -> Told:
    first, second = sorted((one, other), key=lambda pair: (-facts.age_s(pair[0].created_at), pair[0].ref))
    older, newer, where = first[0], second[0], _where(second[1])
    says = f"{older.ref} to {first[1].service}, {newer.ref} to {second[1].service}"
    return Told(
        cause=PATH_CONFLICT,
        at=newer.ref,
        subject=newer.ref,
        predicate=f"claims {where}, which {older.ref} leads elsewhere",
        root_cause=f"{where} stands in two rules of one class: {says}; the older one wins.",
        hurts=(newer.ref, older.ref),
        evidence=(Evidence(source="kubernetes", query=f"rules of {where}", says=says),),
        agree=3,
    )


RULES = (
    WorldRule(
        (CLASS_MISSING, CLASS_UNSET, BACKEND_MISSING, TLS_SECRET_MISSING, TLS_SECRET_INVALID), ingresses
    ),
    WorldRule((PATH_CONFLICT,), conflicts),
)
