"""What the server serves, for clients that ask first: /version, /api, /apis and each group's list.

Plain JSON only; clients that prefer aggregated discovery fall back by the content type.
"""

from dataclasses import dataclass

from aiops_lab.kube.errors import no_such_path
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import Obj

_SUB_KINDS = {
    "log": ("Pod", ("get",)),
    "status": ("", ("get", "patch", "update")),
    "scale": ("Scale", ("get", "patch", "update")),
    "eviction": ("Eviction", ("create",)),
}
_SUB_GROUPS = {"Scale": ("autoscaling", "v1"), "Eviction": ("policy", "v1")}
# pkg/controlplane/apiserver/aggregator.go, by falling groupPriorityMinimum; what is declared comes last.
_ORDER = """
apps events.k8s.io authentication.k8s.io authorization.k8s.io autoscaling batch certificates.k8s.io
networking.k8s.io policy rbac.authorization.k8s.io storage.k8s.io apiextensions.k8s.io
admissionregistration.k8s.io scheduling.k8s.io coordination.k8s.io node.k8s.io discovery.k8s.io
flowcontrol.apiserver.k8s.io
"""
_PLACES = {group: place for place, group in enumerate(_ORDER.split())}
VERSION: Obj = {
    "major": "1",
    "minor": "33",
    "gitVersion": "v1.33.5-eks-lab",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/amd64",
}


@dataclass(frozen=True)
class Discovery:
    """Reads the store's registry, which CRDs extend."""

    store: Store

    def answer(self, parts: list[str]) -> Obj:
        """The document at a discovery path. Raises ApiError 404."""
        match parts:
            case ["version"]:
                return VERSION
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
            case ["apis"]:
                groups = [self._group(name) for name in self._groups()]
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
            case ["api", "v1"]:
                return self._resources("", "v1")
            case ["apis", group] if group in self._groups():
                return {"kind": "APIGroup", "apiVersion": "v1", **self._group(group)}
            case ["apis", group, version]:
                return self._resources(group, version)
        raise no_such_path()

    def paths(self) -> list[str]:
        """Every discovery path, as `/` lists them."""
        found = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/readyz", "/version"]
        for group in self._groups():
            found += [f"/apis/{group}", *(f"/apis/{group}/{v}" for v in self._versions(group))]
        return sorted(found)

    def _groups(self) -> list[str]:
        served = dict.fromkeys(r.group for r in self.store.registry.all() if r.group)
        return sorted(served, key=lambda group: _PLACES.get(group, len(_PLACES)))

    def _versions(self, group: str) -> list[str]:
        return list(dict.fromkeys(r.version for r in self.store.registry.all() if r.group == group))

    def _group(self, group: str) -> Obj:
        versions = [{"groupVersion": f"{group}/{v}", "version": v} for v in self._versions(group)]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def _resources(self, group: str, version: str) -> Obj:
        served = [r for r in self.store.registry.all() if (r.group, r.version) == (group, version)]
        if not served:
            raise no_such_path()
        listed = sorted((row for resource in served for row in _rows(resource)), key=lambda row: row["name"])
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": listed,
        }


def _rows(resource: Resource) -> list[Obj]:
    row: Obj = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        row["shortNames"] = list(resource.short_names)
    if resource.categories:
        row["categories"] = list(resource.categories)
    return [row, *(_sub_row(resource, sub) for sub in resource.subresources if sub in _SUB_KINDS)]


def _sub_row(resource: Resource, sub: str) -> Obj:
    kind, verbs = _SUB_KINDS[sub]
    row: Obj = {
        "name": f"{resource.plural}/{sub}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind or resource.kind,
        "verbs": list(verbs),
    }
    if kind in _SUB_GROUPS:
        row["group"], row["version"] = _SUB_GROUPS[kind]
    return row
