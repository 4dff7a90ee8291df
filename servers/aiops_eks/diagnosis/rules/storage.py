"""Volumes: mounts that fail for other reasons than configuration, claims that get no volume.

Sources: `pkg/volume/util/operationexecutor`, `pkg/controller/volume/attachdetach` (Multi-Attach),
`pkg/controller/volume/persistentvolume` (claims).
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.case import START_GRACE_S, Case, event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Claim
from aiops_shared.results import Evidence

CLAIM_GRACE_S = 120.0
VOLUME_MULTI_ATTACH = Cause(
    code="VOLUME_MULTI_ATTACH",
    severity="high",
    means="A volume that only one node may hold is still attached to another.",
    told_by="FailedAttachVolume with `Multi-Attach error`.",
    source="pkg/controller/volume/attachdetach/reconciler",
    next_step="find the pod or node that still holds it; a Deployment with such a volume needs strategy "
    "Recreate",
)
VOLUME_MOUNT_FAILED = Cause(
    code="VOLUME_MOUNT_FAILED",
    severity="high",
    means="A volume cannot be attached or mounted; the kubelet's words are quoted.",
    told_by="FailedMount or FailedAttachVolume that names no missing ConfigMap, Secret or key.",
    source="pkg/volume/util/operationexecutor",
    next_step="read the quote; check the CSI driver's pods and the volume",
)
PVC_PENDING = Cause(
    code="PVC_PENDING",
    severity="high",
    means="A PersistentVolumeClaim gets no volume.",
    told_by="Phase Pending longer than two minutes and its class does not wait for a first consumer.",
    source="pkg/controller/volume/persistentvolume/pv_controller.go",
    next_step="check that the StorageClass exists and its provisioner runs",
)
PVC_LOST = Cause(
    code="PVC_LOST",
    severity="high",
    means="The volume behind a PersistentVolumeClaim is gone.",
    told_by="Phase Lost.",
    source="pkg/controller/volume/persistentvolume/pv_controller.go",
    next_step="restore the volume from a snapshot; the claim does not heal by itself",
)


def mount(case: Case) -> Told | None:
    """VOLUME_MULTI_ATTACH or VOLUME_MOUNT_FAILED."""
    if case.container is not None or case.pod.deleted_at is not None:
        return None
    events = case.recent("FailedMount", "FailedAttachVolume", within_s=1800.0)
    if not events:
        return None
    chosen = next((e for e in events if "Multi-Attach" in e.message), events[0])
    multi = "Multi-Attach" in chosen.message
    words = "is attached to another node" if multi else "cannot be mounted"
    return Told(
        cause=VOLUME_MULTI_ATTACH if multi else VOLUME_MOUNT_FAILED,
        at=case.subject,
        subject=case.subject,
        predicate=f"cannot start: a volume {words}",
        root_cause=f"{case.pod.ref} waits for a volume that {words}; the event is quoted.",
        hurts=(case.pod.ref,),
        evidence=(case.status_evidence(), case.event_evidence(chosen)),
        agree=2 + multi,
        ruled_out=("ConfigMap or Secret: the event names none",),
    )


def claims(facts: Facts) -> Iterator[Told]:
    """PVC_PENDING and PVC_LOST."""
    for claim in facts.claims:
        if claim.phase == "Lost":
            yield _claim(facts, claim, PVC_LOST, "has lost its volume", "")
        elif claim.phase == "Pending" and _is_overdue(facts, claim):
            yield _claim(facts, claim, PVC_PENDING, "gets no volume", _why(claim))


def _is_overdue(facts: Facts, claim: Claim) -> bool:
    """Waiting for a first consumer is as it should be; for a class that does not exist it is not."""
    if claim.waits_for_consumer:
        return any(e.reason == "ProvisioningFailed" for e in facts.events_about(claim.ref))
    return facts.age_s(claim.created_at) > (START_GRACE_S if claim.class_exists is False else CLAIM_GRACE_S)


def _why(claim: Claim) -> str:
    return f": StorageClass {claim.storage_class} does not exist" if claim.class_exists is False else ""


def _claim(facts: Facts, claim: Claim, cause: Cause, words: str, why: str) -> Told:
    users = [p.ref for p in facts.pods if p.namespace == claim.ref.namespace and claim.ref.name in p.claims]
    events = [e for e in facts.events_about(claim.ref) if e.warning][:1]
    said = Evidence(source="kubernetes", query=f"{claim.ref} status", says=f"phase {claim.phase}{why}")
    quotes = tuple(event_evidence(facts, e) for e in events)
    return Told(
        cause=cause,
        at=claim.ref,
        subject=claim.ref,
        predicate=f"{words}{why}",
        root_cause=f"{claim.ref} {words}{why}.",
        hurts=tuple(users),
        evidence=(said, *quotes),
        agree=1 + bool(why) + bool(events) + bool(users),
    )


MOUNTS = (CaseRule((VOLUME_MULTI_ATTACH, VOLUME_MOUNT_FAILED), mount),)
RULES = (WorldRule((PVC_PENDING, PVC_LOST), claims),)
