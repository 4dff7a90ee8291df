"""What the servers said, as facts that hypotheses test. Built by `clients/investigating.py` after each round.

A key names each question that was asked (`asking.py`): an answer stands in `answers`, a refusal or an outage
in `gaps`. A fact that is not there reads as empty, and a test over it as unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from aiops_sop.analysis.causes.reading import (
    NOTHING,
    Obj,
    ago,
    amount,
    inner,
    moment,
    number,
    objects,
    place,
    rows,
    text,
    texts,
)
from aiops_sop.models.investigations import Question

SILENT = frozenset({"not_found", "insufficient_data", "kind_not_found"})  # nothing is known: no outage


@dataclass(frozen=True, slots=True)
class Found:
    """One finding of diagnosis."""

    code: str
    severity: str
    kind: str
    namespace: str
    name: str
    title: str
    cause: str
    confidence: float
    evidence: tuple[Obj, ...]
    ruled_out: tuple[str, ...]
    symptoms: tuple[str, ...]
    next_step: str
    sop: str
    clusters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the cluster or the account."""

    at: datetime
    verb: str
    kind: str
    namespace: str
    name: str
    by: str
    what: str

    @property
    def said(self) -> str:
        """As it stands in a timeline."""
        who = f" by {self.by}" if self.by else ""
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.verb} {self.kind} {where}" + (f": {self.what}" if self.what else "") + who


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that fires."""

    name: str
    source: str
    severity: str
    since: datetime | None
    threshold: str
    where: str
    noise: str
    says: str
    group: int


@dataclass(frozen=True, slots=True)
class Abnormal:
    """One anomaly of a workload's signals."""

    signal: str
    kind: str
    onset: datetime | None
    over: bool
    expected: float | None
    seen: float | None


