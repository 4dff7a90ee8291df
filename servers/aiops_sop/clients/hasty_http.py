"""HTTP for senders who have seconds, not minutes: who does not send a request's head in time is cut off.

Used by `events_http.listen`. uvicorn bounds neither the time until the first request nor that of a head that
comes byte by byte, so that as many slow connections as may be open at once would keep every sender out.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def hasty(head_s: float) -> type[asyncio.Protocol]:
    """The protocol, with the seconds from a connection's or a head's first byte to the head's last."""

    class Hasty(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._look()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._rest()

        def _look(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._rest()  # a request is being answered: its body has a deadline of its own
            elif self._late is None:
                self._late = self.loop.call_later(head_s, self.transport.abort)

        def _rest(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Hasty
