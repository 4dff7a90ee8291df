"""One question to several clusters at once: the one place that fans out over clusters (row B9, fault R21).

A reader hands in what it asks of one cluster. A cluster that fails or is late is a warning
(`coverage_gap: cluster x: …`); only when none answers the call fails, and says of each why.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import anyio

from aiops_eks.models.several import Heard, Said, listed
from aiops_eks.ports import Clusters
from aiops_shared.errors import AiopsError, UpstreamError, UpstreamTimeoutError
from aiops_shared.kube.choosing import Choice, Chosen
from aiops_shared.results import Answer
from aiops_shared.results.progress import counting

T = TypeVar("T")
AT_ONCE = 8  # clusters asked at the same time
EACH_S = 20.0  # what one cluster may take
WITHIN_S = 40.0  # what all may take: below the door's 50 s, so that the others' answers still go out
MOST_CLUSTERS = 40  # in one call
MOST_GAPS, MOST_CHARS = 5, 200  # gaps that are told whole, and how long each
GAP = "coverage_gap: {}"
GONE = "coverage_gap: {} of the last page's clusters are no longer known"
A = TypeVar("A", bound=Answer)


@dataclass(frozen=True)
class Fanout:
    """Asks the clusters that some words mean."""

    clusters: Clusters
    each_s: float = EACH_S
    within_s: float = WITHIN_S

    async def choose(self, words: tuple[str, ...]) -> Choice:
        """The clusters that are asked, at most MOST_CLUSTERS; what is left out is a gap.

        Raises ClusterNotFoundError, InvalidInputError.
        """
        choice = await self.clusters.choose(words)
        left = choice.clusters[MOST_CLUSTERS:]
        if not left:
            return choice
        more = f"{len(left)} more clusters are meant than one call asks: {left[0].label} and on; name fewer"
        return Choice(choice.clusters[:MOST_CLUSTERS], (*choice.gaps, more))

    async def ask(self, words: tuple[str, ...], act: Callable[[str], Awaitable[T]]) -> Heard[T]:
        """What each cluster says; `act` gets the word that opens it.

        Raises what `choose` raises, and an error that names every cluster when none answers.
        """
        return await self.each(await self.choose(words), act)

    async def each(self, choice: Choice, act: Callable[[str], Awaitable[T]]) -> Heard[T]:
        """What each cluster of a choice says. Raises an error that names each when none answers."""
        outcomes: dict[str, T | AiopsError] = {}
        limiter = anyio.CapacityLimiter(AT_ONCE)

        async def one(chosen: Chosen) -> None:
            async with limiter:
                with anyio.move_on_after(self.each_s):
                    try:
                        outcomes[chosen.word] = await act(chosen.word)
                    except AiopsError as error:
                        outcomes[chosen.word] = error
            told.done(f"cluster {chosen.label}")

        with anyio.move_on_after(self.within_s), counting(len(choice.clusters)) as told:
            async with anyio.create_task_group() as group:
                for chosen in choice.clusters:
                    group.start_soon(one, chosen)
        return self._heard(choice, outcomes)

    def _heard(self, choice: Choice, outcomes: dict[str, T | AiopsError]) -> Heard[T]:
        said: list[Said[T]] = []
        failed: list[tuple[str, AiopsError]] = []
        for chosen in choice.clusters:
            outcome = outcomes.get(chosen.word, self._late(chosen))
            if isinstance(outcome, AiopsError):
                failed.append((chosen.label, outcome))
            else:
                said.append(Said(chosen.label, chosen.word, outcome))
        if not said:
            raise _all_failed(failed, choice.gaps)
        return Heard(tuple(said), (*(GAP.format(gap) for gap in choice.gaps), *_gaps(failed)))

    def _late(self, chosen: Chosen) -> UpstreamTimeoutError:
        hint = "ask it alone, or narrow the call"
        return UpstreamTimeoutError(chosen.label, f"no answer within {self.each_s:g} s", hint)


def _gaps(failed: list[tuple[str, AiopsError]]) -> list[str]:
    """What failed, the first few with why: an answer has little room for what is not known."""
    told = [
        GAP.format(f"cluster {label}: {error.wire()[:MOST_CHARS]}") for label, error in failed[:MOST_GAPS]
    ]
    rest = [label for label, _ in failed[MOST_GAPS:]]
    more = GAP.format(f"{len(rest)} more clusters did not answer: {listed(rest, 8)}")
    return [*told, more] if rest else told


def warned(answer: A, gaps: Sequence[str]) -> A:
    """An answer of one cluster, with what is not known about others that were meant."""
    if not gaps:
        return answer
    return answer.model_copy(update={"warnings": (*answer.warnings, *map(GAP.format, gaps))})


def _all_failed(failed: list[tuple[str, AiopsError]], gaps: tuple[str, ...]) -> AiopsError:
    """The one error that all had, or one that says of each cluster what it had."""
    if not failed:
        return UpstreamError("clusters", f"none could be asked: {'; '.join(gaps)[:1500]}")
    first = failed[0][1]
    if len(failed) == 1 or len({error.wire() for _, error in failed}) == 1:
        return first
    kind = type(first) if len({type(error) for _, error in failed}) == 1 else UpstreamError
    room = max(80, 1500 // len(failed))
    each = "; ".join(f"{label}: {error.wire()[:room]}" for label, error in failed)
    return kind(f"all {len(failed)} clusters", each, "call list_clusters")
