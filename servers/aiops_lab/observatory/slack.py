"""A Slack-compatible incoming webhook: takes what Slack takes, refuses what Slack refuses.

After Slack's "Sending messages using incoming webhooks": POST JSON with `text` or `blocks`; answers the text
`ok`, or 400 `invalid_payload`, `no_text`, 404 `no_service`. What was posted is kept for whoever asks.
"""

from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aiops_lab.observatory.heard import Heard, Hearing

HOOK: Final = "/services/T00000000/B00000000/fake-canary-webhook-path"
MOST_CHARS: Final = 40_000


def slack_app(observatory: Heard) -> Starlette:
    """The application of the room."""

    async def post(request: Request) -> Response:
        if request.url.path.removeprefix(request.scope.get("root_path", "")) != HOOK:
            return PlainTextResponse("no_service", 404)
        try:
            body: Any = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            return PlainTextResponse("invalid_payload", 400)
        if not isinstance(body, dict) or not (body.get("text") or body.get("blocks")):
            return PlainTextResponse("no_text", 400)
        if len(str(body.get("text", ""))) > MOST_CHARS:
            return PlainTextResponse("msg_too_long", 400)
        observatory.account.area(Hearing).slack.append(body)
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/{path:path}", post, methods=["POST"])])
