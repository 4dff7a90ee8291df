"""Reads a request path the way the apiserver's RequestInfo does: what is asked for, by which verb."""

from dataclasses import dataclass

from aiops_lab.kube.errors import bad_request, method_not_allowed, no_such_path
from aiops_lab.kube.registry import Registry
from aiops_lab.kube.resources import Resource

_VERBS_ON_ONE = {
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
    "POST": "create",
}
_VERBS_ON_MANY = {"GET": "list", "HEAD": "list", "POST": "create", "DELETE": "deletecollection"}


@dataclass(frozen=True)
class Target:
    """The object, collection or subresource a path names."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: tuple[str, ...] = ()  # what follows the subresource, as for proxy

    @property
    def served(self) -> str:
        """`pods` or `pods/log`, as RBAC and messages name it."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


def segments(path: str) -> list[str]:
    """The parts of a path. As on a real server a trailing slash counts for nothing, so that an empty
    name means the collection: clients must check names themselves."""
    return [part for part in path.strip("/").split("/") if path.strip("/")]


def target_of(parts: list[str], registry: Registry) -> Target:
    """What `/api/v1/...` or `/apis/GROUP/VERSION/...` names. Raises ApiError 404."""
    if "" in parts:
        raise no_such_path()
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    else:
        group, version, rest = parts[1], parts[2], parts[3:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    resource = registry.by_path(group, version, rest[0])
    if namespace and not resource.namespaced:
        raise no_such_path()
    name, sub = [*rest[1:3], "", ""][:2]
    if name in {".", ".."}:
        raise bad_request(f"Name parameter invalid: \"{name}\": may not be '{name}'")
    if name and not namespace and resource.namespaced:
        raise no_such_path()
    if sub and sub not in resource.subresources:
        raise no_such_path()
    return Target(resource, namespace, name, sub, tuple(rest[3:]))


def judged(parts: list[str], method: str, *, watching: bool) -> tuple[str, str, str, str, str, str]:
    """Verb, group, resource, subresource, namespace and name as RequestInfo reads them from any path, whether
    such a resource is served or not: rights are judged before that is looked up."""
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in {"status", "finalize"}:
            rest = rest[2:]
    resource, name, sub = [*rest[:3], "", ""][:3]
    verbs = _VERBS_ON_ONE if name else _VERBS_ON_MANY
    verb = verbs.get(method, method.lower())
    return ("watch" if watching and verb == "list" else verb), group, resource, sub, namespace, name


def verb_of(method: str, target: Target, *, watching: bool) -> str:
    """The verb that RBAC judges. Raises ApiError 405."""
    verbs = _VERBS_ON_ONE if target.name else _VERBS_ON_MANY
    verb = verbs.get(method, "")
    if verb == "create" and target.name and target.subresource in {"", "status", "finalize"}:
        verb = ""
    if verb == "delete" and target.subresource in {"status", "finalize", "scale", "log", "eviction"}:
        verb = ""
    if not verb or (verb not in target.resource.verbs and not target.subresource):
        raise method_not_allowed()
    if verb in {"create", "deletecollection"} and target.resource.namespaced and not target.namespace:
        raise method_not_allowed()
    return "watch" if watching and verb == "list" else verb
