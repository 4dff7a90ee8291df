"""Which planted faults an answer names, matched against the truth by code.

A pod counts as named when what was said about it holds its state and every word of its cause. What was said
about a pod is, for a table, its row; for a whole object or its events, all of their text: the peers' raw
objects are matched as generously as that.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.planted import Truth

MOST_MISSING = 4  # kinds of faults; of more, only the count is said
Pod = tuple[str, str]


@dataclass
class Heard:
    """What was said about each pod so far."""

    texts: dict[Pod, list[str]] = field(default_factory=lambda: defaultdict(list))

    def about(self, pod: Pod, text: str) -> None:
        """Remember a text about a pod."""
        self.texts[pod].append(text)

    def copy(self) -> "Heard":
        """The same, to go another way from here."""
        again = Heard()
        for pod, texts in self.texts.items():
            again.texts[pod] = [*texts]
        return again

    def in_rows(self, answer: Mapping[str, Any]) -> None:
        """Take our columnar answer: a row speaks for its pod and for those whose endings it lists."""
        columns = answer["resources"]["columns"]
        for values in answer["resources"]["rows"]:
            row = dict(zip(columns, values, strict=True))
            stem = row["name"].rpartition("-")[0]
            for name in (row["name"], *(f"{stem}{ending}" for ending in row.get("alike", "").split())):
                self.about((row["namespace"], name), f"{row['health']} {row.get('cause', '')}")

    def in_roll(self, answer: Mapping[str, Any]) -> None:
        """Take the pods of a diagnosis: `shop/web-5d7: -abc -def; cart/pay-0`, by state and cause."""
        columns = answer["pods"]["columns"]
        for values in answer["pods"]["rows"]:
            row = dict(zip(columns, values, strict=True))
            for one in row["pods"].split("; "):
                stem, _, endings = one.partition(": ")
                namespace, _, name = stem.partition("/")
                for ending in endings.split() or [""]:
                    self.about((namespace, f"{name}{ending}"), f"{row['code']} {row['state']} {row['cause']}")

    def in_lines(self, text: str, pods: Iterable[Pod]) -> None:
        """Take a table as text: a line speaks for the pod whose namespace and name stand in it."""
        wanted = set(pods)
        for line in text.splitlines():
            words = line.split()
            for pod in wanted.intersection((words[0], word) for word in words[1:5]):
                self.about(pod, line)

    def in_blocks(self, text: str, between: str, pods: Iterable[Pod]) -> None:
        """Take a list of objects as text: a block speaks for the pods that it names."""
        for block in text.split(between):
            for namespace, name in pods:
                if name in block and namespace in block:
                    self.about((namespace, name), block)


@dataclass(frozen=True)
class Named:
    """How many of the planted faults an answer named, and which it did not."""

    planted: int
    listed: int
    states: int
    causes: int
    both: int
    missing: tuple[str, ...]

    def __str__(self) -> str:
        few = 0 < len(self.missing) <= MOST_MISSING
        missing = f" (not: {'; '.join(self.missing)})" if few else ""
        return f"{self.both} of {self.planted} named with state and cause{missing}"


def named(truths: Iterable[Truth], heard: Heard) -> Named:
    """Match what was heard with the truth."""
    told = [(truth, *_told(truth, heard)) for truth in truths]
    missing: dict[str, int] = defaultdict(int)
    for truth, _, state, cause in told:
        if not (state and cause):
            missing[truth.fault.title] += 1
    return Named(
        planted=len(told),
        listed=sum(listed for _, listed, _, _ in told),
        states=sum(state for _, _, state, _ in told),
        causes=sum(cause for _, _, _, cause in told),
        both=sum(state and cause for _, _, state, cause in told),
        missing=tuple(f"{count} x {title}" for title, count in missing.items()),
    )


def _told(truth: Truth, heard: Heard) -> tuple[bool, bool, bool]:
    said = "\n".join(heard.texts.get((truth.namespace, truth.name), ()))
    text = " ".join(said.replace("\\", "").split())  # YAML folds lines, JSON escapes quotes
    found = [re.search(pattern, text, re.IGNORECASE) for pattern in truth.fault.cause]
    state = re.search(truth.fault.state, text, re.IGNORECASE)
    return bool(text), bool(state), all(found)
