"""What `/readyz` looks at: the state store answers, and tokens can be checked."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from aiops_shared.remote.keys import IssuerKeys
from aiops_shared.state import StateStore

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass
class StoreCheck:
    """The state store, read through a connection of its own; opened by the first look."""

    store: StateStore
    # One look at a time: one that hangs holds this place, and those after it run out of time.
    _place: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))

    async def __call__(self) -> None:
        """Raises AiopsError when it does not answer."""
        await anyio.to_thread.run_sync(self.store.read_now, _ask, limiter=self._place, abandon_on_cancel=True)


@dataclass(frozen=True)
class KeysCheck:
    """The issuer's keys; once read they hold while it is away (see `keys`)."""

    keys: IssuerKeys

    async def __call__(self) -> None:
        """Raises UnreachableError when there are none."""
        await self.keys.current()


def _ask(conn: "Connection") -> None:
    conn.exec_driver_sql("SELECT 1")
