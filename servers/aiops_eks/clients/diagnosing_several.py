"""A diagnosis of several clusters: each is gathered and judged by itself, then all are joined.

Called by the tool `diagnose`, through `FactsReader.several`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiops_eks.clients.fanout import Fanout, warned
from aiops_eks.diagnosis.answering import answer
from aiops_eks.diagnosis.result import Ask, Diagnosis
from aiops_eks.diagnosis.scope import Gathered
from aiops_eks.diagnosis.several import Seen, seen
from aiops_eks.diagnosis.several import answer as joined
from aiops_eks.ports import Clusters

EACH_S, WITHIN_S = 32.0, 42.0  # a diagnosis asks more than a list


async def diagnose(
    clusters: Clusters, gather: Callable[[Ask], Awaitable[Gathered]], ask: Ask, words: tuple[str, ...]
) -> Diagnosis:
    """The causes in the clusters that the words mean; where that is one, as of one.

    Raises ClusterNotFoundError, and an error that names each cluster when none can be diagnosed.
    """
    fanout = Fanout(clusters, EACH_S, WITHIN_S)
    choice = await fanout.choose(words)
    if len(choice.clusters) == 1:
        gathered = await gather(replace(ask, cluster=choice.clusters[0].word))
        return warned(answer(gathered), choice.gaps)

    async def one(word: str) -> Seen:
        return seen(await gather(replace(ask, cluster=word)))

    return joined(await fanout.each(choice, one))
