"""Who may do what: roles and their bindings, listed once a log or an event says that a right is missing."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further.base import FurtherKind
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.models.fields import Obj, items, part, text, words

FORBIDDEN = re.compile(
    r"User \"([^\"\s]{1,300})\" cannot ([a-z]{1,30}) resource \"([a-z0-9./-]{1,253})\" "
    r"in API group \"([a-z0-9.-]{0,253})\" (?:in the namespace \"([a-z0-9-]{1,63})\"|at the cluster scope)"
)


def _speaks_of_rights(facts: Facts) -> bool:
    lines = (line for tail in facts.logs for line in tail.lines)
    said = (event.message for event in facts.events if event.warning)
    return any(FORBIDDEN.search(each) for each in (*lines, *said))


@dataclass(frozen=True, slots=True)
class Rule:
    """What one rule of a role allows."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    named: bool = False  # only for objects of some names

    def allows(self, verb: str, resource: str, group: str) -> bool:
        """Whether it covers a request for any object."""
        whole, _, sub = resource.partition("/")
        wanted = {resource, "*", f"*/{sub}" if sub else whole}
        return (
            not self.named
            and not {verb, "*"}.isdisjoint(self.verbs)
            and not {group, "*"}.isdisjoint(self.groups)
            and not wanted.isdisjoint(self.resources)
        )


@dataclass(frozen=True, slots=True)
class Role:
    """A Role."""

    ref: Ref
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterRole:
    """A ClusterRole."""

    ref: Ref
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleBinding:
    """A RoleBinding: it counts in its own namespace."""

    ref: Ref
    role: Ref
    subjects: tuple[str, ...] = ()  # user names, and `group:` before groups


@dataclass(frozen=True, slots=True)
class ClusterRoleBinding:
    """A ClusterRoleBinding: it counts everywhere."""

    ref: Ref
    role: Ref
    subjects: tuple[str, ...] = ()


def _rules(obj: Obj) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            groups=tuple(words(each, "apiGroups")),
            resources=tuple(words(each, "resources")),
            verbs=tuple(words(each, "verbs")),
            named=bool(words(each, "resourceNames")),
        )
        for each in items(obj, "rules")
    )


def _subject(obj: Obj, home: str) -> str:
    kind, name = text(obj, "kind"), text(obj, "name")
    if kind == "ServiceAccount":
        return f"system:serviceaccount:{text(obj, 'namespace') or home}:{name}"
    return f"group:{name}" if kind == "Group" else name


def _bound(obj: Obj, home: str) -> tuple[Ref, tuple[str, ...]]:
    wanted = part(obj, "roleRef")
    kind = text(wanted, "kind")
    role = Ref(kind, home if kind == "Role" else "", text(wanted, "name"))
    return role, tuple(_subject(each, home) for each in items(obj, "subjects"))


def role(obj: Obj) -> Role:
    """One Role."""
    return Role(reading.ref_of(obj, "Role"), _rules(obj))


def cluster_role(obj: Obj) -> ClusterRole:
    """One ClusterRole."""
    return ClusterRole(reading.ref_of(obj, "ClusterRole"), _rules(obj))


def role_binding(obj: Obj) -> RoleBinding:
    """One RoleBinding."""
    ref = reading.ref_of(obj, "RoleBinding")
    return RoleBinding(ref, *_bound(obj, ref.namespace))


def cluster_role_binding(obj: Obj) -> ClusterRoleBinding:
    """One ClusterRoleBinding."""
    return ClusterRoleBinding(reading.ref_of(obj, "ClusterRoleBinding"), *_bound(obj, ""))


def _kind(name: str, kind: type[Any], read: Callable[[Obj], Any], *, wide: bool = False) -> FurtherKind:
    return FurtherKind(
        f"{name}.rbac.authorization.k8s.io",
        kind,
        read,
        cluster_wide=wide,
        when=_speaks_of_rights,
    )


FURTHER: tuple[FurtherKind, ...] = (
    _kind("RoleBinding", RoleBinding, role_binding),
    _kind("Role", Role, role),
    _kind("ClusterRoleBinding", ClusterRoleBinding, cluster_role_binding, wide=True),
    _kind("ClusterRole", ClusterRole, cluster_role, wide=True),
)
