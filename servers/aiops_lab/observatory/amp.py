"""The data plane of Amazon Managed Service for Prometheus: `/amp/workspaces/<id>/api/v1/...`, signed only.

The same answers as the Prometheus room behind SigV4 of service `aps` (lab `aws/signing.py`) and the caller's
IAM rights; what AMP does not serve (targets, status pages) is unknown here too. Refusals are API Gateway's:
403 with a message and the error's name in a header (S18).
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from aiops_lab.aws.amp import AmpState
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.policies import require
from aiops_lab.aws.signing import HttpMessage, read_signature, verify
from aiops_lab.observatory.ports import HasWorld
from aiops_lab.observatory.prometheus import PrometheusRoom
from aiops_lab.observatory.prometheus_asking import MOST_BODY_BYTES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


SERVICE = "aps"
SERVED = ("query", "query_range", "series", "labels", "metadata", "rules", "alerts")
# IAM actions by the endpoint's name (Service Authorization Reference, Amazon Managed Service for Prometheus).
ACTIONS: Mapping[str, str] = {
    "query": "QueryMetrics",
    "query_range": "QueryMetrics",
    "series": "GetSeries",
    "labels": "GetLabels",
    "values": "GetLabels",
    "metadata": "GetMetricMetadata",
    "rules": "ListRules",
    "alerts": "ListAlerts",
}


def amp_app(observatory: HasWorld) -> Starlette:
    """The application of the room."""
    api = Starlette(routes=list(PrometheusRoom(observatory, SERVED).routes()))
    return Starlette(routes=[Mount("/workspaces/{workspace}", Signed(observatory, api))])


class Signed:
    """ASGI: lets requests through that a principal of the lab signed for this service and may make."""

    def __init__(self, observatory: HasWorld, app: "ASGIApp") -> None:
        self._observatory, self._app = observatory, app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """One request; its body is read here and laid back for the API."""
        request = Request(scope, receive)
        body = await request.body()
        try:
            self._check(request, body)
        except AwsError as error:
            await _refusal(error)(scope, receive, send)
            return
        await self._app(scope, _again(body), send)

    def _check(self, request: Request, body: bytes) -> None:
        """Raises AwsError: 403 for who may not, 404 for a workspace that is not there."""
        if len(body) > MOST_BODY_BYTES:
            raise AwsError("ValidationException", "request entity too large", 413)
        message = _message(request, body)
        signature = read_signature(message)
        if signature is None:
            raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
        caller = verify(message, signature, self._observatory.directory)
        if signature.service != SERVICE:
            words = f"Credential should be scoped to correct service: '{SERVICE}'. "
            raise AwsError("InvalidSignatureException", words, 403)
        name = request.url.path.rstrip("/").rpartition("/")[2]
        require(caller, "amp", ACTIONS.get(name, "QueryMetrics"), signature.region)
        workspace = request.path_params["workspace"]
        found = self._observatory.account.area(AmpState).workspaces.get(workspace)
        if found is None or found.status != "ACTIVE":
            raise AwsError("ResourceNotFoundException", f"Workspace not found: {workspace}", 404)


def _message(request: Request, body: bytes) -> HttpMessage:
    path = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1").partition("?")[0]
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpMessage(request.method, path, request.url.query, headers, body)


def _again(body: bytes) -> "Receive":
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _refusal(error: AwsError) -> Response:
    headers = {"x-amzn-errortype": error.code}
    status = error.status or HTTPStatus.BAD_REQUEST
    return Response(orjson.dumps({"message": error.message}), status, headers, "application/json")
