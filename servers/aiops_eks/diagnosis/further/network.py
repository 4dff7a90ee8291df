"""Further kinds of the family network: Ingresses, classes, NetworkPolicies, CoreDNS' file, routes, the mesh.

Ingresses and Gateways are always listed, since nothing else tells of a wrong one; the rest only when an
Ingress, or the log of a program that fails, makes it worth a request.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further.base import FurtherKind
from aiops_eks.diagnosis.objects import Condition, Ref
from aiops_eks.diagnosis.reading import ref_of
from aiops_eks.diagnosis.reading_containers import moment
from aiops_eks.models.fields import Obj, count, items, part, text

COREFILE = Ref("ConfigMap", "kube-system", "coredns")
LONGEST = 20_000  # characters of a Corefile that are looked at: the patterns must end soon (T14)
GATEWAY = "gateway.networking.k8s.io"
_CLASS_NOTE = "kubernetes.io/ingress.class"
_DEFAULT_NOTE = "ingressclass.kubernetes.io/is-default-class"
NO_ANSWER = re.compile(
    r"i/o timeout|timed out|ETIMEDOUT|ESOCKETTIMEDOUT|deadline exceeded|connect(?:ion)? timeout|EAI_AGAIN"
    r"|temporary failure in name resolution|Timeout (?:was )?reached",
    re.IGNORECASE,
)
NO_NAME = re.compile(
    r"no such host|ENOTFOUND|EAI_AGAIN|server misbehaving|name or service not known|UnknownHostException"
    r"|name resolution|could not translate host name|nodename nor servname|SERVFAIL|NXDOMAIN"
    r"|lookup \S+ on \S+: ",
    re.IGNORECASE,
)
CUT_OFF = re.compile(
    r"connection reset by peer|ECONNRESET|socket hang up|unexpected EOF|\bEOF\b|upstream connect error"
    r"|connection termination|Empty reply from server|RemoteDisconnected",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Route:
    """One path of an Ingress and where it leads."""

    host: str
    path: str
    path_type: str
    service: str
    port_name: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Ingress:
    """An Ingress."""

    ref: Ref
    class_name: str | None = None
    old_class: str = ""
    routes: tuple[Route, ...] = ()
    secrets: tuple[str, ...] = ()  # of its TLS entries
    has_address: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IngressClass:
    """An IngressClass."""

    ref: Ref
    controller: str = ""
    default: bool = False


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A Secret as its Table row tells of it: no value and no key comes over the wire."""

    ref: Ref
    type: str = ""
    keys: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """A NetworkPolicy; its rules as they stand, `network_policies.py` reads them."""

    ref: Ref
    spec: Obj = field(default_factory=dict)
    created_at: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Corefile:
    """What CoreDNS was told."""

    ref: Ref
    text: str = ""
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GatewayClass:
    """A GatewayClass."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Gateway:
    """A Gateway."""

    ref: Ref
    class_name: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """An HTTPRoute with what its parents say of it."""

    ref: Ref
    backends: tuple[Ref, ...] = ()
    conditions: tuple[Condition, ...] = ()
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PeerAuthentication:
    """Istio's rule whether a workload takes plain text."""

    ref: Ref
    mode: str = ""
    selector: Mapping[str, str] = field(default_factory=dict)
    changed_at: datetime | None = None


def ingress(obj: Obj) -> Ingress:
    """One Ingress."""
    spec, notes = part(obj, "spec"), part(obj, "metadata", "annotations")
    name = spec.get("ingressClassName")
    found = [_route("", {"path": "", "backend": part(spec, "defaultBackend")})]
    for rule in items(spec, "rules"):
        found.extend(_route(text(rule, "host"), path) for path in items(rule, "http", "paths"))
    return Ingress(
        ref=ref_of(obj, "Ingress"),
        class_name=name if isinstance(name, str) else None,
        old_class=text(notes, _CLASS_NOTE),
        routes=tuple(route for route in found if route.service),
        secrets=tuple(text(t, "secretName") for t in items(spec, "tls") if text(t, "secretName")),
        has_address=bool(items(obj, "status", "loadBalancer", "ingress")),
        notes={key: value for key, value in notes.items() if isinstance(value, str)},
        created_at=moment(obj, "metadata", "creationTimestamp"),
    )


def _route(host: str, path: Obj) -> Route:
    service = part(path, "backend", "service")
    return Route(
        host=host,
        path=text(path, "path"),
        path_type=text(path, "pathType"),
        service=text(service, "name"),
        port_name=text(service, "port", "name"),
        port=count(service, "port", "number"),
    )


def ingress_class(obj: Obj) -> IngressClass:
    """One IngressClass."""
    default = text(obj, "metadata", "annotations", _DEFAULT_NOTE) == "true"
    return IngressClass(ref_of(obj, "IngressClass"), text(obj, "spec", "controller"), default)


