"""Rights that are wider than anybody needs.

Source: https://kubernetes.io/docs/concepts/security/rbac-good-practices/. Nothing here is repaired: which
rights are needed is not in the manifest.
"""

from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.scanning.checking import Check, Hit
from aiops_eks.diagnosis.scanning.subjects import Obj, Spot, mapping, numbered, texts
from aiops_shared.results import Severity

_SOURCE = "https://kubernetes.io/docs/concepts/security/rbac-good-practices/"
_EVERYBODY = frozenset({"system:anonymous", "system:unauthenticated", "system:authenticated"})
_INTO_PODS = frozenset({"pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers"})
_READS = frozenset({"get", "list", "watch", "*"})
_TAKES_OVER = frozenset({"serviceaccounts/token", "nodes/proxy", "certificatesigningrequests/approval"})


def _rules(spot: Spot) -> Iterator[tuple[int, Obj]]:
    if spot.kind in {"Role", "ClusterRole"}:
        yield from numbered(spot.obj, "rules")


def wildcard(spot: Spot) -> Iterator[Hit]:
    """`*` in verbs or resources."""
    for place, rule in _rules(spot):
        stars = [key for key in ("apiGroups", "resources", "verbs") if "*" in texts(rule, key)]
        if "verbs" in stars or "resources" in stars:
            yield Hit(f"rules[{place}]", f"* in {', '.join(stars)}: every right there is", fixable=False)


def escalating(spot: Spot) -> Iterator[Hit]:
    """Rights that give other rights."""
    for place, rule in _rules(spot):
        if risky := sorted({"escalate", "bind", "impersonate"} & set(texts(rule, "verbs"))):
            says = f"{', '.join(risky)}: its holder can take any right"
            yield Hit(f"rules[{place}].verbs", says, fixable=False)
        if taken := sorted(_TAKES_OVER & set(texts(rule, "resources"))):
            says = f"{', '.join(taken)}: its holder can become somebody else"
            yield Hit(f"rules[{place}].resources", says, fixable=False)


def every_secret(spot: Spot) -> Iterator[Hit]:
    """All Secrets of the cluster, unless single ones are named."""
    if spot.kind != "ClusterRole":
        return
    for place, rule in _rules(spot):
        reads = sorted(_READS & set(texts(rule, "verbs")))
        if "secrets" in texts(rule, "resources") and reads and not texts(rule, "resourceNames"):
            says = f"{', '.join(reads)} of secrets: all of them, when bound cluster-wide"
            yield Hit(f"rules[{place}].resources", says, fixable=False)


def into_pods(spot: Spot) -> Iterator[Hit]:
    """Commands inside pods: whatever the pods may do."""
    for place, rule in _rules(spot):
        if found := sorted(_INTO_PODS & set(texts(rule, "resources"))):
            says = f"{', '.join(found)}: commands inside other people's pods"
            yield Hit(f"rules[{place}].resources", says, fixable=False)


def binding(spot: Spot) -> Iterator[Hit]:
    """cluster-admin for somebody, or anything for everybody, or the group that no policy stops."""
    if spot.kind not in {"RoleBinding", "ClusterRoleBinding"}:
        return
    if mapping(spot.obj, "roleRef").get("name") == "cluster-admin":
        yield Hit("roleRef.name", "binds cluster-admin", fixable=False)
    for place, subject in numbered(spot.obj, "subjects"):
        name = str(subject.get("name"))
        if name in _EVERYBODY:
            yield Hit(f"subjects[{place}]", f"binds {name}: everybody", fixable=False)
        elif name == "system:masters":
            yield Hit(f"subjects[{place}]", "binds system:masters: past all authorization", fixable=False)


def default_account(spot: Spot) -> Iterator[Hit]:
    """Rights for the account that every pod of a namespace has."""
    if spot.kind not in {"RoleBinding", "ClusterRoleBinding"}:
        return
    for place, subject in numbered(spot.obj, "subjects"):
        if subject.get("kind") == "ServiceAccount" and subject.get("name") == "default":
            says = "binds the default ServiceAccount: every pod that names none"
            yield Hit(f"subjects[{place}]", says, fixable=False)


def _c(rule: str, severity: Severity, fix: str, look: Any) -> Check:
    return Check(rule, severity, "practice", "object", fix, _SOURCE, look)


CHECKS = (
    _c("rbac-cluster-admin", "critical", "bind a narrow role to named subjects", binding),
    _c("rbac-wildcard", "high", "name the verbs and resources", wildcard),
    _c("rbac-escalation", "high", "remove these rights", escalating),
    _c("rbac-secrets", "high", "name the Secrets, or use a Role", every_secret),
    _c("rbac-exec", "high", "remove these resources", into_pods),
    _c("rbac-default-account", "medium", "give the program an account of its own", default_account),
)
