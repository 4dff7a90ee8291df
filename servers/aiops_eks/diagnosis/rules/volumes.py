"""Volumes and classes themselves: full, not growing, not given back, or two defaults at once.

Sources: `pkg/volume/util/operationexecutor` and external-resizer (resizing), external-provisioner (deletion),
`plugin/pkg/admission/storage/storageclass/setdefault` (default class), errno(3) ENOSPC.
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.blame import Blame, blamed, telling_line
from aiops_eks.diagnosis.case import Case, event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told, WorldRule
from aiops_eks.diagnosis.further.storage import RECLAIMING, StorageClass, Volume
from aiops_eks.diagnosis.objects import Claim, Condition, Event, Ref
from aiops_eks.diagnosis.quantities import duration_text, memory_text
from aiops_eks.diagnosis.quoting import quoted
from aiops_shared.results import Evidence

RESIZE_GRACE_S = 600.0
SAID_S = 1800.0
FEW_TRIES = 3
LONGEST = 2_000  # characters of a line that are looked at
_PATH = re.compile(r"(?<![\w/])(/[\w.@+-]+(?:/[\w.@+-]+)*)")
VOLUME_FULL = Cause(
    code="VOLUME_FULL",
    severity="high",
    means="A PersistentVolumeClaim has no space left, and its program ends because of it.",
    told_by="`no space left on device` in the telling line, for a path on one of the container's claims. For "
    "any other path it is OUT_OF_DISK.",
    source="errno(3) ENOSPC",
    next_step="grow the claim when its class allows expansion, or remove what fills it",
    sop="disk-pressure",
)
RESIZE_STUCK = Cause(
    code="VOLUME_RESIZE_STUCK",
    severity="medium",
    means="A claim asks for more room and does not get it.",
    told_by="It asks for more than its capacity, and a resize fails now (VolumeResizeFailed, "
    "FileSystemResizeFailed, condition ControllerResizeError or NodeResizeError) or has waited ten minutes "
    "for the file system while its pod runs. Without a running pod it waits for one, which is no fault.",
    source="external-resizer; pkg/volume/util/operationexecutor/node_expander.go",
    next_step="read the quote; EBS takes one change of a volume in six hours; a restart of the pod grows the "
    "file system of a driver that cannot do it online",
)
RECLAIM_FAILED = Cause(
    code="PV_RECLAIM_FAILED",
    severity="medium",
    means="A volume that was given back cannot be deleted.",
    told_by="Phase Failed, or VolumeFailedDelete again and again within the last half hour.",
    source="external-provisioner; pkg/controller/volume/persistentvolume/pv_controller.go",
    next_step="read the quote: a snapshot or attachment that holds it, or the driver's rights; it costs "
    "money until it is gone",
)
SEVERAL_DEFAULTS = Cause(
    code="SEVERAL_DEFAULT_STORAGE_CLASSES",
    severity="info",
    means="More than one StorageClass is marked as default.",
    told_by="Two or more classes carry the annotation; the newest one is taken for claims without a class.",
    source="plugin/pkg/admission/storage/storageclass/setdefault; pkg/volume/util/storageclass.go",
    next_step="take is-default-class from all but one",
)


def full(case: Case) -> Told | None:
    """VOLUME_FULL: before the rule that reads only the log."""
    container = case.container
    if container is None or container.death is None or container.death.exit_code == 0:
        return None
    line = telling_line(case.lines)
    if not line or blamed(line) is not Blame.DISK:
        return None
    mounts = [(path, case.pod.claim_of[name]) for name, path in container.mounts if name in case.pod.claim_of]
    paths = _PATH.findall(line[:LONGEST])
    named = {claim for path, claim in mounts for found in paths if _below(found, path)}
    if len(named) != 1:
        return None
    claim = Ref("PersistentVolumeClaim", case.pod.namespace, named.pop())
    known = next((c for c in case.facts.claims if c.ref == claim), None)
    size = f" ({memory_text(known.capacity_bytes)})" if known and known.capacity_bytes else ""
    evidence = (case.status_evidence(), case.log_evidence(line))
    return Told(
        cause=VOLUME_FULL,
        at=claim,
        subject=case.subject,
        predicate=f"crashes: its volume {claim.name} is full",
        root_cause=f"{claim}{size} has no space left, so container {container.name} ends with code "
        f"{container.death.exit_code}.",
        hurts=(case.pod.ref,),
        evidence=evidence,
        agree=3,
        ruled_out=("out of memory: not OOMKilled", "the node's disk: the path is on the claim"),
    )


def _below(path: str, mount: str) -> bool:
    return bool(mount) and mount != "/" and (path == mount or path.startswith(f"{mount.rstrip('/')}/"))


def resizing(facts: Facts) -> Iterator[Told]:
    """VOLUME_RESIZE_STUCK."""
    for claim in facts.claims:
        if claim.phase != "Bound" or not _wants_more(claim):
            continue
        failed, waits = _resize_failed(facts, claim), _waits(facts, claim)
        if failed is None and waits is None:
            continue
        has, wants = memory_text(claim.capacity_bytes or 0), memory_text(claim.requested_bytes or 0)
        says = f"requests {wants}, has {has}"
        evidence = [Evidence(source="kubernetes", query=f"{claim.ref} spec and status", says=says)]
        if failed is not None:
            evidence.append(event_evidence(facts, failed))
        if waits is not None:
            text = f"{waits.type} for {duration_text(facts.age_s(waits.since))}: {quoted(waits.message)}"
            evidence.append(Evidence(source="kubernetes", query=f"{claim.ref} conditions", says=text))
        yield Told(
            cause=RESIZE_STUCK,
            at=claim.ref,
            subject=claim.ref,
            predicate=f"does not grow from {has} to {wants}",
            root_cause=f"{claim.ref} asks for {wants} and stays at {has}; the quoted words say why.",
            hurts=_users(facts, claim),
            evidence=tuple(evidence),
            agree=1 + len(evidence),
            severity="medium",
        )


def _wants_more(claim: Claim) -> bool:
    if claim.requested_bytes is None or claim.capacity_bytes is None:
        return False
    return claim.requested_bytes > claim.capacity_bytes


def _resize_failed(facts: Facts, claim: Claim) -> Event | None:
    """The refusal that no success followed."""
    about = {claim.ref, *_users(facts, claim)}
    events = [e for ref in sorted(about) for e in facts.events_about(ref)]
    done = [facts.age_s(e.last_at) for e in events if e.reason.endswith("ResizeSuccessful")]
    failed = [
        e
        for e in events
        if e.reason in {"VolumeResizeFailed", "FileSystemResizeFailed"} and facts.age_s(e.last_at) <= SAID_S
    ]
    newest = min(failed, key=lambda e: facts.age_s(e.last_at), default=None)
    late = newest is not None and min(done, default=float("inf")) > facts.age_s(newest.last_at)
    return newest if late else None


def _waits(facts: Facts, claim: Claim) -> Condition | None:
    for kind in ("ControllerResizeError", "NodeResizeError", "FileSystemResizePending"):
        found = claim.condition(kind)
        if found is None or found.status != "True" or facts.age_s(found.since) < RESIZE_GRACE_S:
            continue
        if kind != "FileSystemResizePending" or _runs(facts, claim):
            return found
    return None


def _runs(facts: Facts, claim: Claim) -> bool:
    pods = [facts.pod(ref) for ref in _users(facts, claim)]
    return any(pod is not None and pod.ready for pod in pods)


def _users(facts: Facts, claim: Claim) -> tuple[Ref, ...]:
    space, name = claim.ref.namespace, claim.ref.name
    return tuple(p.ref for p in facts.pods if p.namespace == space and name in p.claims)


def reclaiming(facts: Facts) -> Iterator[Told]:
    """PV_RECLAIM_FAILED."""
    for volume in facts.all(Volume):
        events = [e for e in facts.events_about(volume.ref) if e.reason == RECLAIMING]
        recent = [e for e in events if facts.age_s(e.last_at) <= SAID_S]
        again = sum(e.count for e in recent) >= FEW_TRIES
        if volume.phase != "Failed" and not (volume.phase == "Released" and again):
            continue
        says = f"phase {volume.phase}, reclaim policy {volume.reclaim}, of {volume.claim}"
        words = [f": {quoted(volume.message)}"] if volume.message else [""]
        yield Told(
            cause=RECLAIM_FAILED,
            at=volume.ref,
            subject=volume.ref,
            predicate="cannot be given back",
            root_cause=f"{volume.ref} was released and cannot be deleted; the quoted words say why.",
            hurts=(volume.ref,),
            evidence=(
                Evidence(source="kubernetes", query=f"{volume.ref} status", says=says + words[0]),
                *(event_evidence(facts, e) for e in recent[:1]),
            ),
            agree=2 + bool(recent) + bool(volume.message),
        )


def defaults(facts: Facts) -> Iterator[Told]:
    """SEVERAL_DEFAULT_STORAGE_CLASSES, at the one that is taken."""
    found = [c for c in facts.all(StorageClass) if c.default]
    if len(found) < 2:
        return
    # pkg/volume/util/storageclass.go: the newest, of equally old ones the first by name
    taken = min(found, key=lambda c: (facts.age_s(c.created_at), c.ref.name))
    names = ", ".join(sorted(c.ref.name for c in found)[:5])
    yield Told(
        cause=SEVERAL_DEFAULTS,
        at=taken.ref,
        subject=taken.ref,
        predicate=f"is one of {len(found)} default classes",
        root_cause=f"Claims without a class get {taken.ref.name}, the newest of the defaults {names}.",
        hurts=tuple(c.ref for c in found),
        evidence=(Evidence(source="kubernetes", query="list StorageClass", says=f"default: {names}"),),
        agree=3,
    )


CRASHES = (CaseRule((VOLUME_FULL,), full),)
RULES = (
    WorldRule((RESIZE_STUCK,), resizing),
    WorldRule((RECLAIM_FAILED,), reclaiming),
    WorldRule((SEVERAL_DEFAULTS,), defaults),
)
