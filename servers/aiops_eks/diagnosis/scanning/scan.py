"""Runs the checks over objects, and repairs what can be repaired without guessing.

Called by `reporting.py`. A repair is followed by another scan, at most three times (S36); what is then left
needs a person: a version, a size, a probe, another volume.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiops_eks.diagnosis.scanning import (
    access,
    baseline,
    confidential,
    containers,
    exposure,
    reliability,
    restricted,
    shape,
    versions,
)
from aiops_eks.diagnosis.scanning.checking import SERIOUS, Check, Hit, Policy
from aiops_eks.diagnosis.scanning.organisation import NO_RULES, RuleBook
from aiops_eks.diagnosis.scanning.subjects import Obj, Spot, Together, container_spots, pod_spot
from aiops_shared.results import SEVERITIES

ROUNDS = 3
CHECKS: tuple[Check, ...] = (
    *baseline.CHECKS,
    *restricted.CHECKS,
    *shape.CHECKS,
    *versions.CHECKS,
    *confidential.CHECKS,
    *containers.CHECKS,
    *exposure.CHECKS,
    *access.CHECKS,
    *reliability.CHECKS,
)
_LEVELS: dict[Policy, frozenset[str]] = {
    "baseline": frozenset({"practice", "baseline"}),
    "restricted": frozenset({"practice", "baseline", "restricted"}),
    "custom": frozenset({"practice"}),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A hit with its check and place."""

    check: Check
    spot: Spot
    hit: Hit
    number: int  # of the object among those that were scanned

    @property
    def fixable(self) -> bool:
        """Whether the repair needs nobody's knowledge."""
        return self.hit.fixable and self.check.repair is not None

    @property
    def fails(self) -> bool:
        """Whether it alone fails the policy."""
        if self.check.severity in SERIOUS:
            return True
        return self.check.level != "practice" and self.check.severity != "info"


def checks_of(policy: Policy, rules: RuleBook = NO_RULES) -> tuple[Check, ...]:
    """The checks of a policy; the organisation's rules belong to each."""
    return (*(check for check in CHECKS if check.level in _LEVELS[policy]), *rules.checks())


def scan(
    objects: list[Obj], policy: Policy, rules: RuleBook = NO_RULES, *, may_hide: bool = True
) -> list[Found]:
    """Everything that is not as it should be, worst first."""
    checks, file = checks_of(policy, rules), Together(tuple(objects), may_hide)
    found = [one for number, obj in enumerate(objects) for one in _of_object(number, obj, file, checks)]
    return sorted(found, key=lambda one: SEVERITIES.index(one.check.severity))


def _of_object(number: int, obj: Obj, file: Together, checks: tuple[Check, ...]) -> Iterator[Found]:
    pod = pod_spot(obj, file)
    spots = {
        "object": [Spot(obj, file=file)],
        "pod": [pod] if pod else [],
        "container": list(container_spots(pod)) if pod else [],
    }
    for check in checks:
        for spot in spots[check.scope]:
            yield from (Found(check, spot, hit, number) for hit in check.look(spot))


@dataclass(frozen=True, slots=True)
class Repaired:
    """The objects without what could be repaired."""

    objects: list[Obj]
    left: list[Found]
    notes: tuple[str, ...]
    rounds: int


def repair(
    objects: list[Obj],
    found: list[Found],
    policy: Policy,
    rules: RuleBook = NO_RULES,
    *,
    may_hide: bool = True,
) -> Repaired:
    """Repair what `found` says of these very objects, and scan again after each round: they are changed."""
    notes, left, rounds = dict[str, None](), found, 0
    while rounds < ROUNDS and any(one.fixable for one in left):
        for one in left:
            if one.fixable and one.check.repair is not None and (note := one.check.repair(one.spot)):
                notes[note] = None
        left, rounds = scan(objects, policy, rules, may_hide=may_hide), rounds + 1
    return Repaired(objects, left, tuple(notes), rounds)


def copied(value: Any) -> Any:
    """A copy of plain data; several times faster than `deepcopy`."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value
