"""How a further kind comes into the facts: where it is listed, when it is worth a request, how it is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.models.fields import Obj


def always(facts: Facts) -> bool:
    """Worth a request in every diagnosis."""
    del facts
    return True


@dataclass(frozen=True, slots=True)
class FurtherKind:
    """One kind beside those that every diagnosis reads.

    Asked twice: beside the first lists, and again with what these, the logs and the other kinds brought.
    `type` is a frozen dataclass with a property or field `ref: Ref`; rules ask `facts.all(type)`. Its status
    texts come redacted. `when` looks at what the first lists brought: a kind that only explains something is
    listed only when there is something to explain. `optional`: a cluster that does not serve the kind has
    none of it, which is no gap.
    """

    kind: str  # as a person would name it: "Ingress", or "NodePool.karpenter.sh"
    type: type[Any]
    read: Callable[[Obj], Any]
    cluster_wide: bool = False
    optional: bool = False
    when: Callable[[Facts], bool] = always
    by_table: bool = False  # `read` gets {metadata, row: cells by column}: no Secret's value comes over
    only: Ref | None = None  # this one object instead of a list


def has_event(*reasons: str) -> Callable[[Facts], bool]:
    """Worth a request when an event of one of these reasons was seen."""

    def when(facts: Facts) -> bool:
        return any(event.reason in reasons for event in facts.events)

    return when


__all__ = ["FurtherKind", "Ref", "always", "has_event"]
