"""Programs that AWS does not take for whom they should be: IRSA, Pod Identity, the role of the node.

AWS's refusal stands in the program's own last words. Where the fault is depends on who refused: the role's
trust policy, the account's identity provider, the annotation, the agent of the node, or the role's
permissions.
Sources: the STS API reference (AssumeRoleWithWebIdentity, errors),
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html (wording)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from aiops_eks.diagnosis.blame import Blame, blamed, telling_line
from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.evidence import stated
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.further.aws import SYSTEM, AwsAssociation
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.quoting import plain_name
from aiops_shared.results import Evidence

AGENT = Ref("DaemonSet", SYSTEM, "eks-pod-identity-agent")
_IRSA = "https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html"
_POD_IDENTITY = "https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html"
# aws-sdk: "User: arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION is not authorized to perform: SERVICE:Action"
_REFUSED = re.compile(
    r"User: arn:aws[a-z-]*:sts::\d{12}:assumed-role/([\w+=,.@-]{1,64})/([\w+=,.@-]{1,64}) "
    r"is not authorized to perform: ([a-z0-9-]{1,40}:[A-Za-z*]{1,80})"
)
_INSTANCE = re.compile(r"^i-[0-9a-f]{8,17}$")  # the session name of credentials from the instance's metadata
_OIDC = re.compile(r"No OpenIDConnect provider found in your account for (https://[A-Za-z0-9./-]{1,200})")


def _cause(code: str, means: str, told_by: str, source: str, next_step: str) -> Cause:
    return Cause(code, "high", means, told_by, source, next_step)


TRUST = _cause(
    "IRSA_TRUST_REFUSED",
    "The role's trust policy does not let this ServiceAccount assume it (subject or audience).",
    "The program says `Not authorized to perform sts:AssumeRoleWithWebIdentity` or `Incorrect token "
    "audience`. A "
    "provider that is not there is IRSA_PROVIDER_MISSING; a role that was assumed and may not act is "
    "AWS_PERMISSION_MISSING.",
    _IRSA,
    "describe_cluster(include=access) for the account; its trust policy must allow sub "
    "system:serviceaccount:NAMESPACE:NAME and aud sts.amazonaws.com of this cluster's provider",
)
PROVIDER = _cause(
    "IRSA_PROVIDER_MISSING",
    "The account has no IAM OIDC provider for this cluster, so no role can trust its ServiceAccounts.",
    "The program says `No OpenIDConnect provider found in your account for` the cluster's issuer.",
    _IRSA,
    "create the IAM OIDC provider for the cluster's issuer through IaC, or use Pod Identity",
)
ROLE = _cause(
    "IRSA_ROLE_INVALID",
    "The ServiceAccount's role annotation names no valid role.",
    "STS answers `Request ARN is invalid` (or `is invalid` for the ARN) to AssumeRoleWithWebIdentity.",
    _IRSA,
    "correct the annotation eks.amazonaws.com/role-arn (plan_manifest(action=apply)) and restart the pods",
)
AGENT_AWAY = _cause(
    "POD_IDENTITY_AGENT_ABSENT",
    "The Pod Identity agent does not answer on the pod's node.",
    "The program cannot reach 169.254.170.23, where the agent listens. When the agent answers and "
    "refuses it is "
    "POD_IDENTITY_REFUSED.",
    _POD_IDENTITY,
    "install or repair the add-on eks-pod-identity-agent with plan_addon_change; pods behind a proxy need "
    "169.254.170.23 in NO_PROXY",
)
POD_REFUSED = _cause(
    "POD_IDENTITY_REFUSED",
    "EKS may not assume the role that is associated with the ServiceAccount.",
    "The agent answers `EKS does not have permissions to assume the associated role`, or "
    "AssumeRoleForPodIdentity is "
    "denied. An agent that does not answer is POD_IDENTITY_AGENT_ABSENT.",
    _POD_IDENTITY,
    "the role's trust policy must allow pods.eks.amazonaws.com sts:AssumeRole and sts:TagSession",
)
NODE_ROLE = _cause(
    "AWS_IDENTITY_MISSING",
    "The pod has no AWS identity of its own: it calls AWS as its node's role, which may not do that.",
    "AWS refuses an assumed role whose session is an instance id (i-…). With a session of its own it is "
    "AWS_PERMISSION_MISSING.",
    _POD_IDENTITY,
    "give the ServiceAccount a Pod Identity association or a role annotation, then restart the pods: "
    "credentials are "
    "injected when a pod is made",
)
NO_RIGHT = _cause(
    "AWS_PERMISSION_MISSING",
    "The pod's own role lacks a permission.",
    "AWS refuses an action to the role that the pod assumed. When that is the node's role it is "
    "AWS_IDENTITY_MISSING.",
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
    "add the action for that resource to the role's policy (IaC); no wider than named",
)
CAUSES = (TRUST, PROVIDER, ROLE, AGENT_AWAY, POD_REFUSED, NODE_ROLE, NO_RIGHT)


@dataclass(frozen=True, slots=True)
class _Heard:
    """Which cause a line is about, where its fault is, and in words."""

    cause: Cause
    at: Ref
    predicate: str
    more: tuple[Evidence, ...] = ()
    agree: int = 2


def _account(case: Case) -> Ref:
    return Ref("ServiceAccount", case.pod.namespace, case.pod.service_account or "default")


def _by_trust(case: Case, line: str) -> _Heard | None:
    refused = "ot authorized to perform sts:AssumeRoleWithWebIdentity" in line
    if not refused and "Incorrect token audience" not in line:
        return None
    why = "its role's trust policy does not name it" if refused else "its token's audience is not allowed"
    return _Heard(TRUST, _account(case), f"may not assume its AWS role: {why}")


def _by_provider(case: Case, line: str) -> _Heard | None:
    found = _OIDC.search(line)
    if found is None and "No OpenIDConnect provider found" not in line:
        return None
    return _Heard(
        PROVIDER, Ref("Cluster", "", case.facts.cluster), "cannot sign in to AWS: no OIDC provider", (), 3
    )


def _by_role(case: Case, line: str) -> _Heard | None:
    if "AssumeRoleWithWebIdentity" not in line or "is invalid" not in line:
        return None
    return _Heard(ROLE, _account(case), "cannot assume its AWS role: the annotation names no valid role")


def _by_agent(case: Case, line: str) -> _Heard | None:
    unreachable = re.search(
        r"refused|timed? ?out|timeout|deadline exceeded|unreachable|no "
        "route",
        line,
        re.IGNORECASE,
    )
    if "169.254.170.23" not in line or unreachable is None:
        return None
    agent = case.facts.workload(AGENT)
    if agent is None and case.facts.namespace in {"", SYSTEM}:
        return _Heard(
            AGENT_AWAY,
            AGENT,
            "gets no AWS credentials: there is no Pod Identity agent",
            (stated(AGENT, "among the DaemonSets", "not there"),),
            3,
        )
    words = f"gets no AWS credentials: the Pod Identity agent does not answer on node {case.pod.node}"
    return _Heard(AGENT_AWAY, AGENT, words)


def _by_pod_identity(case: Case, line: str) -> _Heard | None:
    refused = "permissions to assume the associated role" in line
    denied = "AssumeRoleForPodIdentity" in line and "AccessDenied" in line
    if not refused and not denied:
        return None
    return _Heard(
        POD_REFUSED, _account(case), "gets no AWS credentials: EKS may not assume its associated role"
    )


def _by_permission(case: Case, line: str) -> _Heard | None:
    found = _REFUSED.search(line)
    if found is None:
        return None
    role, session, action = (plain_name(each) for each in found.groups())
    if not _INSTANCE.match(session):
        at = _account(case)
        return _Heard(NO_RIGHT, at, f"is not allowed {action}: its role {role} lacks it", (), 3)
    associated = any(one.ref == _account(case) for one in case.facts.all(AwsAssociation))
    known = case.facts.was_read(AwsAssociation)
    says = "there is one; older pods have no credentials of it" if associated else "none for this account"
    more = (stated(_account(case), "Pod Identity associations", says),) if known else ()
    words = f"calls AWS as its node's role {role}, which is not allowed {action}"
    return _Heard(NODE_ROLE, _account(case), words, more, 3 + known)


_HEAR: tuple[Callable[[Case, str], _Heard | None], ...] = (
    _by_trust,
    _by_provider,
    _by_role,
    _by_pod_identity,
    _by_agent,
    _by_permission,
)


def refused_by_aws(case: Case) -> Told | None:
    """What the program's last words say of its AWS identity."""
    container = case.container
    if container is None or container.death is None or container.death.exit_code == 0:
        return None
    for line in reversed(case.lines):
        heard = next((found for hear in _HEAR if (found := hear(case, line)) is not None), None)
        if heard is not None:
            return _told(case, heard, line) if _is_last_word(case, line) else None
    return None


def _is_last_word(case: Case, line: str) -> bool:
    """Whether nothing that the program says later blames something else."""
    last = telling_line(case.lines)
    return last in {"", line} or blamed(last) in {None, Blame.PERMISSION}


def _told(case: Case, heard: _Heard, line: str) -> Told:
    return Told(
        cause=heard.cause,
        at=heard.at,
        subject=case.subject,
        predicate=heard.predicate,
        root_cause=f"{case.pod.ref} (ServiceAccount {_account(case).name}) {heard.predicate}.",
        hurts=(case.pod.ref,),
        evidence=(case.status_evidence(), case.log_evidence(line), *heard.more),
        agree=1 + heard.agree,
        ruled_out=("Kubernetes RBAC: it is AWS that refuses",),
    )


BY_PROGRAM = (CaseRule(CAUSES, refused_by_aws),)
