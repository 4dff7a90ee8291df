"""What tools, engine and analysis need of the outside, as Protocols that `clients` and fakes fulfil."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from aiops_shared.auth.behalf import Behalf
from aiops_shared.guardrails import Caller
from aiops_shared.results import Frozen
from aiops_sop.models.documents import Sop
from aiops_sop.models.events import Event, EventAnswer, Taken
from aiops_sop.models.incidents import Incident, Knowledge, Past, Recorded, Statistic
from aiops_sop.models.investigations import Investigation, Question
from aiops_sop.models.reports import Report, ReportAsk
from aiops_sop.models.runs import Mode, Pattern, RunStatus

Json = Any
Obj = dict[str, Any]
PersonSaid = Literal["yes", "no", "nothing"]


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
        """Which of these do not answer, each with why; of tools (`eks.diagnose`) those that are left out."""
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


class RunControl(Runs, Protocol):
    """Runs as the tools show and steer them."""

    async def shown(self, run_id: str, caller: Caller, *, full: bool) -> RunStatus:
        """One run with its audit. Raises RunNotFoundError."""
        ...

    async def control(self, run_id: str, action: str, caller: Caller) -> RunStatus:
        """Cancel, resume or undo it. Raises RunNotFoundError, ReadOnlyError, ActionRefusedError for what
        cannot be, ConflictError when another run holds its target.
        """
        ...


class RunQuestion(Frozen):
    """What a person is asked through their client: the text they read, and a nonce for one answer."""

    id: str
    text: str
    nonce: str


class RunAnswers(Protocol):
    """Questions and approvals that a run waits for, as far as its requester may give them."""

    async def question(self, run: RunStatus, caller: Caller) -> RunQuestion | None:
        """What this caller may be asked now; None when there is nothing, or it is not theirs."""
        ...

    async def take(self, question: RunQuestion, caller: Caller, said: PersonSaid, nonce: str) -> None:
        """Record an answer. Raises ApprovalInvalidError for one that does not count."""
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


class PastIncidents(Protocol):
    """What happened before, and what helped; asked by `investigate` and by the pipeline of events."""

    async def similar(
        self,
        *,
        fingerprint: str = "",
        cause: str = "",
        cluster: str = "",
        target: str = "",
        text: str = "",
        without: str = "",
        limit: int = 5,
    ) -> Sequence[Past]:
        """Earlier incidents, best match first: the same fingerprint, then the same cause, then full text.
        `without`: the id of the one that is asked for.
        """
        ...

    async def get(self, incident_id: str) -> Incident:
        """One. Raises NotFoundError."""
        ...


class Experience(Protocol):
    """How well SOPs did, from recorded outcomes; asked by find_sops and by the decision."""

    async def statistics(self, sops: Sequence[str] = (), cause: str = "") -> Mapping[str, Statistic]:
        """By SOP id, of its present and earlier versions together, newest version named."""
        ...


class Lore(Protocol):
    """What the team knows: knowledge files."""

    def every(self) -> tuple[Knowledge, ...]:
        """All that are loaded."""
        ...

    def about(self, event: Event, cause: str = "") -> tuple[Knowledge, ...]:
        """Those whose pattern fits an event and the cause that was found."""
        ...


class Intake(Protocol):
    """The queue of events; everything that takes events in asks it."""

    async def submit(self, sent: Json, sender: str) -> Sequence[Taken]:
        """Take what was sent, in one transaction. Raises InvalidInputError, QueueFullError."""
        ...


class EventDoor(Protocol):
    """Events as the tool sees them."""

    async def handle(self, sent: Json, sender: Caller) -> EventAnswer:
        """Take it in, wait a while for what becomes of it. Raises InvalidInputError, QueueFullError."""
        ...


class IncidentDesk(Protocol):
    """Incidents as the tools see them."""

    async def search(self, words: str, fingerprint: str, cluster: str, limit: int) -> Sequence[Past]:
        """Earlier incidents, best match first; without words and fingerprint the newest."""
        ...

    async def get(self, incident_id: str) -> Incident:
        """One. Raises NotFoundError."""
        ...

    async def record(
        self, about: str, cause: str, effective: bool | None, note: str, said_by: str
    ) -> Recorded:
        """A person's word on a run or incident. Raises NotFoundError, InvalidInputError."""
        ...


class Evidence(Protocol):
    """Facts about an event, gathered from the other servers at once."""

    async def gather(self, event: Event, caller: Caller) -> Obj:
        """The hand-off record (B30): severity, root_cause{code, text, confidence, cluster, namespace, kind,
        name}, evidence, proposed_action, risk_level, requires_human_approval, partial (sources that failed).
        Raises AiopsError when nothing could be asked.
        """
        ...


class Reports(Protocol):
    """Reports over the other servers and the store."""

    async def report(self, ask: ReportAsk) -> Report:
        """One report. Raises InvalidInputError before anything is asked, ClusterNotFoundError."""
        ...


class Investigations(Protocol):
    """Causes over all servers at once; asked by the tool, by events and by SOP steps."""

    async def investigate(self, question: Question) -> Investigation:
        """The root cause, or that none was found; sources that failed are named in it. Raises
        InvalidInputError for a question that asks nothing.
        """
        ...
