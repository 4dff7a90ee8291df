"""Stands in for the model behind Claude Code: a Messages API on loopback that says what a script says.

    with scripted(turns) as model:
        ...                              # ANTHROPIC_BASE_URL=model.url
    model.requests                       # what Claude Code sent, whole

A turn is a tool call `(name, input)`, or a text, which ends the run. What the client asks beside the run
itself (a title for it, say) carries no tools and is answered with a word.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Turn = str | tuple[str, dict[str, Any]]
Obj = dict[str, Any]


@dataclass
class Model:
    """The script, and what was asked."""

    turns: Sequence[Turn]
    url: str = ""
    requests: list[Obj] = field(default_factory=list)

    def results(self) -> list[Obj]:
        """Every tool result that the model was sent, in order."""
        if not self.requests:
            return []
        messages = self.requests[-1]["messages"]
        blocks = [block for one in messages if isinstance(one["content"], list) for block in one["content"]]
        return [block for block in blocks if block.get("type") == "tool_result"]

    def answer(self, asked: Obj) -> Turn:
        """The turn for a request: as many tool results as it carries, so many turns are over."""
        if not asked.get("tools"):
            return "ok"
        self.requests.append(asked)
        return self.turns[min(len(self.results()), len(self.turns) - 1)]


@contextmanager
def scripted(turns: Sequence[Turn]) -> Iterator[Model]:
    """Listen on a free port of loopback."""
    model = Model(turns)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(model))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def events(turn: Turn, number: int) -> list[Obj]:
    """A turn as the events of a streamed message."""
    block: Obj
    if isinstance(turn, str):
        block, delta, why = {"type": "text", "text": ""}, {"type": "text_delta", "text": turn}, "end_turn"
    else:
        name, given = turn
        block = {"type": "tool_use", "id": f"toolu_{number:024}", "name": name, "input": {}}
        delta, why = {"type": "input_json_delta", "partial_json": json.dumps(given)}, "tool_use"
    head = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "stand-in", "content": []}
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {**head, "stop_reason": None, "stop_sequence": None, "usage": usage}
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": why, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]


def _handler(model: Model) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class names it
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if "count_tokens" in self.path:
                self._send("application/json", b'{"input_tokens": 1}')
                return
            said = events(model.answer(asked), len(model.requests))
            text = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in said)
            self._send("text/event-stream", text.encode())

        def do_HEAD(self) -> None:  # the base class names it
            self._send("text/plain", b"")

        def _send(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # the base class names it
            """Say nothing."""

    return Answering
