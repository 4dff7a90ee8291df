"""The states of alarms over time: every evaluation of the past is played again when somebody asks.

Telemetry is a function of time, so an alarm's history is one too: nothing runs in the background. A metric
alarm is evaluated once a period, some seconds after it ended. Called by `alarms` and `histories`.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from aiops_lab.aws.account import Account
from aiops_lab.aws.cloudwatch import composites
from aiops_lab.aws.cloudwatch.judging import BANDS, MORE_PERIODS, Rule
from aiops_lab.aws.cloudwatch.maths import Line
from aiops_lab.aws.cloudwatch.reading import Grounds, Query, Reading, needed_ids
from aiops_lab.aws.cloudwatch.reasons import Course, arn, plainly, said
from aiops_lab.aws.cloudwatch.stats import invalid
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.alarms import ALARM, MISSING, OK, StoredAlarm

CREATED = "Unchecked: Initial alarm creation"
LOOKED_BACK_S = (6 * 3600, 86_400, 14 * 86_400)  # how far back a state's beginning is looked for


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state, and why."""

    at_s: float
    old: str
    new: str
    reason: str
    data: str = ""


def delay_s(name: str) -> int:
    """How long after a period's end this alarm is evaluated."""
    return 5 + zlib.crc32(name.encode()) % 40


@dataclass(slots=True)
class AlarmStates:
    """Every alarm's states, as far as one request asks for them."""

    grounds: Grounds
    alarms: Mapping[str, StoredAlarm]
    _known: dict[tuple[str, float], list[Transition]] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, account: Account) -> "AlarmStates":
        """Those of the account, at its now."""
        return cls(Grounds.of(account), account.area(Telemetry).alarms.by_name)

    @property
    def now_s(self) -> float:
        """The moment up to which alarms were evaluated."""
        return self.grounds.now_s

    def present(self, alarm: StoredAlarm) -> Transition:
        """How it came into the state it is in."""
        for back_s in LOOKED_BACK_S:
            since_s = self.now_s - back_s
            found = self.transitions(alarm, since_s)
            if found:
                return found[-1]
            if since_s <= alarm.created_s:
                break
        return self.before(alarm, self.now_s - LOOKED_BACK_S[-1])

    def state_at(self, alarm: StoredAlarm, moment_s: float) -> str:
        """Its state at a moment."""
        found = [one for one in self.transitions(alarm, moment_s - LOOKED_BACK_S[1]) if one.at_s <= moment_s]
        return found[-1].new if found else self.before(alarm, moment_s - LOOKED_BACK_S[1]).new

    def before(self, alarm: StoredAlarm, since_s: float) -> Transition:
        """The state in which it went into a span: as old as the alarm, for all that is known."""
        state, reason = MISSING, CREATED
        told = [one for one in alarm.told if one.at_s < since_s]
        if not alarm.evaluated:
            if told:
                last = told[-1]
                reason = last.reason or plainly(alarm, last.value)
                return Transition(last.at_s, MISSING, last.value, reason, last.data)
        elif alarm.composite:
            state = self._rule_state(alarm, {}, max(since_s, alarm.created_s))
            reason = f"{arn(alarm.name)} was created and its alarm rule evaluates to {state}"
        elif since_s > alarm.created_s:
            course, rule = self._course(alarm, since_s - 60, since_s), Rule.of(alarm.spec)
            breaching = rule.breaching(course.values, course.upper, course.lower)
            states = rule.states(breaching)
            if states and states[-1] != MISSING:
                state = states[-1]
                reason, data = said(alarm, course, course.values.size, (MISSING, state))
                return Transition(alarm.created_s + delay_s(alarm.name), MISSING, state, reason, data)
        return Transition(alarm.created_s, MISSING, state, reason)

    def transitions(self, alarm: StoredAlarm, since_s: float) -> list[Transition]:
        """Its changes since a moment, oldest first. Raises AwsError for composites that name each other."""
        since_s = max(since_s, alarm.created_s)
        key = (alarm.name, since_s)
        if key not in self._known:
            if alarm.name in self._open:
                raise invalid(f"The alarm rule of {alarm.name} refers to itself.")
            self._open.add(alarm.name)
            self._known[key] = self._found(alarm, since_s)
            self._open.discard(alarm.name)
        return self._known[key]

    def _found(self, alarm: StoredAlarm, since_s: float) -> list[Transition]:
        """Its changes since a moment, computed."""
        evaluated: list[tuple[float, str, tuple[str, str]]] = []
        if alarm.evaluated:
            evaluated = (
                self._composite_states(alarm, since_s)
                if alarm.composite
                else self._metric_states(alarm, since_s)
            )
        state = self.before(alarm, since_s).new
        told = [
            (one.at_s, one.value, (one.reason or plainly(alarm, one.value), one.data))
            for one in alarm.told
            if one.at_s >= since_s
        ]
        found: list[Transition] = []
        for at_s, new, (reason, data) in sorted([*evaluated, *told], key=lambda one: one[0]):
            if new != state and at_s <= self.now_s:
                found.append(Transition(at_s, state, new, reason, data))
                state = new
        if alarm.evaluated and not alarm.composite:
            return [self._reasoned(alarm, one) for one in found]
        return found

    # metric alarms

    def _metric_states(self, alarm: StoredAlarm, since_s: float) -> list[tuple[float, str, tuple[str, str]]]:
        """The state after every evaluation; reasons are added to those that change something."""
        rule, course = Rule.of(alarm.spec), self._course(alarm, since_s, self.now_s - delay_s(alarm.name))
        breaching = rule.breaching(course.values, course.upper, course.lower)
        states = rule.states(breaching, self.before(alarm, since_s).new)
        ends = course.starts_s[rule.asked + MORE_PERIODS - 1 :] + course.period_s
        return [
            (float(end) + delay_s(alarm.name), state, ("", ""))
            for end, state in zip(ends, states, strict=True)
            if end >= since_s
        ]

    def _reasoned(self, alarm: StoredAlarm, one: Transition) -> Transition:
        """A transition in CloudWatch's words."""
        if one.reason:
            return one
        course = self._course(alarm, one.at_s - 60, one.at_s - delay_s(alarm.name))
        reason, data = said(alarm, course, course.values.size, (one.old, one.new))
        return Transition(one.at_s, one.old, one.new, reason, data)

    def _course(self, alarm: StoredAlarm, since_s: float, until_s: float) -> Course:
        """Its datapoints: those of the periods that end in a span, and those that they are judged with."""
        rule, queries = Rule.of(alarm.spec), queries_of(alarm.spec)
        period = period_of(alarm.spec)
        ended = until_s // period * period
        first = since_s // period * period - (rule.asked + MORE_PERIODS) * period
        reading = Reading.asked(self.grounds, list(queries.values()), first, max(ended, first + period))
        watched = _one(reading.lines(watched_id(alarm.spec)), alarm.name)
        upper = lower = np.full(watched.values.shape, float(alarm.spec.get("Threshold") or 0.0))
        if str(alarm.spec["ComparisonOperator"]) in BANDS:
            sides = [one.values for one in reading.lines(str(alarm.spec["ThresholdMetricId"]))]
            upper, lower = np.fmax(*sides), np.fmin(*sides)
        return Course(watched.starts_s, watched.values, upper, lower, period)

    # composite alarms

    def _composite_states(
        self, alarm: StoredAlarm, since_s: float
    ) -> list[tuple[float, str, tuple[str, str]]]:
        rule = composites.parse(str(alarm.spec["AlarmRule"]))
        courses: dict[str, _States] = {}
        for name in composites.names_in(rule):
            if name in self.alarms:
                child = self.alarms[name]
                courses[name] = (self.before(child, since_s).new, self.transitions(child, since_s))
        moments = sorted({(one.at_s, name, one.new) for name, known in courses.items() for one in known[1]})
        return [
            (at_s + 1, self._rule_state(alarm, courses, at_s), (_because(name, state, at_s), ""))
            for at_s, name, state in moments
        ]

    def _rule_state(self, alarm: StoredAlarm, courses: "Mapping[str, _States]", moment_s: float) -> str:
        """What the rule says at a moment; `courses`: the alarms whose states are known from there on."""
        rule = composites.parse(str(alarm.spec["AlarmRule"]))

        def state(name: str) -> str:
            if name in courses:
                first, changes = courses[name]
                return ([first] + [one.new for one in changes if one.at_s <= moment_s])[-1]
            return MISSING if name not in self.alarms else self.state_at(self.alarms[name], moment_s)

        return ALARM if composites.holds(rule, state) else OK


