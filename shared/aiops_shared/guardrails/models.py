"""What the guardrails speak of: who asks, what would change, what policy says, what was done.

Made by the planners of the servers, judged by the gate, carried out by the executor, kept in the state
store. No Kubernetes or AWS type and no SDK appears here: a body is plain JSON.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, field_serializer

from aiops_shared.auth.callers import LOCAL_SCOPES
from aiops_shared.results import Frozen

Json = Any
ActionName = Literal[
    "read",
    "read_logs",
    "scale",
    "autoscale",
    "restart",
    "rollback",
    "resources",
    "image",
    "profile",
    "apply",
    "delete",
    "evict",
    "cordon",
    "uncordon",
    "taint",
    "drain",
    "clean_disk",
    "addon_create",
    "addon_update",
    "addon_delete",
]
Decision = Literal["allow", "needs_approval", "deny"]
Approver = Literal["", "requester", "other"]
Environment = Literal["prod", "staging", "dev"]
Reversible = Literal["full", "partial", "none"]


class Caller(Frozen):
    """Who asks. Over stdio the person or agent that started the process; over HTTP the token's subject."""

    name: str
    kind: Literal["human", "agent"] = "human"
    scopes: frozenset[str] = LOCAL_SCOPES
    groups: tuple[str, ...] = ()  # for Kubernetes alone; policy does not read them

    @field_serializer("scopes", when_used="json")
    def _in_order(self, scopes: frozenset[str]) -> list[str]:
        """A set has no order of its own, and a plan's digest is made of this text."""
        return sorted(scopes)


class ObjectRef(Frozen):
    """One object of one cluster."""

    cluster: str
    api_version: str
    kind: str
    namespace: str = ""
    name: str

    @property
    def group(self) -> str:
        """The API group of its kind; "" is the core group."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind.lower()} {where}"


class Facts(Frozen):
    """What policy judges a change by; the planner measures them, the gate measures them again (D3).

    Integers only (Cedar has no fractions), bounded, so that no arithmetic of a policy can overflow.
    A fact that was not measured keeps its default, which is the cautious one.
    """

    env: Environment = "prod"
    controlled: bool = False  # owned by a controller that makes it again
    gitops_owner: str = ""  # Argo CD application or Flux object that owns it
    pdb_headroom: bool = False
    crashloop_restarts: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    replicas_before: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    replicas_after: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    affected_pods: Annotated[int, Field(ge=0, le=1_000_000)] = 0  # at most at once, at the widest wave
    total_pods: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    revisions_back: Annotated[int, Field(ge=0, le=10_000)] = 0
    previous_healthy: bool = False
    deploy_age_s: Annotated[int, Field(ge=0, le=1_000_000_000)] = 1_000_000_000
    raise_pct: Annotated[int, Field(ge=0, le=1_000_000)] = 0  # 200 = twice as much
    node_fits: bool = False
    raises_24h: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    hpa_change_pct: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    new_image: bool = False  # a manifest brings an image that the object does not run now
    job_finished: bool = False
    pod_security: bool = False  # the manifest asks for privileged, hostPath, hostNetwork and their like
    iam_identity: bool = False  # the manifest ties a ServiceAccount to an IAM role
    pressure: bool = False
    az_drains: Annotated[int, Field(ge=0, le=1_000_000)] = 0  # other nodes of the same zone being drained
    pool_pct: Annotated[int, Field(ge=0, le=100)] = 100
    addon_compatible: bool = False
    pool_drains: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000_000  # nodes of the pool at once, with this
    isolates_one_pod: bool = False  # a deny-all NetworkPolicy for one labelled pod
    secret_values: bool = False
    reversible: Reversible = "none"
    confidence_pct: Annotated[int, Field(ge=0, le=100)] = 100
    sop: str = ""


class Limits(Frozen):
    """How often it happened already; counted by the state store over all servers and processes."""

    same_1h: int = 0
    same_24h: int = 0
    caller_1m: int = 0
    caller_1h: int = 0


class Request(Frozen):
    """One question to the policy."""

    action: ActionName
    kind: str
    group: str = ""  # API group of the kind; "" is the core group
    namespace: str = ""
    name: str = ""
    cluster: str = ""
    caller: Caller
    facts: Facts
    limits: Limits = Limits()
    frozen: bool = False
    sensitive: bool = False
    audit_down: bool = False  # the audit cannot be written
    approved_by: str = ""  # who approved, when an approval is presented
    approval_needs: Approver = ""  # … and whom the rule asked for
    at: datetime | None = None  # world time of the question; the gate always gives it


class Verdict(Frozen):
    """The policy's answer, with the rule that decided and what to do next."""

    decision: Decision
    rule: str
    advice: str = ""
    approver: Approver = ""


class FieldChange(Frozen):
    """One field as a person reads it in a diff. Redacted."""

    path: str
    before: str
    after: str


class BlastRadius(Frozen):
    """How much a change touches."""

    objects: int = 1
    pods: int = 0
    total_pods: int = 0
    at_once: int = 0
    pdb: str = ""  # "web: 2 of 4 may be disrupted", "none"
    says: str = ""

    @property
    def pct(self) -> int:
        """Share of the workload's pods disrupted at once, 0-100."""
        return round(100 * self.at_once / self.total_pods) if self.total_pods else 0


