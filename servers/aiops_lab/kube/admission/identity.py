"""ServiceAccount and Priority: who a pod is and how much it counts.

After plugin/pkg/admission/serviceaccount and plugin/pkg/admission/priority. Both run before a generated name
is known, so a refusal names the generateName.
"""

from collections.abc import Iterable

from aiops_lab.kube.admission.review import Review
from aiops_lab.kube.wire import Obj, name_of


def settle_account(review: Review, account: Obj | None) -> None:
    """Refuse a pod whose ServiceAccount does not exist; hand on its pull secrets. Raises ApiError 403."""
    spec = review.obj["spec"]
    name = spec.get("serviceAccountName") or "default"
    if account is None:
        why = f'error looking up service account {review.namespace}/{name}: serviceaccount "{name}" not found'
        raise review.refuse(why, unnamed=True)
    if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [{"name": each["name"]} for each in account["imagePullSecrets"]]


def settle_priority(review: Review, classes: Iterable[Obj]) -> None:
    """Turn a new pod's priorityClassName into its priority. Raises ApiError 403."""
    spec, known = review.obj["spec"], {name_of(each): each for each in classes}
    wanted = spec.get("priorityClassName") or _default_class(known)
    if not wanted:
        return
    found = known.get(wanted)
    if found is None:
        raise review.refuse(f"no PriorityClass with name {wanted} was found", unnamed=True)
    spec["priorityClassName"], spec["priority"] = wanted, int(found.get("value") or 0)
    spec["preemptionPolicy"] = found.get("preemptionPolicy") or "PreemptLowerPriority"


def check_class(review: Review, classes: Iterable[Obj]) -> None:
    """Only one PriorityClass is the default. Raises ApiError 403."""
    if not review.obj.get("globalDefault"):
        return
    held = _default_class({name_of(each): each for each in classes})
    if held and held != name_of(review.obj):
        raise review.refuse(f"PriorityClass {held} is already marked as default. Only one default can exist")


def _default_class(known: dict[str, Obj]) -> str:
    defaults = [each for each in known.values() if each.get("globalDefault")]
    return name_of(min(defaults, key=lambda each: int(each.get("value") or 0))) if defaults else ""
