"""A child process that answers one line for each line: our server over stdio, the raw client, a lab.

Kept apart from the SDK's client so that what is timed is the server and a pipe, and its pid is known.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryFile
from threading import Timer
from typing import IO, Any

from bench.processes import INITIALIZE, peak_bytes

STOP_S = 15.0


class TalkError(RuntimeError):
    """A child ended, or answered with an error."""


class Child:
    """One child and its two pipes."""

    def __init__(self, process: "subprocess.Popen[str]", errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors
        self._number = 1

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def peak_bytes(self) -> int:
        """The most memory it has held so far."""
        return peak_bytes(self._process.pid)

    def say(self, message: Mapping[str, Any]) -> None:
        """Write one line."""
        if self._process.stdin is None:
            raise TalkError("no pipe")
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Read one line. Raises TalkError when the child has ended."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._errors.seek(0)
            last = self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise TalkError(f"{self._process.args!s:.200} ended: {last[:300]}")
        found: dict[str, Any] = json.loads(line)
        return found

    def greet(self) -> None:
        """Make the MCP handshake."""
        self.say(INITIALIZE)
        self.hear()
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call an MCP tool: its result. Raises TalkError for an error."""
        answer = self.request("tools/call", {"name": tool, "arguments": arguments})
        result: dict[str, Any] = answer.get("result") or {}
        if not result or result.get("isError"):
            raise TalkError(f"{tool}: {str(answer)[:300]}")
        return result

    def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make a request: its answer, result or error; what the child says meanwhile is passed over."""
        self._number += 1
        self.say({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while (answer := self.hear()).get("id") != self._number or "method" in answer:
            pass
        return answer

    def end_after(self, seconds: float) -> Timer:
        """Kill the child when it takes longer; cancel the timer when it did not."""
        timer = Timer(seconds, self._process.kill)
        timer.daemon = True
        timer.start()
        return timer


@contextmanager
def talking(command: list[str], environment: Mapping[str, str]) -> Iterator[Child]:
    """A running child; its stdin is closed at the end, and it is given time to go."""
    with TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environment),
            text=True,
        )
        try:
            yield Child(process, errors)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
