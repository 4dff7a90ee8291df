"""Rules about machines: more of them, other ones, and what of the cluster says why."""

from collections.abc import Sequence
from typing import Final

from aiops_cost.analysis.cause_words import Said, Told, cell_said, count, growth_of, largest, percent, summed
from aiops_cost.analysis.cause_words import share as share_of
from aiops_cost.analysis.change_case import Case, Measured, Seen
from aiops_cost.analysis.decomposition import Cell, Effect
from aiops_cost.analysis.usage_types import instance_family, instance_type, on_spot

APART: Final = 0.3  # between the shares of CPU and memory: one is scarce while the other idles
SPOT_SHARE: Final = 0.1  # of hours: a smaller loss of Spot is chance
SAME_UNIT_COST: Final = 0.03  # growth of cost beyond that of requests which is still the same cost each
CPU, MEMORY = "cpu", "memory"
_SAVE: Final = "recommend_savings(scope=compute)"


def machines(case: Case) -> Sequence[Told]:
    """More machine hours: why."""
    cells = case.instances
    grown = case.effect(Effect.QUANTITY, cells) + case.effect(Effect.NEW, cells)
    if grown <= 0:
        return ()
    for rule in (_traffic, _mismatch, _idle):
        if told := rule(case, cells, grown):
            return (told,)
    return (_more(case, cells, grown),)


def _traffic(case: Case, cells: tuple[Cell, ...], grown: int) -> Told | None:
    measured = case.measured
    requests = measured.requests.growth if measured else None
    paid = _growth(cells)
    if measured is None or requests is None or paid is None or requests <= 0:
        return None
    if paid - requests > SAME_UNIT_COST:
        return None
    text = (
        f"No anomaly: {percent(requests)} requests were served with {percent(paid)} machine hours at the same"
        " price."
    )
    served = f"{_each(measured.requests.before)} to {_each(measured.requests.after)} requests a second"
    evidence = (cell_said(largest(cells)), Said(measured.source, "requests_total", served))
    return Told("TRAFFIC_GROWTH", text, grown, 0.85, evidence, _not_price(case, cells))


def _each(rate: float | None) -> str:
    return f"{rate or 0:,.1f}"


def _growth(cells: tuple[Cell, ...]) -> float | None:
    before, after = summed(cells)
    return after / before - 1 if before else None


def scarce(measured: Measured | None, case: Case) -> str:
    """Which of CPU and memory fills the nodes while the other idles; empty for neither."""
    if measured is None or measured.cpu.after is None or measured.memory.after is None:
        return ""
    cpu, memory = measured.cpu.after, measured.memory.after
    if memory - cpu >= APART and memory >= case.memory_target and cpu < case.cpu_target:
        return MEMORY
    if cpu - memory >= APART and cpu >= case.cpu_target and memory < case.memory_target:
        return CPU
    return ""


def _mismatch(case: Case, cells: tuple[Cell, ...], grown: int) -> Told | None:
    short = scarce(case.measured, case)
    waits = case.seen.lacking if case.seen else {}
    if not short and case.measured is None and set(waits) & {MEMORY, CPU}:
        short = max((MEMORY, CPU), key=lambda name: waits.get(name, 0))
        return _likely(case, cells, grown, short)
    if not short or case.measured is None:
        return None
    kind = _kinds(cells)
    usage = _usage(case.measured)
    text = (
        f"{_grew(cells)} because {short} fills the nodes while"
        f" {'cores idle' if short == MEMORY else 'memory lies free'}: {usage}."
    )
    evidence = (
        cell_said(largest(cells)),
        Said(case.measured.source, "cluster_cpu, cluster_memory", usage),
        *_cluster_said(case.seen, short),
    )
    told = min(0.95, 0.65 + 0.08 * (len(evidence) - 2))
    step = f"{_SAVE}: a family with {'more' if short == MEMORY else 'less'} memory a core than {kind}"
    ruled_out = (*_not_price(case, cells), *_not_mix(case, cells), *_not_traffic(case))
    return Told("INSTANCE_FAMILY_MISMATCH", text, grown, told, evidence, ruled_out, step)


def _likely(case: Case, cells: tuple[Cell, ...], grown: int, short: str) -> Told:
    """Only the pods that wait say it: nobody measured the nodes."""
    text = f"{_grew(cells)}; pods wait for {short}, while how full the nodes are is not known."
    evidence = (cell_said(largest(cells)), *_cluster_said(case.seen, short))
    ruled_out = _not_price(case, cells)
    return Told("INSTANCE_FAMILY_MISMATCH", text, grown, 0.55, evidence, ruled_out, _SAVE)


def _idle(case: Case, cells: tuple[Cell, ...], grown: int) -> Told | None:
    measured = case.measured
    if measured is None or measured.cpu.after is None or measured.memory.after is None:
        return None
    if measured.cpu.after >= 0.6 * case.cpu_target or measured.memory.after >= 0.6 * case.memory_target:
        return None
    text = f"{_grew(cells)} and the nodes stand idle: {_usage(measured)}."
    said = Said(measured.source, "cluster_cpu, cluster_memory", _usage(measured))
    evidence = (cell_said(largest(cells)), said, *_cluster_said(case.seen, ""))
    return Told("IDLE_NODES", text, grown, 0.75, evidence, _not_price(case, cells), _SAVE)


