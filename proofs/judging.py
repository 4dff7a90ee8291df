"""Whether a control is proved: pure functions from the witness's lines to a verdict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

# What a test raises that saw the control missing: its assertion, a refusal that did not come (pytest's
# Failed), or another error of the product's own than the one it waited for. A NameError is none of these.
SEEN = ("AssertionError", "Failed", "AiopsError")
# pytest-timeout fails a test with the same class; a slow machine is no proof
_TIMEOUT = "Timeout ("

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutation. `because`: the first line that the failing test said, or what is wrong."""

    word: Literal["killed", "SURVIVED", "broken"]
    because: str

    @property
    def killed(self) -> bool:
        """The tests saw that the control is missing."""
        return self.word == "killed"


def concerns(line: Line, test: str) -> bool:
    """Whether a report is of a named test; a name without `[case]` means all its cases."""
    reported = str(line.get("test", ""))
    return reported == test or reported.startswith(f"{test}[")


def unproved(lines: Sequence[Line], tests: Iterable[str]) -> list[str]:
    """What keeps an unmutated run from being a start: tests that did not pass, foreign modules."""
    said = [f"{line['test']}: {line['outcome']} {line.get('words', '')}" for line in lines if _unpassed(line)]
    missing = [f"{test}: not collected" for test in tests if not any(concerns(line, test) for line in lines)]
    return said + missing + _foreign(lines)


def verdict(lines: Sequence[Line], tests: Sequence[str]) -> Verdict:
    """Killed when every named test failed, in a way that saw the control missing."""
    if foreign := _foreign(lines):
        return Verdict("broken", foreign[0])
    reasons = []
    for test in tests:
        reports = [line for line in lines if concerns(line, test)]
        if not reports:
            return Verdict("broken", f"{test} was not collected: {_end(lines)}")
        failed = [line for line in reports if line["outcome"] == "failed"]
        if not failed:
            return Verdict("SURVIVED", f"{test} still passes")
        seen = [line for line in failed if _seen(line)]
        if not seen:
            return Verdict("broken", f"{test}: {failed[0]['raised'][0]}: {failed[0]['words']}")
        reasons.append(str(seen[0]["words"]))
    return Verdict("killed", reasons[0])


def _unpassed(line: Line) -> bool:
    return "test" in line and line["outcome"] != "passed"


def _seen(line: Line) -> bool:
    by_name = any(name in SEEN for name in line["raised"])
    return line["when"] == "call" and by_name and not str(line["words"]).startswith(_TIMEOUT)


def _foreign(lines: Sequence[Line]) -> list[str]:
    """Modules that did not come from the copy; a run that never came to its end says nothing of them."""
    told = [line["strangers"] for line in lines if "strangers" in line]
    if not told:
        return [f"the run did not end: {_end(lines)}"]
    return [f"imported from elsewhere: {', '.join(names[:3])}" for names in told if names]


def _end(lines: Sequence[Line]) -> str:
    return str(lines[-1].get("said", ""))[-400:].strip() if lines else ""
