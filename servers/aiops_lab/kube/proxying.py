"""pods/proxy: what a program in a pod answers to plain HTTP, as far as a story declared it.

Wordings of apimachinery's `pkg/util/proxy` (a port where nobody listens) and of net/http (an unknown path).
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from starlette.responses import PlainTextResponse, Response

from aiops_lab.kube.calls import Call
from aiops_lab.kube.errors import ApiError, method_not_allowed, not_found
from aiops_lab.kube.ports import LogSource
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import dig


@runtime_checkable
class Programs(Protocol):
    """A world whose programs answer HTTP."""

    def http(self, namespace: str, pod: str, port: int, path: str) -> bytes | None:
        """The body; None for a path that the program does not serve. Raises LookupError for a closed port."""
        ...


@dataclass(frozen=True)
class Proxying:
    """The proxy handler."""

    store: Store
    source: LogSource

    def answer(self, call: Call) -> Response:
        """What the program says. Raises ApiError 404, 405, 503."""
        target = call.target
        if call.verb != "get":
            raise method_not_allowed()
        name, _, port = target.name.partition(":")
        pod = self.store.shelf.find(target.resource, target.namespace, name)
        if pod is None:
            raise not_found(target.resource, name)
        number = int(port) if port.isdecimal() else 80
        path = "/" + "/".join(target.rest)
        try:
            found = None
            if isinstance(self.source, Programs):
                found = self.source.http(target.namespace, name, number, path)
        except LookupError:
            where = f"{dig(pod, 'status', 'podIP', default='')}:{number}"
            words = f"error trying to reach service: dial tcp {where}: connect: connection refused"
            raise ApiError(503, "ServiceUnavailable", words) from None
        if found is None:
            return PlainTextResponse("404 page not found\n", status_code=404)
        return Response(found, media_type="application/octet-stream")