def _more(case: Case, cells: tuple[Cell, ...], grown: int) -> Told:
    text = f"{_grew(cells)} at the same price; nothing that was read says why."
    evidence = (cell_said(largest(cells)), *_cluster_said(case.seen, ""))
    ruled_out = (*_not_price(case, cells), *_not_traffic(case))
    return Told("QUANTITY_GROWTH", text, grown, 0.6, evidence, ruled_out, _SAVE)


def spot_or_mix(case: Case) -> Sequence[Told]:
    """The same hours on other machines, or paid otherwise."""
    cells = case.instances
    moved = case.effect(Effect.MIX, cells)
    if moved <= 0:
        return ()
    before, after = (_spot_share(cells, later=later) for later in (False, True))
    change = f"{share_of(before)} to {share_of(after)} of machine hours"
    if before - after >= SPOT_SHARE:
        text = f"Spot hours became on-demand hours: Spot fell from {change}."
        evidence = tuple(cell_said(cell) for cell in _by_move(cells)[:2])
        step = "recommend_savings(scope=spot); look for Spot interruptions and the pools' capacity types"
        return (Told("SPOT_TO_ON_DEMAND", text, moved, 0.85, evidence, _not_price(case, cells), step),)
    dearest = _by_move(cells)[0]
    text = f"Machine hours moved to dearer types, most of all {instance_type(dearest.name)}."
    evidence = tuple(cell_said(cell) for cell in _by_move(cells)[:3])
    return (Told("INSTANCE_MIX", text, moved, 0.75, evidence, _not_price(case, cells), _SAVE),)


def _by_move(cells: tuple[Cell, ...]) -> list[Cell]:
    return sorted(cells, key=lambda cell: -abs(cell.change))


def _spot_share(cells: tuple[Cell, ...], *, later: bool) -> float:
    hours = [((cell.after if later else cell.before).quantity, on_spot(cell.name)) for cell in cells]
    total = sum(quantity for quantity, _ in hours)
    return sum(quantity for quantity, spot in hours if spot) / total if total else 0.0


def _grew(cells: tuple[Cell, ...]) -> str:
    before, after = summed(cells)
    name = instance_type(largest(cells).name)
    return f"{name} hours {growth_of(before, after)} ({count(before)} to {count(after)})"


def _kinds(cells: tuple[Cell, ...]) -> str:
    return instance_family(instance_type(largest(cells).name))


def _usage(measured: Measured) -> str:
    cpu, memory = measured.cpu.after, measured.memory.after
    return f"CPU {share_of(cpu or 0)}, memory {share_of(memory or 0)} of all nodes"


def _cluster_said(seen: Seen | None, short: str) -> tuple[Said, ...]:
    """What the cluster's API adds, one sentence for each kind of fact."""
    if seen is None:
        return ()
    made: list[Said] = []
    if short and seen.lacking.get(short):
        made.append(Said("kubernetes", "pods", f"{seen.lacking[short]} pending: Insufficient {short}"))
    if seen.launches:
        kinds = _counted([one.instance_type for one in seen.launches])
        made.append(Said("kubernetes", "nodes", f"{len(seen.launches)} came in the period: {kinds}"))
    for pool, families in list(seen.only_families.items())[:2]:
        made.append(Said("karpenter", f"NodePool {pool}", f"instance-category only {', '.join(families)}"))
    calm = [one for one in seen.scaled_on_cpu if one[2] < one[1]]
    if short == MEMORY and calm:
        name, target, now = calm[0]
        made.append(Said("kubernetes", f"HPA {name}", f"scales on CPU: {now} % of {target} %, never reached"))
    return tuple(made)


def _counted(words: Sequence[str]) -> str:
    totals: dict[str, int] = {}
    for word in words:
        totals[word] = totals.get(word, 0) + 1
    return ", ".join(f"{total} {word}" for word, total in sorted(totals.items(), key=lambda one: -one[1]))


def _not_price(case: Case, cells: tuple[Cell, ...]) -> tuple[str, ...]:
    moved = case.effect(Effect.PRICE, cells)
    before = sum(cell.before.amount for cell in cells)
    return () if before and abs(moved) > 0.01 * before else ("price: unchanged",)


def _not_mix(case: Case, cells: tuple[Cell, ...]) -> tuple[str, ...]:
    moved = case.effect(Effect.MIX, cells)
    before = sum(cell.before.amount for cell in cells)
    return () if before and abs(moved) > 0.01 * before else ("mix: the same instance types",)


def _not_traffic(case: Case) -> tuple[str, ...]:
    requests = case.measured.requests.growth if case.measured else None
    return () if requests is None else (f"traffic: requests {percent(requests)}",)
