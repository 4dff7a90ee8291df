"""As much OpenAPI v3 as kubectl needs to leave validation to the server.

Before `apply` and `create`, kubectl asks whether PATCH takes `fieldValidation`; told so, it downloads no
schema. Schemas are not served: `kubectl explain` does not work here.
"""

from aiops_lab.kube.errors import no_such_path
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import Obj

_INFO: Obj = {"title": "eks-aiops lab", "version": "unversioned"}
_QUERY: list[Obj] = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
]


def openapi_answer(store: Store, parts: list[str]) -> Obj:
    """The document at `/openapi/v3` or below. Raises ApiError 404."""
    served = store.registry.all()
    groups = dict.fromkeys(_place(resource) for resource in served)
    if parts == ["openapi", "v3"]:
        return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in groups}}
    place = "/".join(parts[2:])
    if parts[:2] != ["openapi", "v3"] or place not in groups:
        raise no_such_path()
    paths = {_path(r): {"patch": _operation(r)} for r in served if _place(r) == place and "patch" in r.verbs}
    return {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": {}}}


def _place(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _path(resource: Resource) -> str:
    scope = "namespaces/{namespace}/" if resource.namespaced else ""
    return f"/{_place(resource)}/{scope}{resource.plural}/{{name}}"


def _operation(resource: Resource) -> Obj:
    group, version, kind = resource.gvk
    return {
        "operationId": f"patch{kind}",
        "parameters": _QUERY,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }
