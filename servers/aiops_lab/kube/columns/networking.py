"""How services, ingresses, endpoints and plain data objects are printed."""

from datetime import datetime

from aiops_lab.kube.columns.printer import NONE, UNSET, Cells, Printer, age, columns, map_text, selector_text
from aiops_lab.kube.wire import Obj, dig, name_of

_SHOWN_ENDPOINTS = 3


def _service(obj: Obj, now: datetime) -> Cells:
    spec = obj.get("spec") or {}
    return [
        name_of(obj),
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or NONE,
        _external(obj),
        _ports(spec.get("ports") or []),
        age(obj, now),
        map_text(spec.get("selector")),
    ]


def _external(obj: Obj) -> str:
    spec = obj.get("spec") or {}
    named = ",".join(spec.get("externalIPs") or [])
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", NONE))
    if spec.get("type") == "LoadBalancer":
        balancers = dig(obj, "status", "loadBalancer", "ingress", default=[])
        found = ",".join(b.get("ip") or b.get("hostname", "") for b in balancers)
        return ",".join(filter(None, [found, named])) or "<pending>"
    return named or NONE


def _ports(ports: list[Obj]) -> str:
    said = []
    for port in ports:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        said.append(f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(said) or NONE


def _ingress(obj: Obj, now: datetime) -> Cells:
    spec = obj.get("spec") or {}
    hosts = [rule["host"] for rule in spec.get("rules") or [] if rule.get("host")]
    balancers = dig(obj, "status", "loadBalancer", "ingress", default=[])
    return [
        name_of(obj),
        spec.get("ingressClassName") or NONE,
        ",".join(hosts) or "*",
        ",".join(b.get("ip") or b.get("hostname", "") for b in balancers),
        "80, 443" if spec.get("tls") else "80",
        age(obj, now),
    ]


def _ingress_class(obj: Obj, now: datetime) -> Cells:
    parameters = dig(obj, "spec", "parameters")
    said = f"{parameters.get('kind')}/{parameters.get('name')}" if parameters else NONE
    return [name_of(obj), dig(obj, "spec", "controller", default=""), said, age(obj, now)]


def _endpoints(obj: Obj, now: datetime) -> Cells:
    found = [
        f"{address.get('ip')}:{port.get('port')}"
        for subset in obj.get("subsets") or []
        for port in subset.get("ports") or []
        for address in subset.get("addresses") or []
    ]
    return [name_of(obj), _first(found), age(obj, now)]


def _first(found: list[str]) -> str:
    more = f" + {len(found) - _SHOWN_ENDPOINTS} more..." if len(found) > _SHOWN_ENDPOINTS else ""
    return ",".join(found[:_SHOWN_ENDPOINTS]) + more if found else NONE


def _slice(obj: Obj, now: datetime) -> Cells:
    ports = [str(port.get("port", "*")) for port in obj.get("ports") or []]
    addresses = [a for endpoint in obj.get("endpoints") or [] for a in endpoint.get("addresses") or []]
    shown = [_first(ports) if ports else UNSET, _first(addresses) if addresses else UNSET]
    return [name_of(obj), obj.get("addressType", ""), *shown, age(obj, now)]


def _policy(obj: Obj, now: datetime) -> Cells:
    return [name_of(obj), selector_text(dig(obj, "spec", "podSelector")), age(obj, now)]


def _config_map(obj: Obj, now: datetime) -> Cells:
    return [name_of(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age(obj, now)]


def _secret(obj: Obj, now: datetime) -> Cells:
    return [name_of(obj), obj.get("type", ""), len(obj.get("data") or {}), age(obj, now)]


def _account(obj: Obj, now: datetime) -> Cells:
    return [name_of(obj), len(obj.get("secrets") or []), age(obj, now)]


def _quota(obj: Obj, now: datetime) -> Cells:
    used = dig(obj, "status", "used", default={})
    hard = dig(obj, "status", "hard", default=None) or dig(obj, "spec", "hard", default={})
    rows = [f"{name}: {used.get(name, 0)}/{limit}" for name, limit in sorted(hard.items())]
    limits = [row for row in rows if row.startswith("limits.")]
    return [
        name_of(obj),
        ", ".join(row for row in rows if row not in limits),
        ", ".join(limits),
        age(obj, now),
    ]


def _limit_range(obj: Obj, _now: datetime) -> Cells:
    return [name_of(obj), dig(obj, "metadata", "creationTimestamp", default="")]


NETWORKING: dict[str, Printer] = {
    "Service.": Printer(
        columns("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", wide=("Selector",)), _service
    ),
    "Ingress.networking.k8s.io": Printer(
        columns("Name", "Class", "Hosts", "Address", "Ports", "Age"), _ingress
    ),
    "IngressClass.networking.k8s.io": Printer(
        columns("Name", "Controller", "Parameters", "Age"), _ingress_class
    ),
    "Endpoints.": Printer(columns("Name", "Endpoints", "Age"), _endpoints),
    "EndpointSlice.discovery.k8s.io": Printer(
        columns("Name", "AddressType", "Ports", "Endpoints", "Age"), _slice
    ),
    "NetworkPolicy.networking.k8s.io": Printer(columns("Name", "Pod-Selector", "Age"), _policy),
    "ConfigMap.": Printer(columns("Name", "Data", "Age"), _config_map),
    "Secret.": Printer(columns("Name", "Type", "Data", "Age"), _secret),
    "ServiceAccount.": Printer(columns("Name", "Secrets", "Age"), _account),
    "ResourceQuota.": Printer(columns("Name", "Request", "Limit", "Age"), _quota),
    "LimitRange.": Printer(columns("Name", "Created At@"), _limit_range),
}
