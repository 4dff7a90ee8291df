"""What an object counts against a ResourceQuota.

After pkg/quota/v1/evaluator/core (pods, services, persistent volume claims) and the generic object counts.
Called by the quota admission and by the controller that keeps a quota's status.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from aiops_lab.kube.admission.amounts import Amount, amount, of_pod
from aiops_lab.kube.admission.pod_defaults import qos_class
from aiops_lab.kube.errors import qualified
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, dig

Usage = dict[str, Amount]
ONE = Amount(Fraction(1))
_PLAIN_COUNTS = ("configmaps", "secrets", "services", "replicationcontrollers", "resourcequotas")
_POD_NAMES = frozenset(
    {
        "pods",
        *(f"{head}{name}" for head in ("", "requests.", "limits.") for name in ("cpu", "memory")),
        *(f"{head}ephemeral-storage" for head in ("", "requests.", "limits.")),
    }
)
_MUST_BE_SET = frozenset(name for name in _POD_NAMES if name.endswith(("cpu", "memory")))
_NATIVE = ("cpu", "memory", "ephemeral-storage", "pods", "storage")
_SIDES = {"requests": ("", "requests."), "limits": ("limits.",)}


def usage_of(resource: Resource, obj: Obj) -> Usage:
    """Everything this object counts for."""
    return {f"count/{qualified(resource)}": ONE, **_OWN.get(resource.storage, _plain)(resource, obj)}


def _plain(resource: Resource, _obj: Obj) -> Usage:
    return {resource.plural: ONE} if not resource.group and resource.plural in _PLAIN_COUNTS else {}


def _pod(_resource: Resource, pod: Obj) -> Usage:
    if dig(pod, "status", "phase") in {"Succeeded", "Failed"}:
        return {}
    found: Usage = {"pods": ONE}
    for part, heads in _SIDES.items():
        for name, value in of_pod(pod.get("spec") or {}, part).items():
            found |= _named(name, heads, value)
    return found


def _named(name: str, heads: tuple[str, ...], value: Amount) -> Usage:
    if name in _NATIVE or name.startswith("hugepages-"):
        return {f"{head}{name}": value for head in heads}
    return {f"requests.{name}": value} if "" in heads else {}


def _service(_resource: Resource, service: Obj) -> Usage:
    found: Usage = {"services": ONE}
    ports = Amount(Fraction(len(dig(service, "spec", "ports", default=[]) or [])))
    kind = dig(service, "spec", "type")
    if kind in {"NodePort", "LoadBalancer"}:
        found["services.nodeports"] = ports
    if kind == "LoadBalancer":
        found["services.loadbalancers"] = ONE
    return found


def _claim(_resource: Resource, claim: Obj) -> Usage:
    room = amount(dig(claim, "spec", "resources", "requests", "storage", default=0))
    found: Usage = {"persistentvolumeclaims": ONE, "requests.storage": room}
    if wanted := dig(claim, "spec", "storageClassName", default=""):
        head = f"{wanted}.storageclass.storage.k8s.io"
        found |= {f"{head}/persistentvolumeclaims": ONE, f"{head}/requests.storage": room}
    return found


_OWN: dict[str, Callable[[Resource, Obj], Usage]] = {
    "Pod.": _pod,
    "Service.": _service,
    "PersistentVolumeClaim.": _claim,
}


def concerns(resource: Resource, hard: str) -> bool:
    """Whether a limit of this name is about objects of this kind."""
    if hard.startswith("count/"):
        return hard == f"count/{qualified(resource)}"
    if resource.storage == "Pod.":
        extended = hard.startswith("requests.") and "/" in hard and ".storageclass." not in hard
        return hard in _POD_NAMES or extended or "hugepages-" in hard
    if resource.storage == "Service.":
        return hard in {"services", "services.nodeports", "services.loadbalancers"}
    if resource.storage == "PersistentVolumeClaim.":
        return (
            hard in {"persistentvolumeclaims", "requests.storage"} or ".storageclass.storage.k8s.io/" in hard
        )
    return not resource.group and hard == resource.plural and hard in _PLAIN_COUNTS


def unset(pod: Obj, names: list[str]) -> str:
    """`limits.cpu for: app; ...`: what the quota counts and a container does not say; empty when nothing."""
    spec = pod.get("spec") or {}
    missing: dict[str, set[str]] = {}
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        said: set[str] = set()
        for part, heads in _SIDES.items():
            for name in dig(container, "resources", part, default={}) or {}:
                said |= {f"{head}{name}" for head in heads}
        for name in (set(names) & _MUST_BE_SET) - said:
            missing.setdefault(name, set()).add(str(container.get("name")))
    return "; ".join(f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing))


def in_scope(quota: Obj, resource: Resource, obj: Obj) -> bool:
    """Whether a quota's scopes take in this object; a quota with scopes concerns pods only."""
    spec = quota.get("spec") or {}
    rules: list[Obj] = [{"scopeName": each, "operator": "Exists"} for each in spec.get("scopes") or []]
    rules += dig(spec, "scopeSelector", "matchExpressions", default=[]) or []
    if not rules:
        return True
    return resource.storage == "Pod." and all(_scope_holds(rule, obj) for rule in rules)


def _scope_holds(rule: Obj, pod: Obj) -> bool:
    ends = dig(pod, "spec", "activeDeadlineSeconds") is not None
    cheap = qos_class(pod.get("spec") or {}) == "BestEffort"
    plain = {
        "Terminating": ends,
        "NotTerminating": not ends,
        "BestEffort": cheap,
        "NotBestEffort": not cheap,
    }
    if rule.get("scopeName") in plain:
        return plain[rule["scopeName"]]
    return rule.get("scopeName") == "PriorityClass" and _class_matches(rule, pod)


def _class_matches(rule: Obj, pod: Obj) -> bool:
    name: Any = dig(pod, "spec", "priorityClassName", default="")
    operator, values = rule.get("operator"), rule.get("values") or []
    answers = {
        "Exists": bool(name),
        "DoesNotExist": not name,
        "In": name in values,
        "NotIn": name not in values,
    }
    return answers.get(str(operator), False)
