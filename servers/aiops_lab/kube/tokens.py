"""serviceaccounts/token: a TokenRequest, answered with a token that is worth nothing and says so."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import Response

from aiops_lab.kube.bodies import decode_object
from aiops_lab.kube.calls import Call, answer
from aiops_lab.kube.errors import FieldError, invalid_kind, not_found
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import dig, timestamp

_SHORTEST_S, _USUAL_S = 600, 3600
_AUDIENCE = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class Tokens:
    """The token handler."""

    store: Store
    now: Callable[[], datetime]

    def answer(self, call: Call) -> Response:
        """The request with its status. Raises ApiError 404 or 422."""
        sent, target = decode_object(call.body, call.content_type, "TokenRequest"), call.target
        asked_s = dig(sent, "spec", "expirationSeconds", default=_USUAL_S)
        account = self.store.shelf.find(target.resource, target.namespace, target.name)
        if account is None:
            raise not_found(target.resource, target.name)
        if not isinstance(asked_s, int) or asked_s < _SHORTEST_S:
            words = "may not specify a duration less than 10 minutes"
            wrong = FieldError("spec.expirationSeconds", words, asked_s)
            raise invalid_kind("TokenRequest", "authentication.k8s.io", "", [wrong])
        token = f"lab-token-worth-nothing-{target.namespace}-{target.name}"
        spec = {
            "audiences": dig(sent, "spec", "audiences", default=[_AUDIENCE]),
            "expirationSeconds": asked_s,
            "boundObjectRef": dig(sent, "spec", "boundObjectRef"),
        }
        expires = timestamp(self.now() + timedelta(seconds=asked_s))
        body = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": target.name,
                "namespace": target.namespace,
                "creationTimestamp": timestamp(self.now()),
            },
            "spec": spec,
            "status": {"token": token, "expirationTimestamp": expires},
        }
        return answer(body, 201)
