"""What `recommend_savings` is asked and answers. Money inside is billionths (`models.money`)."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Table

Scope = Literal[
    "all",
    "compute",
    "spot",
    "graviton",
    "commitments",
    "requests",
    "hpa",
    "storage",
    "network",
    "observability",
]
Level = Literal["low", "medium", "high"]


class SavingsAsk(Frozen):
    """One question about what could be saved. `namespace` narrows what is said about workloads."""

    scope: Scope
    cluster: str | None
    namespace: str = ""
    full: bool = False


class Risk(Frozen):
    """How much can go wrong, and what."""

    level: Level
    why: str


class Recommendation(Frozen):
    """One change and what it saves a month of 730 hours, with the arithmetic line by line.

    `key` names it within one answer. `excludes` are keys whose saving is the same money: only one of them
    counts in a total. `after` are keys that it stands on: its amount is what it saves on top of them.
    """

    key: str
    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", description="Listed in docs/savings.md")]
    scope: Scope
    target: Annotated[str, Field(description="What is changed: NodePool default, Deployment shop/web")]
    current: str
    proposed: str
    nano_usd: Annotated[int, Field(description="saved a month, billionths", exclude=True)] = 0
    monthly_usd: Annotated[float | None, Field(description="saved; absent: not known")] = None
    percent: Annotated[float | None, Field(description="of what the target costs now")] = None
    arithmetic: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    risk: Risk
    patch: Annotated[str, Field(description="YAML")] = ""
    validated: Annotated[str, Field(description="How the patch was checked, and how to plan it")] = ""
    excludes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    alternatives: Table | None = None
    sources: tuple[str, ...] = ()


class Advice(Frozen):
    """What one adviser brings. `says`: what was looked at and found good, where nothing is to be saved."""

    recommendations: tuple[Recommendation, ...] = ()
    says: str = ""
    warnings: tuple[str, ...] = ()
    voices: Annotated[tuple[tuple[str, str, str], ...], Field(description="who, what it says, agrees")] = ()


class SavingsReport(Answer):
    """What to change, dearest first. Totals count no money twice."""

    scope: str
    monthly_usd: Annotated[float, Field(description="saved when all that fit together are done")] = 0.0
    percent: Annotated[float | None, Field(description="of what the nodes cost now")] = None
    recommendations: tuple[Recommendation, ...] = ()
    more: Annotated[Table | None, Field(description="the rest; detail=full: whole")] = None
    voices: Annotated[Table | None, Field(description="AWS's own advisers; in no total")] = None
    not_counted: Annotated[tuple[str, ...], Field(description="keys whose money another one saves")] = ()
    good: Annotated[tuple[str, ...], Field(description="looked at, nothing to save")] = ()
    billed_requests: int = 0


def together(found: Sequence[Recommendation]) -> tuple[tuple[str, ...], int]:
    """The keys that count in a total, and their sum in billionths: dearest first, never two that exclude
    each other, and nothing that stands on what does not count.
    """
    taken: dict[str, Recommendation] = {}
    rivals: dict[str, set[str]] = {one.key: set(one.excludes) for one in found}
    for one in found:
        for other in one.excludes:
            rivals.setdefault(other, set()).add(one.key)
    waiting = sorted(found, key=lambda one: (-worth(one, found), one.key))
    while True:
        ready = [
            one
            for one in waiting
            if one.key not in taken and set(one.after) <= set(taken) and not rivals[one.key] & set(taken)
        ]
        if not ready:
            return tuple(taken), sum(one.nano_usd for one in taken.values())
        taken[ready[0].key] = ready[0]


def worth(one: Recommendation, found: Sequence[Recommendation]) -> int:
    """Its saving and that of what stands on it: a base is chosen for what it makes possible too."""
    return one.nano_usd + sum(other.nano_usd for other in found if one.key in other.after)
