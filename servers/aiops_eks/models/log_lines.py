"""What log lines say together: levels, frequent shapes, and which lines fit an answer.

Called by the log reader. Pure; the text is somebody else's and is only counted and cut here. Lines are
redacted before they come here, so that a cut never splits a secret out of the redactor's sight.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from aiops_shared.kube.models import LogLine
from aiops_shared.results import Table

LEVELS = ("fatal", "error", "warn", "info", "debug")
_LEVEL_FIELD = re.compile(r"""(?:"?(?:level|severity|lvl)"?\s*[=:]\s*"?)([A-Za-z]{3,9})""", re.IGNORECASE)
_LEVEL_WORD = re.compile(r"\b(FATAL|CRITICAL|PANIC|panic|ERROR|Error|SEVERE|WARN(?:ING)?|INFO|DEBUG|TRACE)\b")
_RAISED = re.compile(
    r"Traceback \(most recent call last\)|Exception in thread|[\w.]{1,80}(?:Error|Exception)\b"
)
_KLOG = re.compile(r"^([IWEF])\d{4} \d\d:\d\d:\d\d")
_NAMED = {
    "critical": "fatal", "panic": "fatal", "emerg": "fatal", "alert": "fatal", "fatal": "fatal",
    "error": "error", "err": "error", "severe": "error", "exception": "error",
    "warn": "warn", "warning": "warn",
    "info": "info", "information": "info", "notice": "info",
    "debug": "debug", "trace": "debug", "verbose": "debug",
    "i": "info", "w": "warn", "e": "error", "f": "fatal",
}  # fmt: skip
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<ip>"),
    (re.compile(r"\b(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d+(?:\.\d+)?"), "<n>"),
)
MOST_PATTERNS = 5
_PATTERN_CHARS = 100


def level_of(text: str) -> str:
    """The level a line claims: one of LEVELS, or empty."""
    head = text[:400]
    found = _KLOG.match(head) or _LEVEL_FIELD.search(head) or _LEVEL_WORD.search(head)
    if found:
        return _NAMED.get(found[1].lower(), "")
    return "error" if _RAISED.match(head) else ""


def level_table(lines: Iterable[LogLine]) -> Table:
    """Lines by level, gravest first; lines without one count as `none`."""
    counts = Counter(level_of(line.text) or "none" for line in lines)
    return Table(
        columns=("level", "lines"),
        rows=tuple((level, counts[level]) for level in (*LEVELS, "none") if counts[level]),
    )


def shape_of(text: str) -> str:
    """The line with its times, ids, addresses and numbers masked."""
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text[:_PATTERN_CHARS].strip()


def pattern_table(lines: Iterable[LogLine], most: int = MOST_PATTERNS) -> Table:
    """The shapes that occur more than once, the gravest and most frequent first."""
    counts: Counter[str] = Counter()
    levels: dict[str, str] = {}
    for line in lines:
        shape = shape_of(line.text[:1000])
        counts[shape] += 1
        levels.setdefault(shape, level_of(line.text))
    grave = {"fatal": 2, "error": 2, "warn": 1}
    often = [(shape, number) for shape, number in counts.items() if number > 1 and shape]
    often.sort(key=lambda each: (-grave.get(levels[each[0]], 0), -each[1], each[0]))
    return Table(
        columns=("count", "level", "pattern"),
        rows=tuple((number, levels[shape], shape) for shape, number in often[:most]),
    )


def fitting(lines: Sequence[LogLine], most_lines: int, most_chars: int, line_chars: int) -> list[LogLine]:
    """The newest lines that fit, oldest of them first, each cut to `line_chars`."""
    kept: list[LogLine] = []
    left = most_chars
    for line in reversed(lines[-most_lines:]):
        cut = line.text if len(line.text) <= line_chars else line.text[: line_chars - 1] + "…"
        left -= len(cut) + 30  # the row's own time, quotes and commas
        if left < 0 and kept:
            break
        kept.append(line.model_copy(update={"text": cut}))
    return kept[::-1]


def line_table(lines: Sequence[LogLine]) -> Table:
    """Lines as rows; the columns that would say the same in every row are left out."""
    pods, containers = {line.pod for line in lines}, {line.container for line in lines}
    days = {line.at.date() for line in lines if line.at}
    form = "%H:%M:%S" if len(days) < 2 else "%m-%dT%H:%M:%S"
    named = any(line.cluster for line in lines)
    extra = [
        *(["cluster"] if named else []),
        *(["pod"] if len(pods) > 1 else []),
        *(["container"] if len(containers) > 1 else []),
    ]
    rows = [
        (line.at.strftime(form) if line.at else "", *(getattr(line, name) for name in extra), line.text)
        for line in lines
    ]
    return Table(columns=("at", *extra, "text"), rows=tuple(rows))
