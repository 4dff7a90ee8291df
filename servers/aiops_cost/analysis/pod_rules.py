"""What binds a pod to some nodes and keeps it from others, beyond its requests. Plain facts.

Read by `clients/fleet_rules.py`, judged by `packing.py`: a fleet is proposed only where these hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Expression = tuple[str, str, tuple[str, ...]]  # key, operator, values


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector. Empty: every pod."""

    labels: tuple[tuple[str, str], ...] = ()
    expressions: tuple[Expression, ...] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are selected."""
        return all(labels.get(key) == value for key, value in self.labels) and all(
            holds(labels, one) for one in self.expressions
        )


@dataclass(frozen=True, slots=True)
class Apart:
    """A required anti-affinity: no pod of the selector on the same host, or in the same zone."""

    selector: Selector
    by_zone: bool


@dataclass(frozen=True, slots=True)
class Even:
    """A topology spread constraint with DoNotSchedule."""

    selector: Selector
    by_zone: bool
    max_skew: int


@dataclass(frozen=True, slots=True)
class PodRules:
    """`terms`: required node affinity, alternatives of expressions that must all hold (zones too).

    `unread`: rules that packing cannot judge (pod affinity, other topologies): nobody moves such a pod.
    """

    terms: tuple[tuple[Expression, ...], ...] = ()
    apart: tuple[Apart, ...] = ()
    even: tuple[Even, ...] = ()
    ports: tuple[int, ...] = ()
    local_storage: bool = False  # an emptyDir on disk, or a path of the host
    unread: tuple[str, ...] = ()


NO_RULES = PodRules()


def holds(labels: Mapping[str, str], expression: Expression) -> bool:
    """One expression of a selector (apimachinery, labels.Requirement.Matches; Gt and Lt as of nodes)."""
    key, operator, values = expression
    found = labels.get(key)
    match operator:
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return _compared(found, operator, values)


def _compared(found: str | None, operator: str, values: tuple[str, ...]) -> bool:
    try:
        left, right = int(found or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if operator == "Gt" else left < right if operator == "Lt" else False
