"""The evaluation as Markdown: what `make eval` prints, and with `--write` the page `docs/evaluation.md`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aiops_lab.scenarios import STORIES
from evals.coverage import faults
from evals.outcomes import (
    RECALL_TARGET,
    Outcome,
    Score,
    calibration,
    expected_calibration_error,
    scored,
)


@dataclass(frozen=True, slots=True)
class OnReal:
    """One world on both servers: whether the findings were the same, and what was not."""

    scenario: str
    code: str
    seed: int
    difference: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything one evaluation saw."""

    codes: Sequence[str]
    outcomes: Sequence[Outcome]
    real: Sequence[OnReal]
    seeds: Sequence[int]
    machine: str
    took_s: float

    @property
    def scores(self) -> list[Score]:
        """One score a cause, in order of their codes."""
        return [scored(code, self.outcomes) for code in self.codes]

    @property
    def controls(self) -> list[Outcome]:
        """Worlds without trouble."""
        return [one for one in self.outcomes if not one.code]

    @property
    def recall(self) -> float:
        """Rank-1 recall over all positives."""
        positives = [one for one in self.outcomes if one.role == "positive"]
        return sum(one.first_is_right for one in positives) / len(positives) if positives else 0.0

    @property
    def false_alarms(self) -> int:
        """Findings that nobody played, over everything."""
        return sum(len(one.false_alarms) for one in self.outcomes)

    @property
    def passes(self) -> bool:
        """Whether recall is met, nothing alarmed falsely, every cause was tried and both servers agree."""
        untried = [score for score in self.scores if not score.is_complete]
        different = [one for one in self.real if one.difference]
        return self.recall >= RECALL_TARGET and not self.false_alarms and not untried and not different


def misses(run: Run) -> list[str]:
    """What is wrong, for the command's last line."""
    untried = [score.code for score in run.scores if not score.is_complete]
    wrong = [f"{one.scenario} seed {one.seed}" for one in run.outcomes if not one.is_right]
    different = [f"{one.scenario} on the real API server" for one in run.real if one.difference]
    return [*wrong, *(f"{code} was not tried from all sides" for code in untried), *different]


_HEAD = """# How good diagnose is

Made by `make eval` (`python -m evals --write`). Every cause of `docs/causes.md` is played from three sides
with several seeds: at work (the first finding must name it, at the right object), look-alikes (the same
symptom for another reason or none) and recovered (over, or still within its time). A false alarm is any
finding that was not played, a second name for one cause included. The worlds were written by the same people
as the rules: the table says that the rules hold on them, not how often they would be right in your cluster.
"Real" is the same world laid into a real kube-apiserver, objects, status and events by its API: `same` means
equal findings, word for word.

"""


def page(run: Run) -> str:
    """The whole page."""
    made = f"{run.machine}. Seeds {', '.join(map(str, run.seeds))}. {run.took_s:.0f} s."
    parts = (_totals(run), _fixtures(run), _causes(run), _calibration(run), _coverage(), _wrong(run))
    return "\n\n".join([_HEAD.strip(), made, *("\n".join(part) for part in parts)]).strip() + "\n"


def _totals(run: Run) -> Iterator[str]:
    positives = [one for one in run.outcomes if one.role == "positive"]
    others = [one for one in run.outcomes if one.role in {"look_alike", "recovered"}]
    yield from _table(("What", "Target", "Measured", ""))
    recall = f"{sum(one.first_is_right for one in positives)} of {len(positives)} ({run.recall:.1%})"
    yield _row("rank-1 recall", f">= {RECALL_TARGET:.0%}", recall, _met(run.recall >= RECALL_TARGET))
    worst = min((s.recall for s in run.scores if s.recall is not None), default=0.0)
    yield _row("rank-1 recall of the worst cause", "", f"{worst:.0%}", "")
    for name, some in (("look-alikes and recovered", others), ("controls", run.controls)):
        alarms = sum(len(one.false_alarms) for one in some)
        yield _row(f"false alarms on {name}", "0", f"{alarms} in {len(some)} worlds", _met(not alarms))
    extra = sum(len(one.false_alarms) for one in positives)
    yield _row(
        "further findings beside the cause", "0", f"{extra} in {len(positives)} worlds", _met(not extra)
    )
    untried = [score.code for score in run.scores if not score.is_complete]
    yield _row(
        "causes tried from all three sides", str(len(run.codes)), str(len(run.codes) - len(untried)), ""
    )
    same = sum(not one.difference for one in run.real)
    verdict = "" if not run.real else "met" if same == len(run.real) else "missed"
    yield _row(
        "worlds with the same findings on a real API server", "all", f"{same} of {len(run.real)}", verdict
    )
    error = expected_calibration_error(calibration(run.outcomes))
    yield _row("expected calibration error", "", f"{error:.3f}", "")


def _fixtures(run: Run) -> Iterator[str]:
    """The stories of the scenarios' page, by its ids: in how many seeds the answer was right."""
    yield "## Fixtures of the scenarios' page"
    yield ""
    yield from _table(("Fixture", "Scenario", "Expected", "Right", "False alarms"))
    found: dict[str, list[Outcome]] = {}
    for one in run.outcomes:
        found.setdefault(one.scenario, []).append(one)
    for story in sorted(STORIES.values(), key=lambda each: (each.fixture, each.name)):
        played = found.get(story.name, [])
        if not played:
            continue
        right = sum(one.first_is_right if one.expected else not one.found for one in played)
        code = story.expected.code if story.expected else "nothing"
        alarms = sum(len(one.false_alarms) for one in played)
        yield _row(story.fixture, f"`{story.name}`", code, f"{right}/{len(played)}", str(alarms))


def _causes(run: Run) -> Iterator[str]:
    yield from _table(("Cause", "Recall", "Look-alikes", "Recovered", "False alarms", "Real"))
    for score in run.scores:
        real = [one for one in run.real if one.code == score.code]
        same = f"{sum(not one.difference for one in real)}/{len(real)} same" if real else ""
        recall = f"{score.first}/{score.positives}" if score.positives else "not played"
        yield _row(
            f"`{score.code}`",
            recall,
            str(score.look_alikes or "none"),
            str(score.recovered or "none"),
            str(score.false_alarms),
            same,
        )


def _calibration(run: Run) -> Iterator[str]:
    yield from _table(("Confidence", "Findings", "Mean", "Right"))
    for one in calibration(run.outcomes):
        span = f"{one.low:.1f} to {min(one.high, 1.0):.1f}"
        yield _row(span, str(one.count), f"{one.mean:.2f}", f"{one.right / one.count:.2f}")


def _coverage() -> Iterator[str]:
    known = [one for one in faults() if one.codes]
    yield f"Of the {len(faults())} faults that the specification names, {len(known)} have a rule.\n"
    yield from _table(("Family", "Fault", "Causes", "Note"))
    for one in faults():
        causes = ", ".join(f"`{code}`" for code in one.codes) or "none"
        yield _row(one.family, one.fault, causes, one.note)


def _wrong(run: Run) -> Iterator[str]:
    wrong = [one for one in run.outcomes if not one.is_right]
    if wrong:
        yield "\nNot right:\n"
    for one in wrong:
        wanted = ", ".join(" ".join(place) for place in one.expected) or "nothing"
        found = ", ".join(" ".join(each.place) for each in one.found) or "nothing"
        yield f"- {one.scenario}, seed {one.seed}: wanted {wanted}; found {found}"
    different = [one for one in run.real if one.difference]
    if different:
        yield "\nNot the same on the real API server:\n"
    for each in different:
        yield f"- {each.scenario}, seed {each.seed}: {each.difference}"


def _table(head: Iterable[str]) -> tuple[str, str]:
    cells = tuple(head)
    return _row(*cells), _row(*("---" for _ in cells))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _met(yes: bool) -> str:
    return "met" if yes else "missed"
