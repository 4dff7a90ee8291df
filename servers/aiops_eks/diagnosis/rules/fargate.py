"""Pods for Fargate that no profile takes, and pods that Fargate does not take.

EKS gives a pod that a profile selects to its own scheduler and labels it with the profile; that happens when
the pod is made, so a profile that comes later changes nothing for it.
Sources: https://docs.aws.amazon.com/eks/latest/userguide/fargate-profile.html,
https://docs.aws.amazon.com/eks/latest/userguide/fargate-pod-configuration.html
"""

from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.further.aws import AwsFargateProfile, wants_fargate
from aiops_eks.diagnosis.objects import Pod, selects
from aiops_eks.diagnosis.quoting import plain_name
from aiops_shared.results import Evidence

PROFILE = "eks.amazonaws.com/fargate-profile"
REFUSES = (
    "Misconfigured Fargate Profile",
    "Pod not supported on Fargate",
    "Your AWS account",
    "Fargate capacity",
)
MISMATCH = Cause(
    code="FARGATE_PROFILE_MISMATCH",
    severity="high",
    means="A pod asks for Fargate, and no Fargate profile selects it.",
    told_by="Its node selector wants compute type fargate, it is unscheduled and bears no label "
    f"{PROFILE}; the "
    "profiles, where they could be read, select other namespaces or labels. With the label it is "
    "FARGATE_REFUSED.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/fargate-profile.html",
    next_step="add a profile, or its labels to the pod, and restart the workload: a profile counts when "
    "a pod is made",
)
REFUSED = Cause(
    code="FARGATE_REFUSED",
    severity="high",
    means="Fargate does not take the pod: the profile is misconfigured, or the pod wants what Fargate "
    "has not.",
    told_by="Event FailedScheduling of Fargate's scheduler: `Misconfigured Fargate Profile` or `Pod not "
    "supported on "
    "Fargate`. A pod that no profile selects is FARGATE_PROFILE_MISMATCH.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/fargate-pod-configuration.html",
    next_step="read the quote: repair the pod execution role and its access entry, or take out host "
    "ports, GPUs, "
    "privileged containers and EBS volumes",
)


def on_fargate(case: Case) -> Told | None:
    """FARGATE_PROFILE_MISMATCH or FARGATE_REFUSED."""
    pod = case.pod
    if case.container is not None or pod.node or pod.deleted_at is not None:
        return None
    said = next(
        (e for e in case.recent("FailedScheduling", within_s=3600.0) if e.message.startswith(REFUSES)), None
    )
    if said is not None and PROFILE in pod.labels:
        profile = plain_name(pod.labels[PROFILE])
        text = f"Fargate does not take {pod.ref} of profile {profile}; its words are quoted."
        return _told(case, REFUSED, "is not taken by Fargate", text, case.event_evidence(said), agree=3)
    if not wants_fargate(pod) or PROFILE in pod.labels:
        return None
    return _unselected(case)


def _unselected(case: Case) -> Told:
    pod, profiles = case.pod, case.facts.all(AwsFargateProfile)
    known = case.facts.was_read(AwsFargateProfile)
    late = [p.ref.name for p in profiles if _selects(p, pod)]
    wanted = "; ".join(_words(profile) for profile in profiles[:3]) or "there are none"
    why = f"profile {late[0]} would, and came after the pod was made" if late else "no profile selects it"
    says = (Evidence(source="eks", query="DescribeFargateProfile", says=wanted),) if known else ()
    selector = Evidence(
        source="kubernetes", query=f"{pod.ref} spec.nodeSelector", says="compute type fargate"
    )
    text = f"{pod.ref} asks for Fargate and {why}: its scheduler never sees it."
    return _told(case, MISMATCH, f"waits for Fargate: {why}", text, selector, *says, agree=2 + 2 * known)


def _selects(profile: AwsFargateProfile, pod: Pod) -> bool:
    return any(
        home == pod.namespace and (not labels or selects(dict(labels), pod.labels))
        for home, labels in profile.told.selectors
    )


def _words(profile: AwsFargateProfile) -> str:
    of = [
        " ".join([plain_name(home), *(f"{plain_name(k)}={plain_name(v)}" for k, v in sorted(labels))])
        for home, labels in profile.told.selectors
    ]
    return f"{plain_name(profile.ref.name)} selects {', '.join(of) or 'nothing'}"


def _told(case: Case, cause: Cause, predicate: str, text: str, *evidence: Evidence, agree: int) -> Told:
    return Told(
        cause=cause,
        at=case.subject,
        subject=case.subject,
        predicate=predicate,
        root_cause=text,
        hurts=(case.pod.ref,),
        evidence=evidence,
        agree=agree,
        ruled_out=("the cluster's nodes: Fargate pods do not run there",),
    )


RULES = (CaseRule((MISMATCH, REFUSED), on_fargate),)
