"""The lab's own door: its clock, its request logs, its scenarios and faults, as JSON over plain HTTP.

`eks-aiops lab` commands and the servers' time source (`AIOPS_TIME_SOURCE`) come in here. Loopback only;
the Host header is checked, and a POST must be JSON, so that no web page can reach it (DNS rebinding, forms).
"""

import hashlib
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Protocol

import anyio
import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aiops_lab.aws.overlay import AwsRequest
from aiops_lab.clock import VirtualClock
from aiops_lab.kube.faults import Fault, Faults
from aiops_lab.kube.requests import RequestLog
from aiops_lab.kube.store import Store

MAX_BODY_BYTES = 64 * 1024
MAX_ADVANCE_S = 86_400.0
SLICE_S = 30.0  # requests are answered between two slices of a long advance
VOLATILE = frozenset({"status"})
VOLATILE_META = frozenset({"managedFields", "resourceVersion"})
UNCOUNTED = frozenset({"Event", "Lease"})  # they come and go by themselves

_FAULT = TypeAdapter(Fault)
_FAULT_FIELDS = {one.name: None for one in fields(Fault)}


class SteeredLab(Protocol):
    """What the door needs of the lab; `aiops_lab.run.Lab` fulfils it, `aiops_lab.fleet.Fleet` for several."""

    @property
    def scenario(self) -> str: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def clock(self) -> VirtualClock: ...  # noqa: D102
    @property
    def store(self) -> Store: ...  # noqa: D102
    @property
    def requests(self) -> RequestLog: ...  # noqa: D102
    @property
    def faults(self) -> Faults: ...  # noqa: D102

    def scenarios(self) -> list[dict[str, str]]:
        """What can be played: name, fixture, title, shows."""
        ...

    def inject(self, scenario: str) -> None:
        """Add a scenario's trouble. Raises ValueError where it does not fit."""
        ...

    def reset(self, scenario: str, seed: int) -> None:
        """Build the world anew."""
        ...

    def set_faults(self, wanted: Iterable[Fault]) -> None:
        """Replace the faults that are set."""
        ...

    def aws_requests(self) -> list[AwsRequest]:
        """What AWS was asked."""
        ...


Answer = Callable[[SteeredLab, Request], Awaitable[Mapping[str, Any]]]


class ControlError(Exception):
    """A request that is refused, with its HTTP status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def control_app(lab: SteeredLab) -> Starlette:
    """The application; every route works on this one lab."""
    routes = [
        ("/time", "GET", get_time),
        ("/time/advance", "POST", advance_time),
        ("/requests", "GET", get_requests),
        ("/aws-requests", "GET", get_aws_requests),
        ("/scenarios", "GET", get_scenarios),
        ("/inject", "POST", inject),
        ("/reset", "POST", reset),
        ("/state", "GET", get_state),
        ("/faults", "POST", set_faults),
    ]
    return Starlette(
        routes=[Route(path, _endpoint(lab, answer), methods=[method]) for path, method, answer in routes],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])],
    )


def _endpoint(lab: SteeredLab, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return _json(200, await answer(lab, request))
        except ControlError as error:
            return _json(error.status, {"error": {"code": error.code, "message": str(error)}})

    return endpoint


def _json(status: int, body: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object of a POST. Raises ControlError 400, 413 or 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ControlError(415, "not_json", "send content-type: application/json")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise ControlError(413, "too_large", f"send at most {MAX_BODY_BYTES} bytes")
    try:
        body = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError as error:
        raise ControlError(400, "bad_json", "the body is not JSON") from error
    if not isinstance(body, dict):
        raise ControlError(400, "bad_json", "the body must be an object")
    return body


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def get_time(lab: SteeredLab, request: Request) -> Mapping[str, Any]:
    """World time."""
    del request
    return {"now": stamp(lab.clock.now())}


async def advance_time(lab: SteeredLab, request: Request) -> Mapping[str, Any]:
    """Play some seconds at once, controllers and all. Raises ControlError 400."""
    seconds = (await _body(request)).get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_ADVANCE_S:
        raise ControlError(400, "bad_seconds", f"seconds: a number from 0 to {MAX_ADVANCE_S:.0f}")
    await advance(lab, float(seconds))
    return {"now": stamp(lab.clock.now())}


async def advance(lab: SteeredLab, seconds: float) -> None:
    """Advance in slices, so that others are served in between."""
    for _ in range(math.floor(seconds / SLICE_S)):
        lab.clock.advance(SLICE_S)
        await anyio.lowlevel.checkpoint()
    lab.clock.advance(seconds % SLICE_S)


async def get_requests(lab: SteeredLab, request: Request) -> Mapping[str, Any]:
    """The Kubernetes API's own log: the proof of what was really done."""
    only_writes = request.query_params.get("writes", "").lower() in {"true", "1"}
    entries = lab.requests.writes() if only_writes else lab.requests.entries
    return {"total": lab.requests.total, "requests": [asdict(entry) for entry in entries]}


