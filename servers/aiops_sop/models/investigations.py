"""What `investigate` is asked and what it answers: the cause, why it is believed, what to do.

Made by `analysis/causes`; read by the tool, by events (an incident's record), by SOP steps and by reports.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from aiops_shared.kube.choosing import Where
from aiops_shared.results import Answer, Frozen, Severity, Table
from aiops_sop.models.incidents import Past

Json = Any
Level = Literal["low", "medium", "high"]


class Question(Frozen):
    """One question. At least one of symptom, alarm, event, service is given.

    `event` is a normalised trigger or any event as it came; `window` is `-1h` or FROM/TO. `incident_id` is
    set by those who keep incidents.
    """

    symptom: str = ""
    alarm: str = ""
    event: dict[str, Json] = Field(default_factory=dict)
    service: str = ""
    namespace: str = ""
    kind: str = ""
    name: str = ""
    window: str = "-1h"
    cluster: Where = None
    incident_id: str = ""
    full: bool = False
    chart: bool = False


class RootCause(Frozen):
    """What is behind it. `code` is one of docs/causes.md; empty: none was found."""

    code: str
    text: str
    confidence: Annotated[float, Field(ge=0, le=1)]
    severity: Severity = "info"
    kind: str = ""
    namespace: str = ""
    name: str = ""


class Action(Frozen):
    """One thing to do, the best first. Nothing is done: a SOP or a plan does it, through the guardrails."""

    action: str
    risk: Level
    needs_approval: bool
    sop: str = ""
    tool: str = ""
    arguments: dict[str, Json] = Field(default_factory=dict)


class Handoff(Frozen):
    """What the next person or system needs: the record that incidents, escalations and tickets carry."""

    incident_id: str
    severity: Severity
    root_cause: str
    evidence: tuple[str, ...]
    proposed_action: str
    risk_level: Level
    requires_human_approval: bool


class Investigation(Answer):
    """The cause first, then why it is believed.

    `chain`: from cause to symptom in time order; `hypotheses`: what was tested, kept or rejected, and by
    what; `ruled_out`: usual suspects that are innocent, each `name: why`; `timeline`: all sources merged;
    `sources`: who was asked and who did not answer. `fingerprint` is the same for the same trouble.
    """

    headline: str
    root_cause: RootCause
    chain: Table
    hypotheses: Table
    ruled_out: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    similar: tuple[Past, ...] = ()
    timeline: Table
    sources: Table
    handoff: Handoff
    fingerprint: str = ""
