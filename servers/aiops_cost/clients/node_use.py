"""What each node uses: its own measure of CPU and memory, of the busiest of the last seven days.

A mean over two weeks would forget that a fleet grew; one day would forget the others. Where no backend
measured nodes, what their pods were measured to use stands for them, and the answer says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import anyio
import numpy as np

from aiops_cost.analysis.fleet import Room
from aiops_cost.clients.fleet_reading import FleetFacts
from aiops_cost.clients.savings_scene import Scene
from aiops_shared.errors import AiopsError
from aiops_shared.kube.gathering import gather
from aiops_shared.metrics.ports import Target
from aiops_shared.metrics.series import MetricAnswer, Window

WITHIN_S = 10.0  # less than an adviser has, so that the others' answers stand
DAYS: Final = 7
STEP_S: Final = 3600
DAY_POINTS: Final = 24


@dataclass(frozen=True, slots=True)
class NodeUse:
    """`days[i]`: what each node used in the i-th day before now, cores and bytes. `whole`: the nodes' own
    measure of several days; else one day of their pods stands for it.
    """

    days: tuple[Mapping[str, Room], ...] = ()
    source: str = ""
    says: str = "nobody measured what nodes use"
    warnings: tuple[str, ...] = ()
    whole: bool = True

    def of(self, names: frozenset[str]) -> Room | None:
        """What these nodes used together on their busiest day, CPU and memory each; None where a node was not
        measured on any day.
        """
        if not names or not names <= {name for day in self.days for name in day}:
            return None
        sums = [[day[name] for name in names if name in day] for day in self.days]
        return Room(
            max(sum(one.cores for one in day) for day in sums),
            max(sum(one.memory_bytes for one in day) for day in sums),
        )


async def node_use(scene: Scene) -> NodeUse:
    """Of all nodes of the cluster. Raises what the fleet raises."""
    return await scene.once("node-use", lambda: _read(scene))


async def _read(scene: Scene) -> NodeUse:
    facts = await scene.facts()
    capacity = {one.name: one.capacity for one in facts.fleet.nodes}
    try:
        backend = await scene.sources.metrics.open(scene.ask.cluster)
        end = scene.now
        window = Window.over(end - timedelta(days=DAYS), end, STEP_S)

        async def asked(question: str) -> MetricAnswer:
            return await backend.range(backend.asks(question, Target(kind="Cluster")).query, window)

        with anyio.fail_after(WITHIN_S):
            cpu, memory = await gather(asked, ["node_cpu", "node_memory"], at_once=2)
    except TimeoutError:
        return _of_pods(facts, f"coverage_gap: use of nodes: no answer within {WITHIN_S:g} s")
    except AiopsError as error:
        return _of_pods(facts, f"coverage_gap: use of nodes: {error.wire()[:240]}")
    shares = [{one.labels.get("node", ""): one.values for one in answer.series} for answer in (cpu, memory)]
    days = tuple(_day(capacity, shares[0], shares[1], day, window.points) for day in range(DAYS))
    if not any(days):
        return _of_pods(facts, "")
    return NodeUse(days, backend.name, f"{backend.name}: nodes, busiest of {DAYS} days")


def _day(
    capacity: Mapping[str, Room],
    cpu: Mapping[str, np.ndarray],
    memory: Mapping[str, np.ndarray],
    day: int,
    points: int,
) -> dict[str, Room]:
    """The means of one day; a node that lived for a part of it counts with that part's mean."""
    last = points - day * DAY_POINTS
    rows = slice(max(0, last - DAY_POINTS), last)
    found: dict[str, Room] = {}
    for name, room in capacity.items():
        if name not in cpu or name not in memory:
            continue
        values = [one[rows][~np.isnan(one[rows])] for one in (cpu[name], memory[name])]
        if all(one.size for one in values):
            found[name] = Room(
                float(values[0].mean()) * room.cores, float(values[1].mean()) * room.memory_bytes
            )
    return found


def _of_pods(facts: FleetFacts, gap: str) -> NodeUse:
    """The pods' measured use, added up by node. What they use at this moment alone is no measure."""
    measured = {
        one.name: Room(one.used_cores, one.used_memory_bytes)
        for one in facts.fleet.nodes
        if one.used_cores is not None and one.used_memory_bytes is not None
    }
    warnings = (gap,) if gap else ()
    if measured and facts.usage.now_only:
        return NodeUse(says=f"use is known of this moment only ({facts.usage.source})", warnings=warnings)
    if not measured:
        return NodeUse(warnings=warnings)
    return NodeUse((measured,), facts.usage.source, f"{facts.usage.says}: pods only", warnings, whole=False)
