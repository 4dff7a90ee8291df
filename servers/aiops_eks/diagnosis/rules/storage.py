"""Volumes that cannot be attached or mounted, for other reasons than configuration.

The kubelet repeats itself: what it says of the one volume is told from its summary (`timed out waiting for
the condition`), whichever came last. Sources: `pkg/volume/util/operationexecutor` (the words of the events),
`pkg/controller/volume/attachdetach` (Multi-Attach), `pkg/volume/csi`.
"""

import re

from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.further.storage import Attachment
from aiops_eks.diagnosis.objects import Event, Pod, Ref
from aiops_eks.diagnosis.quoting import quoted
from aiops_shared.results import Evidence

MOUNT_RECENT_S = 1800.0
_CSI = "pkg/volume/csi"
_EXECUTOR = "pkg/volume/util/operationexecutor"
VOLUME_MULTI_ATTACH = Cause(
    code="VOLUME_MULTI_ATTACH",
    severity="high",
    means="A volume that only one node may hold is still attached to another.",
    told_by="FailedAttachVolume with `Multi-Attach error`. When the node that holds it is down, or the pod "
    "there does not go away, that finding holds it.",
    source="pkg/controller/volume/attachdetach/reconciler",
    next_step="find the pod or node that still holds it; a Deployment with such a volume needs strategy "
    "Recreate",
)
VOLUME_MOUNT_FAILED = Cause(
    code="VOLUME_MOUNT_FAILED",
    severity="high",
    means="A volume cannot be mounted; the kubelet's words are quoted.",
    told_by="FailedMount that names no missing ConfigMap, Secret or key, and fits no other code.",
    source=_EXECUTOR,
    next_step="read the quote; check the CSI driver's pods and the volume",
)
VOLUME_ATTACH_FAILED = Cause(
    code="VOLUME_ATTACH_FAILED",
    severity="high",
    means="The driver cannot attach a volume to the node; its words are quoted.",
    told_by="FailedAttachVolume (and the VolumeAttachment's attachError) without a Multi-Attach error.",
    source="pkg/controller/volume/attachdetach; external-attacher",
    next_step="read the quote: the volume's existence and zone, the node's volume limit, the driver's role",
)
CSI_DRIVER_NOT_REGISTERED = Cause(
    code="CSI_DRIVER_NOT_REGISTERED",
    severity="high",
    means="The node has no running node plugin of the volume's CSI driver.",
    told_by="FailedMount with `not found in the list of registered CSI drivers`; when the driver's pod on "
    "that node has a finding, that one holds it.",
    source=f"{_CSI}/csi_client.go",
    next_step="check the driver's DaemonSet on that node: its tolerations, and that its pod runs there",
)
FILESYSTEM_MISMATCH = Cause(
    code="VOLUME_FILESYSTEM_MISMATCH",
    severity="high",
    means="The volume holds another or a damaged file system than the one it shall be mounted as.",
    told_by="FailedMount with `wrong fs type, bad option, bad superblock` or `it already contains`.",
    source="k8s.io/mount-utils; mount(8) exit status 32",
    next_step="compare fsType with what is on the volume; restore a snapshot when it is damaged",
)
MOUNT_DENIED = Cause(
    code="VOLUME_MOUNT_DENIED",
    severity="high",
    means="Whoever serves the volume refuses the mount: rights, export rules or a security group.",
    told_by="FailedMount with permission or access denied.",
    source="mount(8); file servers' texts",
    next_step="check the file system's policy and export rules, and the identity of the driver",
)
VOLUME_SECRET_MISSING = Cause(
    code="VOLUME_SECRET_MISSING",
    severity="high",
    means="The Secret with which a CSI driver mounts a volume does not exist.",
    told_by="FailedMount with `failed to find the secret`; the volume names it, not the pod.",
    source=f"{_CSI}/csi_util.go",
    next_step="create the Secret that the StorageClass or volume names (node stage or publish secret)",
)
_SECRET = re.compile(r"failed to find the secret ([a-z0-9.-]{1,253}) in the namespace ([a-z0-9-]{1,63})\b")
_SUMMARY = re.compile(r"^Unable to attach or mount volumes|unmounted volumes=")
_KINDS: tuple[tuple[Cause, re.Pattern[str], str], ...] = (
    (VOLUME_SECRET_MISSING, _SECRET, "needs a Secret that does not exist"),
    (
        CSI_DRIVER_NOT_REGISTERED,
        re.compile(r"not found in the list of registered CSI drivers"),
        "needs a CSI driver that its node does not have",
    ),
    (
        FILESYSTEM_MISMATCH,
        re.compile(r"wrong fs type, bad option|bad superblock|it already contains|unrecognized filesystem"),
        "holds another or a damaged file system",
    ),
    (
        MOUNT_DENIED,
        re.compile(r"permission denied|access denied|AccessDenied|operation not permitted", re.IGNORECASE),
        "is refused by whoever serves it",
    ),
)
_VOLUME = re.compile(r"for volume \"([^\"\s]{1,253})\"")


def mount(case: Case) -> Told | None:
    """All of the above, for a pod that cannot start."""
    if case.container is not None or case.pod.deleted_at is not None:
        return None
    events = case.recent("FailedMount", "FailedAttachVolume", "FailedMapVolume", within_s=MOUNT_RECENT_S)
    if not events:
        return None
    multi = next((e for e in events if "Multi-Attach" in e.message), None)
    if multi is not None:
        return _held(case, multi)
    for cause, pattern, words in _KINDS:
        said = next((e for e in events if pattern.search(e.message)), None)
        if said is not None:
            return _mount(case, cause, said, words)
    attach = next((e for e in events if e.reason == "FailedAttachVolume"), None)
    if attach is not None:
        return _mount(case, VOLUME_ATTACH_FAILED, attach, "cannot be attached to its node")
    said = next((e for e in events if not _SUMMARY.search(e.message)), events[0])
    return _mount(case, VOLUME_MOUNT_FAILED, said, "cannot be mounted")


