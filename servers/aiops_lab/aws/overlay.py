"""The layer in front of moto: it serves what moto lacks or answers wrongly, and lets the rest through.

It stands in moto's own framework (core.routing finds the operation, core.parse reads the parameters,
core.serialize writes the answer in the service's protocol), so an operation here is a function from a dict to
a dict in the service model's own names. Those modules are private to moto: moto is pinned exactly and every
operation has a contract test with real boto3.

Every request must carry a valid signature of one of the lab's principals. Callers: `aiops_lab.aws.server`.
"""

import io
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from aiops_lab.aws.account import ACCOUNT_ID
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.faults import AwsFaults, cut_answer
from aiops_lab.aws.policies import require
from aiops_lab.aws.principals import AccessKey, Directory
from aiops_lab.aws.signing import HttpMessage, read_signature, verify

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_LOG = 10_000
POLICED = frozenset({"s3"})  # moto serves them; policies need the operations' names
SIGNED_AS = {"monitoring": "cloudwatch", "aps": "amp"}  # services whose signing name is not botocore's name
# Answers of a hundred thousand numbers, which moto's serializer takes seconds for: written as they are.
LARGE = frozenset({("cloudwatch", "GetMetricData", "json"), ("ce", "GetCostAndUsage", "json")})


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation: who, where, with what."""

    caller: AccessKey
    region: str
    params: Mapping[str, Any]
    user_agent: str = ""


Operation = Callable[[Call], Mapping[str, Any]]
Operations = Mapping[tuple[str, str], Operation]


@dataclass(frozen=True, slots=True)
class AwsRequest:
    """One line of the lab's own CloudTrail: what was asked, by whom, and how it ended."""

    at: datetime
    service: str
    operation: str
    caller: str
    region: str
    status: int
    user_agent: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class _Matched:
    """A request whose operation is known."""

    request: Request
    model: OperationModel
    uri_params: dict[str, Any]
    protocol: str


@dataclass(slots=True)
class _Seen:
    """What has been learned about one request so far."""

    asked: str
    service: str = "unknown"
    region: str = ""
    matched: _Matched | None = None
    caller: AccessKey | None = None

    @property
    def operation(self) -> str:
        """The operation's name; for a service that moto serves alone, what the request says of itself."""
        return str(self.matched.model.name) if self.matched else self.asked


class Overlay:
    """A WSGI application: registered operations first, then moto."""

    def __init__(
        self,
        operations: Operations,
        directory: Directory,
        now: Callable[[], datetime],
        faults: AwsFaults | None = None,
    ) -> None:
        self.faults = faults or AwsFaults()
        self._operations = operations
        self._services = frozenset(service for service, _ in operations)
        self._directory = directory
        self._now = now
        self._moto: WSGIApplication | None = None
        self.requests: deque[AwsRequest] = deque(maxlen=MAX_LOG)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request. The body is read once here and laid back for moto, the second reader."""
        body = _read_body(environ)
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        message = _message(environ, body)
        seen = _Seen(asked=_asked(message))
        try:
            response = self._respond(environ, message, seen)
        except AwsError as error:
            response = _error_response(error, seen.matched)
        self._note(seen, response.status_code, environ.get("HTTP_USER_AGENT", ""))
        return response(environ, start_response)

    def _respond(self, environ: "WSGIEnvironment", message: HttpMessage, seen: _Seen) -> Response:
        """The answer; fills `seen` on the way, since an error needs the protocol and the log needs both."""
        if len(message.body) > MAX_BODY_BYTES:
            raise AwsError("RequestEntityTooLarge", f"send at most {MAX_BODY_BYTES} bytes", 413)
        signature = read_signature(message)
        if signature is None:
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        seen.service = SIGNED_AS.get(signature.service.lower(), signature.service.lower())
        seen.region = signature.region
        seen.matched = self._match(seen.service, environ)
        seen.caller = verify(message, signature, self._directory)
        require(seen.caller, seen.service, seen.operation, seen.region)
        params = _parse(seen.matched) if seen.matched else {}
        call = Call(seen.caller, seen.region, params, environ.get("HTTP_USER_AGENT", "")[:256])
        if (broken := self._misbehave(seen, call)) is not None:
            return broken
        operation = self._operations.get((seen.service, seen.operation))
        if seen.matched is None or operation is None:
            return self._through(environ, seen)
        return _serialize(seen.matched, operation(call))

    def _misbehave(self, seen: _Seen, call: Call) -> Response | None:
        """Play the fault that is set for this call. Raises AwsError with the fault's code."""
        found = self.faults.next(seen.service, seen.operation, call.region, call.params)
        if found is None:
            return None
        fault, well = found
        if fault.delay_s:
            well.wait(fault.delay_s)
        if fault.code:
            raise fault.error(call.caller.caller_arn, seen.operation, call.region)
        return cut_answer() if fault.cut else None

    def _match(self, service: str, environ: "WSGIEnvironment") -> _Matched | None:
        served = service in self._services or service in POLICED
        if not served and service not in self.faults.services():
            return None
        request = Request(environ)
        try:
            model, uri_params = get_service_router(service).match(request)
        except NotFound:
            return None
        protocol = determine_request_protocol(get_service_model(service), request.content_type)
        return _Matched(request, model, uri_params, protocol)

    def _through(self, environ: "WSGIEnvironment", seen: _Seen) -> Response:
        """Ask moto, in the caller's account; what it does not know becomes a clear error and no web page."""
        environ["wsgi.input"].seek(0)
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = seen.caller.principal.account if seen.caller else ACCOUNT_ID
        what = f"{seen.service} {seen.operation}"
        unknown = AwsError("NotImplementedByLab", f"{what}: the lab does not simulate it", 501)
        try:
            response = Response.from_app(self._moto_app(), environ, buffered=True)
        except NotImplementedError as error:
            raise unknown from error
        if response.status_code in {404, 500} and response.mimetype == "text/html":
            raise unknown
        return response

    def _moto_app(self) -> "WSGIApplication":
        if self._moto is None:  # half a second of imports that most worlds never need
            from aiops_lab.aws.moto_app import moto_application

            self._moto = moto_application()
        return self._moto

    def _note(self, seen: _Seen, status: int, user_agent: str) -> None:
        self.requests.append(
            AwsRequest(
                at=self._now(),
                service=seen.service,
                operation=seen.operation,
                caller=seen.caller.caller_arn if seen.caller else "",
                region=seen.region,
                status=status,
                user_agent=user_agent,
                account=seen.caller.principal.account if seen.caller else "",
            )
        )


