"""Whether the right cause stands first, and whether healthy worlds stay without one."""

from collections.abc import Sequence

from evals.figures import Row
from evals.sop.answers import Answered, answered
from evals.sop.questions import ELSEWHERE

TARGET = 0.95
MOST_TOKENS = 4000
BYTES_PER_TOKEN = 3.0  # of this kind of JSON, as the output budget counts


def rows(seed: int) -> list[Row]:
    """The rows of the page."""
    every = answered(seed)
    stories = [one for one in every if one.side == "story"]
    ill = [one for one in every if one.wanted]
    well = [one for one in every if not one.wanted]
    return [
        _recall(
            "root cause at rank 1, stories of the scenarios' page", [one for one in stories if one.wanted]
        ),
        _recall(
            "root cause at rank 1, causes of diagnosis through investigate",
            [one for one in ill if one.side != "story"],
        ),
        _recall("root cause at rank 1, all", ill),
        _silence(
            "a cause named where nothing is wrong, stories", [one for one in well if one.side == "story"]
        ),
        _silence(
            "the same, worlds that look like a cause or got over it",
            [one for one in well if one.side != "story"],
        ),
        _size(every),
    ]


def _recall(what: str, some: Sequence[Answered]) -> Row:
    hits = sum(one.is_right for one in some)
    share = hits / len(some) if some else 0.0
    wrong = [f"{one.name} seed {one.seed}: {one.found or 'nothing'}" for one in some if not one.is_right]
    note = f"Not right: {'; '.join(wrong)}." if wrong else ""
    return Row(what, f">= {TARGET:.0%}", f"{hits} of {len(some)} ({share:.1%})", share >= TARGET, "", note)


def _silence(what: str, some: Sequence[Answered]) -> Row:
    loud = [one for one in some if one.found]
    named = f"Named falsely: {'; '.join(f'{one.name} seed {one.seed}: {one.found}' for one in loud)}."
    left_out = f"{len(ELSEWHERE)} stories ask no question of causes (forecasts, manifests, reports)."
    return Row(what, "0", f"{len(loud)} in {len(some)}", not loud, "", named if loud else left_out)


def _size(every: Sequence[Answered]) -> Row:
    largest = max((one.size_bytes for one in every), default=0) / BYTES_PER_TOKEN
    return Row(
        "largest answer, tokens (bytes / 3)", f"<= {MOST_TOKENS}", f"{largest:.0f}", largest <= MOST_TOKENS
    )
