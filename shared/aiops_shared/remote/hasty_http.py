"""HTTP for clients who have seconds, not minutes: whoever is too slow with a head or an answer is cut off.

uvicorn bounds neither the time until the first request nor that of a head that comes byte by byte, so that as
many slow connections as may be open at once would keep everybody out; nor how long an answer may stay unread.
Used by `remote.running` and by the events server of `aiops_sop`.
"""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol


class Hasty(H11Protocol):
    """The protocol; `hasty` gives it its seconds."""

    head_s: ClassVar[float]
    write_s: ClassVar[float]
    most: ClassVar[int]
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client came."""
        super().connection_made(transport)
        if self.most and len(self.connections) > self.most:
            transport.abort()
        else:
            self._look()

    def data_received(self, data: bytes) -> None:
        """It sent something."""
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """It left."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._rest()
        self._was_read()

    def pause_writing(self) -> None:
        """It does not read."""
        super().pause_writing()
        self._must_be_read()

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._was_read()
        if self.transport.get_write_buffer_size():
            self._must_be_read()

    def on_response_complete(self) -> None:
        """Its answer is written, if not read."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._must_be_read()  # closing waits for the last bytes, however long

    def timeout_keep_alive_handler(self) -> None:
        """It has nothing more to ask."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _look(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()  # a request is being answered: its body has a deadline of its own
        elif self._late is None:
            self._late = self.loop.call_later(self.head_s, self.transport.abort)

    def _rest(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _must_be_read(self) -> None:
        if self.write_s and self._unread is None:
            self._unread = self.loop.call_later(self.write_s, self._give_up)

    def _give_up(self) -> None:
        self._unread = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _was_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def hasty(head_s: float, write_s: float = 0.0, most: int = 0) -> type[asyncio.Protocol]:
    """The protocol with its limits.

    `head_s`: seconds from a connection's or a head's first byte to the head's last. `write_s`: seconds that
    an answer may wait for its reader; 0: for ever. `most`: connections beyond which one more is closed at
    once, unread; 0: none is.
    """
    return type("Hasty", (Hasty,), {"head_s": head_s, "write_s": write_s, "most": most})
