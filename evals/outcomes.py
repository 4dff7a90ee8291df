"""What one played trial gave, and what all together say. Pure: `playing.py` plays, `page.py` prints."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from aiops_lab.scenarios.trials import Role

Place = tuple[str, str, str, str]  # code, kind, namespace, name
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)  # of confidence
RECALL_TARGET = 0.95
SYMPTOMS = frozenset(
    {"SERVICE_WITHOUT_ENDPOINTS"}
)  # only ever shown under another finding: no trial of its own


@dataclass(frozen=True, slots=True)
class Found:
    """One finding of an answer, and how sure it was."""

    place: Place
    confidence: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario played with one seed. `code` is empty for a control: a world without any trouble."""

    code: str
    role: Role | None
    scenario: str
    seed: int
    expected: tuple[Place, ...]
    found: tuple[Found, ...]
    gaps: tuple[str, ...] = ()

    @property
    def first_is_right(self) -> bool:
        """Whether the first finding is the cause that was played (where one was)."""
        return bool(self.expected) and bool(self.found) and self.found[0].place == self.expected[0]

    @property
    def false_alarms(self) -> tuple[Found, ...]:
        """Findings that nobody played: on a healthy thing, or a second name for one cause."""
        return tuple(each for each in self.found if each.place not in self.expected)

    @property
    def missed(self) -> tuple[Place, ...]:
        """Causes that were played and not found."""
        found = {each.place for each in self.found}
        return tuple(place for place in self.expected if place not in found)

    @property
    def is_right(self) -> bool:
        """Everything that was played, in first place what should be, and nothing else."""
        return not self.false_alarms and not self.missed and (not self.expected or self.first_is_right)


@dataclass(frozen=True, slots=True)
class Score:
    """One cause over all its trials."""

    code: str
    positives: int = 0
    first: int = 0
    look_alikes: int = 0
    recovered: int = 0
    false_alarms: int = 0
    wrong: tuple[str, ...] = ()

    @property
    def recall(self) -> float | None:
        """Share of positives whose first finding is the cause; None where it was never played."""
        return self.first / self.positives if self.positives else None

    @property
    def is_complete(self) -> bool:
        """Whether the cause was tried from all three sides."""
        return bool(self.positives and self.look_alikes and self.recovered)


def scored(code: str, outcomes: Iterable[Outcome]) -> Score:
    """The score of one cause."""
    mine = [one for one in outcomes if one.code == code]
    positives = [one for one in mine if one.role == "positive"]
    return Score(
        code=code,
        positives=len(positives),
        first=sum(one.first_is_right for one in positives),
        look_alikes=sum(one.role == "look_alike" for one in mine),
        recovered=sum(one.role == "recovered" for one in mine),
        false_alarms=sum(len(one.false_alarms) for one in mine),
        wrong=tuple(f"{one.scenario} seed {one.seed}" for one in mine if not one.is_right),
    )


@dataclass(frozen=True, slots=True)
class Bin:
    """Findings of like confidence, and how many of them were right."""

    low: float
    high: float
    count: int
    right: int
    mean: float


def calibration(outcomes: Sequence[Outcome]) -> tuple[Bin, ...]:
    """All findings by confidence: a bin is calibrated when its share of right ones is near its mean."""
    pairs = [(f.confidence, f.place in one.expected) for one in outcomes for f in one.found]
    bins = []
    for low, high in pairwise(BINS):
        mine = [(sure, right) for sure, right in pairs if low <= sure < high]
        if mine:
            mean = sum(sure for sure, _ in mine) / len(mine)
            bins.append(Bin(low, high, len(mine), sum(right for _, right in mine), mean))
    return tuple(bins)


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """The mean gap between confidence and truth, weighted by count (Naeini et al., AAAI 2015)."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.right / one.count - one.mean) for one in bins) / total if total else 0.0
