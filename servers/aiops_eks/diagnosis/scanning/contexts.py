"""Reads and writes securityContexts, for the checks of the standards and of good practice."""

from typing import Any

from aiops_eks.diagnosis.scanning.subjects import Obj, Spot, ensured, mapping, texts

USER = 1000
# The order in which a hardened container's securityContext is written.
ORDER = (
    "runAsNonRoot",
    "runAsUser",
    "runAsGroup",
    "readOnlyRootFilesystem",
    "allowPrivilegeEscalation",
    "capabilities",
)


def context_of(spot: Spot) -> Obj:
    """The securityContext to write to."""
    return ensured(spot.container if spot.container is not None else spot.pod or {}, "securityContext")


def ordered(spot: Spot) -> None:
    """Put a container's settings in their usual order."""
    context = context_of(spot)
    known = {key: context[key] for key in ORDER if key in context}
    rest = {key: value for key, value in context.items() if key not in known}
    context.clear()
    context.update(known | rest)


def is_zero(value: Any) -> bool:
    """The number 0, which `false` is not."""
    return isinstance(value, int) and not isinstance(value, bool) and value == 0


def added_capabilities(spot: Spot) -> list[str]:
    """Names under capabilities.add, as written: admission compares them so."""
    return texts(mapping(spot.context, "capabilities"), "add")


def keep_capabilities(spot: Spot, allowed: frozenset[str]) -> None:
    """Take away what is added beyond `allowed`."""
    capabilities = mapping(context_of(spot), "capabilities")
    kept = [one for one in added_capabilities(spot) if one in allowed]
    capabilities.pop("add", None)
    if kept:
        capabilities["add"] = kept
