"""Rights that are wider than anybody needs.

Source: https://kubernetes.io/docs/concepts/security/rbac-good-practices/. Nothing here is repaired: which
rights are needed is not in the manifest.
"""

from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.scanning.checking import Check, Hit
from aiops_eks.diagnosis.scanning.subjects import Spot, mapping, mappings

_SOURCE = "https://kubernetes.io/docs/concepts/security/rbac-good-practices/"
_WIDE_SUBJECTS = frozenset({"system:anonymous", "system:unauthenticated", "system:authenticated"})


def _listed(rule: Any, key: str) -> list[str]:
    found = rule.get(key)
    return [str(item) for item in found] if isinstance(found, list) else []


def wildcard(spot: Spot) -> Iterator[Hit]:
    """`*` in verbs or resources."""
    if spot.kind not in {"Role", "ClusterRole"}:
        return
    for place, rule in enumerate(mappings(spot.obj, "rules")):
        stars = [key for key in ("apiGroups", "resources", "verbs") if "*" in _listed(rule, key)]
        if "verbs" in stars or "resources" in stars:
            yield Hit(f"rules[{place}]", f"* in {', '.join(stars)}: every right there is", fixable=False)


def escalating(spot: Spot) -> Iterator[Hit]:
    """Rights that give other rights."""
    if spot.kind not in {"Role", "ClusterRole"}:
        return
    for place, rule in enumerate(mappings(spot.obj, "rules")):
        if risky := sorted({"escalate", "bind", "impersonate"} & set(_listed(rule, "verbs"))):
            yield Hit(
                f"rules[{place}].verbs", f"{', '.join(risky)}: its holder can take any right", fixable=False
            )


def cluster_admin(spot: Spot) -> Iterator[Hit]:
    """cluster-admin for somebody, or anything for everybody."""
    if spot.kind not in {"RoleBinding", "ClusterRoleBinding"}:
        return
    role = mapping(spot.obj, "roleRef").get("name")
    if role == "cluster-admin":
        yield Hit("roleRef.name", "binds cluster-admin", fixable=False)
    for place, subject in enumerate(mappings(spot.obj, "subjects")):
        if subject.get("name") in _WIDE_SUBJECTS:
            yield Hit(f"subjects[{place}]", f"binds {subject['name']}: everybody", fixable=False)


CHECKS = (
    Check("rbac-wildcard", "high", "practice", "object", "name the verbs and resources", _SOURCE, wildcard),
    Check("rbac-escalation", "high", "practice", "object", "remove these verbs", _SOURCE, escalating),
    Check(
        "rbac-cluster-admin", "critical", "practice", "object", "bind a narrow role", _SOURCE, cluster_admin
    ),
)
