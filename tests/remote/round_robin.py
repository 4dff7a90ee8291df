"""A load balancer that knows nothing of MCP: each request goes to the next replica that takes connections."""

from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import anyio
import httpx
import uvicorn

from aiops_shared.remote.asgi import Receive, Scope, Send
from tests.remote.issuer import InThread

_HOP = {b"connection", b"transfer-encoding", b"content-length", b"keep-alive"}


@dataclass
class RoundRobin(InThread):
    """Forwards to `replicas` (base URLs) in turn; `took` says which of them took each request."""

    replicas: list[str]
    took: list[str] = field(default_factory=list)
    base: str = ""

    def start(self) -> None:
        """Listen on a free port of loopback."""
        config = uvicorn.Config(
            self._forward, interface="asgi3", port=0, http="h11", ws="none", lifespan="off", log_config=None
        )
        self._uvicorn = uvicorn.Server(config)
        self._thread = Thread(target=lambda: anyio.run(self._uvicorn.serve), daemon=True)
        self._thread.start()
        while not self._uvicorn.started:
            self._thread.join(0.01)
        port = self._uvicorn.servers[0].sockets[0].getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        """Close the port."""
        self._uvicorn.should_exit = True
        self._thread.join()

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        for _ in tuple(self.replicas):
            self.replicas.append(self.replicas.pop(0))
            try:
                await self._to(self.replicas[-1], scope, body, send)
            except httpx.ConnectError:  # dead: the next one
                continue
            return
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _to(self, replica: str, scope: Scope, body: bytes, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name not in _HOP]
        path = scope["raw_path"].decode()
        async with (
            httpx.AsyncClient(timeout=60, trust_env=False) as client,
            client.stream(scope["method"], replica + path, headers=headers, content=body) as answer,
        ):
            self.took.append(replica)
            given: list[Any] = [
                (name, value) for name, value in answer.headers.raw if name.lower() not in _HOP
            ]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": given})
            async for piece in answer.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
