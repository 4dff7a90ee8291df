"""Commitments: a Savings Plan over what is spent on demand on four days of five, after what else is proposed.

Read from the bill of 60 whole days: usage that no plan or reservation covers yet. A plan belongs to the
account, so the whole account's EC2 spend counts, not the cluster's alone. Where other
changes are proposed too, it is sized for what they leave and counts in no total: they come first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.commitments import LEAST_DAYS, Commitment, Offer, committed, steady
from aiops_cost.analysis.fleet import ON_DEMAND
from aiops_cost.clients.advice_compute import per_hour
from aiops_cost.clients.advice_spot import spot_plans
from aiops_cost.clients.compute_plan import Plans, plans
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.models.bills import BillQuestion
from aiops_cost.models.money import HOURS_PER_MONTH, nano, share, shown, worded
from aiops_cost.models.savings import Advice, Recommendation, Risk, Scope
from aiops_shared.errors import NotFoundError
from aiops_shared.results import Cell, Table

CODE: Final = "COMMITMENT_GAP"
EC2: Final = "Amazon Elastic Compute Cloud - Compute"
DAYS: Final = 60
YEAR_S: Final = 31_536_000
NAMES: Final = {"Compute": "Compute Savings Plan", "EC2Instance": "EC2 Instance Savings Plan"}
MOST_RATES: Final = 1000
SETTLED: Final = "once the other changes are done"  # no key: what stands on it counts in no total


@dataclass(frozen=True)
class CommitmentAdviser:
    """Fulfils `savings_scene.Adviser`."""

    scope: Scope = "commitments"

    async def advise(self, scene: Scene) -> Advice:
        """One plan, with the others beside it. Raises what the bill and the offering rates raise."""
        found = await plans(scene)
        bill = await self._bill(scene)
        open_days = [
            amount for amount, open_ in zip(bill.of_days(), bill.unsettled, strict=True) if not open_
        ]
        if len(open_days) < LEAST_DAYS:
            return Advice(
                says=f"commitments: {len(open_days)} settled days of spend, {LEAST_DAYS} are needed"
            )
        level = steady(open_days)
        gone = await _proposed_away(scene, found)
        base = level - gone
        if base <= 0:
            return Advice(says=f"commitments: no steady on-demand spend is left ({per_hour(level)} an hour)")
        spend = _spend(found)
        offers = await _offers(scene, found, sorted(spend))
        prices = {name: price.nano_usd for name, price in found.offers.items()}
        made = [one for offer in offers if (one := committed(offer, base, spend, prices))]
        if not made:
            raise NotFoundError("Savings Plans", f"no rates for {', '.join(sorted(spend))} in {found.region}")
        return Advice(recommendations=(_recommended(made, level, gone, len(open_days)),))

    async def _bill(self, scene: Scene) -> Bill:
        today = scene.now.date()
        asked = BillQuestion(
            first=today - timedelta(days=DAYS),
            end=today,
            only=(
                ("SERVICE", (EC2,)),
                ("PURCHASE_TYPE", ("On Demand Instances",)),
                ("RECORD_TYPE", ("Usage",)),
            ),
        )
        return await scene.bill(asked)


async def _proposed_away(scene: Scene, found: Plans) -> int:
    """On-demand spend an hour that the other advice would end: a plan over it would be paid for nothing."""
    if scene.ask.scope != "all":
        return 0
    gone = sum(plan.now_nano - plan.best.nano_per_hour for plan in found.pools if plan.best is not None)
    spot = await spot_plans(scene)
    return gone + sum(one.nodes * one.base.candidate.nano_usd for one in spot.plans)


def _spend(found: Plans) -> Mapping[str, int]:
    """What the cluster's on-demand nodes cost an hour, by type: the mix that the rates are weighed by."""
    made: dict[str, int] = {}
    for plan in found.pools:
        for node in plan.part.nodes:
            if node.capacity_type == ON_DEMAND and node.name in found.prices.by_node:
                nanos = found.prices.by_node[node.name]
                made[node.instance_type] = made.get(node.instance_type, 0) + nanos
    return made


