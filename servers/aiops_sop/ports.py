"""What tools, engine and analysis need of the outside, as Protocols that `clients` and fakes fulfil."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiops_shared.auth.behalf import Behalf
from aiops_shared.guardrails import Caller
from aiops_shared.results import Frozen
from aiops_sop.models.documents import Sop
from aiops_sop.models.runs import Mode, Pattern, RunStatus

Json = Any
Obj = dict[str, Any]


class Peers(Protocol):
    """The other servers of the suite, asked over MCP."""

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Json], behalf: Behalf | None = None
    ) -> Obj:
        """One tool's structured answer. Raises the AiopsError that the other server sent, and
        NotConfiguredError or UnreachableError when it cannot be started or reached.
        """
        ...

    async def tools(self, server: str) -> Mapping[str, Obj]:
        """Its tools as listed: name -> {inputSchema, annotations, …}. Raises like `call`."""
        ...

    async def missing(self, servers: Sequence[str]) -> Mapping[str, str]:
        """Which of these do not answer, each with why."""
        ...


class Library(Protocol):
    """The SOPs that are loaded: shipped ones and those of the operator's directories."""

    def every(self) -> tuple[Sop, ...]:
        """All that parse, by id."""
        ...

    def get(self, name: str) -> Sop:
        """One. Raises SopNotFoundError with the nearest ids, SopInvalidError for one that does not parse."""
        ...


class Teller(Protocol):
    """Who is told: a run's `notify`, an escalation."""

    async def tell(self, notice: Obj) -> Sequence[str]:
        """Say it on every configured channel, or the one it names; the channels that took it. A notice
        carries `id`: a repeated one is the same notice. Raises UpstreamError when no channel took it.
        """
        ...


class RunWish(Frozen):
    """What is asked for when a run is started."""

    sop: str
    params: dict[str, Json]
    mode: Mode
    caller: Caller
    pattern: Pattern = "prompt"
    incident_id: str = ""
    parent_id: str = ""
    confidence_pct: int = 100
    idempotency_key: str = ""


class Runs(Protocol):
    """Runs of SOPs; fulfilled by the engine's desk."""

    async def start(self, wish: RunWish) -> RunStatus:
        """Start one; the run of the same target that lives already is given instead (`already_running`).

        Raises SopNotFoundError, SopInvalidError, InvalidInputError (parameters), RepeatLimitError,
        ReadOnlyError, NotConfiguredError (a missing server is named before the run starts).
        """
        ...

    async def status(self, run_id: str, caller: Caller) -> RunStatus:
        """One run. Raises RunNotFoundError, also for another caller's."""
        ...


class RunEnds(Protocol):
    """Told once when a run ended: incidents, outcomes, statistics."""

    async def ended(self, run: RunStatus) -> None:
        """Write down what became of it. Safe to be told twice."""
        ...


class Promotion(Protocol):
    """Which SOPs have earned mode auto in production."""

    async def promoted(self, sop: Sop) -> bool:
        """Enough supervised runs of this document succeeded, and a guardrail drill passed lately."""
        ...
