"""One control of the safety page and what takes it away; `threat_controls` and `fault_controls` list them."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Edit:
    """A text that occurs exactly once in a file of the repository, and what stands there instead."""

    file: str  # relative to the repository
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The file with the edit made; ValueError where the old text does not occur exactly once."""
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.file}: the text occurs {text.count(self.old)} times, not once: {self.old!r}"
            )
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A control taken away.

    `id`: T1 to T16 or R1 to R23. `control`: one sentence, what the product does because of this text.
    `tests`: node ids (`tests/x/test_y.py::test_z`, with `[case]` where one case is meant). Each must pass on
    the product as it is, and fail by an assertion (or a refusal that does not come) without the control.
    `also`: further edits, where the control stands in more than one place.
    """

    id: str
    control: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    also: tuple[Edit, ...] = ()

    def named(self, word: str) -> bool:
        """Whether a person means it: by its id, or by words of its control."""
        return word == self.id or (len(word) > 3 and word in self.control)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All texts that change."""
        return (Edit(self.file, self.old, self.new), *self.also)
