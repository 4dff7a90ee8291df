"""Log lines sorted into templates while they are read: Drain, with masks for what no template says itself.

He, Zhu, Zheng, Lyu: Drain (ICWS 2017): a tree of fixed depth leads a line to a short list of candidates by
its number of words and its first words; the most similar one takes it, and words that differ become `<*>`.
Values that are known by their form (times, ids, addresses, numbers) are masked before, which the benchmark of
loghub shows to be worth more than any tuning. Pure; called by `clients.log_patterns` and by the evaluation.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

WILD = "<*>"
SIMILARITY = 0.5
DEPTH = 5  # levels of the tree: root, number of words, and three words
MOST_CHILDREN = 100
LONGEST_LINE = 2_000  # characters that are looked at
MOST_WORDS = 200
MOST_TEMPLATES = 5_000
MOST_ALIKE = 60  # candidates of one line: each is compared with
LEAST_SAMPLES = 3  # a value is called shared when so many lines have it
MOST_REMEMBERED = 50_000  # masked lines whose template is known without a search
_UNITS = r"(?:ms|us|µs|ns|sec|min|[smhd]|%|[kKMGT]i?[bB]?|bytes|B)"
_MASKS = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"
    r"|\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
    r"|\b(?:[0-9a-fA-F]{2}:){3,}[0-9a-fA-F]{2}\b"
    r"|/?\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    r"|\b[\w.+-]{1,64}@[\w-]{1,64}\.[\w.]{2,32}\b"
    r"|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b"
    rf"|(?<![A-Za-z0-9_.])[-+]?\d+(?:[.,]\d+)*{_UNITS}?(?![A-Za-z0-9_])"
)
_CODE = re.compile(r"[A-Z]{3,}(?:_[A-Z]+)*|(?:[\w.$]*\.)?[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+")
_SPLIT = re.compile(r"[\s=:,]+")
_KEPT = re.compile(r"([\s=:,]+)")
_DIGIT = re.compile(r"\d")


def masked(text: str) -> str:
    """The line with times, ids, addresses, mails and numbers as `<*>`."""
    return _MASKS.sub(WILD, text[:LONGEST_LINE])


def words(text: str) -> list[str]:
    """The words of a masked line: what stands between blanks, `=`, `:` and `,`."""
    return [word for word in _SPLIT.split(text) if word][:MOST_WORDS]


@dataclass(slots=True)
class Template:
    """One kind of line: its words, how often it was seen, and the first line of it, masked."""

    number: int
    words: list[str]
    first: str
    count: int = 0

    @property
    def text(self) -> str:
        """The template as its lines are written, with their own punctuation."""
        parts = _KEPT.split(self.first)
        at = 0
        for place in range(0, len(parts), 2):
            if not parts[place]:
                continue
            if at < len(self.words):
                parts[place] = self.words[at]
            at += 1
        return "".join(parts).strip()

    def takes(self, line: Sequence[str]) -> None:
        """Words that differ are no part of the template."""
        if self.words != line:
            pairs = zip(self.words, line, strict=True)
            self.words = [mine if mine == other else WILD for mine, other in pairs]


@dataclass(slots=True)
class _Node:
    children: "dict[str, _Node]" = field(default_factory=dict)
    templates: list[Template] = field(default_factory=list)


@dataclass(slots=True)
class Miner:
    """Templates of the lines that were added so far. One for a baseline and a window, so that both agree."""

    similarity: float = SIMILARITY
    depth: int = DEPTH
    templates: list[Template] = field(default_factory=list)
    _roots: dict[int, _Node] = field(default_factory=dict)
    _known: dict[str, Template] = field(default_factory=dict)
    _other: Template | None = None

    def add(self, text: str, count: int = 1) -> Template:
        """The template of a line; a new one where none is similar."""
        line = masked(text)
        found = self._known.get(line)
        if found is None:
            found = self._place(line)
            if len(self._known) < MOST_REMEMBERED:
                self._known[line] = found
        found.count += count
        return found

    def add_all(self, texts: Iterable[str]) -> list[Template]:
        """The template of each line."""
        return [self.add(text) for text in texts]

    def _place(self, line: str) -> Template:
        split = words(line)
        leaf = self._leaf(split)
        best, score = None, -1.0
        for each in leaf.templates:
            alike = _similarity(each.words, split)
            if alike > score:
                best, score = each, alike
        if best is not None and score >= self.similarity:
            best.takes(split)
            return best
        if len(self.templates) >= MOST_TEMPLATES or len(leaf.templates) >= MOST_ALIKE:
            return self._rest()
        made = Template(len(self.templates), split, line)
        self.templates.append(made)
        leaf.templates.append(made)
        return made

    def _rest(self) -> Template:
        """Where everything goes once there are too many templates: that a log has no form is said too."""
        if self._other is None:
            self._other = Template(len(self.templates), [WILD], WILD)
            self.templates.append(self._other)
        return self._other

    def _leaf(self, split: Sequence[str]) -> _Node:
        node = self._roots.setdefault(len(split), _Node())
        for word in split[: self.depth - 2]:
            key = WILD if _DIGIT.search(word) or WILD in word else word
            child = node.children.get(key)
            if child is None:
                if key != WILD and len(node.children) >= MOST_CHILDREN:
                    key = WILD
                child = node.children.setdefault(key, _Node())
            node = child
        return node

    def state(self) -> dict[str, Any]:
        """Everything that was learned, as JSON."""
        rows = [[one.words, one.first, one.count] for one in self.templates]
        return {"similarity": self.similarity, "depth": self.depth, "templates": rows}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> "Miner":
        """A miner that goes on where another stood. Raises KeyError, TypeError, ValueError."""
        miner = cls(float(state["similarity"]), int(state["depth"]))
        for split, first, count in state["templates"]:
            found = Template(len(miner.templates), [str(word) for word in split], str(first), int(count))
            miner.templates.append(found)
            miner._leaf(words(found.first)).templates.append(found)
        return miner


def told(template: Template, samples: Sequence[str]) -> str:
    """The template with the values that all samples share put back: `provider 502` is said, an id is not.

    Samples are its lines as they came. Words are compared place by place, so hostile text costs no more.
    """
    splits = [words(sample[:LONGEST_LINE]) for sample in samples]
    alike = [split for split in splits if len(split) == len(template.words)]
    if len(alike) < min(len(samples), LEAST_SAMPLES) or not alike:
        return template.text
    shared = [
        own if WILD not in own or any(split[at] != alike[0][at] for split in alike) else alike[0][at]
        for at, own in enumerate(template.words)
    ]
    return Template(template.number, shared, template.first).text


def _similarity(template: Sequence[str], line: Sequence[str]) -> float:
    """The share of words that are equal; a wild card is equal to none. −1 where two names of code differ:
    `GET` and `POST`, `NodeHasDiskPressure` and `NodeHasSufficientMemory` are never two values of one thing.
    """
    if not template:
        return 1.0
    same = wild = 0
    for mine, other in zip(template, line, strict=True):
        if mine == WILD:
            wild += 1
        elif mine == other:
            same += 1
        elif _is_code(mine) and _is_code(other):
            return -1.0
    return same / len(template) + (1e-6 * wild if same else (1.0 if wild == len(template) else 0.0))


@lru_cache(maxsize=20_000)
def _is_code(word: str) -> bool:
    return _CODE.fullmatch(word) is not None
