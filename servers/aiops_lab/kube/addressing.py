"""Whether a body says what its path says: kind, name and namespace, in the words of each handler.

After endpoints/handlers/{create,update,patch}.go, `EnsureObjectNamespaceMatchesRequestNamespace` and
structured-merge-diff's typed errors for applied configurations.
"""

from typing import Any

import orjson

from aiops_lab.kube.admission.shapes import check_shape
from aiops_lab.kube.admission.unknown import settle_unknown
from aiops_lab.kube.bodies import SCHEME, go_kind
from aiops_lab.kube.errors import ApiError, FieldError, bad_request, go_error, invalid_kind
from aiops_lab.kube.gotext import go_map
from aiops_lab.kube.patching.apply import twice_named
from aiops_lab.kube.patching.schema import Schema
from aiops_lab.kube.registry import Registry
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.targets import Target
from aiops_lab.kube.views import stored
from aiops_lab.kube.wire import Obj, dig

_UNKNOWN_FIELD = 'unknown field "'
_NO_NAMESPACE_MATCH = "the namespace of the provided object does not match the namespace sent on the request"


def addressed(registry: Registry, target: Target, sent: Obj) -> Obj:
    """What was sent, completed by the path. Raises ApiError 400."""
    sent = stored(target.resource, sent)
    kind, api_version = check_kind(registry, target.resource, sent)
    meta = _meta(sent)
    _settle_namespace(meta, target)
    if target.name:
        check_name(meta, target.name)
    return {**sent, "apiVersion": api_version, "kind": kind, "metadata": meta}


def check_kind(registry: Registry, resource: Resource, sent: Obj) -> tuple[str, str]:
    """Kind and apiVersion of the path; the body may leave them out. Raises ApiError 400."""
    api_version = "v1" if resource.kind == "Event" else resource.api_version
    said = (sent.get("apiVersion") or api_version, sent.get("kind") or resource.kind)
    if said != (api_version, resource.kind):
        raise bad_request(_misplaced(registry, resource, *said))
    return resource.kind, api_version


def _misplaced(registry: Registry, resource: Resource, api_version: object, kind: object) -> str:
    group, _, version = str(api_version).rpartition("/")
    start = f'{kind} in version "{version}" cannot be handled as a {resource.kind}: '
    if any(one.gvk == (group, version, kind) for one in registry.all()):
        package = resource.group.partition(".")[0] or "core"
        return f"{start}converting ({version}.{kind}) to ({package}.{resource.kind}): unknown conversion"
    return f'{start}no kind "{kind}" is registered for version "{api_version}" in scheme "{SCHEME}"'


def check_name(meta: Obj, name: str) -> None:
    """The body of an update names its object, as the path does. Raises ApiError 400."""
    said = meta.get("name")
    if not said:
        words = f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        raise bad_request(words)
    if said != name:
        raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")


def applied(target: Target, patch: Any) -> Obj:
    """An applied configuration, completed by the path. Raises ApiError 400, or 500 for fields of no or of
    another type."""
    if not isinstance(patch, dict):
        raise bad_request(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
            f"{go_kind(patch)} into Go value of type map[string]interface {{}}"
        )
    api_version = target.resource.api_version
    if (patch.get("apiVersion"), patch.get("kind")) != (api_version, target.resource.kind):
        said = str(patch.get("apiVersion") or "/")
        shown = said if "/" in said else f"/{said}"
        raise bad_request(f"invalid object type: {shown}, Kind={patch.get('kind') or ''}")
    check_applied_shape(target.resource, patch)
    for path in settle_unknown(target.resource, patch, ""):
        raise _untyped(target.resource, patch, f".{path}: field not declared in schema")
    for words in twice_named(patch, Schema(target.resource.kind, custom=target.resource.custom)):
        raise _untyped(target.resource, patch, words)
    meta = _meta(patch)
    meta.setdefault("name", target.name)
    check_name(meta, target.name)
    _settle_namespace(meta, target)
    return stored(target.resource, {**patch, "metadata": meta})


def check_patched(resource: Resource, patch: Any, patch_type: str, mode: str) -> list[str]:
    """Unknown fields of a patch, dropped; when strict they are refused. Raises ApiError 422."""
    named = patch if isinstance(patch, dict) else {}  # a JSON patch names paths, not fields
    if patch_type == "apply":
        return []  # `applied` looked
    try:
        return settle_unknown(resource, named, mode)
    except ApiError as error:
        at = error.message.find("strict decoding error")
        shown = go_map(patch) if patch_type == "strategic" else orjson.dumps(patch).decode()
        raise (bad_patch(error.message[at:], shown) if at >= 0 else error) from error


def check_applied_shape(resource: Resource, config: Obj) -> None:
    """Raises ApiError 500 for a field of a wrong type, as structured-merge-diff does."""
    try:
        check_shape(resource, config)
    except ApiError as error:
        field, _, wanted = error.message.partition("Go struct field ")[2].partition(" of type ")
        got = error.message.partition("cannot unmarshal ")[2].partition(" ")[0]
        expected = {"int32": "numeric (int or float)", "bool": "boolean", "[": "list", "m": "map", "v": "map"}
        expected |= {"string": "string"}
        named = expected.get(wanted) or expected[wanted[0]]
        words = f"expected {named}, got {_YAML_NAMES.get(got, got)}"
        raise _untyped(resource, config, f".{field.partition('.')[2]}: {words}") from error


_YAML_NAMES = {"array": "list", "object": "map", "bool": "boolean", "number": "int"}


def _untyped(resource: Resource, config: Obj, words: str) -> ApiError:
    where = (
        f"{dig(config, 'metadata', 'namespace', default='')}/{dig(config, 'metadata', 'name', default='')}"
    )
    said = f"({where}; {resource.api_version}, Kind={resource.kind})"
    return go_error(f"failed to create typed patch object {said}: {words}")


def bad_patch(words: str, patch: str) -> ApiError:
    """422 of a patch whose outcome is no such object; a real server quotes the object or the patch."""
    return invalid_kind("", "", "", [FieldError("patch", words, patch)])


def _meta(sent: Obj) -> Obj:
    meta = sent.get("metadata") or {}
    if not isinstance(meta, dict):
        raise bad_request("metadata must be an object")
    return dict(meta)


def _settle_namespace(meta: Obj, target: Target) -> None:
    if (meta.get("namespace") or target.namespace) != target.namespace:
        raise bad_request(_NO_NAMESPACE_MATCH)
    if target.namespace:
        meta["namespace"] = target.namespace
