"""CloudTrail's event history: the calls that changed something in the lab's account, and what stories tell.

Every operation that the lab serves itself and whose name says that it writes is recorded with its parameters
(`recorded`); a story adds calls of other programs with `tell`. Errors and field names as in
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operation, Operations

KEPT = timedelta(days=90)
MAX_PAGE = 50
MOST = 5_000
WRITES = (
    "Associate", "Attach", "Authorize", "Cancel", "Create", "Delete", "Deregister", "Detach", "Disassociate",
    "Modify", "Put", "Register", "Remove", "Replace", "Revoke", "Run", "Send", "Set", "Start", "Stop", "Tag",
    "Terminate", "Untag", "Update",
)  # fmt: skip
NO_CHANGE = frozenset({"PutMetricData", "StartQuery", "StopQuery"})
SOURCE = {"cloudwatch": "monitoring.amazonaws.com", "logs": "logs.amazonaws.com", "ssm": "ssm.amazonaws.com"}
_KEYS = {"EventId": "EventId", "EventName": "EventName", "EventSource": "EventSource", "Username": "Username"}
Answer = Mapping[str, Any]


@dataclass(slots=True)
class Trail:
    """The account's events, oldest first."""

    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MOST))


@dataclass(frozen=True, slots=True)
class ToldCall:
    """A call that a story says was made; `service` as in `ec2`."""

    service: str
    operation: str
    who: str
    request: Mapping[str, Any] = field(default_factory=dict)
    agent: str = "aws-cli/2.31.0"
    error: str = ""
    read_only: bool = False
    arn: str = ""
    region: str = REGION


def tell(account: Account, call: ToldCall, at: datetime | None = None) -> None:
    """Record a call, now or at a moment."""
    at = at or account.now()
    trail = account.area(Trail)
    event_id = str(uuid5(NAMESPACE_URL, f"{at.isoformat()}/{call}/{len(trail.events)}"))
    source = SOURCE.get(call.service, f"{call.service}.amazonaws.com")
    arn = call.arn or f"arn:aws:iam::{ACCOUNT_ID}:user/{call.who}"
    body = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": arn, "accountId": ACCOUNT_ID, "userName": call.who},
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": source,
        "eventName": call.operation,
        "awsRegion": call.region,
        "userAgent": call.agent,
        "requestParameters": dict(call.request),
        "eventID": event_id,
        "readOnly": call.read_only,
    } | ({"errorCode": call.error} if call.error else {})
    trail.events.append(
        {
            "EventId": event_id,
            "EventName": call.operation,
            "ReadOnly": "true" if call.read_only else "false",
            "EventTime": at.replace(microsecond=0),
            "EventSource": source,
            "Username": call.who,
            "Resources": [],
            "CloudTrailEvent": json.dumps(body, default=str),
            "region": call.region,
        }
    )


def cloudtrail_operations(account: Account) -> Operations:
    """LookupEvents, bound to one account."""
    return {("cloudtrail", "LookupEvents"): partial(lookup_events, account)}


def recorded(account: Account, operations: Operations) -> Operations:
    """The same operations; those that change something leave an event, refused ones too."""
    return {key: _noting(account, *key, act) if _writes(key[1]) else act for key, act in operations.items()}


def _writes(operation: str) -> bool:
    return operation.startswith(WRITES) and operation not in NO_CHANGE


def _noting(account: Account, service: str, operation: str, act: Operation) -> Operation:
    def noted(call: Call) -> Mapping[str, Any]:
        error = ""
        try:
            return act(call)
        except AwsError as refused:
            error = str(refused.code)
            raise
        finally:
            who = call.caller
            told = ToldCall(
                service,
                operation,
                who.session_name or who.principal.name,
                {key: value for key, value in call.params.items() if value is not None},
                agent=call.user_agent or "unknown",
                error=error,
                arn=who.caller_arn,
                region=call.region,
            )
            tell(account, told)

    return noted


def lookup_events(account: Account, call: Call) -> Answer:
    """One page of events, newest first, of this region."""
    now = account.now()
    since = _moment(call.params.get("StartTime")) or now - KEPT
    until = _moment(call.params.get("EndTime")) or now
    if since > until:
        raise AwsError("InvalidTimeRangeException", "A start time is after the end time.")
    test = _test(call.params.get("LookupAttributes") or [])
    found = [
        event
        for event in list(account.area(Trail).events)
        if event["region"] == call.region and max(since, now - KEPT) <= event["EventTime"] <= until
        if test(event)
    ]
    found.sort(key=lambda event: (event["EventTime"], event["EventId"]), reverse=True)
    return _page(found, call)


def _page(found: list[dict[str, Any]], call: Call) -> Answer:
    size = int(call.params.get("MaxResults") or MAX_PAGE)
    if not 1 <= size <= MAX_PAGE:
        raise AwsError(
            "InvalidMaxResultsException", "This exception is thrown if the limit specified is invalid."
        )
    token = str(call.params.get("NextToken") or "0")
    if not token.isdecimal() or int(token) > len(found):
        raise AwsError("InvalidNextTokenException", "The specified next token is invalid or has expired.")
    end = int(token) + size
    shown = [
        {key: value for key, value in event.items() if key != "region"} for event in found[int(token) : end]
    ]
    return {"Events": shown} | ({"NextToken": str(end)} if end < len(found) else {})


def _test(attributes: list[dict[str, str]]) -> Callable[[Mapping[str, Any]], bool]:
    """LookupEvents takes one attribute only."""
    if len(attributes) > 1:
        raise AwsError("InvalidLookupAttributesException", "You can only specify one lookup attribute.")
    if not attributes:
        return lambda event: True
    key, value = attributes[0].get("AttributeKey", ""), attributes[0].get("AttributeValue", "")
    if key not in {*_KEYS, "ReadOnly"}:
        raise AwsError("InvalidLookupAttributesException", f"The lab looks up no {key}.")
    return lambda event: event.get(key) == value


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return None
