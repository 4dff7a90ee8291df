"""The scheduling rules of a pod's spec, as `analysis.pod_rules` has them. Pure; a spec may be misshapen.

Called by `fleet_shapes.pod_of`. Preferences are left out: they bind nobody.
"""

from collections.abc import Iterator
from typing import Any

from aiops_cost.analysis.pod_rules import NO_RULES, Apart, Even, Expression, PodRules, Selector
from aiops_shared.kube.shapes import mapping, rows, text

HOST = "kubernetes.io/hostname"
ZONES = frozenset({"topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"})
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def rules_of(spec: dict[str, Any]) -> PodRules:
    """What binds the pod of this spec."""
    affinity = mapping(spec.get("affinity"))
    unread: list[str] = []
    found = PodRules(
        terms=tuple(_terms(mapping(affinity.get("nodeAffinity")))),
        apart=tuple(_apart(mapping(affinity.get("podAntiAffinity")), unread)),
        even=tuple(_even(spec, unread)),
        ports=tuple(_ports(spec)),
        local_storage=any(_is_local(one) for one in rows(spec, "volumes")),
        unread=(*unread, *(["pod affinity"] if rows(mapping(affinity.get("podAffinity")), REQUIRED) else [])),
    )
    return NO_RULES if found == NO_RULES else found


def _terms(node_affinity: dict[str, Any]) -> Iterator[tuple[Expression, ...]]:
    for term in rows(mapping(node_affinity.get(REQUIRED)), "nodeSelectorTerms"):
        yield tuple(_expressions(term))


def _expressions(holder: dict[str, Any]) -> Iterator[Expression]:
    for one in rows(holder, "matchExpressions"):
        values = one.get("values")
        said = tuple(text(value) for value in values) if isinstance(values, list) else ()
        yield text(one.get("key")), text(one.get("operator")), said


def _selector(found: Any) -> Selector:
    said = mapping(found)
    labels = tuple(sorted((key, text(value)) for key, value in mapping(said.get("matchLabels")).items()))
    return Selector(labels, tuple(_expressions(said)))


def _apart(anti: dict[str, Any], unread: list[str]) -> Iterator[Apart]:
    for one in rows(anti, REQUIRED):
        topology = text(one.get("topologyKey"))
        if topology != HOST and topology not in ZONES:
            unread.append(f"anti-affinity by {topology}")
            continue
        yield Apart(_selector(one.get("labelSelector")), topology != HOST)


def _even(spec: dict[str, Any], unread: list[str]) -> Iterator[Even]:
    for one in rows(spec, "topologySpreadConstraints"):
        if one.get("whenUnsatisfiable") == "ScheduleAnyway":
            continue
        topology, skew = text(one.get("topologyKey")), one.get("maxSkew")
        if (topology != HOST and topology not in ZONES) or not isinstance(skew, int):
            unread.append(f"spread by {topology}")
            continue
        yield Even(_selector(one.get("labelSelector")), topology != HOST, skew)


def _ports(spec: dict[str, Any]) -> Iterator[int]:
    for container in rows(spec, "containers"):
        for one in rows(container, "ports"):
            if isinstance(port := one.get("hostPort"), int) and port:
                yield port


def _is_local(volume: dict[str, Any]) -> bool:
    empty = volume.get("emptyDir")
    return "hostPath" in volume or (isinstance(empty, dict) and empty.get("medium") != "Memory")
