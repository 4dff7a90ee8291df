"""The one door to the database: `await store.run(fn)` runs `fn(connection)` as one transaction.

`fn` runs in a worker thread. The store is opened at the first call, so that a server starts without
SQLAlchemy. Any process may hold one on the same database, and those of one process share its connections;
what must not happen twice is decided inside one write transaction.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio.to_thread

from aiops_shared.errors import AiopsError, UnreachableError
from aiops_shared.settings import StateSettings
from aiops_shared.state.sharing import Shared, given_back, taken

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

T = TypeVar("T")
_TURN: Final = "aiops_turn"


@dataclass(slots=True)
class _Turn:
    """What a transaction left to be done when it ended."""

    after: list[Callable[[], None]] = field(default_factory=list)
    failing: Callable[[AiopsError], AiopsError] | None = None


class StateStore:
    """A store of plans, approvals, limits and the audit. Safe to use from several threads and processes."""

    def __init__(self, settings: StateSettings) -> None:
        self._settings = settings
        self._shared: Shared | None = None
        self._opening = threading.Lock()
        # SQLite has one writer at a time; waiting here is fair, waiting in SQLite is polling.
        self._writing = threading.Lock()

    async def run(self, work: "Callable[[Connection], T]", *, durable: bool = True) -> T:
        """Run `work` in a write transaction; it is committed when `work` returns, undone when it raises.

        `durable` commits survive a power cut. Raises `NotConfiguredError` when the database cannot be used
        as configured and `UnreachableError` when it cannot be reached, read or written; an
        `IntegrityError` of the database passes through, since it is an answer and not a failure.
        """
        return await anyio.to_thread.run_sync(partial(self.run_now, work, durable=durable))

    async def read(self, work: "Callable[[Connection], T]") -> T:
        """Run `work` in a transaction that only reads; never waits for a writer."""
        return await anyio.to_thread.run_sync(partial(self.read_now, work))

    def run_now(self, work: "Callable[[Connection], T]", *, durable: bool = True) -> T:
        """`run` for the command line and for code that is in a worker thread already."""
        turn = _Turn()
        try:
            with _translated():
                engine = self._opened().execution_options(aiops_write=True, aiops_durable=durable)
                with self._turn(), engine.begin() as conn:
                    conn.info[_TURN] = turn
                    done = work(conn)
        except UnreachableError as error:
            if turn.failing is None:
                raise
            raise turn.failing(error) from error
        for call in turn.after:
            call()
        return done

    def read_now(self, work: "Callable[[Connection], T]") -> T:
        """`read` for the command line and for code that is in a worker thread already."""
        with _translated(), self._opened().begin() as conn:
            return work(conn)

    def close(self) -> None:
        """Give the connections back; the next call opens again."""
        with self._opening:
            if self._shared is not None:
                given_back(self._settings.database_url, self._shared)
                self._shared = None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._opened().dialect.name != "sqlite":
            yield
            return
        with self._writing:
            yield

    def _opened(self) -> "Engine":
        with self._opening:
            if self._shared is None:
                self._shared = taken(self._settings.database_url, partial(_open, self._settings))
            return self._shared.engine


def after_commit(conn: "Connection", call: Callable[[], None]) -> None:
    """Call it once the transaction of `StateStore.run` is committed; not at all when it is undone."""
    turn: _Turn = conn.info.setdefault(_TURN, _Turn())
    turn.after.append(call)


def fails_as(conn: "Connection", failing: Callable[[AiopsError], AiopsError]) -> None:
    """From here on a failure of the database, also of the commit, is raised as what `failing` makes of it."""
    turn: _Turn = conn.info.setdefault(_TURN, _Turn())
    turn.failing = failing


def _open(settings: StateSettings) -> "Engine":
    from aiops_shared.state.migrating import migrate
    from aiops_shared.state.opening import open_engine

    engine = open_engine(settings.database_url)
    try:
        with engine.execution_options(aiops_write=True, aiops_durable=True).begin() as conn:
            migrate(conn)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def _translated() -> Iterator[None]:
    import sqlalchemy.exc as sql

    try:
        yield
    except (sql.IntegrityError, sql.ProgrammingError, sql.DataError):
        raise
    except sql.DBAPIError as error:
        raise _unreachable(str(error.orig)) from error
    except sql.TimeoutError as error:
        raise _unreachable("no connection was free in time") from error


def _unreachable(reason: str) -> AiopsError:
    first = reason.strip().splitlines()[0][:256] if reason.strip() else "it failed"
    return UnreachableError(
        "state store",
        first,
        "check AIOPS_STATE_URL, AIOPS_STATE_DIR and the free space there; then try again",
    )
