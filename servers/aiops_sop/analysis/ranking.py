"""How much past outcomes say about a SOP, and so in which order SOPs come.

Pure. The score is the centre of the Wilson interval at 95 %, (helped + z²/2) / (tried + z²): A. Agresti and
B. Coull, "Approximate is better than 'exact' for interval estimation of binomial proportions" (1998). A SOP
that was never tried stands at one half; one success is no proof, and each failure weighs at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiops_sop.models.incidents import Statistic

UNTRIED: Final = 0.5
_Z2: Final = 1.959964**2  # 95 %, two-sided


def score_of(helped: int, tried: int) -> float:
    """What a SOP is ranked by, 0 to 1."""
    return round((helped + _Z2 / 2) / (tried + _Z2), 4)


@dataclass(frozen=True, slots=True)
class Tried:
    """One recorded outcome of a SOP."""

    sop: str
    version: int
    cause: str
    helped: bool


def statistics(outcomes: Iterable[Tried], cause: str = "") -> Mapping[str, Statistic]:
    """By SOP, over all its versions; with `cause` those of that cause alone where there are any."""
    found: dict[str, list[Tried]] = {}
    for one in outcomes:
        found.setdefault(one.sop, []).append(one)
    return {sop: statistic(_of_cause(tried, cause)) for sop, tried in found.items()}


def by_version(outcomes: Iterable[Tried]) -> list[Statistic]:
    """A row for each version of a SOP, newest first."""
    found: dict[tuple[str, int], list[Tried]] = {}
    for one in outcomes:
        found.setdefault((one.sop, one.version), []).append(one)
    return [statistic(found[key]) for key in sorted(found, key=lambda key: (key[0], -key[1]))]


def statistic(tried: Sequence[Tried]) -> Statistic:
    """The figures of outcomes of one SOP; at least one."""
    helped, causes = sum(one.helped for one in tried), {one.cause for one in tried}
    return Statistic(
        sop=tried[0].sop,
        version=max(one.version for one in tried),
        cause=causes.pop() if len(causes) == 1 else "",
        tried=len(tried),
        helped=helped,
        score=score_of(helped, len(tried)),
    )


def _of_cause(tried: list[Tried], cause: str) -> list[Tried]:
    return [one for one in tried if cause and one.cause == cause] or tried
