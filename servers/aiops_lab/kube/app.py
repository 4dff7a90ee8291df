"""The Kubernetes API over HTTP: each request is read, named, allowed, answered and logged at this one door.

`aiops_lab.run` serves it with TLS on loopback; tests drive it in process.
"""

import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from aiops_lab.kube.bodies import read_body
from aiops_lab.kube.calls import Call, answer, refuse
from aiops_lab.kube.changing import Changing
from aiops_lab.kube.discovery import Discovery
from aiops_lab.kube.errors import ApiError, PlainAnswer, method_not_allowed, no_such_path, unauthorized
from aiops_lab.kube.faults import Dropped, Faults, played
from aiops_lab.kube.impersonation import impersonated
from aiops_lab.kube.metrics import Metrics
from aiops_lab.kube.negotiating import check_accept
from aiops_lab.kube.openapi import openapi_answer
from aiops_lab.kube.options import check_options
from aiops_lab.kube.ports import Authenticator, ControlPlaneSource, LogSource, UsageSource, UserInfo
from aiops_lab.kube.rbac import OPEN_PATHS, Attributes, Rbac, covers
from aiops_lab.kube.reading import Reading
from aiops_lab.kube.requests import LoggedRequest, RequestLog
from aiops_lab.kube.reviews import Reviews
from aiops_lab.kube.selectors import exact_name
from aiops_lab.kube.store import Store
from aiops_lab.kube.subresources import Subresources
from aiops_lab.kube.targets import Target, judged, segments, target_of, verb_of
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
    measured: Callable[[], Iterator[bytes]] | None

    async def handle(self, request: Request) -> Response:
        """Answer one request and log it, whatever came of it."""
        noted = _Noted()
        if self.faults.latency_s:
            await anyio.sleep(self.faults.latency_s)
        try:
            response = await self._answer(request, noted)
        except ApiError as error:
            response = refuse(error)
        except PlainAnswer as said:
            response = PlainTextResponse(said.text, said.status)
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
        noted.body = await read_body(request)
        if len(parts) and parts[0] in _OPEN - _DISCOVERY and request.method == "GET":
            return PlainTextResponse("ok")
        user = await self._caller(request, noted)
        if len(parts) > (2 if parts[:1] == ["api"] else 3) and parts[0] in {"api", "apis"}:
            return await self._resource(request, noted, user, parts)
        noted.verb = "get" if request.method in {"GET", "HEAD"} else request.method.lower()
        self._require_path(user, noted.verb, request.url.path)
        if not self._knows(parts):
            raise PlainAnswer(404, "404 page not found\n")
        if noted.verb != "get":
            raise method_not_allowed()
        if fault := self.faults.next("get", request.url.path):
            return await played(fault)
        if parts == ["metrics"] and self.measured is not None:
            return StreamingResponse(
                _in_loop(self.measured()), media_type="text/plain; version=0.0.4; charset=utf-8"
            )
        if parts[:1] == ["openapi"]:
            return answer(openapi_answer(self.store, parts))
        if not parts:
            return answer({"paths": self.discovery.paths()})
        return answer(self.discovery.answer(parts))

    def _require_path(self, user: UserInfo, verb: str, path: str) -> None:
        """Raises ApiError 403 for a path that is no resource and that no rule opens."""
        opened = verb == "get" and any(covers(pattern, path) for pattern in OPEN_PATHS)
        if not opened and not self.rbac.allows_path(user, verb, path):
            said = f'forbidden: User "{user.username}" cannot {verb} path "{path}"'
            raise ApiError(403, "Forbidden", said, {})

    def _knows(self, parts: list[str]) -> bool:
        if parts[:1] == ["apis"] and len(parts) > 1:
            return any(one.group == parts[1] for one in self.store.registry.all())
        if parts == ["metrics"]:
            return self.measured is not None
        return not parts or parts[0] in {"api", "apis", "openapi", "version"}

    async def _caller(self, request: Request, noted: _Noted) -> UserInfo:
        if request.url.path == "/version" and "authorization" not in request.headers:
            return UserInfo("system:anonymous", ("system:unauthenticated",))
        user = await self.authenticator.identify(request.headers.get("authorization"), None)
        if user is None:
            raise unauthorized()
        noted.user = user.username
        acting = impersonated(request.url.path, request.headers, user, self.rbac)
        if acting is not user:
            noted.user, noted.impersonator = acting.username, user.username
        return acting

    async def _resource(self, request: Request, noted: _Noted, user: UserInfo, parts: list[str]) -> Response:
        watching = "watch" in request.query_params and request.query_params["watch"] not in {"false", "0"}
        asked = judged(parts, request.method, watching=watching)
        noted.verb = asked[0]
        target, problem = self._found(parts, request.method, watching=watching)
        noted.target = target
        if (fault := self.faults.next(noted.verb, request.url.path)) and fault.kind != "reset_after":
            return await played(fault)
        pinned = exact_name(request.query_params.get("fieldSelector", ""))
        if pinned and asked[0] in {"list", "watch"}:
            asked = (*asked[:5], pinned)
        wanted = Attributes(asked[0], asked[1], asked[2], asked[3], asked[4], asked[5])
        call = Call(request, user, noted.verb, target, noted.body) if target else None
        # Rights come before everything else, but the log says what was tried.
        noted.dry_run = call is not None and noted.verb not in {"get", "list", "watch"} and call.dry_run
        self.rbac.require(user, wanted)
        if call is None or problem:
            if not self._knows(parts):
                raise PlainAnswer(404, "404 page not found\n")
            raise problem or no_such_path()
        check_accept(request, call.target)
        check_options(call)
        response = self._dispatch(call)
        return Dropped() if fault else response

    def _found(
        self, parts: list[str], method: str, *, watching: bool
    ) -> tuple[Target | None, ApiError | None]:
        """What a path names, and why it or the method is refused."""
        target = None
        try:
            target = target_of(parts, self.store.registry)
            verb_of(method, target, watching=watching)
        except ApiError as error:
            return target, error
        return target, None

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
            ),
            noted.body,
            target.resource.group if target else "",
        )


async def _in_loop(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """A plain iterator would be read in a thread, where nobody may look into the store."""
    for piece in pieces:
        yield piece


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
    """Put the API in front of a store. `now` is the virtual clock that ages and log windows are told by.

    A `usage` that also measures the control plane is what `GET /metrics` answers from.
    """
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
        reviews=Reviews(rbac, store.registry),
        requests=requests,
        now=now,
        store=store,
        faults=faults or Faults(),
        measured=usage.control_plane if isinstance(usage, ControlPlaneSource) else None,
    )
    return Starlette(routes=[Route("/{path:path}", api.handle, methods=_METHODS)])
