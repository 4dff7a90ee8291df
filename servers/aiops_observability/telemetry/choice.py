"""Which kind of backend fits: eight criteria as data, and what the measured volume costs on each.

Served at `guide://backend-choice` and by `generate_telemetry_config(compare=true)`. Prices are the operator's
(AIOPS_METRICS_PRICES_FILE): they change, differ by contract, and are never guessed here. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MONTH_S = 30 * 86_400.0
CRITERIA = (
    *("operational complexity", "initial setup", "scaling", "long-term storage", "cost structure"),
    *("data sovereignty", "customization", "migration ease"),
)
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "AWS managed (AMP, AMG, CloudWatch)": (
        *("low: AWS runs it", "simple: console or CLI", "automatic", "AMP keeps 150 days", "by usage"),
        *("inside the AWS Region", "limited", "high: standard APIs"),
    ),
    "self-hosted (Prometheus, Grafana)": (
        *("high: upgrades, backups, monitoring are yours", "complex: a cluster of its own"),
        *("by hand: Thanos, Mimir or Cortex", "by hand: S3 with Thanos or Mimir"),
        *("machines and people", "full control", "full", "high: standard open source"),
    ),
    "third party (Datadog, Splunk, Grafana Cloud)": (
        *("low: the vendor runs it", "simple: sign up", "automatic", "the vendor's policy"),
        *("by usage or host", "the vendor's machines", "what the vendor offers", "medium: differs by vendor"),
    ),
}
FITS: Mapping[str, str] = {
    "AWS to self-hosted": "data sovereignty, own extensions, or cost at large scale; needs people to run it",
    "AWS to third party": "one platform for APM, logs and infrastructure, or several clouds",
    "self-hosted to AWS": "less to run, high availability without building it, a quick start",
}
# What each backend bills, by the names that the operator's price file uses (USD).
BILLED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "cloudwatch": (("metric_month", "active_series"), ("log_gb", "gb_month")),
    "amp": (("samples_10m", "samples_10m_month"),),
    "datadog": (("metrics_100", "series_100"), ("log_gb", "gb_month")),
    "splunk": (("metrics_1000", "series_1000"), ("log_gb", "gb_month")),
    "grafana_cloud": (("metrics_1000", "series_1000"), ("log_gb", "gb_month")),
    "prometheus": (("infrastructure_month", "one"),),
}
Prices = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Volume:
    """What was measured: active series, samples a second, log bytes a day in GB."""

    active_series: float
    samples_per_s: float
    log_gb_per_day: float = 0.0

    def quantity(self, name: str) -> float:
        """What is billed, a month of 30 days."""
        return {
            "active_series": self.active_series,
            "series_100": self.active_series / 100,
            "series_1000": self.active_series / 1000,
            "samples_10m_month": self.samples_per_s * MONTH_S / 1e7,
            "gb_month": self.log_gb_per_day * 30,
            "one": 1.0,
        }[name]


@dataclass(frozen=True, slots=True)
class Cost:
    """One backend's month: None where a price is missing, and the arithmetic line by line."""

    backend: str
    usd: float | None
    lines: tuple[str, ...]


def costs(volume: Volume, prices: Prices) -> tuple[Cost, ...]:
    """What a month costs on each backend, cheapest first, those without a price last."""
    found = [_cost(backend, volume, prices.get(backend, {})) for backend in BILLED]
    return tuple(sorted(found, key=lambda one: (one.usd is None, one.usd or 0.0)))


def _cost(backend: str, volume: Volume, prices: Mapping[str, float]) -> Cost:
    total, known, lines = 0.0, True, []
    for price, quantity in BILLED[backend]:
        amount = volume.quantity(quantity)
        if not amount:
            continue
        if price not in prices:
            known = False
            lines.append(f"{amount:,.4g} x {price} (no price given)")
            continue
        total += amount * prices[price]
        lines.append(f"{amount:,.4g} x {prices[price]:g} {price} = {amount * prices[price]:,.2f}")
    return Cost(backend, round(total, 2) if known else None, tuple(lines))


def guide() -> dict[str, object]:
    """The guide as data."""
    return {
        "criteria": list(CRITERIA),
        "options": {name: dict(zip(CRITERIA, told, strict=True)) for name, told in OPTIONS.items()},
        "fits": dict(FITS),
        "billed": {name: [price for price, _ in told] for name, told in BILLED.items()},
    }