async def get_aws_requests(lab: SteeredLab, request: Request) -> Mapping[str, Any]:
    """The AWS overlay's own log."""
    del request
    return {"requests": [asdict(entry) for entry in lab.aws_requests()]}


async def get_scenarios(lab: SteeredLab, request: Request) -> Mapping[str, Any]:
    """What can be played, and what plays now."""
    del request
    return {"scenario": lab.scenario, "seed": lab.seed, "scenarios": lab.scenarios()}


async def inject(lab: SteeredLab, request: Request) -> Mapping[str, Any]:
    """Add a scenario's trouble to the running world. Raises ControlError 404 or 409."""
    name = _known(lab, (await _body(request)).get("scenario"))
    try:
        lab.inject(name)
    except ValueError as error:
        raise ControlError(409, "does_not_fit", str(error)) from error
    return {"scenario": name, "now": stamp(lab.clock.now())}


async def reset(lab: SteeredLab, request: Request) -> Mapping[str, Any]:
    """Build the world anew; without a name the same scenario, without a seed the same seed."""
    body = await _body(request)
    seed = body.get("seed", lab.seed)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ControlError(400, "bad_seed", "seed: a whole number")
    lab.reset(_known(lab, body.get("scenario", lab.scenario)), seed)
    return {"scenario": lab.scenario, "seed": lab.seed, "now": stamp(lab.clock.now())}


def _known(lab: SteeredLab, name: object) -> str:
    known = [str(one["name"]) for one in lab.scenarios()]
    if not isinstance(name, str) or name not in known:
        message = f"scenario {name!r}: not known; known are {', '.join(known)}"
        raise ControlError(404, "unknown_scenario", message)
    return name


async def get_state(lab: SteeredLab, request: Request) -> Mapping[str, Any]:
    """How many objects of each kind there are, with digests of everything but status and managedFields.

    Controllers change objects too when time passes (pods, endpoints): compare kinds, or let the clock stand.
    """
    del request
    kinds: dict[str, dict[str, Any]] = {}
    for resource in lab.store.registry.all():
        objects = lab.store.select(resource)
        if objects and resource.kind not in UNCOUNTED:
            digest = _digest([_stable(one) for one in objects])
            kinds[resource.kind] = {"count": len(objects), "digest": digest}
    return {"kinds": kinds, "digest": _digest(kinds)}


def _stable(obj: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in obj.items() if name not in VOLATILE}
    metadata = {name: value for name, value in obj["metadata"].items() if name not in VOLATILE_META}
    return kept | {"metadata": metadata}


def _digest(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def set_faults(lab: SteeredLab, request: Request) -> Mapping[str, Any]:
    """Make the Kubernetes API misbehave as `{"faults": [{"kind": …}, …]}` says; an empty list makes it well.

    Fields are those of `aiops_lab.kube.faults.Fault`. Raises ControlError 400.
    """
    wanted = (await _body(request)).get("faults")
    if not isinstance(wanted, list):
        raise ControlError(400, "bad_fault", "faults: a list; an empty one makes the API well again")
    faults = [_fault(one) for one in wanted]
    lab.set_faults(faults)
    return {"set": len(faults), "played": lab.faults.played}


def _fault(wanted: object) -> Fault:
    unknown = sorted(wanted.keys() - _FAULT_FIELDS) if isinstance(wanted, dict) else []
    if unknown:
        raise ControlError(400, "bad_fault", f"{unknown[0]}: not known; known are {', '.join(_FAULT_FIELDS)}")
    try:
        return _FAULT.validate_python(wanted)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "fault"
        raise ControlError(400, "bad_fault", f"{where}: {first['msg']}") from error
