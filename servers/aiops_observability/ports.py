"""What the tools need and the clients fulfil. No code."""

from typing import TYPE_CHECKING, Protocol

from aiops_observability.models.alarms import AlarmAsk, AlarmList
from aiops_observability.models.forecasts import ForecastAsk, MetricForecast

if TYPE_CHECKING:
    from aiops_shared.metrics.ports import MetricsBackend


class Metrics(Protocol):
    """The metrics backends of the clusters; `aiops_shared.metrics.directory.MetricsDirectory` fulfils it."""

    async def open(self, cluster: str | None, source: str = "auto") -> "MetricsBackend":
        """The backend of a cluster's metrics. Raises NotConfiguredError, ClusterNotFoundError."""
        ...


class Forecasts(Protocol):
    """What comes."""

    async def forecast(self, ask: ForecastAsk) -> MetricForecast:
        """The hours to come of one metric. Raises InsufficientDataError."""
        ...


class Alarms(Protocol):
    """What fires."""

    async def list(self, ask: AlarmAsk) -> AlarmList:
        """The alarms of every source, grouped. Raises `AiopsError` when no source answers."""
        ...

    async def aclose(self) -> None:
        """Close what it opened."""
        ...
