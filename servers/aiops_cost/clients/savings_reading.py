"""Asks every adviser at the same time and joins what they say, so that no money is saved twice.

Called by the savings tool through `ports.Savings`. An adviser that fails is a warning that names what it
lacked; the others' answers stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import anyio

from aiops_cost.clients.advice_compute import ComputeAdviser
from aiops_cost.clients.advice_hpa import HpaAdviser
from aiops_cost.clients.advice_requests import RequestsAdviser
from aiops_cost.clients.advice_spot import SpotAdviser
from aiops_cost.clients.savings_scene import Adviser, Scene, Sources
from aiops_cost.models.money import shown, worded
from aiops_cost.models.savings import Advice, Recommendation, SavingsAsk, SavingsReport, together
from aiops_shared.errors import AiopsError
from aiops_shared.results import Cell, Table
from aiops_shared.results.wording import counted, cut

WITHIN_S = 30.0  # one adviser; they run at the same time
IN_FULL = 3  # recommendations with patch and arithmetic, unless detail=full
# One line each, in the order in which equal savings are told.
ADVISERS: tuple[Adviser, ...] = (
    ComputeAdviser(),
    SpotAdviser(),
    RequestsAdviser(),
    HpaAdviser(),
)


@dataclass(frozen=True)
class SavingsReader:
    """Fulfils `ports.Savings`."""

    sources: Sources
    advisers: Sequence[Adviser] = ADVISERS

    async def recommend(self, ask: SavingsAsk) -> SavingsReport:
        """What to change. Raises ClusterNotFoundError and its kin; sources that fail are warnings."""
        scene = Scene(ask, await self.sources.clock.now(), self.sources)
        await scene.kube()
        asked = [one for one in self.advisers if fits(ask, one)]
        told: dict[int, Advice] = {}
        async with anyio.create_task_group() as tasks:
            for place, adviser in enumerate(asked):
                tasks.start_soon(partial(_listen, scene, adviser, place, told))
        return joined(ask, [told[place] for place in sorted(told)])


# `compute` is the cheapest fleet as a whole, and part of that is bought as Spot.
WIDER: dict[str, tuple[str, ...]] = {"compute": ("compute", "spot")}


def fits(ask: SavingsAsk, adviser: Adviser) -> bool:
    """Whether a question is for this adviser."""
    return ask.scope == "all" or adviser.scope in WIDER.get(ask.scope, (ask.scope,))


async def _listen(scene: Scene, adviser: Adviser, place: int, told: dict[int, Advice]) -> None:
    """One adviser; whatever goes wrong in it stays in it."""
    with anyio.move_on_after(WITHIN_S):
        try:
            told[place] = await adviser.advise(scene)
        except AiopsError as error:
            told[place] = Advice(warnings=(f"coverage_gap: {adviser.scope}: {error.wire()[:300]}",))
        return
    told[place] = Advice(warnings=(f"coverage_gap: {adviser.scope}: no answer within {WITHIN_S:.0f} s",))


def joined(ask: SavingsAsk, told: Sequence[Advice]) -> SavingsReport:
    """One report of all advice: dearest first, each dollar once."""
    found = sorted((one for advice in told for one in advice.recommendations), key=lambda one: -one.nano_usd)
    counts, saved = together(found)
    shown_whole = found if ask.full else found[:IN_FULL]
    return SavingsReport(
        summary=cut(_said(ask, found, counts, saved)),
        scope=ask.scope,
        monthly_usd=shown(saved),
        recommendations=tuple(shown_whole),
        more=_more(found[len(shown_whole) :]),
        voices=_voices(told),
        not_counted=tuple(one.key for one in found if one.key not in counts and one.nano_usd),
        good=tuple(advice.says for advice in told if advice.says),
        warnings=tuple(dict.fromkeys(warning for advice in told for warning in advice.warnings)),
        untrusted=("recommendations", "more", "voices", "warnings"),
    )


def _said(ask: SavingsAsk, found: Sequence[Recommendation], counts: Sequence[str], saved: int) -> str:
    if not found:
        return f"Nothing to save was found ({ask.scope})."
    first = "; ".join(f"{one.target}: {one.proposed}" for one in found[:IN_FULL] if one.key in counts)
    return f"{worded(saved)} a month by {counted(len(counts), 'change')}: {first}."


def _more(rest: Sequence[Recommendation]) -> Table | None:
    rows: list[tuple[Cell, ...]] = [
        (one.code, one.target, one.proposed, shown(one.nano_usd) if one.nano_usd else None, one.risk.level)
        for one in rest
    ]
    return (
        Table(columns=("code", "target", "proposed", "USD/month", "risk"), rows=tuple(rows)) if rows else None
    )


def _voices(told: Sequence[Advice]) -> Table | None:
    rows = tuple(voice for advice in told for voice in advice.voices)
    return Table(columns=("who", "says", "agrees"), rows=rows) if rows else None
