"""pods/binding: what a scheduler writes, a pod's node (registry/core/pod/storage/storage.go, BindingREST)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from aiops_lab.kube.bodies import decode_object
from aiops_lab.kube.calls import Call, answer
from aiops_lab.kube.errors import ApiError, go_error, not_found
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import clone, dig, name_of, timestamp


@dataclass(frozen=True)
class Binding:
    """The binding handler."""

    store: Store
    now: Callable[[], datetime]

    def answer(self, call: Call) -> Response:
        """Give a pod its node, once. Raises ApiError 404, 409, or 500 for a target that is none."""
        sent, target = decode_object(call.body, call.content_type, "Binding"), call.target
        kind, node = dig(sent, "target", "kind", default=""), dig(sent, "target", "name", default="")
        if kind not in {"", "Node"}:
            raise go_error(f'target.kind: Unsupported value: "{kind}": supported values: "Node", "<empty>"')
        if not node:
            raise go_error("target.name: Required value")
        pod = self.store.shelf.find(target.resource, target.namespace, target.name)
        if pod is None:
            raise not_found(target.resource, target.name)
        if held := dig(pod, "spec", "nodeName"):
            raise _taken(name_of(pod), f'pod {name_of(pod)} is already assigned to node "{held}"')
        if "deletionTimestamp" in pod["metadata"]:
            raise _taken(name_of(pod), f"pod {name_of(pod)} is being deleted, cannot be assigned to a host")
        if not call.dry_run:
            self._bind(call, str(node))
        return answer(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )

    def _bind(self, call: Call, node: str) -> None:
        target = call.target
        patch = {"spec": {"nodeName": node}}
        pod = self.store.patch("Pod", target.namespace, target.name, patch, "merge", manager=call.manager)
        status = clone(pod).get("status") or {}
        others = [one for one in status.get("conditions") or [] if one.get("type") != "PodScheduled"]
        scheduled = {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(self.now()),
        }
        status["conditions"] = [*others, scheduled]
        self.store.set_status("Pod", target.namespace, target.name, status, manager="kube-apiserver")


def _taken(pod: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on pods/binding "{pod}": {why}'
    return ApiError(409, "Conflict", message, {"name": pod, "kind": "pods/binding"})
