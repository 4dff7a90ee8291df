"""Asks every adviser at the same time and joins what they say, so that no money is saved twice.

Called by the savings tool through `ports.Savings`. An adviser that fails is a warning that names what it
lacked; the others' answers stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import anyio

from aiops_cost.clients.advice_commitments import CommitmentAdviser
from aiops_cost.clients.advice_compute import ComputeAdviser
from aiops_cost.clients.advice_graviton import GravitonAdviser
from aiops_cost.clients.advice_hpa import HpaAdviser
from aiops_cost.clients.advice_network import NetworkAdviser
from aiops_cost.clients.advice_observability import MetricsSpendAdviser
from aiops_cost.clients.advice_observability_logs import LogsSpendAdviser
from aiops_cost.clients.advice_requests import RequestsAdviser
from aiops_cost.clients.advice_spot import SpotAdviser
from aiops_cost.clients.advice_storage import StorageAdviser
from aiops_cost.clients.advice_voices import VoiceAdviser
from aiops_cost.clients.savings_scene import Adviser, Scene, Sources
from aiops_cost.models.money import HOURS_PER_MONTH, share, shown, worded
from aiops_cost.models.savings import Advice, Recommendation, SavingsAsk, SavingsReport, together
from aiops_shared.errors import AiopsError
from aiops_shared.results import Cell, Evidence, Table
from aiops_shared.results.wording import counted, cut

WITHIN_S = 30.0  # one adviser; they run at the same time
ROWS = 4  # of a table of alternatives
ROOM = frozenset({"requests", "hpa"})
OF_NODES = ROOM | {"compute", "spot", "graviton"}  # a share of what the nodes cost
HINT = "needs nodes and pods, their prices (pricing:GetProducts) and measured use (AIOPS_METRICS_*)"
MOST_BYTES = 2900  # of recommendations in a summary
FEW = 2
MORE = 6  # rows of the others
SHORT = 110  # characters of what was found good
IN_FULL = 3  # recommendations of one scope with patch and arithmetic, unless detail=full
GLANCES, LINES = 3, 4  # recommendations of all scopes, and lines of arithmetic of each
# One line each, in the order in which equal savings are told.
ADVISERS: tuple[Adviser, ...] = (
    ComputeAdviser(),
    SpotAdviser(),
    GravitonAdviser(),
    CommitmentAdviser(),
    VoiceAdviser(),
    RequestsAdviser(),
    HpaAdviser(),
    StorageAdviser(),
    NetworkAdviser(),
    MetricsSpendAdviser(),
    LogsSpendAdviser(),
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
        return joined(scene, [told[place] for place in sorted(told)])


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


def joined(scene: Scene, told: Sequence[Advice]) -> SavingsReport:
    """One report of all advice: dearest first, each dollar once."""
    ask = scene.ask
    given = same_money([one for advice in told for one in advice.recommendations])
    counts, saved = together(given)
    found = sorted(given, key=lambda one: (one.key not in counts, -one.nano_usd))
    shown_whole = _shown(ask, found)
    rest = found[len(shown_whole) :]
    money = [one for one in given if one.key in counts and one.nano_usd]
    month = nodes_month(scene) if all(one.scope in OF_NODES for one in money) else 0
    good = tuple(advice.says for advice in told if advice.says)
    warnings = [warning for advice in told for warning in advice.warnings] + scene.spent.notes
    return SavingsReport(
        summary=cut(_said(ask, found, counts, saved, month) if found else _nothing(ask, good, warnings)),
        scope=ask.scope,
        monthly_usd=shown(saved),
        percent=share(saved, month) if found else None,
        recommendations=tuple(shown_whole),
        more=_more(rest[:MORE]),
        truncated=len(rest) > MORE,
        voices=_voices(told),
        not_counted=tuple(one.key for one in found if one.key not in counts and one.nano_usd),
        good=good if ask.full else tuple(cut(one, SHORT) for one in good),
        warnings=tuple(dict.fromkeys(warnings)),
        hint=_hint(ask, shown_whole, found),
        evidence=_evidence(found[: len(shown_whole)]),
        billed_requests=scene.spent.requests,
        untrusted=("recommendations", "more", "voices", "good", "warnings"),
    )


def nodes_month(scene: Scene) -> int:
    """What the nodes cost a month, billionths; 0 where their prices were not asked for."""
    prices = scene.known("node-prices")
    return sum(prices.by_node.values()) * HOURS_PER_MONTH if prices is not None else 0


def same_money(found: Sequence[Recommendation]) -> list[Recommendation]:
    """Room that workloads give back is money when nodes go: the compute advice has let them go already."""
    compute = tuple(one.key for one in found if one.scope == "compute")
    return [
        one.model_copy(update={"excludes": (*one.excludes, *compute)})
        if one.scope in ROOM and one.nano_usd
        else one
        for one in found
    ]


def brief_of(one: Recommendation) -> Recommendation:
    """As the summary shows it: few alternatives; where it is from stands in the evidence."""
    table = one.alternatives
    if table is not None:
        table = Table(columns=table.columns, rows=table.rows[:ROWS])
    return one.model_copy(update={"alternatives": table, "sources": (), "validated": "", "excludes": ()})


def _shown(ask: SavingsAsk, found: Sequence[Recommendation]) -> list[Recommendation]:
    """All of them; or those of one scope that a summary has room for; or the largest of all, at a glance."""
    if ask.full:
        return list(found)
    if ask.scope == "all" and len(found) > 1:
        return [at_a_glance(one) for one in found[:GLANCES]]
    return _in_full(found)


def at_a_glance(one: Recommendation) -> Recommendation:
    """Without patch, assumptions and what was compared; the lines that make the amount come first."""
    money = [line for line in one.arithmetic if "$" in line]
    others = [line for line in one.arithmetic if "$" not in line]
    kept = {*money[:LINES], *others[: max(0, LINES - len(money))]}
    left_out = {
        "patch": "",
        "assumptions": (),
        "alternatives": None,
        "sources": (),
        "validated": "",
        "excludes": (),
    }
    return one.model_copy(
        update={**left_out, "arithmetic": tuple(line for line in one.arithmetic if line in kept)}
    )


def _in_full(found: Sequence[Recommendation]) -> list[Recommendation]:
    """The first few, as many as a summary has room for; the first always."""
    taken: list[Recommendation] = []
    size, most = 0, MOST_BYTES if len(found) <= FEW else MOST_BYTES * 2 // 3  # rows need room too
    for one in found[:IN_FULL]:
        short = brief_of(one)
        size += len(short.model_dump_json(exclude_defaults=True))
        if taken and size > most:
            break
        taken.append(short)
    return taken


def _evidence(found: Sequence[Recommendation]) -> tuple[Evidence, ...]:
    """Where the shown ones are from, each source once."""
    said = dict.fromkeys(source for one in found for source in one.sources)
    return tuple(Evidence(source=source, query="") for source in said)


def _hint(ask: SavingsAsk, shown_now: Sequence[Recommendation], found: Sequence[Recommendation]) -> str:
    if not found:
        return HINT
    if ask.scope == "all" and not ask.full and len(found) > 1:
        scopes = ", ".join(dict.fromkeys(one.scope for one in shown_now))
        return f"patch, assumptions, what was compared: scope={scopes}, or detail=full"
    checked = dict.fromkeys(one.validated for one in found[:IN_FULL] if one.patch and one.validated)
    return "patches: " + "; ".join(checked) if checked else ""


def _said(
    ask: SavingsAsk, found: Sequence[Recommendation], counts: Sequence[str], saved: int, month: int
) -> str:
    taken = [one for one in found if one.key in counts]
    part = f" ({100 * saved / month:.1f} % of the nodes' {worded(month)})" if month else ""
    first = "; ".join(f"{one.target}: {one.proposed}" for one in taken[:IN_FULL])
    more = f" and {len(taken) - IN_FULL} more" if len(taken) > IN_FULL else ""
    if not taken:
        first = "; ".join(f"{one.target}: {one.proposed}" for one in found[:IN_FULL])
    return f"{worded(saved)} a month{part} by {counted(len(taken), 'change')}: {first}{more}."


def _nothing(ask: SavingsAsk, good: Sequence[str], warnings: Sequence[str]) -> str:
    """Nothing to save, and nothing known, are two answers."""
    if good:
        return f"Nothing to save ({ask.scope}): {'; '.join(good)}."
    if warnings:
        return f"Not known ({ask.scope}): {warnings[0]}"
    return f"Nothing to save was found ({ask.scope})."


def _more(rest: Sequence[Recommendation]) -> Table | None:
    rows: list[tuple[Cell, ...]] = [
        (
            one.code,
            one.target,
            cut(one.proposed, SHORT // 2),
            shown(one.nano_usd) if one.nano_usd else None,
            one.risk.level,
        )
        for one in rest
    ]
    return (
        Table(columns=("code", "target", "proposed", "USD/month", "risk"), rows=tuple(rows)) if rows else None
    )


def _voices(told: Sequence[Advice]) -> Table | None:
    rows = tuple(voice for advice in told for voice in advice.voices)
    return Table(columns=("who", "says", "agrees"), rows=rows) if rows else None
