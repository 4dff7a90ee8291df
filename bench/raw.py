"""The floor: the same requests as our list makes, by a plain client that does nothing else.

`python -m bench.raw` reads one JSON line (where, which token, which pods are suspects), then does the round
once for each further line on stdin and answers with its milliseconds and its peak memory. One client, at most
eight requests at once, JSON read with orjson, nothing judged and nothing kept.
"""

import json
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import httpx
import orjson

from bench.processes import peak_bytes

AT_ONCE = 8
_ALSO = "g=meta.k8s.io,application/json"
_TABLE = {"accept": f"application/json;as=Table;v=v1;{_ALSO}"}
_LIST = {"limit": "500", "includeObject": "None"}


class Round:
    """One client and its round of requests."""

    def __init__(self, client: httpx.AsyncClient, suspects: Sequence[Sequence[str]]) -> None:
        self._client, self._suspects = client, suspects
        self.requests = 0

    async def go(self) -> None:
        """Namespaces, then each one's Table of pods, then each suspect."""
        self.requests = 0
        table = await self._get("/api/v1/namespaces", _LIST, _TABLE)
        names = [row["cells"][0] for row in table["rows"]]
        await _each(self._pods, names)
        await _each(self._pod, self._suspects)

    async def _pods(self, namespace: str) -> None:
        more = ""
        while True:
            params = _LIST | ({"continue": more} if more else {})
            page = await self._get(f"/api/v1/namespaces/{namespace}/pods", params, _TABLE)
            more = page["metadata"].get("continue") or ""
            if not more:
                return

    async def _pod(self, place: Sequence[str]) -> None:
        await self._get(f"/api/v1/namespaces/{place[0]}/pods/{place[1]}", {}, {})

    async def _get(self, path: str, params: dict[str, str], headers: dict[str, str]) -> Any:
        self.requests += 1
        answer = await self._client.get(path, params=params, headers=headers)
        answer.raise_for_status()
        return orjson.loads(answer.content)


async def _each(act: Callable[[Any], Awaitable[None]], items: Sequence[Any]) -> None:
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(item: Any) -> None:
        async with limiter:
            await act(item)

    async with anyio.create_task_group() as group:
        for item in items:
            group.start_soon(one, item)


async def main() -> None:
    """Serve rounds until stdin closes."""
    asked = json.loads(sys.stdin.readline())
    client = httpx.AsyncClient(
        base_url=asked["url"],
        verify=ssl.create_default_context(cadata=asked["ca"]),
        headers={"authorization": f"Bearer {asked['token']}", "accept-encoding": "gzip"},
        trust_env=False,
        timeout=60,
    )
    async with client:
        round_ = Round(client, asked["suspects"])
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            began = time.perf_counter()
            await round_.go()
            took_ms = 1000 * (time.perf_counter() - began)
            said = {"ms": took_ms, "requests": round_.requests, "peak_bytes": peak_bytes("self")}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(main)
