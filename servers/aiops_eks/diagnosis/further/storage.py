"""Further kinds of the family storage: classes, volumes, drivers and attachments.

A claim that has its volume and a pod that has its mounts make nobody ask for them.
"""

from dataclasses import dataclass
from datetime import datetime

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further.base import FurtherKind
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.reading import ref_of
from aiops_eks.diagnosis.reading_containers import moment
from aiops_eks.models.fields import Obj, items, part, text, words

_DEFAULT = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
MOUNTING = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
RECLAIMING = "VolumeFailedDelete"


@dataclass(frozen=True, slots=True)
class StorageClass:
    """A StorageClass."""

    ref: Ref
    provisioner: str = ""
    default: bool = False
    waits_for_consumer: bool = False
    expandable: bool = False
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """A PersistentVolume."""

    ref: Ref
    phase: str = ""
    message: str = ""
    claim: Ref | None = None
    storage_class: str = ""
    access_modes: tuple[str, ...] = ()
    reclaim: str = ""
    driver: str = ""
    provisioned_by: str = ""
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Driver:
    """A CSIDriver."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Attachment:
    """A VolumeAttachment: one volume on one node."""

    ref: Ref
    volume: str = ""
    node: str = ""
    attached: bool = False
    error: str = ""
    detach_error: str = ""


def storage_class(obj: Obj) -> StorageClass:
    """One StorageClass."""
    notes = part(obj, "metadata", "annotations")
    return StorageClass(
        ref=ref_of(obj, "StorageClass"),
        provisioner=text(obj, "provisioner"),
        default=any(notes.get(name) == "true" for name in _DEFAULT),
        waits_for_consumer=obj.get("volumeBindingMode") == "WaitForFirstConsumer",
        expandable=obj.get("allowVolumeExpansion") is True,
        created_at=moment(obj, "metadata", "creationTimestamp"),
    )


def volume(obj: Obj) -> Volume:
    """One PersistentVolume."""
    spec, claim = part(obj, "spec"), part(obj, "spec", "claimRef")
    return Volume(
        ref=ref_of(obj, "PersistentVolume"),
        phase=text(obj, "status", "phase"),
        message=text(obj, "status", "message"),
        claim=Ref("PersistentVolumeClaim", text(claim, "namespace"), text(claim, "name")) if claim else None,
        storage_class=text(spec, "storageClassName"),
        access_modes=tuple(words(spec, "accessModes")),
        reclaim=text(spec, "persistentVolumeReclaimPolicy"),
        driver=text(spec, "csi", "driver"),
        provisioned_by=text(obj, "metadata", "annotations", PROVISIONED_BY),
        zones=_zones(spec),
    )


def _zones(spec: Obj) -> tuple[str, ...]:
    terms = items(spec, "nodeAffinity", "required", "nodeSelectorTerms")
    rules = [rule for term in terms for rule in items(term, "matchExpressions")]
    found = [word for rule in rules if "zone" in text(rule, "key") for word in words(rule, "values")]
    return tuple(dict.fromkeys(found))


def driver(obj: Obj) -> Driver:
    """One CSIDriver."""
    return Driver(ref_of(obj, "CSIDriver"))


def attachment(obj: Obj) -> Attachment:
    """One VolumeAttachment."""
    status = part(obj, "status")
    return Attachment(
        ref=ref_of(obj, "VolumeAttachment"),
        volume=text(obj, "spec", "source", "persistentVolumeName"),
        node=text(obj, "spec", "nodeName"),
        attached=status.get("attached") is True,
        error=text(status, "attachError", "message"),
        detach_error=text(status, "detachError", "message"),
    )


def _any_claim(facts: Facts) -> bool:
    return bool(facts.claims)


def _said(facts: Facts, *reasons: str) -> bool:
    return any(event.reason in reasons for event in facts.events)


def _a_claim_waits(facts: Facts) -> bool:
    return any(claim.phase != "Bound" for claim in facts.claims)


def _volumes_matter(facts: Facts) -> bool:
    homeless = any(pod.phase == "Pending" and not pod.node and pod.claims for pod in facts.pods)
    return _a_claim_waits(facts) or homeless or _said(facts, RECLAIMING, *MOUNTING)


def _attaching_fails(facts: Facts) -> bool:
    return _said(facts, "FailedAttachVolume")


FURTHER: tuple[FurtherKind, ...] = (
    FurtherKind("StorageClass", StorageClass, storage_class, cluster_wide=True, when=_any_claim),
    FurtherKind("PersistentVolume", Volume, volume, cluster_wide=True, when=_volumes_matter),
    FurtherKind("CSIDriver", Driver, driver, cluster_wide=True, when=_a_claim_waits),
    FurtherKind("VolumeAttachment", Attachment, attachment, cluster_wide=True, when=_attaching_fails),
)
