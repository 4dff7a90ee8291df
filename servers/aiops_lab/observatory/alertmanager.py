"""Alertmanager's v2 API as far as readers ask it: alerts, their groups, silences, status.

After api/v2/openapi.yaml and api/v2/api.go of prometheus/alertmanager: which parameters there are, what they
default to, and how a bad filter is refused. Reads `telemetry.alerts`; what is over is no longer listed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.alerts import RESOLVE_TIMEOUT_S, Alerts, Matcher, StoredAlert, StoredSilence

GROUP_BY = ("alertname", "namespace")
_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^",{}]*))\s*')


class Watched(Protocol):
    """The observatory, as far as this room needs it."""

    @property
    def telemetry(self) -> Telemetry:
        """What the present world emits."""
        ...

    @property
    def now(self) -> Callable[[], datetime]:
        """The lab's clock."""
        ...


class _FilterError(ValueError):
    """A filter or flag that is none."""


def alertmanager_app(observatory: Watched) -> Starlette:
    """The application of the room."""
    room = _Room(observatory)
    return Starlette(
        routes=[
            Route("/api/v2/alerts", room.alerts),
            Route("/api/v2/alerts/groups", room.groups),
            Route("/api/v2/silences", room.silences),
            Route("/api/v2/silence/{silence_id}", room.silence),
            Route("/api/v2/status", room.status),
        ]
    )


class _Room:
    def __init__(self, observatory: Watched) -> None:
        self._observatory = observatory

    @property
    def _kept(self) -> Alerts:
        return self._observatory.telemetry.alerts

    @property
    def _now(self) -> datetime:
        return self._observatory.now()

    async def alerts(self, request: Request) -> Response:
        """GET /alerts."""
        try:
            return _json(sorted(self._wanted(request), key=lambda one: str(one["fingerprint"])))
        except _FilterError as error:
            return _json(str(error), 400)

    async def groups(self, request: Request) -> Response:
        """GET /alerts/groups, by alertname and namespace."""
        try:
            found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
            for one in self._wanted(request):
                key = tuple(one["labels"].get(name, "") for name in GROUP_BY)
                found.setdefault(key, []).append(one)
        except _FilterError as error:
            return _json(str(error), 400)
        return _json(
            [
                {
                    "labels": {name: value for name, value in zip(GROUP_BY, key, strict=True) if value},
                    "receiver": alerts[0]["receivers"][0],
                    "alerts": alerts,
                }
                for key, alerts in sorted(found.items())
            ]
        )

    async def silences(self, request: Request) -> Response:
        """GET /silences; a filter keeps those that have such a matcher."""
        try:
            wanted = _matchers(request)
        except _FilterError as error:
            return _json(str(error), 400)
        now_s = self._now.timestamp()
        rows = [
            _silence(one, now_s)
            for one in self._kept.silences
            if all(each in one.matchers for each in wanted)
        ]
        return _json(rows)

    async def silence(self, request: Request) -> Response:
        """GET /silence/{id}."""
        wanted = request.path_params["silence_id"]
        found = next((one for one in self._kept.silences if one.silence_id == wanted), None)
        return Response(status_code=404) if found is None else _json(_silence(found, self._now.timestamp()))

    async def status(self, request: Request) -> Response:
        """GET /status."""
        del request
        version = {"version": "0.28.1", "branch": "HEAD", "revision": "lab", "goVersion": "go1.23"}
        return _json({"cluster": {"status": "disabled", "peers": []}, "versionInfo": version})

    def _wanted(self, request: Request) -> Iterator[Mapping[str, Any]]:
        flags = {name: _flag(request, name) for name in ("active", "silenced", "inhibited", "unprocessed")}
        wanted, receiver = _matchers(request), _receiver(request)
        now_s, kept = self._now.timestamp(), self._kept
        for alert, since_s in kept.firing(now_s):
            if not all(one.meets(alert.labels) for one in wanted) or not receiver.fullmatch(alert.receiver):
                continue
            silenced, inhibited = kept.silenced_by(alert, now_s), kept.inhibited_by(alert, now_s)
            is_quiet = bool(silenced or inhibited)
            if not flags["active"] and not is_quiet:
                continue
            if (silenced and not flags["silenced"]) or (inhibited and not flags["inhibited"]):
                continue
            yield _alert(alert, since_s, now_s, silenced, inhibited)


def _alert(
    alert: StoredAlert, since_s: float, now_s: float, silenced: list[str], inhibited: list[str]
) -> Mapping[str, Any]:
    state = "suppressed" if silenced or inhibited else "active"
    return {
        "annotations": dict(alert.annotations),
        "endsAt": _time(now_s + RESOLVE_TIMEOUT_S),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": alert.receiver}],
        "startsAt": _time(since_s),
        "status": {"inhibitedBy": inhibited, "mutedBy": [], "silencedBy": silenced, "state": state},
        "updatedAt": _time(now_s),
        "generatorURL": f"/graph?g0.expr={alert.name}",
        "labels": dict(alert.labels),
    }


def _silence(one: StoredSilence, now_s: float) -> Mapping[str, Any]:
    return {
        "id": one.silence_id,
        "status": {"state": one.state(now_s)},
        "updatedAt": _time(one.starts_s),
        "comment": one.comment,
        "createdBy": one.author,
        "endsAt": _time(one.ends_s),
        "startsAt": _time(one.starts_s),
        "matchers": [
            {"isEqual": each.is_equal, "isRegex": each.is_regex, "name": each.name, "value": each.value}
            for each in one.matchers
        ],
    }


def _flag(request: Request, name: str) -> bool:
    given = request.query_params.get(name, "true").lower()
    if given not in {"true", "false", "1", "0", "t", "f"}:
        raise _FilterError(f"{name} in query must be of type boolean: {given!r}")
    return given in {"true", "1", "t"}


def _receiver(request: Request) -> re.Pattern[str]:
    given = request.query_params.get("receiver", ".*")
    try:
        return re.compile(given)
    except re.error as error:
        raise _FilterError(f"failed to parse receiver param: {error}") from error


def _matchers(request: Request) -> tuple[Matcher, ...]:
    found = []
    for text in request.query_params.getlist("filter"):
        match = _MATCHER.fullmatch(text)
        if match is None:
            raise _FilterError(f"bad matcher format: {text}")
        name, sign, quoted, bare = match.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
        found.append(Matcher(name, value, sign in {"=~", "!~"}, sign in {"=", "=~"}))
    return tuple(found)


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _json(data: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(data), status_code=status, media_type="application/json")