_States = tuple[str, list[Transition]]  # the state before a span, and the changes in it


def _one(lines: list[Line], name: str) -> Line:
    if len(lines) != 1:
        raise invalid(f"The alarm {name} must watch exactly one time series; it has {len(lines)}.")
    return lines[0]


def _because(name: str, state: str, at_s: float) -> str:
    when = datetime.fromtimestamp(at_s, UTC).strftime("%A %d %B, %Y %H:%M:%S UTC")
    return f"{arn(name)} transitioned to {state} at {when}"


# what an alarm watches


def queries_of(spec: Mapping[str, Any]) -> dict[str, Query]:
    """The queries of an alarm by id; an alarm on one metric is one query."""
    if spec.get("Metrics"):
        return {str(one["Id"]): one for one in spec["Metrics"]}
    metric = {key: spec[key] for key in ("Namespace", "MetricName", "Dimensions") if spec.get(key)}
    stat = str(spec.get("Statistic") or spec.get("ExtendedStatistic"))
    told: dict[str, Any] = {"Metric": metric, "Period": int(spec["Period"]), "Stat": stat}
    if spec.get("Unit"):
        told["Unit"] = spec["Unit"]
    return {"m1": {"Id": "m1", "MetricStat": told}}


def watched_id(spec: Mapping[str, Any]) -> str:
    """The query whose values are judged: the one that returns data and is not the threshold."""
    found = [
        one_id
        for one_id, one in queries_of(spec).items()
        if one.get("ReturnData") is not False and one_id != spec.get("ThresholdMetricId")
    ]
    if len(found) != 1:
        raise invalid("Exactly one element of Metrics must have ReturnData set to true.")
    return found[0]


def period_of(spec: Mapping[str, Any]) -> int:
    """The period of what is judged. Raises AwsError when it has none."""
    queries = queries_of(spec)
    for one_id in sorted(needed_ids(queries, watched_id(spec))):
        one = queries[one_id]
        if one.get("MetricStat"):
            return int(one["MetricStat"]["Period"])
        if one.get("Period"):
            return int(one["Period"])
    raise invalid("Period must not be null")
