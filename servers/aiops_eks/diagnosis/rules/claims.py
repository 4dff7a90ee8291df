"""PersistentVolumeClaims that get no volume, or lost the one they had.

A claim that waits for its first consumer, or for less than two minutes, is as it should be. Where a class is
missing or its provisioner never answers, the fault is at the class and one finding holds all its claims and
their pods. Source: `pkg/controller/volume/persistentvolume/pv_controller.go`.
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.case import START_GRACE_S, event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.storage import Driver, StorageClass, Volume
from aiops_eks.diagnosis.objects import Claim, Event, Ref
from aiops_eks.diagnosis.quantities import duration_text
from aiops_shared.results import Evidence

CLAIM_GRACE_S = 120.0
PROVISIONER_GRACE_S = 300.0
SAID_S = 1800.0  # a refusal older than this may be over; provisioners try again within minutes
_SOURCE = "pkg/controller/volume/persistentvolume/pv_controller.go"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
_MIGRATED = {"kubernetes.io/aws-ebs": "ebs.csi.aws.com", "kubernetes.io/gce-pd": "pd.csi.storage.gke.io"}
_ACCESS = re.compile(r"volume capabilit\w+ .{0,120}not supported|access ?modes?\b.{0,80}not supported", re.I)


def _cause(code: str, means: str, told_by: str, next_step: str, source: str = _SOURCE) -> Cause:
    return Cause(code, "high", means, told_by, source, next_step)


PVC_PENDING = _cause(
    "PVC_PENDING",
    "A PersistentVolumeClaim gets no volume.",
    "Phase Pending longer than two minutes, its class does not wait for a first consumer, and no other code "
    "knows why.",
    "check that the provisioner of its StorageClass runs",
)
PVC_LOST = _cause(
    "PVC_LOST",
    "The volume behind a PersistentVolumeClaim is gone.",
    "Phase Lost.",
    "restore the volume from a snapshot; the claim does not heal by itself",
)
STORAGE_CLASS_MISSING = _cause(
    "STORAGE_CLASS_MISSING",
    "A claim names a StorageClass that does not exist.",
    "The claim is Pending and no StorageClass bears the name it asks for.",
    "create the class, or make the claim anew with one that exists (a claim's class cannot be changed)",
)
DEFAULT_CLASS_MISSING = _cause(
    "DEFAULT_STORAGE_CLASS_MISSING",
    "A claim names no class and the cluster has no default one.",
    "The claim is Pending, its storageClassName is absent, and no StorageClass is marked as default. With a "
    "default class, or with an empty name on purpose, it is another code.",
    "mark one StorageClass as default (storageclass.kubernetes.io/is-default-class), or name one in "
    "the claim",
)
PROVISIONER_MISSING = _cause(
    "PROVISIONER_MISSING",
    "The provisioner of a StorageClass does not answer: nothing in the cluster bears its name.",
    "The claim has waited for its external provisioner for more than five minutes, without a refusal, and no "
    "CSIDriver has the provisioner's name nor did it ever make a volume. With its CSIDriver it is "
    "PVC_PENDING.",
    "install the driver (on EKS an add-on: aws-ebs-csi-driver, aws-efs-csi-driver) or correct the class",
)
PROVISIONING_FAILED = _cause(
    "PROVISIONING_FAILED",
    "The provisioner refuses to make the volume; its words are quoted.",
    "ProvisioningFailed within the last half hour while the claim is still Pending.",
    "read the quote: rights of the driver's role, quotas, parameters of the class, zones",
    "external-provisioner: events of the claim",
)
ACCESS_MODE_UNSUPPORTED = _cause(
    "PVC_ACCESS_MODE_UNSUPPORTED",
    "The claim asks for an access mode that its class's driver cannot give.",
    "ProvisioningFailed that refuses the volume's capabilities or access mode.",
    "use ReadWriteOnce with block storage, or a shared file system's class (EFS) for ReadWriteMany",
    "CSI drivers' CreateVolume, InvalidArgument",
)
VOLUME_MISMATCH = _cause(
    "PVC_VOLUME_MISMATCH",
    "The volume that a claim names does not satisfy it.",
    "VolumeMismatch: `Cannot bind to requested volume` with what does not fit (size, class, access mode).",
    "correct the claim or the volume; for another volume leave volumeName empty",
)
PV_RELEASED = _cause(
    "PV_RELEASED",
    "A claim wants a volume that still belongs to an earlier claim.",
    "The claim is Pending, and the volume it names (or that was held by a claim of its name) is Released: a "
    "retained volume is not given out again by itself.",
    "when its data may be used again, clear the volume's spec.claimRef; else ask for another volume",
)
NO_VOLUME = _cause(
    "PVC_NO_VOLUME",
    "No existing volume fits a claim, and nothing will make one.",
    "The claim is Pending with an empty class, or with one of kubernetes.io/no-provisioner, and no volume of "
    "that class is Available with its size and access mode.",
    "create a PersistentVolume that fits, or use a class with a provisioner",
)


def claims(facts: Facts) -> Iterator[Told]:
    """All of the above, one for each claim."""
    for claim in facts.claims:
        if claim.phase == "Lost":
            yield _told(facts, claim, PVC_LOST, "has lost its volume", f"{claim.ref} has lost its volume.")
        elif claim.phase == "Pending":
            found = _known(facts, claim)
            if found is not None:
                yield found


def _known(facts: Facts, claim: Claim) -> Told | None:
    for rule in (_class_missing, _no_default, _released, _mismatch, _refused, _no_volume, _no_provisioner):
        if (found := rule(facts, claim)) is not None:
            return found
    if not _is_overdue(facts, claim):
        return None
    gone = claim.volume and facts.was_read(Volume) and not _named(facts, claim.volume)
    why = f": volume {claim.volume} that it names does not exist" if gone else ""
    return _told(facts, claim, PVC_PENDING, f"gets no volume{why}", f"{claim.ref} gets no volume{why}.")


def _named(facts: Facts, name: str) -> bool:
    return any(volume.ref.name == name for volume in facts.all(Volume))


def _is_overdue(facts: Facts, claim: Claim) -> bool:
    """Waiting for a first consumer is as it should be until a node was chosen for it."""
    if facts.age_s(claim.created_at) <= CLAIM_GRACE_S:
        return False
    if not claim.waits_for_consumer or claim.volume:
        return True
    waits = [e for e in facts.events_about(claim.ref) if e.reason == "ExternalProvisioning"]
    return any(
        facts.age_s(e.first_at) > PROVISIONER_GRACE_S and facts.age_s(e.last_at) <= SAID_S for e in waits
    )


def _class_of(facts: Facts, claim: Claim) -> StorageClass | None:
    return next((c for c in facts.all(StorageClass) if c.ref.name == claim.storage_class), None)


def _class_missing(facts: Facts, claim: Claim) -> Told | None:
    name = claim.storage_class
    if not name or facts.age_s(claim.created_at) < START_GRACE_S or _available(facts, claim):
        return None
    known = _class_of(facts, claim) is not None if facts.was_read(StorageClass) else claim.class_exists
    if known is not False:
        return None
    there = ", ".join(sorted(c.ref.name for c in facts.all(StorageClass))[:5]) or "none"
    extra = Evidence(source="kubernetes", query=f"get StorageClass {name}", says=f"not found; exist: {there}")
    words = f"asks for StorageClass {name}, which does not exist"
    text = f"StorageClass {name} does not exist, so {claim.ref} gets no volume."
    return _told(facts, claim, STORAGE_CLASS_MISSING, words, text, extra, at=Ref("StorageClass", "", name))


def _no_default(facts: Facts, claim: Claim) -> Told | None:
    if claim.storage_class is not None or claim.volume or not facts.was_read(StorageClass):
        return None
    classes = facts.all(StorageClass)
    if any(c.default for c in classes) or facts.age_s(claim.created_at) < CLAIM_GRACE_S:
        return None
    there = ", ".join(sorted(c.ref.name for c in classes)[:5]) or "none"
    extra = Evidence(source="kubernetes", query="list StorageClass", says=f"none is default; exist: {there}")
    words = "names no StorageClass, and there is no default one"
    return _told(facts, claim, DEFAULT_CLASS_MISSING, words, f"{claim.ref} {words}.", extra)


def _released(facts: Facts, claim: Claim) -> Told | None:
    if facts.age_s(claim.created_at) < START_GRACE_S:
        return None
    for volume in facts.all(Volume):
        wanted = claim.volume == volume.ref.name or (not claim.volume and volume.claim == claim.ref)
        if volume.phase == "Released" and wanted and _kin(claim, volume):
            extra = Evidence(
                source="kubernetes",
                query=f"{volume.ref} status",
                says=f"phase Released, reclaim policy {volume.reclaim}, claimRef {volume.claim}",
            )
            words = f"waits for {volume.ref.name}, which still belongs to an earlier claim"
            text = f"{volume.ref} is Released: it is kept for an earlier claim, so {claim.ref} stays Pending."
            return _told(facts, claim, PV_RELEASED, words, text, extra, at=volume.ref)
    return None


def _kin(claim: Claim, volume: Volume) -> bool:
    """Without a volume's name, only a claim of the same class could have got it back."""
    return bool(claim.volume) or (claim.storage_class or "") == volume.storage_class


