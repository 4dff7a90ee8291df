"""Finds a served kind by its Kind, its path, or an object's own apiVersion and kind."""

from collections.abc import Iterable

from aiops_lab.kube.errors import ApiError, bad_request, no_such_path
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, dig


class Registry:
    """Every kind served now; CRDs come and go."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[str, Resource] = {}
        self._by_name: dict[tuple[str, str], Resource] = {}  # as objects name themselves; found when asked
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serve a kind; the same group, version and plural replaces the earlier one."""
        self._by_path[resource.group, resource.version, resource.plural] = resource
        self._by_name.clear()
        self._by_kind[f"{resource.kind}.{resource.group}"] = resource
        self._by_kind.setdefault(resource.kind, resource)

    def remove(self, resource: Resource) -> None:
        """Stop serving a kind."""
        self._by_name.clear()
        self._by_path.pop((resource.group, resource.version, resource.plural), None)
        for name in (resource.kind, f"{resource.kind}.{resource.group}"):
            if self._by_kind.get(name) == resource:
                del self._by_kind[name]

    def by_kind(self, kind: str) -> Resource:
        """`Pod`, or `Event.events.k8s.io` where two groups have the Kind. Raises ApiError 404."""
        found = self._by_kind.get(kind)
        if found is None:
            raise ApiError(404, "NotFound", f'no matches for kind "{kind}"')
        return found

    def by_path(self, group: str, version: str, plural: str) -> Resource:
        """The kind behind a request path. Raises ApiError 404."""
        found = self._by_path.get((group, version, plural))
        if found is None:
            raise no_such_path()
        return found

    def of(self, obj: Obj) -> Resource:
        """The kind an object says it is. Raises ApiError 400 or 404."""
        api_version, kind = dig(obj, "apiVersion", default=""), dig(obj, "kind", default="")
        if not isinstance(api_version, str) or not isinstance(kind, str) or not kind:
            raise bad_request("Object 'Kind' is missing")
        if (known := self._by_name.get((api_version, kind))) is not None:
            return known
        group, _, version = api_version.rpartition("/")
        for resource in self._by_path.values():
            if resource.gvk == (group, version, kind):
                self._by_name[api_version, kind] = resource
                return resource
        raise ApiError(404, "NotFound", f'no matches for kind "{kind}" in version "{api_version}"')

    def all(self) -> list[Resource]:
        """Every kind served, in order of declaration."""
        return list(self._by_path.values())