@dataclass(frozen=True, slots=True)
class Happened:
    """Events of one reason, counted together."""

    first: datetime | None
    last: datetime | None
    warning: bool
    reason: str
    kind: str
    namespace: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a named question: where it stands now and how it moves."""

    label: str
    last: float | None
    mean: float | None
    low: float | None
    high: float | None
    slope_h: float | None
    points: int


@dataclass(frozen=True)
class Facts:
    """All of it. `now`: the end of the window; `since`: its beginning."""

    question: Question
    now: datetime
    since: datetime
    answers: Mapping[str, Obj] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)  # key -> "[code] why"

    def said(self, key: str) -> Obj:
        """What was answered to one question, or an empty answer."""
        found = self.answers.get(key)
        return found if isinstance(found, Mapping) else NOTHING

    def knows(self, key: str) -> bool:
        """Whether it was answered."""
        return key in self.answers

    @cached_property
    def findings(self) -> tuple[Found, ...]:
        """Diagnosis' findings, best first; of the service alone come those that a look at all leaves out."""
        found: dict[tuple[str, ...], Found] = {}
        for key in ("diagnose", "diagnose/service"):
            for each in objects(inner(self.said(key), "findings")):
                if text(each.get("code")):
                    one = _found(each)
                    found.setdefault((one.code, one.kind, one.namespace, one.name), one)
        return tuple(found.values())

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Changes, oldest first."""
        found = []
        for row in rows(inner(self.said("changes"), "changes")):
            at = moment(row.get("at"))
            if at is not None:
                kind, namespace, name = place(row.get("object"))
                words = (text(row.get(key)) for key in ("by", "what"))
                found.append(Change(at, text(row.get("verb")), kind, namespace, name, *words))
        return tuple(sorted(found, key=lambda one: (one.at, one.kind, one.namespace, one.name, one.verb)))

    @cached_property
    def alarms(self) -> tuple[Alarm, ...]:
        """Alarms that fire, oldest first."""
        found = [_alarm(row) for row in rows(inner(self.said("alarms"), "alarms"))]
        firing = [one for one in found if one.name]
        return tuple(sorted(firing, key=lambda one: (one.since or self.now, one.name, one.where)))

    @cached_property
    def alarm_causes(self) -> tuple[str, ...]:
        """What alarms of a group share, in the words of the alarm tool."""
        return texts(inner(self.said("alarms"), "causes"))

    @cached_property
    def events(self) -> tuple[Happened, ...]:
        """Events, warnings first."""
        return tuple(self._event(row) for row in rows(inner(self.said("events"), "events")))

    def _event(self, row: Mapping[str, Any]) -> Happened:
        kind, namespace, name = place(row.get("object"))
        first, last = (ago(row.get(key), self.now) or moment(row.get(key)) for key in ("first", "last"))
        warning = text(row.get("type")) == "Warning"
        reason, count = text(row.get("reason")), int(amount(row.get("count"), 1))
        return Happened(first or last, last, warning, reason, kind, namespace, name, count)

    def traces(self, group_by: str) -> Obj:
        """The comparison of a service's requests by one group: since the onset where that was asked for."""
        return self.said(f"traces/{group_by}/onset") or self.said(f"traces/{group_by}")

    def lines(self, key: str) -> tuple[Line, ...]:
        """The series of a named question, largest first; `all` is left out where there are several."""
        found = []
        for row in rows(inner(self.said(key), "series")):
            label = next((text(row[name]) for name in row if isinstance(row[name], str)), "")
            names = ("last", "mean", "min", "max", "slope/h")
            last, mean, low, high, slope_h = (number(row.get(name)) for name in names)
            found.append(Line(label, last, mean, low, high, slope_h, int(amount(row.get("points")))))
        return tuple(one for one in found if one.label != "all")

    @cached_property
    def abnormal(self) -> tuple[Abnormal, ...]:
        """Anomalies of the asked workload that last, earliest first."""
        found = []
        for row in rows(inner(self.said("anomalies"), "anomalies")):
            expected, seen = number(row.get("expected")), number(row.get("seen"))
            onset, over = moment(row.get("onset")), row.get("until") is not None
            signal, kind = text(row.get("signal")), text(row.get("kind"))
            found.append(Abnormal(signal, kind, onset, over, expected, seen))
        return tuple(sorted(found, key=lambda one: (one.onset or self.now, one.signal)))

    def lasting(self, *signals: str) -> tuple[Abnormal, ...]:
        """Those of some signals that are not over and are higher than usual."""
        return tuple(
            one
            for one in self.abnormal
            if one.signal in signals and not one.over and (one.seen or 0.0) > (one.expected or 0.0)
        )

    @cached_property
    def subnets(self) -> tuple[dict[str, Any], ...]:
        """Subnets, shortest of addresses first."""
        return tuple(rows(inner(self.said("subnets"), "sections", "subnets")))

    @cached_property
    def path(self) -> frozenset[str]:
        """Services that the asked service's requests run through, itself among them: by the map, and by the
        call that stands out in its traces, which a map of sampled spans may lack."""
        asked = {self.question.service} if self.question.service else set()
        caller, _, callee = text(self.traces("az").get("edge")).partition(" -> ")
        ends = {caller, callee.partition(":")[0]} if callee else set()
        return frozenset((asked | self.mapped | ends) - {""})

    @cached_property
    def mapped(self) -> frozenset[str]:
        """Services on the map around the asked one."""
        return frozenset(text(row.get("node")) for row in rows(inner(self.said("health"), "nodes")))

    @cached_property
    def stores(self) -> frozenset[str]:
        """Nodes of the map that leave no spans of their own: databases, caches, queues, outside services."""
        found = rows(inner(self.said("health"), "nodes"))
        return frozenset(text(row.get("node")) for row in found if row.get("inferred") is True)

    @cached_property
    def onset(self) -> datetime | None:
        """When the trouble began: the first lasting anomaly, else the first alarm, else the first warning."""
        began = [one.onset for one in self.abnormal if not one.over and one.onset]
        began = [at for at in began if at >= self.since] or began
        if began:
            return min(began)
        fired = [one.since for one in self.alarms if one.since]
        return min(fired) if fired else None


def _found(each: Obj) -> Found:
    words = {key: text(each.get(key)) for key in ("code", "severity", "kind", "namespace", "name", "title")}
    return Found(
        **words,
        cause=text(each.get("root_cause")),
        confidence=min(1.0, max(0.0, amount(each.get("confidence")))),
        evidence=tuple(objects(each.get("evidence"))),
        ruled_out=texts(each.get("ruled_out")),
        symptoms=texts(each.get("symptoms")),
        next_step=text(each.get("next_step")),
        sop=text(each.get("sop")),
        clusters=texts(each.get("clusters")),
    )


def _alarm(row: Mapping[str, Any]) -> Alarm:
    names = ("name", "source", "severity", "threshold", "where", "class", "says")
    name, source, severity, threshold, where, noise, says = (text(row.get(key)) for key in names)
    group = int(amount(row.get("group")))
    return Alarm(name, source, severity, moment(row.get("since")), threshold, where, noise, says, group)
