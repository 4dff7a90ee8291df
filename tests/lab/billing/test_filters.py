"""Any nesting of a filter keeps the lines that the same words in Python keep."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import numpy as np
import pytest

from aiops_lab.aws.cost_explorer_asking import DIMENSIONS, Asker
from aiops_lab.billing.drawn import drawn
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import Line

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
KEYS = (
    "SERVICE",
    "REGION",
    "LINKED_ACCOUNT",
    "RECORD_TYPE",
    "INSTANCE_TYPE",
    "USAGE_TYPE",
    "PURCHASE_TYPE",
    "AZ",
)
TAGS = ("team", "eks:cluster-name", "never-activated")


def expression(rng: Random, lines: tuple[Line, ...], depth: int) -> dict[str, Any]:
    """A random filter whose values are on some lines."""
    kind = rng.choice(("And", "Or", "Not", "leaf")) if depth else "leaf"
    if kind == "Not":
        return {"Not": expression(rng, lines, depth - 1)}
    if kind != "leaf":
        return {kind: [expression(rng, lines, depth - 1) for _ in range(rng.randint(2, 3))]}
    some = rng.sample(lines, min(3, len(lines)))
    if rng.random() < 0.3:
        key = rng.choice(TAGS)
        absent = rng.random() < 0.3
        values = [line.tags.get(key, "none") for line in some]
        return {
            "Tags": {"Key": key, "MatchOptions": ["ABSENT"]} if absent else {"Key": key, "Values": values}
        }
    key = rng.choice(KEYS)
    return {"Dimensions": {"Key": key, "Values": [DIMENSIONS[key](line) for line in some]}}


def keeps(one: Mapping[str, Any], line: Line, active: frozenset[str]) -> bool:
    """The same, line by line."""
    if "And" in one:
        return all(keeps(inner, line, active) for inner in one["And"])
    if "Or" in one:
        return any(keeps(inner, line, active) for inner in one["Or"])
    if "Not" in one:
        return not keeps(one["Not"], line, active)
    if "Tags" in one:
        key = one["Tags"]["Key"]
        value = line.tags.get(key, "") if key in active else ""
        return not value if "MatchOptions" in one["Tags"] else value in one["Tags"]["Values"]
    return DIMENSIONS[one["Dimensions"]["Key"]](line) in one["Dimensions"]["Values"]


@pytest.mark.parametrize("seed", range(20))
def test_a_nested_filter_keeps_what_its_words_say(seed: int) -> None:
    rng = Random(seed)
    ledger = Ledger(lines=drawn(seed))
    asker = Asker(ledger, NOW)
    for _ in range(10):
        asked = expression(rng, ledger.lines, depth=3)
        wanted = [keeps(asked, line, ledger.tags_active) for line in ledger.lines]
        assert np.array_equal(asker.mask(asked), np.array(wanted)), asked
