"""One normal form for everything that sets the suite going: what triggers (CEL) and prompts see as `event`.

Made by `analysis.events` of what senders send; kept in the table `events`. The words of `kind` and `reason`
are ours and stable (docs/events.md); `message` and `raw` are foreign text and stay data.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Severity

Json = Any
Kind = Literal[
    "PodState",  # reason: CrashLoopBackOff, OOMKilled, ImagePullBackOff, …
    "NodeCondition",  # reason: KubeletHasDiskPressure, KubeletNotReady, …
    "KubernetesEvent",  # reason: the event's own
    "Alarm",  # reason: the alarm's name
    "AddonHealth",  # reason: Degraded, Restored, CreateFailed, UpdateFailed, DeleteFailed
    "SecurityFinding",  # reason: GuardDuty's type
    "Raw",  # nothing known of it; reason: its detail-type or title
]
State = Literal["firing", "resolved"]


class Event(Frozen):
    """What happened, where, how bad; the same words whoever sent it."""

    source: str = "raw"  # aws.eks, aws.cloudwatch, aws.guardduty, alertmanager, eks-aiops, raw
    kind: Kind = "Raw"
    reason: str = ""
    state: State = "firing"
    cluster: str = ""
    namespace: str = ""
    object_kind: str = ""  # Pod, Deployment, Node, …
    name: str = ""  # of that object
    workload: str = ""  # the pod's owner, without hashes; or the workload itself
    node: str = ""
    service: str = ""
    addon: str = ""
    alarm: str = ""
    metric: str = ""  # of the alarm
    cause: str = ""  # a finding code, where the sender knows it
    severity: Severity = "high"
    count: Annotated[int, Field(ge=1)] = 1
    at: datetime | None = None  # when it happened, as the sender says
    message: str = ""  # foreign text
    labels: dict[str, str] = Field(default_factory=dict)  # foreign text
    raw: Json = None  # what was sent, redacted and bounded; foreign text

    def seen(self) -> dict[str, Json]:
        """As CEL and templates see it: every word is there, absent ones are empty."""
        told: dict[str, Json] = self.model_dump(mode="json")
        return {**told, "at": told["at"] or "", "raw": None}

    def place(self) -> str:
        """Where it is, as our own sentences may say it: `pod production/api-1`, `node n1`, `cluster c`."""
        if self.name:
            where = f"{self.namespace}/{self.name}" if self.namespace else self.name
            return f"{(self.object_kind or 'object').lower()} {where}"
        for word, value in (
            ("node", self.node),
            ("service", self.service),
            ("add-on", self.addon),
            ("namespace", self.namespace),
            ("cluster", self.cluster),
        ):
            if value:
                return f"{word} {value}"
        return ""


class Taken(Frozen):
    """What became of one event at the door."""

    event_id: str
    incident_id: str
    fingerprint: str
    became: Literal["queued", "folded", "resolved", "storm"]
    count: int = 1  # how often it came by now


class EventAnswer(Answer):
    """What `submit_event` made of an event."""

    event_id: str
    became: Annotated[
        Literal["queued", "folded", "resolved", "storm"], Field(description="folded: known already, counted")
    ]
    kind: str
    reason: str
    fingerprint: str
    count: int = 1
    incident_id: str
    incident: Annotated[str, Field(description="open, resolved, escalated, closed")] = "open"
    sop: str = ""
    run_id: str = ""
    decision: Annotated[str, Field(description="What was decided and why; empty: not yet")] = ""
    phases: Annotated[tuple[str, ...], Field(description="Done so far, in order")] = ()