class GateCheck(Frozen):
    """What must hold after a step; `check` is a name that the effects adapter knows."""

    check: str
    within_s: float = 300
    every_s: float = 5
    steady_s: float = 0
    args: dict[str, Json] = Field(default_factory=dict)


class Step(Frozen):
    """One effect on one object.

    `sweep` empties the target part by part (the pods of a node), until the deadline `body["within_s"]`: the
    adapter says what is left and what may go now, each part is an effect with its own intent and outcome.
    `write` sets `values` (path -> value, None removes) on the fresh object and replaces it with its
    resourceVersion as precondition; `apply` is a server-side apply of `body`; `run` starts one of the
    adapter's fixed commands, named by `body["command"]` (no free shell), and is in place once the target as
    read says so (`status.runs.<step name>`); the others are what they say.
    """

    name: str
    verb: Literal["write", "apply", "create", "delete", "evict", "run", "sweep"]
    values: dict[str, Json] = Field(default_factory=dict)
    body: Json = None
    takes_over: bool = False  # apply: fields that others own (the plan says whose)
    gate: GateCheck | None = None


class TargetChange(Frozen):
    """All that is done to one object, and what it is bound to (D2).

    `paths` are the fields that the steps write; `digest` covers them and `reads` (the fields that the
    plan reasoned from) as they were seen. A path is dotted; `[name=app]` picks a list item by a field,
    a quoted part (`metadata.annotations."a.b/c"`) holds dots.
    """

    ref: ObjectRef
    uid: str
    paths: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    digest: str
    steps: tuple[Step, ...]
    snapshot_id: str = ""
    owner: str = ""  # the key of the repeat limit: top controller of a pod, pool of a node
    about: ObjectRef | None = None  # what policy is asked about, where `ref` only describes it (a commit)
    may_go: bool = False  # others take it away once the change is done (an emptied node): no fault, no undo


class Plan(Frozen):
    """One reviewed change, stored; nothing is changed by it."""

    plan_id: str
    action: ActionName
    cluster: str
    confirm: str  # the one-line sentence that execute_plan must be given, letter by letter
    targets: tuple[TargetChange, ...]
    waves: tuple[int, ...] = (1,)  # targets per wave, in order; sums to len(targets)
    diff: tuple[FieldChange, ...] = ()
    requester: Caller
    created_at: datetime  # safety time
    expires_at: datetime  # safety time
    # prechecked: no dry run exists for it (an AWS call); rights and state were looked at instead.
    validation: Literal["server_dry_run", "prechecked", "schema_only"] = "server_dry_run"
    reversible: Reversible
    lost: tuple[str, ...] = ()
    blast_radius: BlastRadius
    facts: Facts
    verdict: Verdict
    policy_digest: str
    sop_digest: str = ""
    reason: str = ""
    warnings: tuple[str, ...] = ()


class StepRecord(Frozen):
    """The journal of one step: intent before, outcome after (D1)."""

    target: str
    step: str
    state: Literal["pending", "intended", "applied", "verified", "failed", "unknown", "undone", "skipped"]
    at: datetime | None = None
    says: str = ""


ActionState = Literal[
    "running", "succeeded", "undoing", "undone", "undo_failed", "failed", "shadowed", "unknown"
]


class ActionRecord(Frozen):
    """What execute_plan started: read by get_action, undone by undo_action."""

    action_id: str
    plan_id: str
    cluster: str
    action: ActionName
    state: ActionState
    says: str
    caller: Caller
    started_at: datetime
    ended_at: datetime | None = None
    steps: tuple[StepRecord, ...] = ()
    can_undo: bool = False
    approval_id: str = ""


class GateResult(Frozen):
    """What a gate saw: met, not yet, or failed for good."""

    state: Literal["met", "waiting", "failed"]
    says: str = ""


class Part(Frozen):
    """One part of a target that a `sweep` takes away: a pod of a node."""

    ref: ObjectRef
    uid: str


class Round(Frozen):
    """What one look of a `sweep` found. Nothing left: it is done."""

    left: frozenset[str] = frozenset()  # uids of all parts that are still there
    going: frozenset[str] = frozenset()  # those of them that are on their way out
    todo: tuple[Part, ...] = ()  # those that may go now
    says: str = ""  # which parts are left and what they wait for


class Approval(Frozen):
    """A pending or given approval, as the tools and the command line show it."""

    approval_id: str
    plan_id: str
    approver_class: Approver
    requester: str
    state: str
    approver: str = ""
    created_at: datetime
    expires_at: datetime


class PendingApproval(Frozen):
    """What waits for a person, with all that the person should see before saying yes. Redacted."""

    approval_id: str
    plan_id: str
    plan_digest: str
    requester: str
    needs: Approver
    requester_may: bool
    confirm: str
    diff: tuple[FieldChange, ...] = ()
    blast_radius: str = ""
    reversible: Reversible
    lost: tuple[str, ...] = ()
    rule: str
    why: str = ""  # what the rule says
    reason: str = ""
    cluster: str = ""
    action: str = ""
    targets: tuple[str, ...] = ()
    waves: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    created_at: datetime
    expires_at: datetime
