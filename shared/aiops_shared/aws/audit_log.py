"""The control plane's audit log in CloudWatch Logs, searched for who wrote what (decision D25).

Called by `kube.changes`. EKS writes audit records to the log group `/aws/eks/<cluster>/cluster`, streams
`kube-apiserver-audit-*`, once the log type `audit` is switched on
(https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html). Logs Insights is asked and not
FilterLogEvents: only Insights sorts newest first and stops at a limit. It is billed by the bytes that lie
between `since` and `until`, so the span is bounded and the bytes scanned are told.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio

from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.aws.listing import required
from aiops_shared.errors import AiopsError, InvalidInputError, NotConfiguredError, NotFoundError

STREAMS = "/^kube-apiserver-audit/"
WRITES = ("create", "update", "patch", "delete", "deletecollection")
LONGEST = timedelta(days=7)
FIRST_POLL_S, LONGEST_POLL_S = 0.2, 2.0
WITHIN_S = 15.0
MOST = 500
# What the cluster does by itself all day: nobody's change.
QUIET_RESOURCES = (
    "bindings",
    "certificatesigningrequests",
    "endpoints",
    "endpointslices",
    "events",
    "leases",
    "localsubjectaccessreviews",
    "policyendpoints",
    "cninodes",
    "selfsubjectaccessreviews",
    "selfsubjectreviews",
    "selfsubjectrulesreviews",
    "subjectaccessreviews",
    "tokenreviews",
)
QUIET_USERS = "/^(system:(node:|kube-|apiserver|serviceaccount:kube-system:)|eks:)/"
HPA_USER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
SUBRESOURCES = ("scale", "eviction", "binding")


def log_group(cluster: str) -> str:
    """The log group of a cluster's control plane."""
    return f"/aws/eks/{cluster}/cluster"


@dataclass(frozen=True, slots=True)
class AuditAsk:
    """Which writes to find. An empty word means any; names have passed `kube.names` before."""

    since: datetime
    until: datetime
    namespace: str = ""
    resource: str = ""  # plural
    names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = WRITES
    limit: int = 200

    def __post_init__(self) -> None:
        """Raises InvalidInputError for a word that would change the query."""
        for word in (self.namespace, self.resource, *self.names, *self.verbs):
            if not all(letter.isalnum() or letter in "-.:_" for letter in word):
                raise InvalidInputError("audit query", "a name holds what no name may hold")


@dataclass(frozen=True, slots=True)
class AuditFound:
    """Records, newest first. `cut` says why they are not all."""

    records: tuple[dict[str, Any], ...]
    bytes_scanned: int = 0
    cut: str = ""
    query: str = ""


def query_of(ask: AuditAsk) -> str:
    """The Insights query: writes that were done, by people and programs, newest first."""
    lines = [
        "fields @timestamp, @message",
        f"filter @logStream like {STREAMS}",
        f'filter stage = "ResponseComplete" and verb in {_listed(ask.verbs)} and responseStatus.code < 300',
        f"filter not ispresent(objectRef.subresource) or objectRef.subresource in {_listed(SUBRESOURCES)}",
        f'filter objectRef.resource not in {_listed(QUIET_RESOURCES)} and requestURI not like "dryRun=All"',
    ]
    if not ask.names:  # who asks about one object wants everybody's writes
        churn = 'objectRef.resource in ["nodes", "nodeclaims"] and verb in ["create", "delete"]'
        lines.append(
            f'filter user.username not like {QUIET_USERS} or user.username = "{HPA_USER}" or ({churn})'
        )
    if ask.namespace:
        lines.append(f'filter objectRef.namespace = "{ask.namespace}"')
    if ask.resource:
        lines.append(f'filter objectRef.resource = "{ask.resource}"')
    if ask.names:
        lines.append(f"filter objectRef.name in {_listed(ask.names)}")
    lines += ["sort @timestamp desc", f"limit {min(ask.limit, MOST)}"]
    return "\n| ".join(lines)


def _listed(words: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


async def search_audit(eks: EksCluster, ask: AuditAsk, *, within_s: float = WITHIN_S) -> AuditFound:
    """The writes that match. Raises NotConfiguredError when no audit log is kept, and other AiopsErrors.

    A query that is not done in time gives what it found so far, and is stopped.
    """
    since = max(ask.since, ask.until - LONGEST)
    query = query_of(ask)
    try:
        started = await eks.call(
            "logs",
            "start_query",
            logGroupName=log_group(eks.name),
            startTime=int(since.timestamp()),
            endTime=int(ask.until.timestamp()) + 1,
            queryString=query,
        )
    except NotFoundError as error:
        raise audit_is_off(eks.name) from error
    found, done = await _polled(eks, str(required(started, "queryId", "AWS logs start_query")), within_s)
    records = tuple(_records(found.get("results")))
    return AuditFound(
        records=records,
        bytes_scanned=int((found.get("statistics") or {}).get("bytesScanned") or 0),
        cut=_cut(done=done, full=len(records) >= min(ask.limit, MOST), early=since > ask.since),
        query=query,
    )


def _cut(*, done: bool, full: bool, early: bool) -> str:
    """Why the records are not all there are."""
    if not done:
        return "the query was not done in time; shorten since..until or name an object"
    if full:
        return "only the newest records were read; shorten since..until or name an object"
    return f"only {LONGEST.days} days back were searched" if early else ""


async def _polled(eks: EksCluster, query_id: str, within_s: float) -> tuple[dict[str, Any], bool]:
    wait_s, ends_at = FIRST_POLL_S, anyio.current_time() + within_s
    while True:
        found = dict(await eks.call("logs", "get_query_results", queryId=query_id))
        if required(found, "status", "AWS logs get_query_results") not in {"Scheduled", "Running"}:
            return found, found.get("status") == "Complete"
        if anyio.current_time() + wait_s > ends_at:
            await _stopped(eks, query_id)
            return found, False
        await anyio.sleep(wait_s)
        wait_s = min(wait_s * 2, LONGEST_POLL_S)


async def _stopped(eks: EksCluster, query_id: str) -> None:
    try:
        await eks.call("logs", "stop_query", queryId=query_id)
    except AiopsError:
        return  # it ends by itself after its own time limit; what was found counts


def _records(results: Any) -> list[dict[str, Any]]:
    """The audit events in the rows; a row that is none is left out (T14)."""
    found: list[dict[str, Any]] = []
    for row in results if isinstance(results, list) else ():
        written = next((cell.get("value") for cell in row if cell.get("field") == "@message"), "")
        try:
            record = json.loads(written or "")
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def audit_is_off(cluster: str) -> NotConfiguredError:
    """What to say when EKS keeps no audit log of a cluster."""
    return NotConfiguredError(
        f"audit log {log_group(cluster)}",
        "EKS sends no audit log to CloudWatch, so who changed an object is not known",
        f"switch it on: aws eks update-cluster-config --name {cluster} --logging"
        ' \'{"clusterLogging":[{"types":["audit"],"enabled":true}]}\' (billed by volume; knows only what'
        " comes after)",
    )


def keeps_audit(described: dict[str, Any]) -> bool:
    """Whether DescribeCluster says that audit records go to CloudWatch."""
    settings = (described.get("logging") or {}).get("clusterLogging") or []
    return any(one.get("enabled") and "audit" in (one.get("types") or []) for one in settings)
