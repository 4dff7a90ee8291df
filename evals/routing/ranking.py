"""BM25 over what every client shows its model of a tool: name and description, and nothing else.

Words are lower-case runs of letters and digits, stop words apart, plurals undone by the three rules of
Harman's S-stemmer ("How effective is suffixing?", JASIS 42, 1991). BM25 is bm25s as it comes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import anyio
import bm25s
from bm25s.stopwords import STOPWORDS_EN

from eks_aiops.catalogue import all_tools
from evals.routing.sentences import Sentence

CLAIMS: Final = 2  # so many words of a sentence in one tool, and the tool claims it
_WORD = re.compile(r"[a-z0-9]+")
_STOP = frozenset(STOPWORDS_EN)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One sentence and all tools, best first; of equal scores the tool whose name comes first."""

    sentence: Sentence
    tools: tuple[str, ...]
    claimed: int  # words of the sentence that the best tool has

    @property
    def rank(self) -> int:
        """Where the first right tool stands, from 1; 0 where a tool claims what is nobody's."""
        if not self.sentence.right:
            return 1 if self.claimed < CLAIMS else 0
        return 1 + min(self.tools.index(name) for name in self.sentence.right)


def described() -> dict[str, str]:
    """Every tool of the four servers: its name, and its description."""
    servers = anyio.run(lambda: all_tools(write=True))
    return {tool["name"]: tool["description"] for tools in servers.values() for tool in tools}


def ranked(sentences: Sequence[Sentence], tools: Mapping[str, str]) -> list[Ranked]:
    """Each sentence with the tools in BM25's order."""
    names = sorted(tools)
    known = [words(f"{name} {tools[name]}") for name in names]
    index = bm25s.BM25()
    index.index(known, show_progress=False)
    found = []
    for sentence in sentences:
        asked = list(dict.fromkeys(words(sentence.text)))
        scores = index.get_scores(asked) if asked else [0.0] * len(names)
        order = sorted(range(len(names)), key=lambda at: (-float(scores[at]), at))
        claimed = len(set(asked) & set(known[order[0]]))
        found.append(Ranked(sentence, tuple(names[at] for at in order), claimed))
    return found


def words(text: str) -> list[str]:
    """The words that count, in their order."""
    whole = text.lower().replace("'s", "")
    return [_singular(word) for word in _WORD.findall(whole) if word not in _STOP]


def phrases(text: str) -> set[tuple[str, str]]:
    """Two counting words in a row, within a sentence or a part of one."""
    return {pair for part in re.split(r"[.;:()]", text) for pair in pairwise(words(part))}


def shared(sentence: Sentence, tools: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Phrases that a sentence has in common with a tool's name or description."""
    mine = phrases(sentence.text)
    for name, description in tools.items():
        for phrase in sorted(mine & (phrases(name.replace("_", " ")) | phrases(description))):
            yield name, phrase


def _singular(word: str) -> str:
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")):
        return word[:-1]
    return word
