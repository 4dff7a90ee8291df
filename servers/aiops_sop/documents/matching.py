"""Which SOPs answer a cause, an event or some words, and how well. Pure.

Called by `find_sops`. A SOP that names the cause comes before one whose trigger holds, that before one that
only sounds like it; within a tier what helped before comes first.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiops_shared.errors import InvalidInputError
from aiops_sop.documents.expressions import holds
from aiops_sop.models.documents import Sop
from aiops_sop.models.events import Event
from aiops_sop.models.incidents import Statistic

CAUSE, TRIGGER, NAME = 1.0, 0.9, 0.95
LEAST: Final = 0.4  # of words that only sound alike
_WORDS_WEIGH: Final = 0.85
_BODY: Final = 0.85
_ALIKE: Final = 75.0
_MOST_TOKENS: Final = 400
_COMMON_WORDS: Final = """
    an and are as at be by do does for from has have how in into is it my no not of on or our that the this to
    was what when which who why will with up went down event kind reason params left gets too
"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True)
class Match:
    """A SOP and why it is here."""

    sop: Sop
    score: float
    why: str


@dataclass(frozen=True)
class Wanted:
    """What is looked for; nothing: all of them."""

    query: str = ""
    event: Event | None = None
    cause: str = ""

    @property
    def anything(self) -> bool:
        """Whether nothing is looked for in particular."""
        return not (self.query or self.cause or self.event)


def is_triggered(sop: Sop, event: Event) -> bool:
    """Any trigger that holds; one that fails on this event says no."""
    return any(_holds(text, event) for text in sop.triggers)


def matches(sops: Sequence[Sop], wanted: Wanted, tried: Mapping[str, Statistic]) -> tuple[Match, ...]:
    """The fitting ones, best first; all by id when nothing is wanted."""
    sounds = _sounds(sops, wanted.query) if wanted.query else {}
    found = [_match(sop, wanted, sounds.get(sop.id, (0.0, ""))) for sop in sops]
    fitting = [one for one in found if wanted.anything or one.score >= LEAST]
    weighed = [Match(one.sop, one.score * _weight(tried.get(one.sop.id)), one.why) for one in fitting]
    return tuple(sorted(weighed, key=lambda one: (-one.score, one.sop.id)))


def _weight(tried: Statistic | None) -> float:
    """1 for one that was never tried; what helped weighs more, what did not less."""
    return 0.5 + tried.score if tried else 1.0


def _match(sop: Sop, wanted: Wanted, sounds: tuple[float, str]) -> Match:
    reasons = [(0.0, ""), sounds]
    cause = wanted.cause or (wanted.event.cause if wanted.event else "")
    if cause and cause.upper() in sop.causes:
        reasons.append((CAUSE, f"answers {cause.upper()}"))
    if wanted.event and is_triggered(sop, wanted.event):
        reasons.append((TRIGGER, "its trigger holds"))
    score, why = max(reasons)
    return Match(sop, score, why)


def _sounds(sops: Sequence[Sop], query: str) -> dict[str, tuple[float, str]]:
    """How much of a question each SOP has the words of; a word that few SOPs have weighs more."""
    flat = query.strip()
    words = _tokens(query)
    near = {sop.id: {word: _said(sop, word) for word in words} for sop in sops}
    common = {word: sum(1 for found in near.values() if found[word]) for word in words}
    weights = {word: 1 / math.sqrt(count) for word, count in common.items() if count}
    total = sum(weights.values())
    scores: dict[str, tuple[float, str]] = {}
    for sop in sops:
        if flat.lower() == sop.id:
            scores[sop.id] = NAME, "its name"
        elif flat.upper() in sop.causes:
            scores[sop.id] = CAUSE, f"answers {flat.upper()}"
        elif total:
            part = sum(weight * near[sop.id][word] for word, weight in weights.items()) / total
            scores[sop.id] = _WORDS_WEIGH * part, "words"
    return scores


def _said(sop: Sop, word: str) -> float:
    head = _tokens(f"{sop.id} {sop.title}")
    body = _tokens(" ".join([sop.overview, *sop.causes, *sop.triggers]))
    return max(_near(word, head), _BODY * _near(word, body))


def _tokens(text: str) -> tuple[str, ...]:
    words = re.findall(r"[a-z0-9]{2,}", text.replace("_", " ").lower())
    return tuple(dict.fromkeys(word for word in words if word not in _COMMON))[:_MOST_TOKENS]


def _near(word: str, among: tuple[str, ...]) -> float:
    """1 for the word itself, less for one that is spelt nearly so, 0 for others."""
    from rapidfuzz import fuzz, process

    found = process.extractOne(word, among, scorer=fuzz.ratio, score_cutoff=_ALIKE)
    return found[1] / 100 if found else 0.0


def _holds(text: str, event: Event) -> bool:
    try:
        return holds(text, {"event": event.seen()})
    except InvalidInputError:
        return False
