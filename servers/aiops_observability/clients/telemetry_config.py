"""Collector configurations for another backend, and what the measured volume costs there.

Called by the configuration tool through `ports.TelemetryConfigs`. The switch itself is pure and asks nobody.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import yaml

from aiops_observability.models.telemetry import ConfigAsk, TelemetryConfig
from aiops_observability.ports import Metrics
from aiops_observability.telemetry.choice import BILLED, Prices, Volume, costs
from aiops_observability.telemetry.held import held
from aiops_observability.telemetry.switching import Switched, switched
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, NotConfiguredError
from aiops_shared.metrics.series import Window
from aiops_shared.results import Evidence, Table

SERIES = "sum(prometheus_tsdb_head_series)"
SAMPLES = "sum(rate(prometheus_tsdb_head_samples_appended_total[5m]))"
MOST_BYTES = 100_000


@dataclass(frozen=True)
class ConfigGenerator:
    """Fulfils `ports.TelemetryConfigs`."""

    metrics: Metrics
    clock: Clock
    prices_file: Path | None

    async def generate(self, ask: ConfigAsk) -> TelemetryConfig:
        """The new configuration. Raises InvalidInputError for what is no collector's."""
        found = switched(held(ask.current), ask.target)
        warnings = list(_warnings(found))
        told: Table | None = None
        evidence: tuple[Evidence, ...] = ()
        if ask.compare:
            told, evidence, more = await self._compared(ask.cluster)
            warnings += more
        rows = tuple((one.code, one.where, one.says) for one in found.remarks)
        return TelemetryConfig(
            summary=_said(ask, found)[:400],
            config=found.text,
            diff=found.diff,
            findings=Table(columns=("code", "where", "what"), rows=rows),
            secrets=found.secrets,
            variables=found.variables,
            iam=found.iam,
            distributions=found.distributions,
            notes=found.notes,
            costs=told,
            evidence=evidence,
            warnings=tuple(warnings),
            untrusted=("config", "diff", "findings"),
        )

    async def _compared(self, cluster: str | None) -> tuple[Table | None, tuple[Evidence, ...], list[str]]:
        """A month on each backend from the volume that Prometheus says of itself."""
        try:
            prices = await anyio.to_thread.run_sync(_read_prices, self.prices_file)
            series, source = await self._last(cluster, SERIES)
            samples, _ = await self._last(cluster, SAMPLES)
        except AiopsError as error:
            return None, (), [f"costs are left out: {error}"]
        volume = Volume(active_series=series, samples_per_s=samples)
        rows = tuple((one.backend, one.usd, "; ".join(one.lines)) for one in costs(volume, prices))
        said = f"{series:,.0f} active series, {samples:,.0f} samples a second"
        table = Table(columns=("backend", "USD a month", "arithmetic"), rows=rows)
        more = [] if prices else ["no prices: AIOPS_METRICS_PRICES_FILE names none (docs/telemetry.md)"]
        return table, (Evidence(source=source, query=SERIES, says=said),), more

    async def _last(self, cluster: str | None, query: str) -> tuple[float, str]:
        backend = await self.metrics.open(cluster, "auto")
        now = await self.clock.now()
        answer = await backend.range(query, Window.over(now - timedelta(minutes=30), now, 60))
        seen = [one.values[~np.isnan(one.values)] for one in answer.series]
        if not any(each.size for each in seen):
            raise NotConfiguredError("volume", f"{answer.source} does not scrape Prometheus's own metrics")
        return float(sum(each[-1] for each in seen if each.size)), answer.source


def _read_prices(path: Path | None) -> Prices:
    """The operator's prices. Raises NotConfiguredError for a file that is none."""
    if path is None:
        return {}
    try:
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8")[:MOST_BYTES])
        return {
            str(name): {str(k): float(v) for k, v in told.items()}
            for name, told in found.items()
            if name in BILLED
        }
    except (OSError, UnicodeError, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise NotConfiguredError(
            "AIOPS_METRICS_PRICES_FILE", f"cannot be read ({type(error).__name__})", "backend: {price: USD}"
        ) from error


def _warnings(found: Switched) -> list[str]:
    said = ["the file could not be edited in place: comments and order are lost"] if found.rewritten else []
    if any(one.code == "SECRET_INLINE" for one in found.remarks):
        said.append("a secret stands in the current file: rotate it")
    return said


def _said(ask: ConfigAsk, found: Switched) -> str:
    needs = ", ".join((*found.secrets, *found.variables))
    text = f"Sends to {ask.target}; receivers and processors are unchanged."
    if found.remarks:
        first = found.remarks[0]
        text += f" {len(found.remarks)} findings in the current file: {first.code} {first.says}."
    text += f" The collector needs {needs} in its environment" if needs else ""
    return text + (f" and must be {' or '.join(found.distributions)}." if found.distributions else ".")
