"""The scale subresource: one number of a workload, read and written as an autoscaling/v1 Scale."""

from dataclasses import dataclass

from starlette.responses import Response

from aiops_lab.kube.addressing import check_kind, check_name
from aiops_lab.kube.bodies import PATCH_TYPES, decode_object, decode_patch, go_kind, media_type
from aiops_lab.kube.calls import Call, answer
from aiops_lab.kube.columns.printer import NONE, selector_text
from aiops_lab.kube.errors import FieldError, bad_request, invalid_kind, not_found, unknown_patch_type
from aiops_lab.kube.patching.jsonpatch import json_patch
from aiops_lab.kube.patching.merge import merge_patch
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import Obj, clone, dig

_SCALE = Resource("autoscaling", "v1", "scales", "Scale", "scale", namespaced=True)
_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


@dataclass(frozen=True)
class Scale:
    """The scale handlers."""

    store: Store

    def answer(self, call: Call) -> Response:
        """Read, replace or patch the Scale. Raises ApiError 404, 409, 415 or 422."""
        target = call.target
        live = self.store.shelf.find(target.resource, target.namespace, target.name)
        if live is None:
            raise not_found(target.resource, target.name)
        if call.verb == "get":
            return answer(_scale_of(live))
        sent = self._sent(call, live)
        replicas = dig(sent, "spec", "replicas", default=0)
        if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
            wrong = FieldError("spec.replicas", "must be greater than or equal to 0", replicas)
            raise invalid_kind("Scale", "autoscaling", target.name, [wrong])
        changed = clone(live)
        changed.setdefault("spec", {})["replicas"] = replicas
        changed["metadata"]["resourceVersion"] = dig(sent, "metadata", "resourceVersion", default="")
        changed["metadata"]["uid"] = dig(sent, "metadata", "uid", default="")
        stored = self.store.update(
            changed, manager=call.manager, user=call.user.username, subresource="scale", dry_run=call.dry_run
        )
        return answer(_scale_of(stored))

    def _sent(self, call: Call, live: Obj) -> Obj:
        if call.verb == "update":
            return self._replacing(call)
        kind = media_type(call.content_type)
        patch_type = PATCH_TYPES.get(kind)
        if patch_type is None:
            raise unknown_patch_type()
        scale, patch = _scale_of(live), decode_patch(call.body, kind)
        patched = json_patch(scale, patch) if patch_type == "json" else merge_patch(scale, patch)
        # Only a version that the patch itself names is a precondition.
        if patched["metadata"].get("resourceVersion") == scale["metadata"]["resourceVersion"]:
            patched["metadata"].pop("resourceVersion")
        return patched

    def _replacing(self, call: Call) -> Obj:
        sent = decode_object(call.body, call.content_type, "Scale")
        check_kind(self.store.registry, _SCALE, sent)
        replicas = dig(sent, "spec", "replicas", default=0)
        if not isinstance(replicas, int):
            start = 'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
            field = "ScaleSpec.spec.replicas of type int32"
            raise bad_request(f"{start}{go_kind(replicas)} into Go struct field {field}")
        check_name(sent.get("metadata") or {}, call.target.name)
        return sent


def _scale_of(obj: Obj) -> Obj:
    status: Obj = {"replicas": dig(obj, "status", "replicas", default=0)}
    selector = selector_text(dig(obj, "spec", "selector"))
    if selector != NONE:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: obj["metadata"][field] for field in _COPIED if field in obj["metadata"]},
        "spec": {"replicas": dig(obj, "spec", "replicas", default=0)},
        "status": status,
    }
