"""The operations on alarms: put, describe, delete, set a state. Which state an alarm is in is computed.

Parameters, defaults and refusals as in the CloudWatch API reference; DescribeAlarms answers metric alarms
only, unless AlarmTypes asks for others. Composite alarms suppress nothing here, actions are not carried out.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from aiops_lab.aws.account import Account
from aiops_lab.aws.cloudwatch import composites
from aiops_lab.aws.cloudwatch.evaluating import (
    AlarmStates,
    Transition,
    period_of,
    queries_of,
    watched_id,
)
from aiops_lab.aws.cloudwatch.judging import BANDS, WORDS, Rule
from aiops_lab.aws.cloudwatch.reading import Grounds, Reading, dimensions_of
from aiops_lab.aws.cloudwatch.reasons import arn
from aiops_lab.aws.cloudwatch.stats import invalid, require_period, require_stat
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.alarms import STATES, Alarms, StoredAlarm

PAGE, MOST_PAGE = 50, 100
TREATED = frozenset({"missing", "ignore", "breaching", "notBreaching"})
_SHARED = (
    "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions",
)  # fmt: skip
_METRIC = (
    "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit", "Metrics",
    "EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ThresholdMetricId", "ComparisonOperator",
    "TreatMissingData", "EvaluateLowSampleCountPercentile",
)  # fmt: skip
_NOT_PLAYED = ("EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria", "EvaluationInterval")
Answer = Mapping[str, Any]
Item = TypeVar("Item")


def alarm_operations(account: Account) -> Operations:
    """The operations, bound to one account."""
    served: dict[str, Callable[[Account, Call], Answer]] = {
        "PutMetricAlarm": put_metric_alarm,
        "PutCompositeAlarm": put_composite_alarm,
        "DescribeAlarms": describe_alarms,
        "DescribeAlarmsForMetric": describe_alarms_for_metric,
        "DeleteAlarms": delete_alarms,
        "SetAlarmState": set_alarm_state,
        "EnableAlarmActions": partial(switch_actions, enabled=True),
        "DisableAlarmActions": partial(switch_actions, enabled=False),
    }
    return {("cloudwatch", name): partial(act, account) for name, act in served.items()}


def alarms_of(account: Account) -> Alarms:
    """The account's store of alarms."""
    return account.area(Telemetry).alarms


def put_metric_alarm(account: Account, call: Call) -> Answer:
    """Create or replace a metric alarm."""
    params = call.params
    if played := [name for name in _NOT_PLAYED if params.get(name) is not None]:
        raise invalid(f"The lab does not play {played[0]} of metric alarms.")
    spec = {name: params[name] for name in (*_SHARED, *_METRIC) if params.get(name) is not None}
    _check_metric(account, spec)
    _kept(account, str(params["AlarmName"]), spec)
    return {}


def _check_metric(account: Account, spec: Mapping[str, Any]) -> None:
    """Raises AwsError for what PutMetricAlarm would not take."""
    if spec.get("ComparisonOperator") not in WORDS or not spec.get("EvaluationPeriods"):
        raise AwsError("MissingParameter", "ComparisonOperator and EvaluationPeriods are required")
    if spec.get("TreatMissingData", "missing") not in TREATED:
        raise invalid(f"Invalid TreatMissingData: {spec['TreatMissingData']}")
    rule = Rule.of(spec)
    if not 1 <= rule.needed <= rule.asked:
        raise invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    if (rule.operator in BANDS) is (spec.get("ThresholdMetricId") is None):
        raise invalid("ThresholdMetricId goes with a comparison to a band, and Threshold with the others.")
    if rule.operator not in BANDS and spec.get("Threshold") is None:
        raise AwsError("MissingParameter", "Threshold is required")
    if spec.get("Metrics"):
        if spec.get("MetricName"):
            raise AwsError("InvalidParameterCombination", "Metrics and MetricName are mutually exclusive.")
    elif not (spec.get("MetricName") and spec.get("Namespace") and spec.get("Period")):
        raise AwsError("MissingParameter", "MetricName, Namespace, Period and a statistic are required")
    else:
        require_stat(str(spec.get("Statistic") or spec.get("ExtendedStatistic") or ""))
    period = require_period(period_of(spec))
    now_s = account.now().timestamp()
    reading = Reading.asked(Grounds.of(account), list(queries_of(spec).values()), now_s - period, now_s)
    reading.lines(watched_id(spec))


