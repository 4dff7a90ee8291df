"""A few kept connections to a real API server, used from threads: a world is hundreds of small requests.

An async client costs more CPU for each of them than the server needs to answer. For `loading.py`.
"""

import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from threading import local
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import orjson

_AT_ONCE = 4
_TIMEOUT_S = 60.0
_T = TypeVar("_T")


class Lines:
    """One connection a thread; `close` ends threads and connections."""

    def __init__(self, url: str, token: str, ca_path: str) -> None:
        self._place = urlsplit(url).netloc
        self._context = ssl.create_default_context(cafile=ca_path)
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="loading")
        self._mine = local()
        self._open: list[HTTPSConnection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing stays open."""
        self._pool.shutdown()
        for line in self._open:
            line.close()

    def each(self, act: Callable[[Any], _T], over: Sequence[Any]) -> list[_T]:
        """Do it for each, several at once; `act` may `ask`. Raises what the first that failed raised."""
        return list(self._pool.map(act, over))

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the JSON of an answer. Raises OSError where the server is gone."""
        line = self._line()
        sent = None if body is None else orjson.dumps(body)
        line.request(method, path, sent, self._headers)
        answer = line.getresponse()
        text = answer.read()
        try:
            return answer.status, orjson.loads(text)
        except ValueError:
            return answer.status, {"message": text.decode(errors="replace")}

    def _line(self) -> HTTPSConnection:
        if not hasattr(self._mine, "line"):
            self._mine.line = HTTPSConnection(self._place, context=self._context, timeout=_TIMEOUT_S)
            self._open.append(self._mine.line)
        line: HTTPSConnection = self._mine.line
        return line
