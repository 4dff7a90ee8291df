"""What the planning and executing tools return."""

from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.results import Answer, Table

ProfileOf = Literal["heap", "cpu", "threads"]
Resolve = Literal["none", "overwrite", "preserve"]  # conflicts of an add-on, in EKS's words


class PlannedChange(Answer):
    """You get one change, planned and judged; nothing was changed."""

    plan_id: str
    confirm: Annotated[str, Field(description="Sentence that execute_plan must be given, letter by letter")]
    verdict: Annotated[str, Field(description="allow or needs_approval, with rule and who may approve")]
    advice: str = ""
    diff: Table
    blast_radius: str
    rollout: str = ""  # how it goes out, in waves
    reversible: Annotated[str, Field(description="full, partial or none, and what is lost")]
    validation: Annotated[
        str, Field(description="server_dry_run, prechecked, or schema_only: rights missing")
    ]
    shows: Annotated[dict[str, str], Field(default_factory=dict)]  # what else to look at before saying yes
    expires_at: str


class ActionStatus(Answer):
    """You get where an action stands."""

    action_id: str
    plan_id: str
    state: Annotated[
        str, Field(description="running, succeeded, undone, undo_failed, failed, shadowed, unknown")
    ]
    steps: Annotated[Table, Field(description="Journal: target, step, state, what was seen")]
    can_undo: bool
    approval_id: str = ""
    started_at: str
    ended_at: str = ""