def put_composite_alarm(account: Account, call: Call) -> Answer:
    """Create or replace a composite alarm. Its alarms must exist, and may not come back to it."""
    params, name = call.params, str(call.params["AlarmName"])
    if params.get("ActionsSuppressor"):
        raise invalid("The lab does not play ActionsSuppressor.")
    rule = composites.parse(str(params["AlarmRule"]))
    known = alarms_of(account).by_name
    if missing := [one for one in composites.names_in(rule) if one not in known]:
        raise invalid(f"AlarmRule must not contain an alarm that does not exist: {missing[0]}")
    if _reaches(known, composites.names_in(rule), name):
        raise invalid(f"AlarmRule must not create a cycle with {name}")
    spec = {key: params[key] for key in (*_SHARED, "AlarmRule") if params.get(key) is not None}
    _kept(account, name, spec)
    return {}


def _reaches(known: Mapping[str, StoredAlarm], names: list[str], wanted: str) -> bool:
    """Whether some alarms are, or are made of, another."""
    for name in names:
        if name == wanted:
            return True
        if name in known and known[name].composite:
            below = composites.names_in(composites.parse(str(known[name].spec["AlarmRule"])))
            if _reaches(known, below, wanted):
                return True
    return False


def _kept(account: Account, name: str, spec: dict[str, Any]) -> None:
    now_s, store = account.now().timestamp(), alarms_of(account)
    spec = {"ActionsEnabled": True} | spec
    old = store.by_name.get(name)
    if old is not None and old.composite is not ("AlarmRule" in spec):
        raise invalid(f"An alarm of another type already has the name {name}.")
    created = now_s if old is None else old.created_s
    store.put(StoredAlarm(name, spec, created, now_s, old.told if old else ()))


def describe_alarms(account: Account, call: Call) -> Answer:
    """One page of alarms, metric alarms first, in the order of their names."""
    params, states = call.params, AlarmStates.of(account)
    if params.get("AlarmNames") and params.get("AlarmNamePrefix"):
        raise AwsError(
            "InvalidParameterCombination", "AlarmNames and AlarmNamePrefix are mutually exclusive."
        )
    found = sorted(_chosen(account, params), key=lambda one: (one.composite, one.name))
    told = [(one, states.present(one)) for one in found]
    told = [(one, now) for one, now in told if params.get("StateValue") in {None, now.new}]
    shown, more = page(told, params.get("MaxRecords"), params.get("NextToken"), PAGE)
    return {
        "MetricAlarms": [described(one, now) for one, now in shown if not one.composite],
        "CompositeAlarms": [described(one, now) for one, now in shown if one.composite],
        **more,
    }


def _chosen(account: Account, params: Mapping[str, Any]) -> list[StoredAlarm]:
    known = alarms_of(account).by_name
    types = params.get("AlarmTypes") or ["MetricAlarm"]
    names, prefix = params.get("AlarmNames"), str(params.get("AlarmNamePrefix") or "")
    family = _family(known, params)
    action = str(params.get("ActionPrefix") or "")
    return [
        one
        for one in known.values()
        if one.kind in types
        and (not names or one.name in names)
        and one.name.startswith(prefix)
        and (family is None or one.name in family)
        and (not action or any(each.startswith(action) for each in one.spec.get("AlarmActions") or []))
    ]


def _family(known: Mapping[str, StoredAlarm], params: Mapping[str, Any]) -> set[str] | None:
    """The alarms below or above one, when that is asked."""

    def below(one: StoredAlarm) -> set[str]:
        rule = one.spec.get("AlarmRule")
        return set(composites.names_in(composites.parse(str(rule)))) if rule else set()

    if (parent := params.get("ChildrenOfAlarmName")) is not None:
        return below(known[parent]) if parent in known else set()
    if (child := params.get("ParentsOfAlarmName")) is not None:
        return {one.name for one in known.values() if child in below(one)}
    return None