async def _offers(scene: Scene, found: Plans, types: list[str]) -> list[Offer]:
    """The rates of plans without an upfront payment, by plan and years. Not billed."""
    eks = await scene.eks()
    answer: Any = await eks.aws.call(
        scene.sources.costs.target(),
        "savingsplans",
        "describe_savings_plans_offering_rates",
        savingsPlanTypes=list(NAMES),
        savingsPlanPaymentOptions=["No Upfront"],
        products=["EC2"],
        filters=[
            {"name": "region", "values": [found.region]},
            {"name": "instanceType", "values": types},
            {"name": "productDescription", "values": ["Linux/UNIX"]},
            {"name": "tenancy", "values": ["shared"]},
        ],
        maxResults=MOST_RATES,
    )
    rates: dict[tuple[str, int], dict[str, int]] = {}
    for row in answer.get("searchResults") or []:
        offering = row.get("savingsPlanOffering") or {}
        held = {one.get("name"): one.get("value") for one in row.get("properties") or []}
        if offering.get("currency") != "USD" or row.get("unit") != "Hrs":
            continue
        key = str(offering.get("planType")), int(offering.get("durationSeconds") or 0) // YEAR_S
        rates.setdefault(key, {})[str(held.get("instanceType"))] = nano(str(row.get("rate")))
    return [Offer(plan, years, found_rates) for (plan, years), found_rates in sorted(rates.items())]


def _recommended(made: list[Commitment], level: int, gone: int, days: int) -> Recommendation:
    """The most flexible and shortest plan; others save more and bind more."""
    best = next((one for one in made if one.offer.plan == "Compute" and one.offer.years == 1), made[0])
    saved = best.saves_nano * HOURS_PER_MONTH
    why = "a year is paid, used or not"
    if gone:
        why += "; buy it after the other changes: it is sized for what they leave"
    return Recommendation(
        key="commitments/ec2",
        code=CODE,
        scope="commitments",
        target="EC2 of the account",
        current=f"{per_hour(level)} an hour on demand on four days of five, covered by no plan",
        proposed=f"{NAMES[best.offer.plan]}, {best.offer.years} year, {per_hour(best.pays_nano)} an hour",
        nano_usd=saved,
        monthly_usd=shown(saved),
        percent=share(best.saves_nano, best.base_nano),
        arithmetic=tuple(_lines(best, level, gone, days)),
        assumptions=("rates weighed by this cluster's on-demand types; Reserved Instances not compared",),
        risk=Risk(level="medium" if gone else "low", why=why),
        alternatives=_table(made),
        after=(SETTLED,) if gone else (),
        sources=("Cost Explorer: EC2, On Demand Instances, Usage", "Savings Plans offering rates"),
    )


def _lines(best: Commitment, level: int, gone: int, days: int) -> Iterator[str]:
    yield f"20th percentile of {days} days / 24 = {per_hour(level)} an hour"
    if gone:
        left = per_hour(best.base_nano)
        yield f"less what the other advice ends: {per_hour(level)} - {per_hour(gone)} = {left}"
    yield f"under the plan: {per_hour(best.base_nano)} x {best.break_even:.4f} = {per_hour(best.pays_nano)}"
    saved = worded(best.saves_nano * HOURS_PER_MONTH)
    yield f"saved: ({per_hour(best.base_nano)} - {per_hour(best.pays_nano)}) x {HOURS_PER_MONTH} h = {saved}"
    yield f"break-even: as long as {best.break_even:.0%} of it is used"


def _table(made: list[Commitment]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            NAMES.get(one.offer.plan, one.offer.plan),
            one.offer.years,
            round(one.pays_nano / 1e9, 4),
            shown(one.saves_nano * HOURS_PER_MONTH),
            round(100 * one.break_even),
        )
        for one in made
    ]
    return Table(columns=("plan", "years", "USD/hour", "saved/month", "break-even %"), rows=tuple(rows))
