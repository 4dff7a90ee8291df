"""StateReason and StateReasonData of metric alarms, in CloudWatch's words. Called by `evaluating`.

Worded as DescribeAlarms and DescribeAlarmHistory answer in AWS's CLI examples and knowledge centre.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from aiops_lab.aws.account import ACCOUNT_ID, REGION
from aiops_lab.aws.cloudwatch.judging import BANDS, MORE_PERIODS, WORDS, Rule
from aiops_lab.telemetry.alarms import ALARM, MISSING, StoredAlarm
from aiops_lab.telemetry.signals import Array

SHOWN = 5  # datapoints in a reason


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """An alarm's datapoints: the starts of periods, the values, the thresholds."""

    starts_s: Array
    values: Array
    upper: Array
    lower: Array
    period_s: int


def arn(name: str) -> str:
    """An alarm's ARN."""
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:{name}"


def said(alarm: StoredAlarm, course: Course, size: int, change: tuple[str, str]) -> tuple[str, str]:
    """StateReason and StateReasonData of a state that the last datapoints give, in CloudWatch's words."""
    rule = Rule.of(alarm.spec)
    looked = slice(max(0, size - rule.asked - MORE_PERIODS), size)
    seen = [index for index in range(size)[looked] if not np.isnan(course.values[index])][-rule.asked :]
    values = [(float(course.starts_s[index]), float(course.values[index])) for index in reversed(seen)]
    return _reason(alarm, rule, course, values, change), _data(alarm, course, values)


def plainly(alarm: StoredAlarm, state: str) -> str:
    """A reason for a state that was told without one, which has no datapoints."""
    if alarm.composite:
        return f"{arn(alarm.name)} was set to {state}"
    rule = Rule.of(alarm.spec)
    if state == MISSING:
        return _unknown(rule)
    verb = ("datapoints were" if rule.asked > 1 else "datapoint was") + ("" if state == ALARM else " not")
    threshold = float(alarm.spec.get("Threshold") or 0.0)
    return f"Threshold Crossed: {rule.asked} {verb} {WORDS[rule.operator]} ({threshold!r})."


def _unknown(rule: Rule) -> str:
    unit = "datapoint was" if rule.asked == 1 else "datapoints were"
    return f"Insufficient Data: {rule.asked} {unit} unknown."


def _reason(
    alarm: StoredAlarm,
    rule: Rule,
    course: Course,
    values: list[tuple[float, float]],
    change: tuple[str, str],
) -> str:
    old, new = change
    if new == MISSING:
        return _unknown(rule)
    if not values:
        setting = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(rule.missing, "Missing")
        many = "periods" if rule.asked > 1 else "period"
        missing = f"{rule.asked} missing datapoint{'s were' if rule.asked > 1 else ' was'}"
        return (
            f"Threshold Crossed: no datapoints were received for {rule.asked} {many} and {missing} treated as"
            f" [{setting}]."
        )
    shown = ", ".join(f"{value!r} ({_day(at_s)})" for at_s, value in values[:SHOWN])
    verb = "were" if len(values) > 1 else "was"
    negated = "" if new == ALARM else "not "
    needed = rule.needed if new == ALARM else rule.asked - rule.needed + 1
    count = f"{len(values)} out of the last {rule.asked} datapoints"
    some = f"minimum {needed} datapoint{'s' if needed > 1 else ''} for {old} -> {new} transition"
    return (
        f"Threshold{'s' if rule.operator in BANDS else ''} Crossed: {count} [{shown}] {verb} {negated}"
        f"{WORDS[rule.operator]} {_thresholds(alarm, rule, course)} ({some})."
    )


def _thresholds(alarm: StoredAlarm, rule: Rule, course: Course) -> str:
    if rule.operator not in BANDS:
        return f"({float(alarm.spec.get('Threshold') or 0.0)!r})"
    side = course.lower if rule.operator == "LessThanLowerThreshold" else course.upper
    return f"[{', '.join(repr(float(one)) for one in side[::-1][: rule.asked])}]"


def _data(alarm: StoredAlarm, course: Course, values: list[tuple[float, float]]) -> str:
    told: dict[str, Any] = {
        "version": "1.0",
        "queryDate": _stamp(float(course.starts_s[-1]) + course.period_s),
        "period": course.period_s,
        "recentDatapoints": [value for _, value in reversed(values)],
        "evaluatedDatapoints": [
            {"timestamp": _stamp(at_s), "value": value} for at_s, value in values[:SHOWN]
        ],
    }
    if values:
        told["startDate"] = _stamp(values[-1][0])
    if alarm.spec.get("Statistic"):
        told["statistic"] = alarm.spec["Statistic"]
    if alarm.spec.get("Threshold") is not None:
        told["threshold"] = float(alarm.spec["Threshold"])
    return json.dumps(told, separators=(",", ":"))


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%d/%m/%y %H:%M:%S")


def _stamp(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