def described(alarm: StoredAlarm, now: Transition) -> dict[str, Any]:
    """One alarm as DescribeAlarms tells it."""
    changed = moment(now.at_s)
    told: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmArn": arn(alarm.name),
        "AlarmConfigurationUpdatedTimestamp": moment(alarm.updated_s or alarm.created_s),
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "StateValue": now.new,
        "StateReason": now.reason,
        "StateUpdatedTimestamp": changed,
        "StateTransitionedTimestamp": changed,
        **alarm.spec,
    }
    if now.data:
        told["StateReasonData"] = now.data
    if not alarm.composite:
        told.setdefault("Dimensions", [])
    return told


def describe_alarms_for_metric(account: Account, call: Call) -> Answer:
    """The alarms on one metric, whatever expression they need it for."""
    params, states = call.params, AlarmStates.of(account)
    wanted = (params["Namespace"], params["MetricName"], dimensions_of(params.get("Dimensions")))
    stat = params.get("Statistic") or params.get("ExtendedStatistic")
    found = []
    for one in sorted(alarms_of(account).by_name.values(), key=lambda each: each.name):
        for query in queries_of(one.spec).values() if not one.composite else ():
            told = query.get("MetricStat")
            if told and _same(told, wanted, stat, params.get("Period")):
                found.append(described(one, states.present(one)))
                break
    return {"MetricAlarms": found}


def _same(told: Mapping[str, Any], wanted: tuple[Any, ...], stat: str | None, period: int | None) -> bool:
    metric = told["Metric"]
    held = (metric.get("Namespace"), metric.get("MetricName"), dimensions_of(metric.get("Dimensions")))
    return held == wanted and stat in {None, told["Stat"]} and period in {None, told["Period"]}


def delete_alarms(account: Account, call: Call) -> Answer:
    """Forget alarms. Raises AwsError for one that a composite alarm still needs."""
    store, names = alarms_of(account), set(call.params.get("AlarmNames") or [])
    for one in store.by_name.values():
        if one.composite and one.name not in names:
            needed = names & set(composites.names_in(composites.parse(str(one.spec["AlarmRule"]))))
            if needed:
                raise invalid(f"Alarm {min(needed)} is used by the composite alarm {one.name}.")
    store.drop(names)
    return {}


def set_alarm_state(account: Account, call: Call) -> Answer:
    """Set a state until the next evaluation."""
    params = call.params
    name, value = str(params["AlarmName"]), str(params["StateValue"])
    if name not in alarms_of(account).by_name:
        raise AwsError("ResourceNotFound", "Unknown")
    if value not in STATES:
        raise invalid(f"Invalid StateValue: {value}")
    data = str(params.get("StateReasonData") or "")
    if data and not _is_json(data):
        raise AwsError("InvalidFormat", "StateReasonData must be JSON")
    now_s = account.now().timestamp()
    alarms_of(account).tell(name, now_s, value, str(params["StateReason"]), data)
    return {}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def switch_actions(account: Account, call: Call, *, enabled: bool) -> Answer:
    """Let alarms act or not."""
    store = alarms_of(account)
    for name in call.params.get("AlarmNames") or []:
        if name in store.by_name:
            one = store.by_name[name]
            store.put(replace(one, spec={**one.spec, "ActionsEnabled": enabled}))
    return {}


def page(
    items: list[Item], most: int | None, token: str | None, default: int
) -> tuple[list[Item], dict[str, str]]:
    """One page, and its NextToken. Raises AwsError InvalidNextToken."""
    number = str(token or "page-0").removeprefix("page-")
    if not number.isdecimal() or int(number) > len(items):
        raise AwsError("InvalidNextToken", f"The next token specified is invalid: {token}")
    start, size = int(number), int(most or default)
    if not 1 <= size <= MOST_PAGE:
        raise invalid(f"MaxRecords must be between 1 and {MOST_PAGE}.")
    more = {"NextToken": f"page-{start + size}"} if start + size < len(items) else {}
    return items[start : start + size], more


def moment(at_s: float) -> datetime:
    """Unix seconds as CloudWatch tells them."""
    return datetime.fromtimestamp(at_s, UTC)