def _mismatch(facts: Facts, claim: Claim) -> Told | None:
    said = _recent(facts, claim, "VolumeMismatch")
    if said is None or not claim.volume:
        return None
    words = f"names volume {claim.volume}, which does not satisfy it"
    return _told(facts, claim, VOLUME_MISMATCH, words, f"{claim.ref} {words}; the event says what.")


def _refused(facts: Facts, claim: Claim) -> Told | None:
    said = _recent(facts, claim, "ProvisioningFailed")
    if said is None or facts.age_s(said.first_at) < START_GRACE_S:
        return None
    if _ACCESS.search(said.message):
        modes = ", ".join(claim.access_modes) or "its access mode"
        words = f"asks for {modes}, which class {claim.storage_class} cannot give"
        return _told(facts, claim, ACCESS_MODE_UNSUPPORTED, words, f"{claim.ref} {words}.")
    words = "gets no volume: the provisioner refuses"
    return _told(facts, claim, PROVISIONING_FAILED, words, f"{claim.ref} {words}; its words are quoted.")


def _no_volume(facts: Facts, claim: Claim) -> Told | None:
    found = _class_of(facts, claim)
    static = claim.storage_class == "" or (found is not None and found.provisioner == NO_PROVISIONER)
    if not static or claim.volume or not facts.was_read(Volume) or _available(facts, claim):
        return None
    asked_for = claim.storage_class == "" or _users(facts, claim)
    if facts.age_s(claim.created_at) < CLAIM_GRACE_S or not asked_for:
        return None
    volumes = [v for v in facts.all(Volume) if v.storage_class == (claim.storage_class or "")]
    says = ", ".join(f"{v.ref.name} {v.phase} {'/'.join(v.access_modes)}" for v in volumes[:4]) or "none"
    extra = Evidence(source="kubernetes", query="list PersistentVolume of its class", says=says)
    words = "finds no volume that fits, and its class makes none"
    return _told(facts, claim, NO_VOLUME, words, f"{claim.ref} {words}.", extra)


