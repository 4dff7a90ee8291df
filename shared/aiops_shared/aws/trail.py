"""CloudTrail's event history: AWS calls that changed something (decision D25). It knows no Kubernetes write.

Called by `kube.changes`. LookupEvents takes one attribute and 2 requests a second per account and region
(https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html), so writes are asked
for once (`ReadOnly=false`) and sorted out here. IAM writes its events to us-east-1 alone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aiops_shared.aws.clients import AwsItems
from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.aws.listing import listed

SOURCES = {
    "eks.amazonaws.com": "eks",
    "ec2.amazonaws.com": "ec2",
    "iam.amazonaws.com": "iam",
    "autoscaling.amazonaws.com": "autoscaling",
}
IAM_REGION = "us-east-1"
MOST = 250  # five pages of fifty
# Calls that clusters make all day by themselves: addresses, tags, fleets of autoscalers.
NOISE = frozenset(
    {
        "AssignPrivateIpAddresses",
        "AssignIpv6Addresses",
        "AttachNetworkInterface",
        "CreateNetworkInterface",
        "CreateNetworkInterfacePermission",
        "CreateTags",
        "DeleteNetworkInterface",
        "DeleteTags",
        "DetachNetworkInterface",
        "ModifyNetworkInterfaceAttribute",
        "UnassignPrivateIpAddresses",
        "UnassignIpv6Addresses",
        "CreateSnapshot",
        "DeleteSnapshot",
        "AttachVolume",
        "DetachVolume",
        "SendHeartbeat",
        "RecordLifecycleActionHeartbeat",
    }
)


@dataclass(frozen=True, slots=True)
class TrailCall:
    """One AWS call that changed something."""

    event_id: str
    at: datetime
    service: str
    operation: str
    who: str
    agent: str
    request: dict[str, Any]


async def lookup_writes(eks: EksCluster, since: datetime, until: datetime) -> tuple[list[TrailCall], bool]:
    """EKS, EC2, IAM and Auto Scaling calls in the span, newest first, and whether these are all.

    Calls on another cluster of EKS are left out. Raises AiopsError.
    """
    found = await _lookup(eks, since, until, "ReadOnly", "false")
    items, whole = list(found.items), not found.truncated
    if eks.target.region and eks.target.region != IAM_REGION:
        home = replace(eks, target=replace(eks.target, region=IAM_REGION))
        more = await _lookup(home, since, until, "EventSource", "iam.amazonaws.com")
        items, whole = [*items, *more.items], whole and not more.truncated
    calls = {call.event_id: call for call in _calls(items, eks.name)}
    return sorted(calls.values(), key=lambda call: call.at, reverse=True), whole


async def _lookup(eks: EksCluster, since: datetime, until: datetime, key: str, value: str) -> AwsItems:
    return await listed(
        eks,
        "cloudtrail",
        "lookup_events",
        "Events",
        at_most=MOST,
        LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}],
        StartTime=since,
        EndTime=until,
        MaxResults=50,
    )


def _calls(items: Iterable[Any], cluster: str) -> Iterable[TrailCall]:
    for item in items:
        call = _call(item)
        if call is not None and not _elsewhere(call, cluster):
            yield call


def _call(item: Any) -> TrailCall | None:
    """An event as a call; None for a read, a failure, noise, or what is no event."""
    service = SOURCES.get(str(item.get("EventSource") or ""))
    operation, at = str(item.get("EventName") or ""), item.get("EventTime")
    if service is None or operation in NOISE or not isinstance(at, datetime):
        return None
    try:
        body = json.loads(item.get("CloudTrailEvent") or "{}")
    except ValueError:
        body = {}
    if not isinstance(body, dict) or body.get("errorCode") or body.get("readOnly") is True:
        return None
    request = body.get("requestParameters")
    identity = body.get("userIdentity")
    return TrailCall(
        event_id=str(item.get("EventId") or f"{at}{operation}"),
        at=at.astimezone(UTC),
        service=service,
        operation=operation,
        who=_who(identity if isinstance(identity, dict) else {}) or str(item.get("Username") or ""),
        agent=str(body.get("userAgent") or ""),
        request=request if isinstance(request, dict) else {},
    )


def _who(identity: dict[str, Any]) -> str:
    """`role/session`, a user's name, or the service that acted."""
    arn = str(identity.get("arn") or "")
    if ":assumed-role/" in arn:
        return arn.partition(":assumed-role/")[2]
    if arn:
        return arn.rpartition(":")[2].removeprefix("user/")
    return str(identity.get("invokedBy") or identity.get("userName") or "")


def _elsewhere(call: TrailCall, cluster: str) -> bool:
    """Whether the call names another EKS cluster."""
    if call.service != "eks":
        return False
    named = call.request.get("clusterName") or call.request.get("name")
    return isinstance(named, str) and bool(named) and named != cluster
