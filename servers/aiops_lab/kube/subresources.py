"""Sends a subresource request to its handler, and refuses plainly what the lab does not play."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from aiops_lab.kube.binding import Binding
from aiops_lab.kube.calls import Call
from aiops_lab.kube.errors import method_not_allowed, not_found, not_simulated
from aiops_lab.kube.eviction import Eviction
from aiops_lab.kube.logs import Logs
from aiops_lab.kube.ports import LogSource
from aiops_lab.kube.proxying import Proxying
from aiops_lab.kube.scale import Scale
from aiops_lab.kube.store import Store
from aiops_lab.kube.tokens import Tokens

_VERBS = {
    "log": {"get"},
    "scale": {"get", "update", "patch"},
    "eviction": {"create"},
    "binding": {"create"},
    "token": {"create"},
}


@dataclass(frozen=True)
class Subresources:
    """log, scale, eviction, binding and token."""

    store: Store
    logs: LogSource
    now: Callable[[], datetime]

    def answer(self, call: Call) -> Response:
        """Answer or refuse. Raises ApiError 405, 501 and what the handlers raise."""
        name = call.target.subresource
        if name == "proxy" and call.target.resource.plural == "pods":
            return Proxying(self.store, self.logs).answer(call)
        verbs = _VERBS.get(name)
        if verbs is None:
            self._require_object(call)
            raise not_simulated(f"{call.target.resource.plural}/{name}")
        if call.verb not in verbs:
            raise method_not_allowed()
        if name == "log":
            return Logs(self.store, self.logs, self.now).answer(call)
        if name == "scale":
            return Scale(self.store).answer(call)
        if name == "binding":
            return Binding(self.store, self.now).answer(call)
        if name == "token":
            return Tokens(self.store, self.now).answer(call)
        return Eviction(self.store, self.now).answer(call)

    def _require_object(self, call: Call) -> None:
        target = call.target
        if target.subresource not in {"ephemeralcontainers", "resize"}:
            return
        if self.store.shelf.find(target.resource, target.namespace, target.name) is None:
            raise not_found(target.resource, target.name)
