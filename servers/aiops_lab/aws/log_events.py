"""CloudWatch Logs without Insights: groups, streams, and events by filter pattern.

FilterLogEvents pages as AWS does: by events and by bytes, oldest first, both ends of the span included.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from aiops_lab.aws import filter_patterns, log_groups
from aiops_lab.aws.account import Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.telemetry.log_groups import LogGroup, LogRecord

MOST_EVENTS, MOST_BYTES = 10_000, 1024 * 1024
PAGE = 50
DAY_S = 86_400.0
Answer = Mapping[str, Any]


def log_event_operations(account: Account) -> Operations:
    """The operations, bound to one account."""
    served = {
        "DescribeLogGroups": describe_log_groups,
        "DescribeLogStreams": describe_log_streams,
        "FilterLogEvents": filter_log_events,
        "GetLogEvents": get_log_events,
    }
    return {("logs", name): partial(act, account) for name, act in served.items()}


def describe_log_groups(account: Account, call: Call) -> Answer:
    """Groups by prefix or by a part of the name."""
    prefix = str(call.params.get("logGroupNamePrefix") or "")
    part = str(call.params.get("logGroupNamePattern") or "")
    if prefix and part:
        raise AwsError(
            "InvalidParameterException",
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive.",
        )
    found = [
        name for name in log_groups.names(account) if name.startswith(prefix) and part.lower() in name.lower()
    ]
    shown, token = _page(found, call, PAGE)
    return {"logGroups": [_described(account, name) for name in shown]} | token


def _described(account: Account, name: str) -> Answer:
    group = log_groups.group(account, name)
    now_s = account.now().timestamp()
    created_s = group.created_s or min((one.at_s for one in group.records[:1]), default=now_s)
    kept_from = max(created_s, now_s - (group.retention_days or 3650) * DAY_S)
    return {
        "logGroupName": name,
        "creationTime": int(created_s * 1000),
        "metricFilterCount": 0,
        "arn": f"{log_groups.arn_of(name)}:*",
        "logGroupArn": log_groups.arn_of(name),
        "storedBytes": group.bytes_between(kept_from, now_s),
        "logGroupClass": "STANDARD",
    } | ({"retentionInDays": group.retention_days} if group.retention_days else {})


def describe_log_streams(account: Account, call: Call) -> Answer:
    """Streams of a group by name or by their last event."""
    group = log_groups.group(account, _named(call))
    prefix = str(call.params.get("logStreamNamePrefix") or "")
    by_time = call.params.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise AwsError(
            "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix."
        )
    spans: dict[str, tuple[float, float]] = {}
    for one in _until_now(account, group.records):
        first, _ = spans.get(one.stream, (one.at_s, 0.0))
        spans[one.stream] = (first, one.at_s)
    found = [name for name in sorted(spans) if name.startswith(prefix)]
    if by_time:
        found.sort(key=lambda name: spans[name][1])
    if call.params.get("descending"):
        found.reverse()
    shown, token = _page(found, call, PAGE)
    streams = [
        {
            "logStreamName": name,
            "firstEventTimestamp": int(spans[name][0] * 1000),
            "lastEventTimestamp": int(spans[name][1] * 1000),
            "arn": f"{log_groups.arn_of(group.name)}:log-stream:{name}",
        }
        for name in shown
    ]
    return {"logStreams": streams} | token


def filter_log_events(account: Account, call: Call) -> Answer:
    """Events of a span that a pattern lets through, oldest first."""
    group = log_groups.group(account, _named(call))
    test = filter_patterns.compiled(str(call.params.get("filterPattern") or ""))
    streams = set(call.params.get("logStreamNames") or ())
    prefix = str(call.params.get("logStreamNamePrefix") or "")
    if streams and prefix:
        raise AwsError(
            "InvalidParameterException", "logStreamNames and logStreamNamePrefix exclude each other"
        )
    found = [
        one
        for one in _span(account, group, call)
        if (not streams or one.stream in streams) and one.stream.startswith(prefix) and test(one.message)
    ]
    start = _position(call, len(found))
    asked = int(call.params.get("limit") or MOST_EVENTS)
    if not 1 <= asked <= MOST_EVENTS:
        raise AwsError("InvalidParameterException", f"limit is from 1 to {MOST_EVENTS}")
    end, size = start, 0
    while end < len(found) and end - start < asked and size < MOST_BYTES:
        size += len(found[end].message.encode())
        end += 1
    events = [_event(one, at) for at, one in enumerate(found[start:end], start)]
    return {"events": events, "searchedLogStreams": []} | (
        {"nextToken": str(end)} if end < len(found) else {}
    )


def get_log_events(account: Account, call: Call) -> Answer:
    """Events of one stream."""
    group = log_groups.group(account, _named(call))
    stream = str(call.params.get("logStreamName") or "")
    known = {one.stream for one in group.records}
    if stream not in known:
        raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
    found = [one for one in _span(account, group, call) if one.stream == stream]
    asked = int(call.params.get("limit") or MOST_EVENTS)
    shown = found[:asked] if call.params.get("startFromHead") else found[-asked:]
    events = [
        {"timestamp": int(one.at_s * 1000), "message": one.message, "ingestionTime": int(one.at_s * 1000)}
        for one in shown
    ]
    return {"events": events, "nextForwardToken": "f/0", "nextBackwardToken": "b/0"}


def _named(call: Call) -> str:
    return str(call.params.get("logGroupName") or call.params.get("logGroupIdentifier") or "")


def _until_now(account: Account, records: Sequence[LogRecord]) -> list[LogRecord]:
    now_s = account.now().timestamp()
    return [one for one in records if one.at_s <= now_s]


def _span(account: Account, group: LogGroup, call: Call) -> list[LogRecord]:
    now_s = account.now().timestamp()
    since_s = int(call.params.get("startTime") or 0) / 1000
    until = call.params.get("endTime")
    return group.between(since_s, min(now_s, now_s if until is None else int(until) / 1000))


def _event(one: LogRecord, at: int) -> Answer:
    at_ms = int(one.at_s * 1000)
    return {
        "logStreamName": one.stream,
        "timestamp": at_ms,
        "message": one.message,
        "ingestionTime": at_ms,
        "eventId": f"{at_ms:020d}{at:08d}",
    }


def _position(call: Call, most: int) -> int:
    token = str(call.params.get("nextToken") or "0")
    if not token.isdecimal() or int(token) > most:
        raise AwsError("InvalidParameterException", "The specified nextToken is invalid.")
    return int(token)


def _page(found: Sequence[str], call: Call, most: int) -> tuple[Sequence[str], dict[str, Any]]:
    start = _position(call, len(found))
    end = start + min(most, int(call.params.get("limit") or most))
    return found[start:end], {"nextToken": str(end)} if end < len(found) else {}
