"""PagerDuty's Events API v2: takes events, folds those with one dedup_key, refuses what it refuses.

After PagerDuty's "Send an Alert Event": POST /v2/enqueue with routing_key, event_action, dedup_key and
payload{summary, source, severity}; 202 with the key, 400 with `errors`.
"""

from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aiops_lab.observatory.heard import Heard, Hearing

ROUTING_KEY: Final = "fakeroutingkey0000000000000000ff"
SEVERITIES: Final = frozenset({"critical", "error", "warning", "info"})
MOST_BYTES: Final = 512 * 1024
MOST_SUMMARY, MOST_KEY = 1024, 255


def pagerduty_app(observatory: Heard) -> Starlette:
    """The application of the room."""

    async def enqueue(request: Request) -> Response:
        raw = await request.body()
        try:
            body: Any = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return _refused("Request body is not valid JSON")
        wrong = ["Event object is too large"] if len(raw) > MOST_BYTES else _wrong(body)
        if wrong:
            return _refused(*wrong)
        key = body.get("dedup_key") or f"lab-{len(observatory.account.area(Hearing).pages)}"
        observatory.account.area(Hearing).pages.setdefault(key, []).append(body)
        done = {"status": "success", "message": "Event processed", "dedup_key": key}
        return JSONResponse(done, 202)

    return Starlette(routes=[Route("/v2/enqueue", enqueue, methods=["POST"])])


def _wrong(body: Any) -> list[str]:
    if not isinstance(body, dict):
        return ["Event object is invalid"]
    found = [] if body.get("routing_key") == ROUTING_KEY else ["Invalid routing key"]
    if body.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
        found.append("'event_action' is missing or is invalid")
    if len(str(body.get("dedup_key", ""))) > MOST_KEY:
        found.append("'dedup_key' is too long")
    sent = body.get("payload")
    payload: dict[str, Any] = sent if isinstance(sent, dict) else {}
    if body.get("event_action") == "trigger":
        found += [
            f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not payload.get(name)
        ]
        if payload.get("severity") not in SEVERITIES:
            found.append("'payload.severity' is invalid (must be one of: critical, warning, error, info)")
        if len(str(payload.get("summary", ""))) > MOST_SUMMARY:
            found.append("'payload.summary' is too long")
    return found


def _refused(*errors: str) -> Response:
    return JSONResponse(
        {"status": "invalid event", "message": "Event object is invalid", "errors": list(errors)}, 400
    )
