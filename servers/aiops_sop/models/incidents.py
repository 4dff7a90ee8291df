"""Incidents, what was learned of them, and what a team knows: plain data.

An incident is what people call one trouble: however many events told of it, one run answers it. Its body
holds the pipeline's phases in order, the hand-off record (B30) and what became of it.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Severity, Table
from aiops_sop.models.events import Event
from aiops_sop.models.runs import Mode

Json = Any
IncidentState = Literal["open", "resolved", "escalated", "closed"]
# The order of S25; a run or an escalation, never both before the verification.
Phase = Literal[
    "dedupe",
    "incident",
    "similar",
    "evidence",
    "decision",
    "policy",
    "run",
    "escalation",
    "verification",
    "audit",
    "record",
]
PHASES: tuple[Phase, ...] = get_args(Phase)


class PhaseDone(Frozen):
    """One phase of the pipeline: when it ended, how long it took, what it found."""

    phase: Phase
    at: datetime
    took_s: float = 0.0
    says: str = ""


class Incident(Frozen):
    """One trouble, from its first event to what was learned."""

    id: str
    fingerprint: str
    cluster: str = ""
    target: str = ""
    title: str
    cause: str = ""
    confirmed_cause: str = ""
    state: IncidentState = "open"
    run_id: str = ""
    sop: str = ""
    onset_at: datetime | None = None
    detected_at: datetime
    resolved_at: datetime | None = None
    last_event_at: datetime
    alerts: int = 1
    event: Event | None = None
    pipeline: tuple[PhaseDone, ...] = ()
    handoff: dict[str, Json] = Field(default_factory=dict)  # B30
    decision: dict[str, Json] = Field(default_factory=dict)
    actions: tuple[str, ...] = ()  # what was done, in our words
    effective: bool | None = None  # of its run, as a person or its verification said


class Past(Frozen):
    """An earlier incident as it is cited."""

    incident_id: str
    title: str
    cause: str
    state: IncidentState
    detected_at: datetime
    sop: str = ""
    run_id: str = ""
    action: Annotated[str, Field(description="What was done")] = ""
    effective: bool | None = None
    score: Annotated[float, Field(description="1: same fingerprint")] = 0.0


class Statistic(Frozen):
    """How often a version of a SOP helped, for one cause or over all (cause "")."""

    sop: str
    version: int
    cause: str = ""
    tried: int = 0
    helped: int = 0
    score: Annotated[float, Field(description="0.5 when never tried")] = 0.5


class Knowledge(Frozen):
    """What a team knows of one pattern (B24): kept as YAML, never executed."""

    id: str
    pattern: str
    causes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()  # of events
    where: dict[str, str] = Field(default_factory=dict)  # cluster, namespace, workload, service: globs
    cause: str = ""  # in words
    remediation: str = ""
    sop: str = ""
    safe_to_auto_remediate: bool = True
    dependencies: tuple[str, ...] = ()
    escalation: tuple[str, ...] = ()  # to whom, when
    cost_impact: str = ""
    source: str = ""  # the file's name


class Judged(Frozen):
    """What the decision settled on, and why."""

    sop: str = ""
    params: dict[str, Json] = Field(default_factory=dict)
    mode: Mode = "plan"
    cause: str = ""
    confidence_pct: Annotated[int, Field(ge=0, le=100)] = 0
    why: str = ""
    escalate: str = ""  # why no run is started, or why people are told besides
    approval: bool = False  # a person is asked whatever policy says
    knowledge: tuple[str, ...] = ()
    others: tuple[str, ...] = ()  # SOPs that came after
    severity: Severity = "high"


class Incidents(Answer):
    """Earlier incidents, best match first."""

    incidents: Table | None = None


class Recorded(Answer):
    """What a confirmed outcome changed."""

    outcome_id: str
    incident_id: str = ""
    run_id: str = ""
    sop: str = ""
    statistics: Table | None = None
    change: Annotated[str, Field(description="Proposed change of the SOP, a diff; nothing is written")] = ""