def _available(facts: Facts, claim: Claim) -> bool:
    """Whether a volume that was made by hand could satisfy it as it is."""
    return any(
        v.phase == "Available"
        and v.storage_class == (claim.storage_class or "")
        and set(claim.access_modes) <= set(v.access_modes)
        for v in facts.all(Volume)
    )


def _no_provisioner(facts: Facts, claim: Claim) -> Told | None:
    found = _class_of(facts, claim)
    if found is None or found.provisioner == NO_PROVISIONER or not facts.was_read(Driver):
        return None
    name = _MIGRATED.get(found.provisioner, found.provisioner)
    if any(d.ref.name == name for d in facts.all(Driver)) or not _is_overdue(facts, claim):
        return None
    if any(name in (v.driver, v.provisioned_by) for v in facts.all(Volume)):
        return None
    waits = any(e.reason == "ExternalProvisioning" for e in facts.events_about(claim.ref))
    if claim.volume or not waits or facts.age_s(claim.created_at) < PROVISIONER_GRACE_S:
        return None
    there = ", ".join(sorted(d.ref.name for d in facts.all(Driver))[:5]) or "none"
    extra = Evidence(source="kubernetes", query=f"get CSIDriver {name}", says=f"not found; exist: {there}")
    words = f"waits for provisioner {name}, which is not in this cluster"
    text = f"StorageClass {found.ref.name} leaves {claim.ref} to {name}, and no such driver is installed."
    return _told(facts, claim, PROVISIONER_MISSING, words, text, extra, at=found.ref)


def _recent(facts: Facts, claim: Claim, reason: str) -> Event | None:
    events = [e for e in facts.events_about(claim.ref) if e.reason == reason]
    return next((e for e in events if facts.age_s(e.last_at) <= SAID_S), None)


def _users(facts: Facts, claim: Claim) -> tuple[Ref, ...]:
    return tuple(
        p.ref for p in facts.pods if p.namespace == claim.ref.namespace and claim.ref.name in p.claims
    )


_CALM = frozenset({"ExternalProvisioning", "FailedBinding"})
_TELLING = _CALM | {"ProvisioningFailed", "VolumeMismatch"}


def _told(
    facts: Facts, claim: Claim, cause: Cause, words: str, text: str, *extra: Evidence, at: Ref | None = None
) -> Told:
    users = _users(facts, claim)
    events = [e for e in facts.events_about(claim.ref) if e.warning or e.reason in _TELLING]
    events.sort(key=lambda e: e.reason in _CALM)
    recent = [e for e in events if facts.age_s(e.last_at) <= SAID_S or cause is PVC_LOST][:1]
    age = duration_text(facts.age_s(claim.created_at)) if claim.created_at else "unknown"
    says = f"phase {claim.phase}, class {_class_words(claim)}, age {age}"
    return Told(
        cause=cause,
        at=at or claim.ref,
        subject=claim.ref,
        predicate=words,
        root_cause=text,
        hurts=(claim.ref, *users) if at is not None else users,
        evidence=(
            Evidence(source="kubernetes", query=f"{claim.ref} status", says=says),
            *extra,
            *(event_evidence(facts, e) for e in recent),
        ),
        agree=1 + (cause is not PVC_PENDING) + len(extra) + len(recent) + bool(users),
        ruled_out=("waiting for a first consumer: that is no fault",) if not claim.waits_for_consumer else (),
        since=claim.created_at,
    )


def _class_words(claim: Claim) -> str:
    return "not given" if claim.storage_class is None else claim.storage_class or "none, on purpose"


RULES = (
    WorldRule(
        (
            STORAGE_CLASS_MISSING,
            DEFAULT_CLASS_MISSING,
            PV_RELEASED,
            VOLUME_MISMATCH,
            ACCESS_MODE_UNSUPPORTED,
            PROVISIONING_FAILED,
            NO_VOLUME,
            PROVISIONER_MISSING,
            PVC_PENDING,
            PVC_LOST,
        ),
        claims,
    ),
)
