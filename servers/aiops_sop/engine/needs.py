"""What the engine needs of the outside besides `ports`, said by the engine; `clients` and fakes fulfil it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from aiops_sop.engine.records import Held, RunRecord, StepRow
from aiops_sop.models.runs import RunState, Waiting

Json = Any
Point = Literal["before_intent", "after_intent", "after_effect", "after_outcome", "during_undo"]


class LostError(Exception):
    """Another process carries the run on; this one must stop without another word."""


class HandOverError(Exception):
    """This process stops; another one carries the run on."""


class WishedError(Exception):
    """A person asked for something else (cancel): the step lays itself down."""


class Ledger(Protocol):
    """The memory of runs. What takes a `Held` raises LostError when the run is another process's by now."""

    async def load(self, run_id: str) -> RunRecord:
        """One run with its steps. Raises RunNotFoundError."""
        ...

    async def hold(self, held: Held) -> None:
        """Check the fence, right before an effect."""
        ...

    async def put(self, held: Held, row: StepRow, *, durable: bool = False) -> None:
        """Write one step; `durable` before an effect, so that it survives a power cut."""
        ...

    async def turn(
        self, held: Held, state: RunState, says: str, body: Mapping[str, Json] | None = None
    ) -> None:
        """Give the run another state. An ended one gives its target free; the audit says so."""
        ...

    async def park(self, held: Held, says: str, body: Mapping[str, Json]) -> None:
        """The run waits: nobody carries it on until what it waits for is there."""
        ...

    async def grant(self, held: Held) -> str:
        """Take up a person's wish (cancel, undo, resume), or nothing; it is forgotten by it."""
        ...


class Asks(Protocol):
    """Questions to people, answered at a terminal, once."""

    async def ask(self, held: Held, path: str, question: str) -> Waiting:
        """The open question of a step, recorded if there is none yet."""
        ...

    async def answer(self, held: Held, path: str) -> str:
        """`yes`, `no`, `pending`, `expired` or nothing; a yes or no is used up by it.

        Raises ApprovalInvalidError when its seal does not hold.
        """
        ...


class Crash(Protocol):
    """Passed by at the points where a test kills the process; nothing in life."""

    def pass_by(self, point: Point, path: str) -> None:
        """Go on, or not."""
        ...


class Stops(Protocol):
    """What a long step looks at. One per run that is carried on."""

    @property
    def stopping(self) -> bool:
        """Whether this process ends."""
        ...

    @property
    def wished(self) -> bool:
        """Whether a person asked for something."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait in world time; ends early when the process ends or a person asks for something."""
        ...

    def away(self) -> AbstractContextManager[None]:
        """While the block runs, this run does not count as one that is carried on."""
        ...
