"""ResourceQuota: refuses what would exceed a quota and charges what does not.

After k8s.io/apiserver/pkg/admission/plugin/resourcequota (controller.go, CheckRequest). Like the real plugin
it judges by `status.hard` and `status.used`, which a controller keeps: a quota whose status nobody wrote
yet refuses nothing.
"""

from collections.abc import Callable

from aiops_lab.kube.admission.amounts import NOTHING, Amount, added, amounts
from aiops_lab.kube.admission.review import Review
from aiops_lab.kube.admission.usage import Usage, concerns, in_scope, unset, usage_of
from aiops_lab.kube.wire import Obj, clone, dig, name_of

Charge = Callable[[Obj], None]


def check_quotas(review: Review, quotas: tuple[Obj, ...], charge: Charge) -> None:
    """Refuse with 403, or hand the quotas with their new usage to `charge`. Raises ApiError 403."""
    if not _judged(review):
        return
    asked = usage_of(review.resource, review.obj)
    charged = [_charged(review, each, asked) for each in quotas]
    if not review.dry_run:
        for quota in charged:
            if quota is not None:
                charge(quota)


def _judged(review: Review) -> bool:
    if review.subresource or review.operation == "DELETE":
        return False
    return review.operation == "CREATE" or review.resource.storage in {"Service.", "PersistentVolumeClaim."}


def _charged(review: Review, quota: Obj, asked: Usage) -> Obj | None:
    """The quota with what this write adds; None where it does not concern it. Raises ApiError 403."""
    hard = amounts(dig(quota, "status", "hard", default={}))
    names = sorted(name for name in hard if concerns(review.resource, name))
    if not names or not in_scope(quota, review.resource, review.obj):
        return None
    used = amounts(dig(quota, "status", "used", default={}))
    _require_said(review, quota, names)
    if any(name not in used for name in names):
        raise review.refuse(f"status unknown for quota: {name_of(quota)}, resources: {','.join(names)}")
    before = usage_of(review.resource, review.old) if review.old is not None else {}
    more = {name: asked[name] - before.get(name, NOTHING) for name in names if name in asked}
    more = {name: each for name, each in more.items() if each.value}
    after = added(used, more)
    over = sorted(name for name in more if after[name].value > hard[name].value)
    if over:
        said = [_listed({name: held[name] for name in over}) for held in (more, used, hard)]
        raise review.refuse(
            f"exceeded quota: {name_of(quota)}, requested: {said[0]}, used: {said[1]}, limited: {said[2]}"
        )
    return _with_usage(quota, after) if more else None


def _require_said(review: Review, quota: Obj, names: list[str]) -> None:
    if review.resource.storage == "Pod." and (missing := unset(review.obj, names)):
        raise review.refuse(f"failed quota: {name_of(quota)}: must specify {missing}")


def _listed(held: dict[str, Amount]) -> str:
    return ",".join(f"{name}={held[name]}" for name in sorted(held))


def _with_usage(quota: Obj, used: Usage) -> Obj:
    fresh: Obj = clone(quota)
    fresh["status"]["used"] = {name: str(each) for name, each in used.items()}
    return fresh
