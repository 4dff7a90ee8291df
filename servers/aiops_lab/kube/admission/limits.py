"""LimitRange: defaults for containers that say nothing, refusals for those beyond the bounds.

After plugin/pkg/admission/limitranger/admission.go.
"""

from collections.abc import Callable, Iterator

from aiops_lab.kube.admission.amounts import Amount, amount, amounts, of_pod
from aiops_lab.kube.admission.review import Review
from aiops_lab.kube.wire import Obj, dig

_NOTE = "kubernetes.io/limit-ranger"
_Sides = tuple[dict[str, Amount], dict[str, Amount]]  # requests, limits


def apply_defaults(review: Review, ranges: tuple[Obj, ...]) -> None:
    """Fill requests and limits of a new pod in place, and note it as the real plugin does."""
    if not review.creates_pod:
        return
    for each in ranges:
        _fill(review.obj, each)


def _fill(pod: Obj, limit_range: Obj) -> None:
    wanted = _defaults(limit_range)
    said = [
        words
        for part, word in (("containers", "container"), ("initContainers", "init container"))
        for container in pod["spec"].get(part) or []
        for words in _merge(container, wanted, word)
    ]
    if said:
        notes = pod["metadata"].setdefault("annotations", {})
        notes[_NOTE] = f"LimitRanger plugin set: {'; '.join(said)}"


def _defaults(limit_range: Obj) -> dict[str, Obj]:
    found: dict[str, Obj] = {"requests": {}, "limits": {}}
    for limit in dig(limit_range, "spec", "limits", default=[]) or []:
        if limit.get("type") == "Container":
            found["requests"] |= limit.get("defaultRequest") or {}
            found["limits"] |= limit.get("default") or {}
    return found


def _merge(container: Obj, wanted: dict[str, Obj], word: str) -> Iterator[str]:
    resources = container.setdefault("resources", {})
    for part, singular in (("requests", "request"), ("limits", "limit")):
        held = resources.get(part) or {}
        missing = {name: value for name, value in wanted[part].items() if name not in held}
        if missing:
            resources[part] = {**held, **missing}
            yield f"{', '.join(sorted(missing))} {singular} for {word} {container['name']}"


def check_bounds(review: Review, ranges: tuple[Obj, ...]) -> None:
    """Refuse a pod or claim outside min, max or ratio. Raises ApiError 403."""
    if review.subresource or review.operation == "DELETE":
        return
    problems = _PROBLEMS.get(review.resource.storage)
    if problems is None or (problems is _pod_problems and review.operation != "CREATE"):
        return
    for each in ranges:
        found = list(dict.fromkeys(problems(review.obj, each)))
        if found:
            raise review.refuse(found[0] if len(found) == 1 else f"[{', '.join(found)}]")


def _claim_problems(claim: Obj, limit_range: Obj) -> Iterator[str]:
    asked = amounts(dig(claim, "spec", "resources", "requests", default={}))
    for limit in dig(limit_range, "spec", "limits", default=[]) or []:
        if limit.get("type") != "PersistentVolumeClaim":
            continue
        for name in sorted(limit.get("min") or {}):
            yield from _too_little("PersistentVolumeClaim", name, limit["min"][name], (asked, {}))
        for name in sorted(limit.get("max") or {}):
            yield from _too_much_asked(name, limit["max"][name], asked)


def _pod_problems(pod: Obj, limit_range: Obj) -> Iterator[str]:
    spec = pod["spec"]
    each = [
        (
            amounts(dig(one, "resources", "requests", default={})),
            amounts(dig(one, "resources", "limits", default={})),
        )
        for one in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    ]
    whole = [(of_pod(spec, "requests"), of_pod(spec, "limits"))]
    for limit in dig(limit_range, "spec", "limits", default=[]) or []:
        kind = str(limit.get("type"))
        for sides in {"Container": each, "Pod": whole}.get(kind, []):
            yield from _problems(kind, limit, sides)


def _problems(kind: str, limit: Obj, sides: _Sides) -> Iterator[str]:
    for name in sorted(limit.get("min") or {}):
        yield from _too_little(kind, name, limit["min"][name], sides)
    for name in sorted(limit.get("max") or {}):
        yield from _too_much(kind, name, limit["max"][name], sides)
    for name in sorted(limit.get("maxLimitRequestRatio") or {}):
        yield from _too_far_apart(kind, name, limit["maxLimitRequestRatio"][name], sides)


def _too_little(kind: str, name: str, bound: object, sides: _Sides) -> Iterator[str]:
    least, (asked, limits) = amount(bound), sides
    head = f"minimum {name} usage per {kind} is {least}"
    if name not in asked:
        yield f"{head}.  No request is specified"
    elif asked[name].value < least.value:
        yield f"{head}, but request is {asked[name]}"
    elif name in limits and limits[name].value < least.value:
        yield f"{head}, but limit is {limits[name]}"


def _too_much_asked(name: str, bound: object, asked: dict[str, Amount]) -> Iterator[str]:
    most = amount(bound)
    head = f"maximum {name} usage per PersistentVolumeClaim is {most}"
    if name not in asked:
        yield f"{head}.  No request is specified"
    elif asked[name].value > most.value:
        yield f"{head}, but request is {asked[name]}"


def _too_much(kind: str, name: str, bound: object, sides: _Sides) -> Iterator[str]:
    most, (asked, limits) = amount(bound), sides
    head = f"maximum {name} usage per {kind} is {most}"
    if name not in limits:
        yield f"{head}.  No limit is specified"
    elif limits[name].value > most.value:
        yield f"{head}, but limit is {limits[name]}"
    elif name in asked and asked[name].value > most.value:
        yield f"{head}, but request is {asked[name]}"


def _too_far_apart(kind: str, name: str, bound: object, sides: _Sides) -> Iterator[str]:
    most, (asked, limits) = amount(bound), sides
    head = f"{name} max limit to request ratio per {kind} is {most}"
    if name not in asked or not asked[name].value:
        yield f"{head}, but no request is specified or request is 0"
    elif name not in limits or not limits[name].value:
        yield f"{head}, but no limit is specified or limit is 0"
    elif (ratio := limits[name].value / asked[name].value) > most.value:
        yield f"{head}, but provided ratio is {float(ratio):f}"


_PROBLEMS: dict[str, Callable[[Obj, Obj], Iterator[str]]] = {
    "Pod.": _pod_problems,
    "PersistentVolumeClaim.": _claim_problems,
}
