"""What can be reached from where nobody meant it to be: tokens in pods, Services, Ingresses, open namespaces.

hostNetwork and hostPort are controls of the standards (`baseline.py`).
"""

from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.scanning.checking import Check, Hit, Scope
from aiops_eks.diagnosis.scanning.subjects import Spot, ensured, mapping, mappings, namespace_of, texts
from aiops_shared.results import Severity

_DOCS = "https://kubernetes.io/docs/concepts/"
_SERVICE = f"{_DOCS}services-networking/service/"
_AWS = "https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html"
_AWS_PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"
SCHEME = f"{_AWS_PREFIX}scheme"
_OLD_INTERNAL = f"{_AWS_PREFIX}internal"


def default_token(spot: Spot) -> Iterator[Hit]:
    """The default ServiceAccount's token inside the pod."""
    pod = spot.pod or {}
    account = pod.get("serviceAccountName") or pod.get("serviceAccount") or "default"
    if account == "default" and pod.get("automountServiceAccountToken") is not False:
        yield Hit(spot.at("automountServiceAccountToken"), "the default ServiceAccount's token is mounted")


def _no_token(spot: Spot) -> str | None:
    (spot.pod or {})["automountServiceAccountToken"] = False
    return None


def _is_balanced(spot: Spot) -> bool:
    return spot.kind == "Service" and mapping(spot.obj, "spec").get("type") == "LoadBalancer"


def open_balancer(spot: Spot) -> Iterator[Hit]:
    """A load balancer that does not say whom it serves."""
    notes = mapping(mapping(spot.obj, "metadata"), "annotations")
    if _is_balanced(spot) and SCHEME not in notes and _OLD_INTERNAL not in notes:
        path = f"metadata.annotations['{SCHEME}']"
        yield Hit(path, "LoadBalancer without a scheme: may face the internet")


def _internal(spot: Spot) -> str | None:
    ensured(ensured(spot.obj, "metadata"), "annotations")[SCHEME] = "internal"
    return "the load balancer is internal now; set internet-facing if the public shall reach it"


def from_everywhere(spot: Spot) -> Iterator[Hit]:
    """A load balancer that says that it faces the internet, and takes everybody."""
    spec = mapping(spot.obj, "spec")
    notes = mapping(mapping(spot.obj, "metadata"), "annotations")
    if _is_balanced(spot) and notes.get(SCHEME) == "internet-facing":
        ranges = texts(spec, "loadBalancerSourceRanges")
        if not ranges or "0.0.0.0/0" in ranges:
            yield Hit("spec.loadBalancerSourceRanges", "the whole internet may connect", fixable=False)


def node_port(spot: Spot) -> Iterator[Hit]:
    """A port of every node."""
    if spot.kind == "Service" and mapping(spot.obj, "spec").get("type") == "NodePort":
        yield Hit("spec.type", "NodePort: a port of every node is open", fixable=False)


def external_ips(spot: Spot) -> Iterator[Hit]:
    """Addresses that whoever may make Services can take over (CVE-2020-8554)."""
    if spot.kind == "Service" and mapping(spot.obj, "spec").get("externalIPs"):
        yield Hit(
            "spec.externalIPs", "externalIPs: takes traffic of any address (CVE-2020-8554)", fixable=False
        )


def no_tls(spot: Spot) -> Iterator[Hit]:
    """An Ingress that speaks plain HTTP."""
    if spot.kind != "Ingress" or not str(spot.obj.get("apiVersion", "")).startswith(
        ("networking.k8s.io/", "extensions/")
    ):
        return
    notes = mapping(mapping(spot.obj, "metadata"), "annotations")
    if not mappings(mapping(spot.obj, "spec"), "tls") and not notes.get(
        "alb.ingress.kubernetes.io/certificate-arn"
    ):
        yield Hit("spec.tls", "Ingress without TLS and without an ALB certificate", fixable=False)


def open_namespace(spot: Spot) -> Iterator[Hit]:
    """No NetworkPolicy comes with a namespace's pods; said once a namespace, and only of a whole file."""
    namespace = namespace_of(spot.obj)
    if len(spot.file.objects) < 2 or spot.file.first_of_namespace.get(namespace) is not spot.obj:
        return
    if not spot.file.of("NetworkPolicy", namespace):
        where = f"namespace {namespace[:63]}" if namespace else "the objects without a namespace"
        yield Hit("metadata.namespace", f"no NetworkPolicy in this file for {where}", fixable=False)


def _c(
    rule: str,
    severity: Severity,
    fix: str,
    source: str,
    look: Any,
    repair: Any = None,
    scope: Scope = "object",
) -> Check:
    return Check(rule, severity, "practice", scope, fix, source, look, repair)


CHECKS = (
    _c(
        "default-token",
        "medium",
        "automountServiceAccountToken: false",
        f"{_DOCS}security/service-accounts/",
        default_token,
        _no_token,
        "pod",
    ),
    _c("load-balancer-scheme", "medium", "say internal or internet-facing", _AWS, open_balancer, _internal),
    _c("load-balancer-open", "medium", "set loadBalancerSourceRanges", _AWS, from_everywhere),
    _c("node-port", "medium", "use ClusterIP behind an Ingress or load balancer", _SERVICE, node_port),
    _c("external-ips", "high", "remove externalIPs", _SERVICE, external_ips),
    _c(
        "ingress-without-tls",
        "medium",
        "add tls or a certificate",
        f"{_DOCS}services-networking/ingress/",
        no_tls,
    ),
    _c(
        "no-network-policy",
        "info",
        "add a default-deny NetworkPolicy",
        f"{_DOCS}services-networking/network-policies/",
        open_namespace,
    ),
)