def _claim_of(case: Case, event: Event) -> Ref | None:
    """The pod's claim whose volume the event is about."""
    found = _VOLUME.search(event.message)
    if found is None:
        return None
    space = case.pod.namespace
    mine = [c for c in case.facts.claims if c.ref.namespace == space and c.ref.name in case.pod.claims]
    return next((c.ref for c in mine if c.volume == found[1]), None)


def _mount(case: Case, cause: Cause, said: Event, words: str) -> Told:
    claim = _claim_of(case, said)
    place, explained = _place(case, cause, said, claim)
    attached = _attachment(case.facts, said) if cause is VOLUME_ATTACH_FAILED else ()
    evidence = (case.status_evidence(), case.event_evidence(said), *attached)
    whose = f" of {claim}" if claim else ""
    return Told(
        cause=cause,
        at=place,
        subject=case.subject,
        predicate=f"cannot start: a volume {words}",
        root_cause=f"{case.pod.ref} waits for a volume{whose} that {words}; the event is quoted.",
        hurts=(case.pod.ref, *((claim,) if claim and claim != place else ())),
        evidence=evidence,
        agree=len(evidence) + (cause is not VOLUME_MOUNT_FAILED),
        ruled_out=("ConfigMap or Secret of the pod: the event names none",),
        explained_by=explained,
        since=said.first_at,
    )


def _place(case: Case, cause: Cause, said: Event, claim: Ref | None) -> tuple[Ref, tuple[Ref, ...]]:
    """Where the fault is, and whose finding would explain it."""
    if cause is VOLUME_SECRET_MISSING and (named := _SECRET.search(said.message)):
        return Ref("Secret", named[2], named[1]), ()
    if cause is CSI_DRIVER_NOT_REGISTERED:
        node = Ref("Node", "", case.pod.node)
        plugins = [p for p in case.facts.pods_on(case.pod.node) if _is_plugin(p)]
        return node, (node, *(p.ref for p in plugins))
    if cause in {FILESYSTEM_MISMATCH, MOUNT_DENIED, VOLUME_ATTACH_FAILED}:
        return claim or case.subject, ()
    return case.subject, ()


def _is_plugin(pod: Pod) -> bool:
    """Whether the pod is a CSI driver's node plugin that does not work."""
    return not pod.ready and pod.owner is not None and pod.owner.kind == "DaemonSet" and "csi" in pod.name


def _attachment(facts: Facts, said: Event) -> tuple[Evidence, ...]:
    found = _VOLUME.search(said.message)
    failing = [a for a in facts.all(Attachment) if found and a.volume == found[1] and a.error]
    return tuple(
        Evidence(source="kubernetes", query=f"{a.ref} status.attachError", says=quoted(a.error))
        for a in failing[:1]
    )


def _held(case: Case, said: Event) -> Told:
    claim = _claim_of(case, said)
    names = {claim.name} if claim else set(case.pod.claims)
    holders = [
        p
        for p in case.facts.pods
        if p.namespace == case.pod.namespace
        and names & set(p.claims)
        and p.ref != case.pod.ref
        and p.node not in {"", case.pod.node}
    ]
    holder = holders[0] if holders else None
    attached = _elsewhere(case, said)
    node = holder.node if holder else attached[0].node if attached else ""
    by = f"{holder.ref} on node {node}" if holder else f"node {node}" if node else "another node"
    evidence = [case.status_evidence(), case.event_evidence(said)]
    if holder is not None:
        says = f"runs on {node}, uses the same claim"
        evidence.append(Evidence(source="kubernetes", query=f"{holder.ref} spec", says=says))
    return Told(
        cause=VOLUME_MULTI_ATTACH,
        at=case.subject,
        subject=case.subject,
        predicate=f"cannot start: its volume is still held by {by}",
        root_cause=f"{case.pod.ref} waits for {claim or 'a volume'} that only one node may hold; "
        f"{by} holds it.",
        hurts=(case.pod.ref, *((claim,) if claim else ())),
        evidence=tuple(evidence),
        agree=3 + bool(node),
        ruled_out=("ConfigMap or Secret: the event names none",),
        explained_by=_why_held(case.facts, holder, node),
        since=said.first_at,
    )


def _elsewhere(case: Case, said: Event) -> list[Attachment]:
    found = _VOLUME.search(said.message)
    return [
        a
        for a in case.facts.all(Attachment)
        if found and a.volume == found[1] and a.attached and a.node != case.pod.node
    ]


def _why_held(facts: Facts, holder: Pod | None, node: str) -> tuple[Ref, ...]:
    """A dead node or a pod that does not go away explains why the volume is not free."""
    found = facts.node(node)
    ready = found.condition("Ready") if found else None
    refs = [found.ref] if found and ready and ready.status != "True" else []
    if holder is not None and holder.deleted_at is not None:
        refs.append(holder.ref)
    return tuple(refs)


MOUNTS = (
    CaseRule(
        (
            VOLUME_MULTI_ATTACH,
            VOLUME_SECRET_MISSING,
            CSI_DRIVER_NOT_REGISTERED,
            FILESYSTEM_MISMATCH,
            MOUNT_DENIED,
            VOLUME_ATTACH_FAILED,
            VOLUME_MOUNT_FAILED,
        ),
        mount,
    ),
)
