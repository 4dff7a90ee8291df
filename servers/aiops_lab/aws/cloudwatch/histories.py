"""DescribeAlarmHistory: what an alarm went through, from its creation and its evaluations of 30 days."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from aiops_lab.aws.account import Account
from aiops_lab.aws.cloudwatch.alarms import alarms_of, moment, page
from aiops_lab.aws.cloudwatch.data import moment_s
from aiops_lab.aws.cloudwatch.evaluating import AlarmStates, Transition
from aiops_lab.aws.cloudwatch.reasons import arn
from aiops_lab.aws.cloudwatch.stats import invalid
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.telemetry.alarms import StoredAlarm

KEPT_S = 30 * 86_400
PAGE = 100
TYPES = frozenset({"ConfigurationUpdate", "StateUpdate", "Action"})
Answer = Mapping[str, Any]


def history_operations(account: Account) -> Operations:
    """The operation, bound to one account."""
    return {("cloudwatch", "DescribeAlarmHistory"): partial(describe_alarm_history, account)}


def describe_alarm_history(account: Account, call: Call) -> Answer:
    """One page of what happened to an alarm, or to all of a type; newest first unless asked otherwise."""
    params, states = call.params, AlarmStates.of(account)
    now_s = states.now_s
    since_s = max(moment_s(params.get("StartDate") or 0.0), now_s - KEPT_S)
    until_s = min(moment_s(params.get("EndDate") or now_s), now_s)
    if since_s > until_s:
        raise invalid("StartDate must be before EndDate.")
    kind, types = params.get("HistoryItemType"), params.get("AlarmTypes") or ["MetricAlarm"]
    if kind is not None and kind not in TYPES:
        raise invalid(f"The lab does not play history items of type {kind}.")
    found = [
        item
        for one in alarms_of(account).by_name.values()
        if params.get("AlarmName") in {None, one.name} and (params.get("AlarmName") or one.kind in types)
        for item in _items(states, one, since_s)
        if kind in {None, item["HistoryItemType"]} and item["Timestamp"].timestamp() <= until_s
    ]
    newest_first = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    found.sort(key=lambda item: (item["Timestamp"], item["AlarmName"]), reverse=newest_first)
    shown, more = page(found, params.get("MaxRecords"), params.get("NextToken"), PAGE)
    return {"AlarmHistoryItems": shown, **more}


def _items(states: AlarmStates, alarm: StoredAlarm, since_s: float) -> Iterator[dict[str, Any]]:
    if alarm.created_s >= since_s:
        data = {"version": "1.0", "type": "Create", "createdAlarm": {"alarmName": alarm.name}}
        yield _item(alarm, alarm.created_s, "ConfigurationUpdate", f'Alarm "{alarm.name}" created', data)
    if alarm.updated_s > max(alarm.created_s, since_s):
        data = {"version": "1.0", "type": "Update", "updatedAlarm": {"alarmName": alarm.name}}
        yield _item(alarm, alarm.updated_s, "ConfigurationUpdate", f'Alarm "{alarm.name}" updated', data)
    last = states.before(alarm, since_s)
    for one in states.transitions(alarm, since_s):
        summary = f"Alarm updated from {one.old} to {one.new}"
        yield _item(alarm, one.at_s, "StateUpdate", summary, _data(last, one))
        yield from _actions(alarm, one)
        last = one


_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def _actions(alarm: StoredAlarm, one: Transition) -> Iterator[dict[str, Any]]:
    """What a transition sets off."""
    if not alarm.spec.get("ActionsEnabled", True):
        return
    for action in alarm.spec.get(_ACTIONS[one.new]) or []:
        data = {"actionState": "Succeeded", "notificationResource": action, "stateUpdateTimestamp": one.at_s}
        yield _item(alarm, one.at_s + 0.1, "Action", f"Successfully executed action {action}", data)


def _data(last: Transition, one: Transition) -> dict[str, Any]:
    return {"version": "1.0", "oldState": _state(last), "newState": _state(one)}


def _state(one: Transition) -> dict[str, Any]:
    told: dict[str, Any] = {"stateValue": one.new, "stateReason": one.reason}
    return told | ({"stateReasonData": json.loads(one.data)} if one.data else {})


def _item(
    alarm: StoredAlarm, at_s: float, kind: str, summary: str, data: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmType": alarm.kind,
        "Timestamp": moment(at_s),
        "HistoryItemType": kind,
        "HistorySummary": summary[:255],
        "HistoryData": json.dumps({**data, "alarmArn": arn(alarm.name)}, separators=(",", ":"))[:4095],
    }
