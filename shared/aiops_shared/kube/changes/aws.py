"""What AWS knows of a cluster's changes: the audit log, CloudTrail, EKS's own updates (D25)."""

from collections.abc import Iterator, Mapping

from aiops_shared.aws.audit_log import AuditAsk, audit_is_off, keeps_audit, log_group, search_audit
from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.aws.trail import TrailCall, lookup_writes
from aiops_shared.aws.updates import EksUpdate, updates_of
from aiops_shared.errors import AccessDeniedError, AiopsError
from aiops_shared.kube.changes.audits import audit_changes
from aiops_shared.kube.changes.differences import Redact
from aiops_shared.kube.changes.reading import leaves, short
from aiops_shared.kube.changes.records import Change, Span, Told

AWS_KINDS = frozenset(
    {"Addon", "Cluster", "Nodegroup", "AccessEntry", "FargateProfile", "PodIdentityAssociation"}
)
MOST_PARAMETERS = 3
MEGABYTE = 1_000_000
_NEEDS = {
    "audit": "logs:StartQuery, logs:GetQueryResults on log group /aws/eks/{cluster}/cluster",
    "cloudtrail": "cloudtrail:LookupEvents",
    "eks": "eks:ListUpdates, eks:DescribeUpdate, eks:ListAddons, eks:ListNodegroups",
}
# Which parameter of an EKS call names what it changed.
_SUBJECTS = (
    ("addonName", "Addon"),
    ("nodegroupName", "Nodegroup"),
    ("principalArn", "AccessEntry"),
    ("fargateProfileName", "FargateProfile"),
    ("associationId", "PodIdentityAssociation"),
)
# The first of these that a call of another service has names what it changed.
_NAMES = (
    "subnetId", "groupId", "routeTableId", "networkAclId", "natGatewayId", "vpcId", "launchTemplateId",
    "launchTemplateName", "instanceId", "volumeId", "autoScalingGroupName", "roleName", "policyArn",
    "policyName", "userName", "instanceProfileName", "openIDConnectProviderArn",
)  # fmt: skip


async def audit(eks: EksCluster, span: Span, kinds: Mapping[str, str], redact: Redact) -> Told:
    """Writes in the audit log. A log that is off, or may not be read, is a gap with the way to get it."""
    try:
        ask = AuditAsk(span.since, span.until, span.namespace, span.plural, (span.name,) if span.name else ())
        if not await _kept(eks):
            raise audit_is_off(eks.name)
        found = await search_audit(eks, ask)
    except AiopsError as error:
        return Told("audit", gaps=(_why(eks, "audit", error),))
    changes = tuple(audit_changes(found.records, dict(kinds), redact))
    gaps = (found.cut,) if found.cut else ()
    says = f"{len(found.records)} writes; {found.bytes_scanned / MEGABYTE:.1f} MB scanned (billed per GB)"
    asked = f"Logs Insights on {log_group(eks.name)}: writes that succeeded, newest first"
    return Told("audit", changes, gaps, asked, says)


async def _kept(eks: EksCluster) -> bool:
    """Whether EKS keeps an audit log; who may not ask that tries it."""
    try:
        return keeps_audit(await eks.describe())
    except AccessDeniedError:
        return True


async def cloudtrail(eks: EksCluster, span: Span) -> Told:
    """AWS calls that changed something; none when a Kubernetes object is asked about."""
    try:
        calls, whole = await lookup_writes(eks, span.since, span.until)
    except AiopsError as error:
        return Told("cloudtrail", gaps=(_why(eks, "cloudtrail", error),))
    gaps = () if whole else ("only the newest calls were read; shorten since..until",)
    changes = tuple(one for one in map(_called, calls) if span.covers(one))
    return Told("cloudtrail", changes, gaps, "LookupEvents ReadOnly=false (EKS, EC2, IAM, Auto Scaling)")


async def updates(eks: EksCluster, span: Span) -> Told:
    """Updates of the cluster, its add-ons and node groups."""
    try:
        found, problems = await updates_of(eks, span.since, span.until)
    except AiopsError as error:
        return Told("eks", gaps=(_why(eks, "eks", error),))
    changes = tuple(one for one in map(_updated, found) if span.covers(one))
    return Told("eks", changes, tuple(problems), f"ListUpdates, DescribeUpdate of {eks.name}")


def _why(eks: EksCluster, source: str, error: AiopsError) -> str:
    needs = (
        f"; needs {_NEEDS[source].format(cluster=eks.name)}" if isinstance(error, AccessDeniedError) else ""
    )
    return error.wire()[:420] + needs


def _called(call: TrailCall) -> Change:
    kind, name = _subject(call)
    return Change(
        at=call.at,
        verb=call.operation,
        kind=kind,
        name=name,
        what=tuple(_parameters(call, name)),
        user=call.who,
        client=short(call.agent),
        sources=("cloudtrail",),
    )


def _subject(call: TrailCall) -> tuple[str, str]:
    if call.service == "eks":
        for key, kind in _SUBJECTS:
            if isinstance(call.request.get(key), str):
                return kind, short(call.request[key])
        return "Cluster", short(call.request.get("name") or call.request.get("clusterName") or "")
    name = next((call.request[key] for key in _NAMES if isinstance(call.request.get(key), str)), "")
    return call.service.upper() if call.service != "autoscaling" else "AutoScaling", short(name)


def _parameters(call: TrailCall, name: str) -> Iterator[str]:
    """A few of the call's parameters, those that name the object apart."""
    shown = 0
    for path, value in leaves(call.request):
        if value is None or value == name or path in {"name", "clusterName", "clientRequestToken"}:
            continue
        if shown == MOST_PARAMETERS:
            return
        shown += 1
        yield f"{short(path)}={short(value)}"


def _updated(update: EksUpdate) -> Change:
    parameters = [f"{short(key)} → {short(value)}" for key, value in update.parameters[:MOST_PARAMETERS]]
    state = update.status if update.status != "Successful" else ""
    said = (update.type, state, *parameters, *(short(error) for error in update.errors[:1]))
    return Change(
        at=update.at,
        verb="update",
        kind=update.kind,
        name=update.name,
        what=tuple(words for words in said if words),
        sources=("eks",),
    )
