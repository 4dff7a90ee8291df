"""Runs as a client sees them: state, steps, verdicts, what is waited for. Kept in `sop_runs`, `sop_steps`."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Table

Json = Any
RunState = Literal[
    "queued", "running", "waiting", "undoing", "succeeded", "undone", "escalated", "cancelled", "refused"
]
ENDED: frozenset[str] = frozenset({"succeeded", "undone", "escalated", "cancelled", "refused"})
StepState = Literal[
    "pending", "running", "waiting", "done", "skipped", "failed", "undone", "unknown", "planned"
]
Mode = Literal["plan", "supervised", "auto"]
Pattern = Literal["prompt", "spec", "event"]  # S57: who set it going


class Waiting(Frozen):
    """What a run waits for, and how it is given."""

    kind: Literal["approval", "answer", "freeze", "evidence"]
    id: str = ""
    says: str
    how: Annotated[str, Field(description="The exact command")] = ""
    until: datetime | None = None


class StepView(Frozen):
    """One step of a run."""

    id: str
    title: str
    state: StepState
    verified: bool | None = None
    says: str = ""
    plan_id: str = ""
    action_id: str = ""
    took_s: float = 0.0
    inputs: dict[str, Json] = Field(default_factory=dict)
    output: Json = None
    evidence: dict[str, Json] = Field(default_factory=dict)


class Duty(Frozen):
    """A `You MUST …` of the document and whether it was met."""

    says: str
    verdict: Literal["met", "not met", "not checkable"]


class RunStatus(Answer):
    """One run."""

    run_id: str
    sop: str
    version: int
    digest: str
    mode: Mode
    pattern: Pattern
    state: RunState
    already_running: bool = False  # it is the same target's run, started before
    target: str = ""
    requested_by: str = ""
    incident_id: str = ""
    steps: tuple[StepView, ...] = ()
    waiting: Waiting | None = None
    duties: tuple[Duty, ...] = ()
    forbidden: tuple[str, ...] = ()  # MUST NOTs of the document
    human_inputs: int = 0
    phases_s: dict[str, float] = Field(default_factory=dict)  # detect, evidence, decide, act, verify
    audit: Table | None = None
    audit_chain: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
