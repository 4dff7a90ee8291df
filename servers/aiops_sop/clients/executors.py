"""Who of the processes on one store lives: each holds a lock for its life, named by its executor id (D21).

SQLite: a lock on a file beside the database, which the operating system frees when the process dies, and not
when it is stopped. PostgreSQL: a session's advisory lock on a connection of its own. A process whose lock can
be taken is dead; only then may another one take its runs over.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiops_shared.errors import NotConfiguredError, UnreachableError
from aiops_shared.guardrails.ids import new_id

if TYPE_CHECKING:
    from sqlalchemy import Engine

_ID: Final = re.compile(r"exe_[A-Za-z0-9_-]{1,60}")


def new_executor() -> str:
    """An id that no other process has or had."""
    return new_id("exe_")


class Locks(Protocol):
    """The locks of executors."""

    def hold(self, executor: str) -> None:
        """Take one's own, for life. Raises NotConfiguredError when it cannot be."""
        ...

    def dead(self, executor: str) -> Any:
        """A context that gives whether that executor is dead, and keeps others from taking it meanwhile."""
        ...

    def release(self) -> None:
        """Let one's own go, at the end."""
        ...


class FileLocks:
    """On a local disk, for processes of one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine: int | None = None
        self._path: Path | None = None

    def hold(self, executor: str) -> None:
        """Make the file and lock it."""
        import fcntl

        from aiops_shared.state.places import private_directory

        private_directory(self._folder)
        self._path = self._folder / executor
        self._mine = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NotConfiguredError(f"executor {executor}", "its lock is held", "start again") from error

    @contextmanager
    def dead(self, executor: str) -> Iterator[bool]:
        """Whether nobody holds the file; a file that is gone was left in peace."""
        import fcntl

        if not _ID.fullmatch(executor):
            yield False
            return
        path = self._folder / executor
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            yield False
            return
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True
        finally:
            os.close(handle)

    def forget(self, executor: str) -> None:
        """Take a dead executor's file away."""
        if _ID.fullmatch(executor):
            (self._folder / executor).unlink(missing_ok=True)

    def release(self) -> None:
        """Close and take away the file."""
        if self._mine is not None and self._path is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._mine)
            self._mine = None


class PostgresLocks:
    """Session advisory locks on one connection that is held for life; not through a pooler in transaction
    mode.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._conn: Any = None
        self._executor = ""

    def hold(self, executor: str) -> None:
        """Take one's own."""
        self._executor = executor
        if not self._try(executor):
            raise NotConfiguredError(f"executor {executor}", "its lock is held", "start again")

    @contextmanager
    def dead(self, executor: str) -> Iterator[bool]:
        """Whether its lock could be taken; let go afterwards."""
        self._alive()
        taken = self._try(executor)
        try:
            yield taken
        finally:
            if taken:
                self._run("SELECT pg_advisory_unlock(hashtextextended(:name, 7))", executor)

    def forget(self, executor: str) -> None:
        """Nothing is left of a dead session."""

    def release(self) -> None:
        """End the session."""
        if self._conn is not None:
            self._conn.invalidate()
            self._conn.close()
            self._conn = None

    def _alive(self) -> None:
        """Take one's own lock again when the connection was lost meanwhile (a restarted database)."""
        if not self._run(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        ):
            self._try(self._executor)

    def _try(self, executor: str) -> bool:
        return bool(self._run("SELECT pg_try_advisory_lock(hashtextextended(:name, 7))", executor))

    def _run(self, statement: str, executor: str = "") -> Any:
        from sqlalchemy import text
        from sqlalchemy.exc import DBAPIError

        try:
            if self._conn is None:
                self._conn = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            values = {"name": f"aiops-runs:{executor}"} if ":name" in statement else {}
            return self._conn.execute(text(statement), values).scalar()
        except DBAPIError as error:
            self._conn = None
            raise UnreachableError("runs database", "its connection broke", "it is tried again") from error
