"""Answers that were billed, or slow to get, kept in the state store: a repeated question costs nothing.

The cost server's rooms (Cost Explorer, prices) use it. Bodies are bytes that their room understands (it
compresses them itself): amounts and names as AWS gave them, so a secret that somebody wrote into a tag stands
here as it stands in the bill; what leaves the server is redacted at its door. What is too old is the
asker's decision, since days of a bill settle and prices do not; each room keeps its newest answers within a
bound.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aiops_shared.clock import Clock
from aiops_shared.state.store import StateStore

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST_BYTES = 128 * 1024 * 1024  # of one room


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer and when it was given, world time."""

    body: bytes
    made_at: datetime


def key_of(*question: object) -> str:
    """The name of a question; its parts must have a stable `repr`."""
    return hashlib.sha256(repr(question).encode()).hexdigest()


class Answers:
    """The kept answers of one room. Raises what `StateStore` raises."""

    def __init__(self, store: StateStore, clock: Clock, room: str, most_bytes: int = MOST_BYTES) -> None:
        self._store = store
        self._clock = clock
        self._room = room
        self._most_bytes = most_bytes

    async def get(self, key: str, not_older_than: timedelta | None = None) -> Kept | None:
        """The answer under `key`; None when there is none, it is older, or from a time that has not come."""
        from aiops_shared.state.schema import answers

        def look(conn: "Connection") -> Kept | None:
            where = (answers.c.room == self._room) & (answers.c.key == key)
            row = conn.execute(answers.select().where(where)).one_or_none()
            return None if row is None else Kept(row.body, row.made_at)

        found = await self._store.read(look)
        if found is None:
            return None
        age = await self._clock.now() - found.made_at
        if age < timedelta(0) or (not_older_than is not None and age > not_older_than):
            return None
        return found

    async def put(self, key: str, body: bytes) -> None:
        """Keep an answer; the oldest of the room go when it holds more than its bound."""
        now = await self._clock.now()

        def write(conn: "Connection") -> None:
            from aiops_shared.state.schema import answers
            from aiops_shared.state.times import exclusive

            exclusive(conn, f"answers/{self._room}")
            conn.execute(answers.delete().where((answers.c.room == self._room) & (answers.c.key == key)))
            conn.execute(
                answers.insert().values(room=self._room, key=key, made_at=now, bytes=len(body), body=body)
            )
            self._prune(conn)

        await self._store.run(write, durable=False)

    def _prune(self, conn: "Connection") -> None:
        from sqlalchemy import select

        from aiops_shared.state.schema import answers

        own = answers.c.room == self._room
        newest_first = select(answers.c.key, answers.c.bytes).where(own).order_by(answers.c.made_at.desc())
        held, gone = 0, []
        for key, size in conn.execute(newest_first):
            held += size
            if held > self._most_bytes:
                gone.append(key)
        if gone:
            conn.execute(answers.delete().where(own & answers.c.key.in_(gone)))
