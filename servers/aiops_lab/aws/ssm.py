"""SSM Run Command, as far as cleaning a node's disk needs it: who is online, send, list, look.

moto answers every command with success at once and knows no instance; here a command reaches the simulated
node, takes its time on the world's clock and leaves its effect there. Exceptions and statuses are those of
the service's model and of "Understanding command statuses" in the Systems Manager guide.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations

DOCUMENT = "AWS-RunShellScript"
PLUGIN = "aws:runShellScript"
MOST_OUTPUT, MOST_PAGE = 24_000, 50
PICKED_UP_S = 0.5
_RUNNING = frozenset({"Pending", "InProgress"})


@dataclass
class Invocation:
    """One command on one instance."""

    command_id: str
    instance: str
    script: str
    comment: str
    requested_at: datetime
    delivered_by: datetime
    timeout_s: int
    status: str = "Pending"
    details: str = "Pending"
    code: int = -1
    stdout: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass
class Ssm:
    """The service's state. `offline`: registered, its agent does not answer; `unmanaged`: not registered."""

    offline: set[str] = field(default_factory=set)
    unmanaged: set[str] = field(default_factory=set)
    invocations: list[Invocation] = field(default_factory=list)


def ssm_operations(account: Account) -> Operations:
    """The operations of service `ssm`, bound to one account."""
    served: dict[str, Callable[[Account, Call], Mapping[str, Any]]] = {
        "SendCommand": send_command,
        "GetCommandInvocation": get_command_invocation,
        "ListCommandInvocations": list_command_invocations,
        "DescribeInstanceInformation": describe_instance_information,
    }
    return {("ssm", name): partial(act, account) for name, act in served.items()}


def _instances(account: Account) -> dict[str, tuple[str, str]]:
    hosts = account.hosts
    found: dict[str, tuple[str, str]] = account.in_world(hosts.instances) if hosts else {}
    return {name: host for name, host in found.items() if name not in account.area(Ssm).unmanaged}


def describe_instance_information(account: Account, call: Call) -> Mapping[str, Any]:
    """The managed instances by id. Raises AwsError InvalidFilterKey."""
    found = _instances(account) if call.region == REGION else {}
    wanted = set(found)
    for one in call.params.get("Filters") or ():
        if one["Key"] != "InstanceIds":
            raise AwsError("InvalidFilterKey", "The lab knows the filter InstanceIds only")
        wanted &= set(one["Values"])
    state = account.area(Ssm)
    rows = [
        {
            "InstanceId": name,
            "PingStatus": "ConnectionLost" if name in state.offline else "Online",
            "LastPingDateTime": account.now() - timedelta(minutes=200 if name in state.offline else 1),
            "AgentVersion": "3.3.2299.0",
            "PlatformType": "Linux",
            "PlatformName": "Amazon Linux",
            "PlatformVersion": "2023",
            "ResourceType": "EC2Instance",
            "IPAddress": host[1],
            "ComputerName": host[0],
        }
        for name, host in sorted(found.items())
        if name in wanted
    ]
    return {"InstanceInformationList": rows}


def send_command(account: Account, call: Call) -> Mapping[str, Any]:
    """Send a script to instances. Raises AwsError InvalidDocument, InvalidInstanceId."""
    given, known = call.params, _instances(account) if call.region == REGION else {}
    if given["DocumentName"] != DOCUMENT:
        raise AwsError("InvalidDocument", "")
    instances = list(given.get("InstanceIds") or ())
    if not instances or any(name not in known for name in instances):
        words = f"Instances [[{', '.join(instances)}]] not in a valid state for account {ACCOUNT_ID}"
        raise AwsError("InvalidInstanceId", words)
    made: list[Invocation] = account.in_world(partial(_start, account, given, instances))
    first = made[0]
    return {
        "Command": {
            "CommandId": first.command_id,
            "DocumentName": DOCUMENT,
            "DocumentVersion": "$DEFAULT",
            "Comment": first.comment,
            "ExpiresAfter": first.delivered_by,
            "Parameters": given.get("Parameters") or {},
            "InstanceIds": instances,
            "RequestedDateTime": first.requested_at,
            "Status": "Pending",
            "StatusDetails": "Pending",
            "TargetCount": len(instances),
        }
    }


