"""A port that notes who connects: nothing that a caller, a token or a text says may lead there (T3, T5)."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, Protocol


class Listener:
    """Takes connections, counts them, answers nothing."""

    def __init__(self) -> None:
        self.seen = 0
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/keys"
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                found, _ = self._sock.accept()
            except OSError:
                return
            self.seen += 1
            found.close()

    def close(self) -> None:
        """Listen no more."""
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._thread.join()


class Playing(Protocol):
    """A stage that asks one tool with one odd argument."""

    def words(self, of_type: str) -> Iterable[tuple[Any, ...]]:
        """Parameters of a JSON type: tool, word, perhaps more."""
        ...

    def with_one(self, tool: str, word: str, value: object) -> Any:
        """A good call with this one argument instead."""
        ...


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener for the length of a test."""
    listener = Listener()
    try:
        yield listener
    finally:
        listener.close()


def lead_to(listener: Listener, play: Playing) -> int:
    """Name the listener, as an address in three forms, in every text and list of every tool; how many did."""
    tried = 0
    forms = (listener.url, f"127.0.0.1:{listener.port}", f"https://prod@127.0.0.1:{listener.port}#us-west-2")
    for value in forms:
        for kind, given in (("string", value), ("array", [value])):
            for tool, word, *_ in play.words(kind):
                play.with_one(tool, word, given)
                tried += 1
    return tried
