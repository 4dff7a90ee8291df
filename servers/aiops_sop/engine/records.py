"""What the ledger keeps of a run and of its steps, as the engine reads and writes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiops_shared.guardrails import Caller
from aiops_sop.models.runs import Mode, Pattern, RunState, StepState

Json = Any
Obj = dict[str, Any]
FINISHED: frozenset[str] = frozenset({"done", "skipped", "failed", "undone", "planned"})


@dataclass(frozen=True, slots=True)
class Held:
    """The right to carry one run on. `fence` grows with every take-over."""

    run_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a run: `path` is its id, `id[k]` inside a foreach, `undo/id` on the way back."""

    path: str
    seq: int
    state: StepState
    began_at: datetime | None = None
    ended_at: datetime | None = None
    plan_id: str = ""
    action_id: str = ""
    body: Mapping[str, Json] = field(default_factory=dict)

    @property
    def says(self) -> str:
        """What is to be said of it."""
        return str(self.body.get("says", ""))

    @property
    def result(self) -> Json:
        """What its call answered."""
        return self.body.get("output")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it stands in the ledger. `document` is the pinned file, whole."""

    run_id: str
    sop: str
    version: int
    digest: str
    document: str
    params: Obj
    mode: Mode
    pattern: Pattern
    caller: Caller
    target: str
    state: RunState
    says: str
    confidence_pct: int
    incident_id: str
    parent_id: str
    human_inputs: int
    created_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    worker: str
    fence: int
    generation: int
    wish: str
    body: Obj
    steps: dict[str, StepRow] = field(default_factory=dict)
    sealed: bool = True  # False: the row was not written by the suite, or was edited since
