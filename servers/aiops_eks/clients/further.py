"""Lists the kinds that explain what the first lists showed: quotas, classes, webhooks, autoscalers.

Called by `facts.py` between the lists and the details. What is not worth a request is not asked for; what
fails is a gap, and a kind that this cluster does not serve simply has no objects.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio

from aiops_eks.clients.gathering import gathered
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further import FURTHER
from aiops_eks.diagnosis.further.base import FurtherKind
from aiops_eks.ports import Kube, Obj
from aiops_shared.errors import AiopsError, KindUnknownError

WITHIN_S = 15.0
MOST_OBJECTS = 5_000


@dataclass(frozen=True)
class Further:
    """One cluster's objects of further kinds."""

    kube: Kube
    redact: Callable[[str], str]

    async def of(self, facts: Facts) -> Facts:
        """The facts with every further kind that is worth a request."""
        wanted = [one for one in FURTHER if one.when(facts)]
        found: dict[type[Any], tuple[Any, ...]] = {}
        gaps: list[str] = []
        with anyio.move_on_after(WITHIN_S) as deadline:
            await gathered([partial(self._list, one, facts.namespace, found, gaps) for one in wanted])
        if deadline.cancelled_caught:
            late = [one.kind for one in wanted if one.type not in found]
            gaps.extend(f"{kind}: no answer within {WITHIN_S:.0f} s" for kind in late)
        return replace(facts, others={**facts.others, **found}, gaps=(*facts.gaps, *gaps))

    async def _list(
        self, one: FurtherKind, namespace: str, found: dict[type[Any], tuple[Any, ...]], gaps: list[str]
    ) -> None:
        place = "" if one.cluster_wide else namespace
        try:
            objects = [obj async for obj in self.kube.every(one.kind, place, at_most=MOST_OBJECTS)]
        except KindUnknownError:
            if not one.optional:
                gaps.append(f"{one.kind}: the cluster serves no such kind")
            return
        except AiopsError as problem:
            gaps.append(f"{one.kind}: {problem.wire()[:160]}")
            return
        found[one.type] = tuple(one.read(redacted(obj, self.redact)) for obj in objects)


def redacted(obj: Obj, redact: Callable[[str], str]) -> Obj:
    """The object with its status texts redacted: what a controller wrote there may quote anything."""
    return {**obj, "status": _texts(obj["status"], redact)} if "status" in obj else obj


def _texts(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _texts(each, redact) for key, each in value.items()}
    return [_texts(each, redact) for each in value] if isinstance(value, list) else value
