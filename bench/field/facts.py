"""Facts that the lab's world holds, and whether they stand in an answer: judged by code, for all alike.

An answer is matched generously: every pattern may stand anywhere in it, raw JSON and YAML are unfolded, and
an amount counts in any unit. `<name>` stands for a place of the world (`placing.py`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PLACE = re.compile(r"<([a-z_]+(?::[a-z0-9-]+)?)>")
_UNIT = r"(?:\s?(Ki|Mi|Gi|[KMG]B)B?)?(?![\w%])"
# Thousands may be set apart by commas, and so may be the members of a JSON list: both readings count.
_PLAIN = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)" + _UNIT)
_GROUPED = re.compile(r"(?<![\w.])(\d{1,3}(?:,\d{3})+(?:\.\d+)?)" + _UNIT)
_UNITS = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "KB": 1e3, "MB": 1e6, "GB": 1e9}
Places = Mapping[str, str]


@dataclass(frozen=True)
class Fact:
    """One thing that an answer must say: every pattern (case ignored), and near enough the amount."""

    title: str
    patterns: tuple[str, ...] = ()
    amount: str = ""
    within: float = 0.005  # of the amount

    def stands_in(self, text: str, places: Places) -> bool:
        """Whether a text (already unfolded) says it."""
        wanted = (filled(pattern, places, escape=True) for pattern in self.patterns)
        if not all(re.search(pattern, text, re.IGNORECASE) for pattern in wanted):
            return False
        return not self.amount or _holds(text, float(filled(self.amount, places)), self.within)


def filled(text: str, places: Places, *, escape: bool = False) -> str:
    """With the places put in. Raises KeyError for one that this world does not have."""
    return _PLACE.sub(lambda found: re.escape(places[found[1]]) if escape else places[found[1]], text)


def filled_all(value: Any, places: Places) -> Any:
    """Arguments of a call with the places put in, at any depth."""
    if isinstance(value, str):
        return filled(value, places)
    if isinstance(value, Mapping):
        return {key: filled_all(one, places) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [filled_all(one, places) for one in value]
    return value


def unfolded(texts: Iterable[str]) -> str:
    """Answers as one line: YAML folds lines, JSON escapes quotes."""
    return " ".join("\n".join(texts).replace("\\n", " ").replace("\\", "").split())


def _holds(text: str, wanted: float, within: float) -> bool:
    for digits, unit in (*_PLAIN.findall(text), *_GROUPED.findall(text)):
        value = float(digits.replace(",", "")) * _UNITS.get(unit, 1.0)
        if abs(value - wanted) <= within * wanted:
            return True
    return False
