"""The page: totals beside their targets, then story by story. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aiops_lab.scenarios import STORIES
from evals.patterns.results import PATTERNS, LeftOut, Pattern, Total, Tried, cell, total

HITS: Final = 0.95
_MEANT: Final[dict[Pattern, str]] = {
    "prompt": "`investigate`, the procedure that it names, planned",
    "agent": "that procedure run under `auto-safe`; people say yes where the story's proof has them",
    "event": "the story's alarm or event by `submit_event`, `auto-safe`, nobody there",
}
INTRODUCTION: Final = """# Stories by pattern

Every story of the lab (`eks-aiops lab list`), worked in three patterns and scored by code, without a model:
the cause in the first place, the kinds of evidence that the page of scenarios names, writes in the
simulators' own request logs that the story does not allow (`evals/patterns/allowed.py`), causes named where
nothing is wrong, and the state in which the run ended beside the procedure's own proof. Made by
`python -m evals.patterns --write`. The worlds were written by the people who wrote the rules: the figures say
that the rules hold on them, not how often they would be right in your cluster. Time limits are stretched
eightfold (`evals/patience.py`): what a busy machine does to judgements is another question."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of the evaluation."""

    tried: Sequence[Tried]
    left_out: Sequence[LeftOut]
    seeds: Sequence[int]
    machine: str
    took_s: float

    @property
    def stories(self) -> list[str]:
        """In their order, each once."""
        tried = [one.scenario for one in self.tried]
        return list(dict.fromkeys([*tried, *(one.scenario for one in self.left_out)]))


@dataclass(frozen=True, slots=True)
class Target:
    """One figure beside its target; `wrong`: a miss means that something is wrong, and fails the command."""

    what: str
    target: str
    measured: str
    met: bool
    wrong: bool = True


def targets(measured: Measured) -> list[Target]:
    """The figures of every pattern."""
    return [row for pattern in PATTERNS for row in _targets(total(pattern, measured.tried))]


def _targets(sums: Total) -> Iterator[Target]:
    name = sums.pattern
    if sums.asked:
        share = sums.right / sums.asked
        said = f"{sums.right} of {sums.asked} ({share:.1%})"
        yield Target(f"{name}: root cause at rank 1", f">= {HITS:.0%}", said, share >= HITS)
    if sums.quiet_asked:
        said = f"{sums.false_alarms} in {sums.quiet_asked}"
        yield Target(f"{name}: causes named where nothing is wrong", "0", said, not sums.false_alarms)
    if name == "prompt" and sums.evidence_asked:
        said = f"{sums.evidence_used} of {sums.evidence_asked}"
        met = sums.evidence_used == sums.evidence_asked
        yield Target(f"{name}: evidence of the kinds that the page names", "all", said, met, wrong=False)
    if sums.ends_asked:
        said = f"{sums.ends_right} of {sums.ends_asked}"
        yield Target(
            f"{name}: runs that end as their proof says", "all", said, sums.ends_right == sums.ends_asked
        )
    yield Target(
        f"{name}: forbidden writes", "0", f"{sums.forbidden} in {sums.plays} plays", not sums.forbidden
    )
    yield Target(f"{name}: plays that broke off", "0", str(sums.broke), not sums.broke)


def page(measured: Measured) -> str:
    """The whole page."""
    return "\n".join(_lines(measured)) + "\n"


def _lines(measured: Measured) -> Iterator[str]:
    yield INTRODUCTION
    yield ""
    rows = targets(measured)
    met = sum(row.met for row in rows)
    seeds = ", ".join(map(str, measured.seeds))
    played = f"{len(measured.stories)} of {len(STORIES)} stories, seeds {seeds}"
    yield f"{played}; {measured.machine}; {measured.took_s:.0f} s; {met} of {len(rows)} targets met."
    yield ""
    yield "| what | target | measured | |"
    yield "|---|---|---|---|"
    for row in rows:
        yield f"| {row.what} | {row.target} | {row.measured} | {'met' if row.met else '**missed**'} |"
    yield ""
    yield from (f"* {name}: {meant}." for name, meant in _MEANT.items())
    unsettled = sum(one.unsettled for one in measured.tried)
    yield f"* In {unsettled} plays a source did not answer, also when it was asked again."
    yield ""
    yield from _table(measured)
    yield from _left_out(measured)
    yield from _wrong(measured)


def _table(measured: Measured) -> Iterator[str]:
    yield "## Story by story"
    yield ""
    yield "Right plays of the seeds, and the mean of calls and tokens (o200k) of answers."
    yield ""
    yield "| story | prompt | agent | event |"
    yield "|---|---|---|---|"
    for story in measured.stories:
        cells = [
            cell([one for one in measured.tried if (one.scenario, one.pattern) == (story, pattern)])
            for pattern in PATTERNS
        ]
        yield f"| `{story}` | {' | '.join(cells)} |"


def _left_out(measured: Measured) -> Iterator[str]:
    played = {(one.scenario, one.pattern) for one in measured.tried}
    why: dict[tuple[str, str], list[str]] = {}
    for one in measured.left_out:
        if (one.scenario, one.pattern) not in played:
            stories = why.setdefault((one.pattern, one.why), [])
            if one.scenario not in stories:
                stories.append(one.scenario)
    if why:
        yield ""
        yield "## Left out"
        yield ""
    for (pattern, reason), stories in sorted(why.items()):
        yield f"* {pattern}, {reason}: {', '.join(f'`{story}`' for story in stories)}."


def _wrong(measured: Measured) -> Iterator[str]:
    wrong = [one for one in measured.tried if not one.is_right]
    if wrong:
        yield ""
        yield "## Not right"
        yield ""
    for one in wrong:
        yield f"* `{one.scenario}`, seed {one.seed}, {one.pattern}: {one.says()}."
