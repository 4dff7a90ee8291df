"""The call journal: who called which ordinary tool with what; kept 7 days, outside of the chain (D15).

A row is committed before its call is answered. Calls that end at about the same time share one commit: a
commit for each of a hundred callers would cost more than the reads that they are about. Called by `Audit`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import anyio

from aiops_shared.errors import AiopsError, UnreachableError
from aiops_shared.guardrails.canonical import canonical
from aiops_shared.guardrails.redacting import redact_tree, shortened
from aiops_shared.state import StateStore

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEPT: Final = timedelta(days=7)
PRUNE_EVERY: Final = timedelta(minutes=1)
GATHER_S: Final = 0.03  # how long a commit waits for more rows while another one is under way
MOST_ROWS: Final = 200  # of one commit; one more row is of the next


@dataclass(frozen=True, slots=True)
class Called:
    """One call, as it was made: it is redacted where it is written."""

    at: datetime
    caller: str
    tool: str
    arguments: Mapping[str, Any]
    trace: str = ""
    result_digest: str = ""
    says: str = ""

    def row(self) -> dict[str, Any]:
        """As the table has it."""
        return {
            "at": self.at,
            "caller": self.caller,
            "trace": self.trace,
            "tool": self.tool,
            "arguments": _storable(self.arguments),
            "result_digest": self.result_digest,
            "says": shortened(self.says, 400),
        }


@dataclass(eq=False)
class _Batch:
    """Rows of one commit, and how it ended."""

    calls: list[Called] = field(default_factory=list)
    done: anyio.Event = field(default_factory=anyio.Event)
    error: AiopsError | None = None
    kept: bool = False


@dataclass
class CallJournal:
    """Writes rows; one per process and store."""

    store: StateStore
    _open: _Batch | None = None
    _writing: int = 0
    _pruned_at: datetime | None = None

    async def add(self, called: Called) -> None:
        """Come back when the row is committed. Raises what the store raises."""
        batch = self._open
        if batch is not None and len(batch.calls) < MOST_ROWS:
            batch.calls.append(called)
            await batch.done.wait()
        else:
            batch = self._open = _Batch([called])
            with anyio.CancelScope(shield=True):  # the rows of others are in it
                await self._commit(batch)
        if not batch.kept:
            raise batch.error or UnreachableError("call journal", "the rows of one commit were not written")

    async def _commit(self, batch: _Batch) -> None:
        if self._writing:
            await anyio.sleep(GATHER_S)
        if self._open is batch:
            self._open = None
        self._writing += 1
        try:
            await self.store.run(lambda conn: self._write(conn, batch.calls), durable=False)
            batch.kept = True
        except AiopsError as error:
            batch.error = error
        finally:
            self._writing -= 1
            batch.done.set()

    def _write(self, conn: "Connection", calls: Sequence[Called]) -> None:
        from aiops_shared.state.schema import call_journal

        newest = calls[-1].at
        if self._pruned_at is None or newest - self._pruned_at >= PRUNE_EVERY:
            conn.execute(call_journal.delete().where(call_journal.c.at < newest - KEPT))
            self._pruned_at = newest
        conn.execute(call_journal.insert(), [called.row() for called in calls])


def _storable(arguments: Mapping[str, Any]) -> str:
    """Arguments as JSON; what has none (NaN) must not stand in the way of the other rows of its commit."""
    try:
        return canonical(redact_tree(dict(arguments)))
    except (TypeError, ValueError):
        return canonical({"not kept": "is no JSON"})
