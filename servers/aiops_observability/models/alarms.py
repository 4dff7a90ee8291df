"""Alarms in one normal form, whatever system keeps them, and what `list_alarms` answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Severity, Table

State = Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
AskedState = Literal["ALARM", "OK", "INSUFFICIENT_DATA", "all"]
Source = Literal["cloudwatch", "alertmanager", "guardduty"]
SOURCES: tuple[Source, ...] = ("cloudwatch", "alertmanager", "guardduty")
Noise = Literal["actionable", "duplicate", "flapping", "stale"]


@dataclass(frozen=True, slots=True)
class Where:
    """What an alarm is about, as far as its labels say. `node` is the short name, without a domain."""

    cluster: str = ""
    namespace: str = ""
    workload: str = ""
    pod: str = ""
    node: str = ""

    @property
    def said(self) -> str:
        """As it stands in a row: `production/api`, or the node, or nothing."""
        name = self.workload or self.pod
        return "/".join(part for part in (self.namespace, name) if part) or self.node


@dataclass(frozen=True, slots=True)
class Episode:
    """One time that an alarm fired; `until` None: it still does."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm. `threshold` in words (`>= 90`); `episodes` oldest first; `says` is foreign text.

    `muted_by`: silences, inhibitions and suppressors that keep it quiet; nothing here mutes anything.
    """

    name: str
    source: Source
    state: State
    since: datetime
    where: Where = Where()
    severity: Severity = "medium"
    threshold: str = ""
    value: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    episodes: tuple[Episode, ...] = ()
    muted_by: tuple[str, ...] = ()
    says: str = ""

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """The same for the same alert of another cluster, pod or system."""
        where = self.where
        spot = (where.workload or where.pod) or where.node
        return (self.name, where.namespace, spot)

    @property
    def key(self) -> str:
        """The same for the same alarm when it fires again: by its name, or by all its labels."""
        named = self.labels if self.source == "alertmanager" else {}
        pairs = (f"{name}={value}" for name, value in sorted(named.items()))
        return "\x1f".join((self.source, self.where.cluster, self.name, self.where.said, *pairs))


class AlarmAsk(Frozen):
    """The question, checked. `sources` empty: all that are configured."""

    cluster: str | None = None
    state: AskedState = "ALARM"
    sources: tuple[Source, ...] = ()
    group: bool = True
    history: str = ""
    limit: int = 50
    cursor: str = ""


class AlarmList(Answer):
    """The alarms, and what they are together."""

    total: Annotated[int, Field(description="Alarms, or firings")] = 0
    states: dict[str, int] = Field(default_factory=dict)
    classes: dict[str, int] = Field(default_factory=dict)
    groups: Annotated[Table | None, Field(description="Actionable first")] = None
    causes: Annotated[tuple[str, ...], Field(description="What members share")] = ()
    alarms: Table | None = None
    detection: dict[str, int] = Field(default_factory=dict)  # of state=all: who watches without a threshold
