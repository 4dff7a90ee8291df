"""Decides every request by the Roles and bindings in the store, as the RBAC authorizer does.

Beside them stand the rights every authenticated user has (system:basic-user, system:discovery) and
`system:masters`. Not played: role aggregation, escalation checks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from aiops_lab.kube.errors import ApiError, Details
from aiops_lab.kube.ports import UserInfo
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import Obj, dig, name_of

MASTERS = "system:masters"
_RBAC = "rbac.authorization.k8s.io"
_SELF_SERVICE = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})
# What every authenticated user may read (system:discovery, system:public-info-viewer).
OPEN_PATHS = (
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
)


@dataclass(frozen=True)
class Attributes:
    """What somebody wants to do."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def served(self) -> str:
        """`pods` or `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Rbac:
    """Answers by the objects stored now."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def allows(self, user: UserInfo, wanted: Attributes) -> bool:
        """Whether any rule bound to the user grants it."""
        if MASTERS in user.groups:
            return True
        if wanted.resource in _SELF_SERVICE and wanted.verb == "create":
            return True
        return any(_grants(rule, wanted) for rule in self.rules(user, wanted.namespace))

    def allows_path(self, user: UserInfo, verb: str, path: str) -> bool:
        """Whether a rule grants a path that is no resource."""
        if MASTERS in user.groups:
            return True
        return any(
            _one_of(rule.get("verbs"), verb)
            and any(covers(pattern, path) for pattern in rule["nonResourceURLs"])
            for rule in self.rules(user, "")
            if rule.get("nonResourceURLs")
        )

    def require(self, user: UserInfo, wanted: Attributes) -> None:
        """Raises ApiError 403 in the real server's words where nothing grants it."""
        if not self.allows(user, wanted):
            subject = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
            raise refusal(user, subject, wanted)

    def rules(self, user: UserInfo, namespace: str) -> Iterator[Obj]:
        """Every policy rule bound to the user, cluster-wide and in the namespace."""
        for binding in self._bindings("ClusterRoleBinding", ""):
            if _binds(binding, user, ""):
                yield from self._rules_of(binding, "")
        if namespace:
            for binding in self._bindings("RoleBinding", namespace):
                if _binds(binding, user, namespace):
                    yield from self._rules_of(binding, namespace)

    def _bindings(self, kind: str, namespace: str) -> tuple[Obj, ...]:
        return self._store.select(self._store.resource(kind), namespace)

    def _rules_of(self, binding: Obj, namespace: str) -> list[Obj]:
        reference = binding.get("roleRef", {})
        if reference.get("kind") not in {"Role", "ClusterRole"}:
            return []
        resource = self._store.resource(str(reference["kind"]))
        role = self._store.shelf.find(
            resource, namespace if resource.namespaced else "", str(reference.get("name"))
        )
        rules: list[Obj] = dig(role, "rules", default=[])
        return rules


def refusal(user: UserInfo, subject: str, wanted: Attributes) -> ApiError:
    """403 as the apiserver words it."""
    name = f' "{wanted.name}"' if wanted.name else ""
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    message = (
        f'{subject}{name} is forbidden: User "{user.username}" cannot {wanted.verb} resource '
        f'"{wanted.served}" in API group "{wanted.group}" {where}'
    )
    details: Details = {"kind": wanted.resource}
    if wanted.name:
        details["name"] = wanted.name
    if wanted.group:
        details["group"] = wanted.group
    return ApiError(403, "Forbidden", message, details)


def _one_of(allowed: list[str] | None, wanted: str) -> bool:
    return allowed is not None and ("*" in allowed or wanted in allowed)


def _grants(rule: Obj, wanted: Attributes) -> bool:
    names = rule.get("resourceNames") or []
    return (
        _one_of(rule.get("verbs"), wanted.verb)
        and _one_of(rule.get("apiGroups"), wanted.group)
        and _covers_resource(rule.get("resources") or [], wanted)
        and (not names or wanted.name in names)
    )


def _covers_resource(resources: list[str], wanted: Attributes) -> bool:
    if "*" in resources or wanted.served in resources:
        return True
    return bool(wanted.subresource) and f"*/{wanted.subresource}" in resources


def covers(pattern: str, path: str) -> bool:
    """Whether a rule's path stands for a path."""
    return pattern in {"*", path} or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def _binds(binding: Obj, user: UserInfo, namespace: str) -> bool:
    return any(_is(subject, user, namespace) for subject in binding.get("subjects") or [])


def _is(subject: Obj, user: UserInfo, namespace: str) -> bool:
    match subject.get("kind"):
        case "User":
            return name_in(subject) == user.username
        case "Group":
            return name_in(subject) in user.groups
        case "ServiceAccount":
            home = subject.get("namespace") or namespace
            return user.username == f"system:serviceaccount:{home}:{name_in(subject)}"
    return False


def name_in(subject: Obj) -> str:
    """A subject's name; subjects carry it at the top, not under metadata."""
    return str(subject.get("name") or name_of(subject))
