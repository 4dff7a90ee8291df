"""EventBridge's patterns as far as rules of this repository use them, to match them without AWS.

After the EventBridge user guide, "Comparison operators for use in event patterns". Anything else in a pattern
is an error, so that a rule cannot pass because this does not know it.
"""

from typing import Any


def matches(pattern: dict[str, Any], event: Any) -> bool:
    """Whether an event has every field of the pattern with one of its values."""
    if not isinstance(event, dict):
        return False
    return all(_field(wanted, event.get(key), key in event) for key, wanted in pattern.items())


def _field(wanted: Any, value: Any, there: bool) -> bool:
    if isinstance(wanted, dict):
        return matches(wanted, value)
    if not isinstance(wanted, list) or not wanted:
        raise ValueError(f"a pattern's leaf is a list of values: {wanted!r}")
    return any(_one(each, value, there) for each in wanted)


def _one(wanted: Any, value: Any, there: bool) -> bool:
    if not isinstance(wanted, dict):
        return there and value == wanted
    ((operator, operand),) = wanted.items()
    if operator == "exists":
        return there is operand
    if operator in {"prefix", "suffix"}:
        test = str.startswith if operator == "prefix" else str.endswith
        return isinstance(value, str) and test(value, operand)
    if operator == "numeric":
        sign, bound = operand
        return isinstance(value, int | float) and {">=": value >= bound, "<": value < bound}[sign]
    if operator == "anything-but":
        return there and value not in operand
    raise ValueError(f"operator {operator!r}")