def secret_row(obj: Obj) -> SecretRow:
    """One row of the Secrets' Table."""
    keys = text(obj, "row", "data")
    number = int(keys) if keys.isdecimal() and len(keys) < 9 else 0
    return SecretRow(ref=ref_of(obj, "Secret"), type=text(obj, "row", "type"), keys=number)


def changed_at(obj: Obj) -> datetime | None:
    """When the object was last written by anybody, as its managed fields say; else when it was made."""
    made = moment(obj, "metadata", "creationTimestamp")
    times = [moment(entry, "time") for entry in items(obj, "metadata", "managedFields")]
    return max((at for at in (*times, made) if at is not None), default=None)


def policy(obj: Obj) -> Policy:
    """One NetworkPolicy."""
    made = moment(obj, "metadata", "creationTimestamp")
    return Policy(ref_of(obj, "NetworkPolicy"), part(obj, "spec"), made, changed_at(obj))


def corefile(obj: Obj) -> Corefile:
    """The ConfigMap of CoreDNS."""
    said = text(obj, "data", "Corefile")[:LONGEST]
    return Corefile(ref_of(obj, "ConfigMap"), said, changed_at(obj))


def gateway_class(obj: Obj) -> GatewayClass:
    """One GatewayClass."""
    return GatewayClass(ref_of(obj, "GatewayClass"))


def gateway(obj: Obj) -> Gateway:
    """One Gateway."""
    made = moment(obj, "metadata", "creationTimestamp")
    return Gateway(ref_of(obj, "Gateway"), text(obj, "spec", "gatewayClassName"), made)


def http_route(obj: Obj) -> HttpRoute:
    """One HTTPRoute."""
    home = text(obj, "metadata", "namespace")
    backends = [ref for rule in items(obj, "spec", "rules") for ref in items(rule, "backendRefs")]
    parents = items(obj, "status", "parents")
    return HttpRoute(
        ref=ref_of(obj, "HTTPRoute"),
        backends=tuple(
            Ref(text(ref, "kind") or "Service", text(ref, "namespace") or home, text(ref, "name"))
            for ref in backends
        ),
        conditions=tuple(
            Condition(
                text(c, "type"),
                text(c, "status"),
                text(c, "reason"),
                text(c, "message"),
                moment(c, "lastTransitionTime"),
            )
            for parent in parents
            for c in items(parent, "conditions")
        ),
        created_at=moment(obj, "metadata", "creationTimestamp"),
    )


def peer_authentication(obj: Obj) -> PeerAuthentication:
    """One PeerAuthentication."""
    labels = part(obj, "spec", "selector", "matchLabels")
    return PeerAuthentication(
        ref=ref_of(obj, "PeerAuthentication"),
        mode=text(obj, "spec", "mtls", "mode"),
        selector={key: value for key, value in labels.items() if isinstance(value, str)},
        changed_at=changed_at(obj),
    )


def _has_ingress(facts: Facts) -> bool:
    return bool(facts.all(Ingress))


def _has_tls(facts: Facts) -> bool:
    return any(one.secrets for one in facts.all(Ingress))


def logged(facts: Facts, *patterns: re.Pattern[str]) -> bool:
    """Whether a log of a program that fails holds one of these."""
    return any(pattern.search(line) for tail in facts.logs for line in tail.lines for pattern in patterns)


def _no_answer(facts: Facts) -> bool:
    return logged(facts, NO_ANSWER)


def _no_name(facts: Facts) -> bool:
    return logged(facts, NO_NAME)


def _cut_off(facts: Facts) -> bool:
    return logged(facts, CUT_OFF)


FURTHER: tuple[FurtherKind, ...] = (
    FurtherKind("Ingress", Ingress, ingress),
    FurtherKind("IngressClass", IngressClass, ingress_class, cluster_wide=True, when=_has_ingress),
    FurtherKind("Secret", SecretRow, secret_row, when=_has_tls, by_table=True),
    FurtherKind("NetworkPolicy", Policy, policy, when=_no_answer),
    FurtherKind("ConfigMap", Corefile, corefile, when=_no_name, only=COREFILE),
    FurtherKind(f"GatewayClass.{GATEWAY}", GatewayClass, gateway_class, cluster_wide=True, optional=True),
    FurtherKind(f"Gateway.{GATEWAY}", Gateway, gateway, optional=True),
    FurtherKind(f"HTTPRoute.{GATEWAY}", HttpRoute, http_route, optional=True),
    FurtherKind(
        "PeerAuthentication.security.istio.io",
        PeerAuthentication,
        peer_authentication,
        cluster_wide=True,
        optional=True,
        when=_cut_off,
    ),
)
