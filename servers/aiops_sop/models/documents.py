"""A SOP as data: what the parser makes of a file, what the engine interprets, what a run pins.

The grammar is docs/sop-format.md. Expressions are CEL text, checked when the file is loaded.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from aiops_shared.results import Frozen

Json = Any
Risk = Literal["low", "medium", "high"]
StepKind = Literal["call", "plan", "run", "wait", "ask", "notify"]
OnFail = Literal["undo", "continue", "stop", "escalate"]
Ending = Literal["succeeded", "undone", "escalated", "cancelled", "refused"]
ParamType = Literal["string", "integer", "number", "boolean", "list"]


class Param(Frozen):
    """One parameter of a SOP."""

    name: str
    type: ParamType = "string"
    required: bool = True
    default: Json = None
    description: str = ""
    pattern: str = ""
    enum: tuple[Json, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    event: str = ""  # CEL over the event: its value when an event starts the run


class Check(Frozen):
    """A polled read and the condition that ends it: `verify`, `gate` and `wait … until`."""

    call: str  # server.tool
    args: dict[str, Json] = Field(default_factory=dict)
    until: str  # CEL over result, params, steps
    within_s: float = 300.0
    every_s: float = 15.0


class Retry(Frozen):
    """How often a read is tried again; a write never is."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 1
    backoff_s: float = 2.0


class SopStep(Frozen):
    """One step: prose for people and models, one action for the engine."""

    id: str
    title: str
    prose: str = ""
    kind: StepKind
    # call, plan: server.tool; run: SOP id; wait: seconds as text, or ""; ask: question; notify: channel
    what: str
    args: dict[str, Json] = Field(default_factory=dict)  # `with`
    template: str = ""  # notify: what is said, with {{ cel }}
    until: Check | None = None  # wait: poll until
    when: str = ""
    foreach: str = ""
    waves: tuple[str, ...] = ()  # "1", "10%", …
    gate: Check | None = None  # between waves
    verify: Check | None = None
    undo: str = "default"  # default | none | server.tool
    undo_reason: str = ""  # of `none`
    undo_args: dict[str, Json] = Field(default_factory=dict)  # of server.tool
    on_fail: OnFail = "stop"
    approval: Literal["policy", "always"] = "policy"
    timeout_s: float = 1200.0
    retry: Retry = Retry()
    evidence: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    line: int = 0

    @property
    def writes(self) -> bool:
        """Whether it changes anything outside our own store."""
        return self.kind == "plan"

    @property
    def server(self) -> str:
        """The server of `what`, for call and plan."""
        return self.what.partition(".")[0] if self.kind in {"call", "plan"} else ""

    @property
    def tool(self) -> str:
        """The tool of `what`, for call and plan."""
        return self.what.partition(".")[2] if self.kind in {"call", "plan"} else ""


class Proof(Frozen):
    """A lab story on which this SOP must end so: what `eks-aiops sops test` and the tests play."""

    scenario: str
    params: dict[str, Json] = Field(default_factory=dict)  # with {{ lab.… }}, {{ expected.… }}
    ends: Ending = "succeeded"
    mode: Literal["plan", "supervised", "auto"] = "auto"
    autonomy: Literal["observe", "propose", "auto-safe"] = "auto-safe"  # of every environment
    approve: bool = False  # a person says yes to each approval
    answers: dict[str, str] = Field(default_factory=dict)  # step id -> what a person answers


class Sop(Frozen):
    """One document, parsed. `digest` is sha256 of its bytes: what a run pins and an approval covers."""

    id: str
    version: int = 1
    title: str
    overview: str = ""
    risk: Risk = "low"
    triggers: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()  # finding codes that it answers, of docs/causes.md
    target: str = ""  # CEL text: one run per target at a time
    per_hour: int = 0  # 0: the suite's own limits only
    per_day: int = 0
    params: tuple[Param, ...] = ()
    steps: tuple[SopStep, ...] = ()
    examples: str = ""
    troubleshooting: str = ""
    rows: tuple[str, ...] = ()  # of the guide that it serves
    proofs: tuple[Proof, ...] = ()
    guided: bool = False  # no step blocks: served as text, nothing is executed
    digest: str
    text: str
    source: str = ""  # the file's name, never a path
    front_lines: dict[str, int] = Field(default_factory=dict)  # key of the front matter -> its line
