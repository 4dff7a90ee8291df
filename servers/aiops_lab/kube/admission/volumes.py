"""Claims and volumes on their way in: the default class, protection, and who may grow.

After plugin/pkg/admission/storage (storageclass/setdefault, persistentvolume/resize,
storageobjectinuseprotection).
"""

from collections.abc import Iterable

from aiops_lab.kube.admission.amounts import amount
from aiops_lab.kube.admission.review import Review
from aiops_lab.kube.wire import Obj, dig, name_of

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_PROTECTION = {
    "PersistentVolumeClaim.": "kubernetes.io/pvc-protection",
    "PersistentVolume.": "kubernetes.io/pv-protection",
}


def settle_class(review: Review, classes: Iterable[Obj]) -> None:
    """A claim that names no class gets the default one, of several the youngest; an empty name stays."""
    spec = review.obj["spec"]
    if spec.get("storageClassName") is not None:
        return
    marked = [each for each in classes if dig(each, "metadata", "annotations", _DEFAULT) == "true"]
    marked.sort(key=name_of)
    marked.sort(key=lambda each: str(each["metadata"]["creationTimestamp"]), reverse=True)
    if marked:
        spec["storageClassName"] = name_of(marked[0])


def protect(review: Review) -> None:
    """What is in use is not removed under its users: a finalizer that a controller takes away."""
    wanted = _PROTECTION.get(review.resource.storage)
    held = review.obj["metadata"].setdefault("finalizers", [])
    if wanted and wanted not in held:
        held.append(wanted)


def check_growth(review: Review, classes: Iterable[Obj]) -> None:
    """Only a bound claim of a class that allows it may grow. Raises ApiError 403."""
    old, new = (
        amount(dig(each, "spec", "resources", "requests", "storage")) for each in (review.old, review.new)
    )
    if review.operation != "UPDATE" or review.subresource or new.value <= old.value:
        return
    if dig(review.old, "status", "phase") != "Bound":
        raise review.refuse("Only bound persistent volume claims can be expanded")
    wanted = dig(review.new, "spec", "storageClassName", default="")
    if not any(name_of(each) == wanted and each.get("allowVolumeExpansion") for each in classes):
        words = (
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
            "must support resize"
        )
        raise review.refuse(words)
