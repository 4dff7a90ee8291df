"""Metrics that nobody reads: what their series cost, the rule that drops them, how often series are written.

Amounts come from the bill: the samples that were ingested, at the price of the last ones, since tiers make
more samples cheaper. Logs are `advice_observability_logs`.
"""

from typing import Any, Final

import yaml

from aiops_cost.analysis.telemetry_spend import Unused, interval_s, marginal, rule_faults, unused
from aiops_cost.clients.month_bill import Spend, spend
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.models.money import share, shown, worded
from aiops_cost.models.prices import Price
from aiops_cost.models.savings import Advice, Recommendation, Risk, Scope
from aiops_shared.errors import AiopsError, NotConfiguredError
from aiops_shared.metrics.inventory import Cardinality, MetricsInventory
from aiops_shared.results.wording import brief, counted

UNUSED: Final = "METRICS_UNUSED"
TOO_OFTEN: Final = "SCRAPE_INTERVAL_SHORT"
SAMPLES: Final = "AMP:MetricSampleCount"
LEAST_SHARE: Final = 0.03  # of all series: less is not worth a rule
SHORT_S, USUAL_S = 45.0, 60


class MetricsSpendAdviser:
    """Fulfils `savings_scene.Adviser`."""

    scope: Scope = "observability"

    async def advise(self, scene: Scene) -> Advice:
        """Series to drop. Raises what the metrics backend raises."""
        metrics = scene.sources.metrics
        backend = await scene.once("metrics", lambda: metrics.open(scene.ask.cluster))
        if not isinstance(backend, MetricsInventory):
            raise NotConfiguredError(
                f"series of {backend.name}", "this backend does not tell them", "AIOPS_METRICS_PROMETHEUS_URL"
            )
        found = await backend.cardinality()
        idle = unused(found.metrics, found.series) if found.told else None
        warnings = [f"observability: {one}" for one in found.warnings]
        bill, price, gaps = await _money(scene)
        warnings += gaps
        made = []
        if idle is not None and idle.share >= LEAST_SHARE and idle.regex:
            used = [one.name for one in found.metrics if one.name not in set(idle.metrics)]
            if faults := rule_faults(idle.regex, idle.metrics, used):
                warnings.append(f"observability: no rule drops the unused metrics alone: {faults[0]}")
            else:
                made.append(_dropped(idle, found, bill, price))
        every_s = interval_s(found.series, bill.quantity, bill.days) if bill else 0.0
        if bill is not None and 0 < every_s < SHORT_S:
            made.append(_seldom(every_s, bill, price))
        return Advice(recommendations=tuple(made), says=_says(found, idle), warnings=tuple(warnings))


async def _money(scene: Scene) -> tuple[Spend | None, Price | None, list[str]]:
    """What AMP's samples cost, and their price by tiers; None where nothing is billed, or not known."""
    try:
        bill = await spend(scene, SAMPLES)
    except AiopsError as error:
        return None, None, [f"coverage_gap: observability: no bill: {error.wire()}"[:300]]
    if not bill.nano_usd:
        return None, None, []
    try:
        return bill, await scene.prices.other("amp_samples", await scene.region()), []
    except AiopsError as error:
        return (
            bill,
            None,
            [f"coverage_gap: observability: the bill's mean price counts: {error.wire()}"[:300]],
        )


def _saved(bill: Spend, price: Price | None, share: float) -> tuple[int, str]:
    """A share of the samples, at the tiers of the price; by the bill's mean where they are not known."""
    less = bill.quantity * share
    if price is None:
        saved = round(bill.nano_usd * share)
        return saved, f"{less / 1e9:,.1f} billion samples at the bill's mean price = {worded(saved)}"
    tiers = price.tiers or ((0.0, price.nano_usd),)
    saved = min(marginal(bill.quantity / 1e6, less / 1e6, tiers), bill.nano_usd)
    return saved, (
        f"{less / 1e9:,.1f} billion samples less, at the tiers they are billed in ({price.source},"
        f" {price.as_of}) = {worded(saved)} of {worded(bill.nano_usd)} a month"
    )


def _dropped(idle: Unused, found: Cardinality, bill: Spend | None, price: Price | None) -> Recommendation:
    names = brief([f"{name} {series:,}" for name, series in idle.groups], 4)
    lines = [f"{idle.series:,} of {idle.total:,} series = {idle.share:.1%}: {names}"]
    saved = 0
    if bill is not None:
        lines.append(f"{bill.said}: {bill.quantity / 1e9:,.1f} billion samples, {worded(bill.nano_usd)}")
        saved, line = _saved(bill, price, idle.share)
        lines.append(line)
    else:
        lines.append("no samples of Amazon Managed Service for Prometheus are billed: the store's own room")
    rule: dict[str, Any] = {"source_labels": ["__name__"], "regex": idle.regex, "action": "drop"}
    return Recommendation(
        key="observability/metrics/unused",
        code=UNUSED,
        scope="observability",
        target="metrics that are never queried",
        current=f"{counted(len(idle.metrics), 'metric')} with {idle.series:,} series, never queried",
        proposed=f"drop them before they are sent ({idle.share:.0%} of all series)",
        nano_usd=saved,
        monthly_usd=shown(saved) if bill is not None else None,
        percent=share(saved, bill.nano_usd) if bill is not None else None,
        arithmetic=tuple(lines),
        assumptions=(
            "every series is written equally often",
            "queries are counted since the store's start or last reset"
            if not found.since_s
            else f"queries are counted since {_day(found.since_s)}",
        ),
        risk=Risk(level="low", why="a dashboard opened once a quarter finds nothing: keep what it shows"),
        patch=yaml.safe_dump({"write_relabel_configs": [rule]}, sort_keys=False, width=1000),
        validated=(
            "the expression fits every unused metric and no used one; it stands under remote_write, or as"
            " metric_relabel_configs of a scrape"
        ),
        sources=("the store's own counts of series and queries",),
    )


def _day(at_s: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}"


def _seldom(every_s: float, bill: Spend, price: Price | None) -> Recommendation:
    saved, line = _saved(bill, price, 1 - every_s / USUAL_S)
    return Recommendation(
        key="observability/metrics/interval",
        code=TOO_OFTEN,
        scope="observability",
        target="scrape interval",
        current=f"a sample of each series every {every_s:.0f} s on average",
        proposed=f"every {USUAL_S} s",
        nano_usd=saved,
        monthly_usd=shown(saved),
        percent=share(saved, bill.nano_usd),
        arithmetic=(f"{bill.said}: {bill.quantity / 1e9:,.1f} billion samples", line),
        assumptions=("series of today stood all month",),
        risk=Risk(
            level="medium", why="rate() over windows below 4 minutes loses its samples; check the rules"
        ),
        patch=yaml.safe_dump({"global": {"scrape_interval": f"{USUAL_S}s"}}, sort_keys=False),
        validated="a setting of Prometheus and of the ADOT receiver; rules are not checked",
        excludes=("observability/metrics/unused",),
    )


def _says(found: Cardinality, idle: Unused | None) -> str:
    text = f"metrics: {found.series:,} active series"
    if not found.told:
        return f"{text}; which are queried this backend does not tell: nothing is called unused"
    return f"{text}, {idle.series if idle else 0:,} of them never queried"
