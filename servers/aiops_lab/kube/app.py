"""The Kubernetes API over HTTP: each request is read, named, allowed, answered and logged at this one door.

`aiops_lab.run` serves it with TLS on loopback; tests drive it in process.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aiops_lab.kube.bodies import read_body
from aiops_lab.kube.calls import Call, answer, refuse
from aiops_lab.kube.changing import Changing
from aiops_lab.kube.discovery import Discovery
from aiops_lab.kube.errors import ApiError, no_such_path, unauthorized
from aiops_lab.kube.faults import Dropped, Faults, played
from aiops_lab.kube.impersonation import impersonated
from aiops_lab.kube.metrics import Metrics
from aiops_lab.kube.openapi import openapi_answer
from aiops_lab.kube.options import check_options
from aiops_lab.kube.ports import Authenticator, LogSource, UsageSource, UserInfo
from aiops_lab.kube.rbac import Attributes, Rbac
from aiops_lab.kube.reading import Reading
from aiops_lab.kube.requests import LoggedRequest, RequestLog
from aiops_lab.kube.reviews import Reviews
from aiops_lab.kube.selectors import exact_name
from aiops_lab.kube.store import Store
from aiops_lab.kube.subresources import Subresources
from aiops_lab.kube.targets import Target, segments, target_of, verb_of
from aiops_lab.kube.watching import Watching

_LOG = logging.getLogger(__name__)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_OPEN = frozenset({"healthz", "livez", "readyz", "version"})
_DISCOVERY = frozenset({"api", "apis", "version"})


@dataclass
class _Noted:
    """What the log will say about the request in hand."""

    user: str = ""
    impersonator: str = ""
    verb: str = ""
    target: Target | None = None
    dry_run: bool = False
    body: bytes = b""


@dataclass(frozen=True)
class _Api:
    authenticator: Authenticator
    rbac: Rbac
    discovery: Discovery
    reading: Reading
    watching: Watching
    changing: Changing
    subresources: Subresources
    metrics: Metrics
    reviews: Reviews
    requests: RequestLog
    now: Callable[[], datetime]
    store: Store
    faults: Faults

    async def handle(self, request: Request) -> Response:
        """Answer one request and log it, whatever came of it."""
        noted = _Noted()
        try:
            response = await self._answer(request, noted)
        except ApiError as error:
            response = refuse(error)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # A bug of the simulator: answered as a real server answers a panic, and seen by tests as 500.
            _LOG.exception("unexpected failure on %s %s", request.method, request.url.path)
            response = refuse(
                ApiError(500, "InternalError", f"Internal error occurred: {type(error).__name__}")
            )
        self._log(request, noted, response.status_code)
        return response

    async def _answer(self, request: Request, noted: _Noted) -> Response:
        parts = segments(request.url.path)
        _check_accept(request)
        noted.body = await read_body(request)
        if len(parts) and parts[0] in _OPEN - _DISCOVERY and request.method == "GET":
            return PlainTextResponse("ok")
        user = await self._caller(request, noted)
        if len(parts) > (2 if parts[:1] == ["api"] else 3) and parts[0] in {"api", "apis"}:
            return await self._resource(request, noted, user, parts)
        if request.method not in {"GET", "HEAD"}:
            raise no_such_path()
        noted.verb = "get"
        if fault := self.faults.next("get", request.url.path):
            return await played(fault)
        if parts[:1] == ["openapi"]:
            return answer(openapi_answer(self.store, parts))
        if not parts:
            return answer({"paths": self.discovery.paths()})
        return answer(self.discovery.answer(parts))

    async def _caller(self, request: Request, noted: _Noted) -> UserInfo:
        if request.url.path == "/version" and "authorization" not in request.headers:
            return UserInfo("system:anonymous", ("system:unauthenticated",))
        user = await self.authenticator.identify(request.headers.get("authorization"), None)
        if user is None:
            raise unauthorized()
        noted.user = user.username
        acting = impersonated(request.headers, user, self.rbac)
        if acting is not user:
            noted.user, noted.impersonator = acting.username, user.username
        return acting

    async def _resource(self, request: Request, noted: _Noted, user: UserInfo, parts: list[str]) -> Response:
        target = target_of(parts, self.store.registry)
        noted.target = target
        watching = request.query_params.get("watch", "").lower() in {"true", "1"}
        noted.verb = verb = verb_of(request.method, target, watching=watching)
        call = Call(request, user, verb, target, noted.body)
        fault = self.faults.next(verb, request.url.path)
        if fault and fault.kind != "reset_after":
            return await played(fault)
        name = (
            target.name
            or (exact_name(call.query("fieldSelector")) if verb in {"list", "watch"} else "")
            or ""
        )
        wanted = Attributes(
            verb, target.resource.group, target.resource.plural, target.subresource, target.namespace, name
        )
        # Rights come before the check of the query, but the log says what was tried.
        noted.dry_run = verb not in {"get", "list", "watch"} and call.dry_run
        self.rbac.require(user, target.resource, wanted)
        check_options(call)
        response = self._dispatch(call)
        return Dropped() if fault else response

    def _dispatch(self, call: Call) -> Response:
        group = call.target.resource.group
        if group == "metrics.k8s.io":
            return self.metrics.answer(call)
        if call.target.resource.verbs == ("create",):
            return self.reviews.answer(call)
        if call.target.subresource and call.target.subresource not in {"status", "finalize"}:
            return self.subresources.answer(call)
        handlers: dict[str, Callable[[Call], Response]] = {
            "get": self.reading.get,
            "list": self.reading.list_page,
            "watch": self.watching.watch,
            "create": self.changing.create,
            "update": self.changing.update,
            "patch": self.changing.patch,
            "delete": self.changing.delete,
            "deletecollection": self.changing.delete_collection,
        }
        return handlers[call.verb](call)

    def _log(self, request: Request, noted: _Noted, status: int) -> None:
        target = noted.target
        self.requests.append(
            LoggedRequest(
                at=self.now(),
                received_at=_real_now(),
                user=noted.user,
                verb=noted.verb,
                method=request.method,
                path=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
                resource=target.resource.plural if target else "",
                namespace=target.namespace if target else "",
                name=target.name if target else "",
                subresource=target.subresource if target else "",
                dry_run=noted.dry_run,
                status=status,
                user_agent=request.headers.get("user-agent", "")[:256],
                body_sha256=hashlib.sha256(noted.body).hexdigest() if noted.body else "",
                impersonator=noted.impersonator,
            )
        )


def _check_accept(request: Request) -> None:
    """Raises ApiError 406 for a client that takes no JSON at all."""
    wanted = request.headers.get("accept", "*/*")
    if not any(form in wanted for form in ("json", "*/*", "application/*", "text/")):
        message = "only the following media types are accepted: application/json"
        raise ApiError(406, "NotAcceptable", message)


def _real_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the log names the real time beside the virtual one


def build_app(
    store: Store,
    *,
    logs: LogSource,
    usage: UsageSource,
    authenticator: Authenticator,
    requests: RequestLog,
    now: Callable[[], datetime],
    faults: Faults | None = None,
) -> Starlette:
    """Put the API in front of a store. `now` is the virtual clock that ages and log windows are told by."""
    rbac, reading = Rbac(store), Reading(store, now)
    changing = Changing(store, rbac, reading)
    api = _Api(
        authenticator=authenticator,
        rbac=rbac,
        discovery=Discovery(store),
        reading=reading,
        watching=Watching(store, now),
        changing=changing,
        subresources=Subresources(store, logs, now),
        metrics=Metrics(store, usage, reading, now),
        reviews=Reviews(rbac),
        requests=requests,
        now=now,
        store=store,
        faults=faults or Faults(),
    )
    return Starlette(routes=[Route("/{path:path}", api.handle, methods=_METHODS)])
