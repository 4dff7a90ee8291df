"""Lists the kinds that explain what the first lists showed: quotas, classes, webhooks, autoscalers.

Called by `facts.py` between the lists and the details, and once more behind them: what a log or another
kind says may make a kind worth a request. What is not worth a request is not asked for; what
fails is a gap, and a kind that this cluster does not serve simply has no objects.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio

from aiops_eks.clients.gathering import gathered
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further import FURTHER
from aiops_eks.diagnosis.further.base import FurtherKind
from aiops_eks.ports import Kube, Obj
from aiops_shared.errors import AiopsError, KindUnknownError, NotFoundError

WITHIN_S = 15.0
MOST_OBJECTS = 5_000


@dataclass(frozen=True)
class Further:
    """One cluster's objects of further kinds."""

    kube: Kube
    redact: Callable[[str], str]
    asked: set[type[Any]] = field(default_factory=set)  # a kind is asked for once, whatever came of it

    async def of(self, facts: Facts) -> Facts:
        """The facts with every further kind that is worth a request and was not asked for yet."""
        wanted = [one for one in FURTHER if one.type not in self.asked and one.when(facts)]
        if not wanted:
            return facts
        self.asked.update(one.type for one in wanted)
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
        try:
            objects = [obj async for obj in self._objects(one, "" if one.cluster_wide else namespace)]
        except KindUnknownError:
            if not one.optional:
                gaps.append(f"{one.kind}: the cluster serves no such kind")
            return
        except AiopsError as problem:
            if one.only is None or not isinstance(problem, NotFoundError):
                gaps.append(f"{one.kind}: {problem.wire()[:160]}")
                return
            objects = []
        found[one.type] = tuple(one.read(redacted(obj, self.redact)) for obj in objects)

    async def _objects(self, one: FurtherKind, namespace: str) -> AsyncIterator[Obj]:
        if one.only is not None:
            yield await self.kube.get(one.kind, one.only.namespace, one.only.name)
        elif one.by_table:
            async for row in self._rows(one.kind, namespace):
                yield row
        else:
            async for obj in self.kube.every(one.kind, namespace, at_most=MOST_OBJECTS):
                yield obj

    async def _rows(self, kind: str, namespace: str) -> AsyncIterator[Obj]:
        cursor, left = "", MOST_OBJECTS
        while left > 0:
            page = await self.kube.table(kind, namespace, cursor=cursor)
            columns = [column.lower() for column in page.columns]
            for cells in page.rows:
                row = dict(zip(columns, cells, strict=False))
                meta = {"namespace": str(row.get("namespace", namespace)), "name": str(row.get("name", ""))}
                yield {"metadata": meta, "row": row}
            cursor, left = page.cursor, left - len(page.rows)
            if not cursor or not page.rows:
                return


def redacted(obj: Obj, redact: Callable[[str], str]) -> Obj:
    """The object with its status texts redacted: what a controller wrote there may quote anything."""
    return {**obj, "status": _texts(obj["status"], redact)} if "status" in obj else obj


def _texts(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _texts(each, redact) for key, each in value.items()}
    return [_texts(each, redact) for each in value] if isinstance(value, list) else value