def _start(account: Account, given: Mapping[str, Any], instances: list[str]) -> list[Invocation]:
    """In the lab's loop: note each invocation and let its node begin."""
    state, now = account.area(Ssm), account.now()
    told = given.get("Parameters") or {}
    command_id = str(UUID(int=len(state.invocations) + 1))
    made = [
        Invocation(
            command_id=command_id,
            instance=name,
            script="\n".join(told.get("commands") or ()),
            comment=str(given.get("Comment") or ""),
            requested_at=now,
            delivered_by=now + timedelta(seconds=int(given.get("TimeoutSeconds") or 3600)),
            timeout_s=int((told.get("executionTimeout") or ["3600"])[0]),
        )
        for name in instances
    ]
    state.invocations += made
    for one in made:
        if one.instance not in state.offline and account.hosts is not None:
            one.started_at = now + timedelta(seconds=PICKED_UP_S)
            account.hosts.run(one.instance, one.script, partial(_ended, account, one))
    return made


def _ended(account: Account, one: Invocation, code: int, stdout: str) -> None:
    if _moved(account, one).status in _RUNNING:
        one.status, one.code = ("Success", code) if code == 0 else ("Failed", code)
        one.details, one.stdout, one.ended_at = one.status, stdout[:MOST_OUTPUT], account.now()


def _moved(account: Account, one: Invocation) -> Invocation:
    """What time alone does to an invocation: it is picked up, or it times out."""
    now = account.now()
    if one.status not in _RUNNING:
        return one
    if one.started_at is None:
        if now >= one.delivered_by:
            one.status, one.details, one.ended_at = "TimedOut", "DeliveryTimedOut", one.delivered_by
    elif now >= (end := one.started_at + timedelta(seconds=one.timeout_s)):
        one.status, one.details, one.ended_at = "TimedOut", "ExecutionTimedOut", end
    elif now >= one.started_at:
        one.status = one.details = "InProgress"
    return one


def list_command_invocations(account: Account, call: Call) -> Mapping[str, Any]:
    """Invocations by command, instance and `InvokedAfter`, newest first; one page of at most fifty."""
    given = call.params
    after = next((f["value"] for f in given.get("Filters") or () if f["key"] == "InvokedAfter"), "")
    since = (
        datetime.fromisoformat(after.replace("Z", "+00:00")) if after else datetime.min.replace(tzinfo=UTC)
    )
    rows = [
        _row(one)
        for one in account.in_world(partial(_all_moved, account))
        if given.get("CommandId") in {None, one.command_id}
        and given.get("InstanceId") in {None, one.instance}
        and one.requested_at >= since
    ]
    start = int(given.get("NextToken") or 0)
    end = start + min(int(given.get("MaxResults") or MOST_PAGE), MOST_PAGE)
    return {"CommandInvocations": rows[::-1][start:end]} | (
        {"NextToken": str(end)} if end < len(rows) else {}
    )


def _all_moved(account: Account) -> list[Invocation]:
    return [_moved(account, one) for one in account.area(Ssm).invocations]


def _row(one: Invocation) -> dict[str, Any]:
    return {
        "CommandId": one.command_id,
        "InstanceId": one.instance,
        "Comment": one.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "RequestedDateTime": one.requested_at,
        "Status": one.status,
        "StatusDetails": one.details,
        "CommandPlugins": [],
    }


def get_command_invocation(account: Account, call: Call) -> Mapping[str, Any]:
    """One invocation with what it said. Raises AwsError InvocationDoesNotExist."""
    given = call.params
    found = [
        one
        for one in account.in_world(partial(_all_moved, account))
        if (one.command_id, one.instance) == (given["CommandId"], given["InstanceId"])
    ]
    if not found:
        raise AwsError("InvocationDoesNotExist", "")
    one = found[0]
    ended = one.status not in _RUNNING
    return {
        "CommandId": one.command_id,
        "InstanceId": one.instance,
        "Comment": one.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "PluginName": PLUGIN,
        "ResponseCode": one.code,
        "ExecutionStartDateTime": _stamp(one.started_at),
        "ExecutionElapsedTime": "",
        "ExecutionEndDateTime": _stamp(one.ended_at) if ended else "",
        "Status": one.status,
        "StatusDetails": one.details,
        "StandardOutputContent": one.stdout,
        "StandardOutputUrl": "",
        "StandardErrorContent": "",
        "StandardErrorUrl": "",
    }


def _stamp(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if moment else ""