def _read_body(environ: "WSGIEnvironment") -> bytes:
    """The body up to one byte over the limit; werkzeug ends a chunked one by itself."""
    if environ.get("wsgi.input_terminated"):
        wanted = MAX_BODY_BYTES + 1
    else:
        length = str(environ.get("CONTENT_LENGTH") or "0")
        wanted = min(int(length) if length.isdecimal() else 0, MAX_BODY_BYTES + 1)
    body: bytes = environ["wsgi.input"].read(wanted)
    return body


def _message(environ: "WSGIEnvironment", body: bytes) -> HttpMessage:
    headers = {
        key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")
    }
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    headers["content-length"] = environ.get("CONTENT_LENGTH", "")
    return HttpMessage(
        method=environ["REQUEST_METHOD"],
        path=str(environ.get("RAW_URI") or environ["PATH_INFO"]).partition("?")[0],
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=body,
    )


def _asked(message: HttpMessage) -> str:
    """The operation by the marks of the protocols: a target header, an `Action`, or method and path."""
    if target := message.headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    form = "x-www-form-urlencoded" in message.headers.get("content-type", "")
    action = parse_qs(message.body.decode("utf-8", "replace") if form else message.query).get("Action")
    return action[0] if action else f"{message.method} {message.path}"


def _parse(matched: _Matched) -> dict[str, Any]:
    request = matched.request
    parser = PROTOCOL_PARSERS[matched.protocol](matched.model)
    parsed: dict[str, Any] = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.get_data(),
            "url_path": request.path,
            "url_params": matched.uri_params,
        }
    )
    return parsed


def _serialize(matched: _Matched, result: Mapping[str, Any] | AwsError) -> Response:
    service = matched.model.service_model.service_name
    if (service, matched.model.name, matched.protocol) in LARGE and not isinstance(result, AwsError):
        return Response(orjson.dumps(result), headers={"Content-Type": "application/x-amz-json-1.0"})
    serializer = get_serializer_class(service, matched.protocol)(matched.model)
    answer = serializer.serialize(result)
    status = answer["status_code"]
    if isinstance(result, AwsError) and result.status is not None:
        status = result.status
    return Response(answer["body"], status=status, headers=dict(answer["headers"]))


def _error_response(error: AwsError, matched: _Matched | None) -> Response:
    if matched is not None:
        return _serialize(matched, error)
    # No operation, so no protocol: this header is what botocore's JSON parsers read, the body is for people.
    headers = {"x-amzn-errortype": error.code, "Content-Type": "application/json"}
    body = f'{{"__type": "{error.code}", "message": "{_plain(error.message)}"}}'
    return Response(body, status=error.status or 400, headers=headers)


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable() and letter not in '"\\')
