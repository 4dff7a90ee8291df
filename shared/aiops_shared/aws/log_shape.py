"""How the lines of a log group are written, and the Insights words that find their facts.

A few lines are read (FilterLogEvents, which is not billed by bytes) before anything is counted: where the
level stands, the service, the route, the status, the message, the customer. JSON fields are found by Insights
itself; of logfmt and plain text they are parsed in the query (a group's name is letters and digits, as in
Java). Called by the store of CloudWatch.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiops_shared.aws.log_lines import NAMES, Line, path_of, read

LEVEL_WORDS = {
    "error": ("ERROR", "error", "Error", "ERR", "err", "SEVERE"),
    "fatal": ("FATAL", "fatal", "CRITICAL", "critical", "PANIC", "panic", "EMERGENCY", "ALERT"),
    "warn": ("WARN", "warn", "WARNING", "warning", "Warning"),
}
_PLAIN_LEVEL = r"/(?<xlevel>\b(?:FATAL|CRITICAL|PANIC|panic|ERROR|SEVERE|WARN(?:ING)?|INFO|DEBUG|TRACE)\b)/"
_TROUBLE = r"/(?i)\b(error|exception|failed|failure|timed out|timeout|refused|panic|fatal)\b/"
_SAFE = re.compile(r"@?[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the facts stand. `form`: json, logfmt or plain; `paths`: fact -> field."""

    form: str
    paths: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()  # every field that was seen, most frequent first
    seen: int = 0

    def knows(self, fact: str) -> bool:
        """Whether the lines say it."""
        return fact in self.paths

    def field(self, fact: str) -> str:
        """The word for it in an Insights query."""
        path = self.paths[fact]
        return path if _SAFE.fullmatch(path) else f"`{path}`"

    def prelude(self, facts: Iterable[str]) -> list[str]:
        """Commands that make the facts into fields, where Insights does not find them itself."""
        if self.form == "json":
            return []
        if self.form == "logfmt":
            return [
                rf'parse @message /(?:^|\s){re.escape(self._key(fact))}="?(?<x{fact}>[^\s"]+)/'
                for fact in facts
                if self.knows(fact)
            ]
        return [f"parse @message {_PLAIN_LEVEL}"] if "level" in facts and self.knows("level") else []

    def _key(self, fact: str) -> str:
        return next((name for name in NAMES[fact] if name in self.names), fact)

    def errors(self) -> str:
        """The condition under which a line tells of a failure, as `Line.is_error` judges it."""
        return self._graver(("fatal", "error"))

    def trouble(self) -> str:
        """The condition for warnings too."""
        return self._graver(("fatal", "error", "warn"))

    def _graver(self, levels: Iterable[str]) -> str:
        if self.knows("level"):
            words = ", ".join(f'"{word}"' for level in levels for word in LEVEL_WORDS[level])
            return f"{self.field('level')} in [{words}]"
        if self.knows("status"):
            return f"{self.field('status')} >= 500"
        return f"@message like {_TROUBLE}"


def shape_of(texts: Iterable[str]) -> Shape:
    """The form that most lines have, and the field in which most of them have each fact."""
    lines = [read(text) for text in texts]
    if not lines:
        return Shape("plain", {"level": "xlevel"})
    form = Counter(line.form for line in lines).most_common(1)[0][0]
    alike = [line for line in lines if line.form == form]
    names = Counter(name for line in alike for name in line.fields)
    known = tuple(name for name, _ in names.most_common())
    if form == "plain":
        levels = {"level": "xlevel"} if any(line.level for line in alike) else {}
        return Shape(form, levels, (), len(lines))
    return Shape(form, _paths(alike, form), known, len(lines))


def _paths(lines: list[Line], form: str) -> dict[str, str]:
    found = {}
    for fact in NAMES:
        paths = Counter(path for line in lines if (path := path_of(fact, line.fields)))
        if paths:
            found[fact] = paths.most_common(1)[0][0] if form == "json" else f"x{fact}"
    return found
