"""What the tests of the guardrails' state share: a caller, a second process, a store that breaks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aiops_shared.errors import UnreachableError
from aiops_shared.settings import StateSettings
from aiops_shared.state import StateStore

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")


@contextmanager
def opened(directory: Path) -> Iterator[StateStore]:
    """A store on this directory, closed afterwards."""
    store = StateStore(StateSettings(dir=directory))
    try:
        yield store
    finally:
        store.close()


class FullDisk(StateStore):
    """A store whose disk is full while `full` is set: commits fail, reads go on."""

    full = False

    def run_now(self, work: "Callable[[Connection], T]", *, durable: bool = True) -> T:
        if self.full:
            raise UnreachableError("state store", "database or disk is full", "free some space")
        return super().run_now(work, durable=durable)
