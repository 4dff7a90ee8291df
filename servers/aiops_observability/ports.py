"""What the tools need and the clients fulfil. No code."""

from typing import TYPE_CHECKING, Protocol

from aiops_observability.models.alarms import AlarmAsk, AlarmList
from aiops_observability.models.anomalies import AnomalyAsk, AnomalyReport
from aiops_observability.models.comparisons import CompareAsk, WindowComparison
from aiops_observability.models.forecasts import ForecastAsk, MetricForecast
from aiops_observability.models.logs import LogAnalysis, LogAnalysisAsk, LogQueryAsk, LogRows
from aiops_observability.models.metrics import MetricAsk, MetricReport
from aiops_observability.models.service_health import HealthAsk, ServiceHealth
from aiops_observability.models.telemetry import ConfigAsk, TelemetryConfig
from aiops_observability.models.traces import TraceAnalysis, TraceAsk

if TYPE_CHECKING:
    from aiops_shared.metrics.ports import BackendName, MetricsBackend


class Metrics(Protocol):
    """The metrics backends of the clusters; `aiops_shared.metrics.directory.MetricsDirectory` fulfils it."""

    async def open(self, cluster: str | None, source: str = "auto") -> "MetricsBackend":
        """The backend of a cluster's metrics. Raises NotConfiguredError, ClusterNotFoundError."""
        ...

    def configured(self) -> "tuple[BackendName, ...]":
        """The backends that the settings name, in the order in which they are asked."""
        ...


class MetricReadings(Protocol):
    """Values of metrics, and what there is to ask."""

    async def read(self, ask: MetricAsk) -> MetricReport:
        """One answer. Raises QueryInvalidError for what does not parse or would read too much."""
        ...


class Anomalies(Protocol):
    """What is abnormal."""

    async def detect(self, ask: AnomalyAsk) -> AnomalyReport:
        """The anomalies of a metric or a workload. Raises InsufficientDataError."""
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


class Comparisons(Protocol):
    """What differs."""

    async def compare(self, ask: CompareAsk) -> WindowComparison:
        """Two windows of one service or workload. Raises InvalidInputError, InsufficientDataError."""
        ...


class TelemetryConfigs(Protocol):
    """Collector configurations."""

    async def generate(self, ask: ConfigAsk) -> TelemetryConfig:
        """The same telemetry to another backend. Raises InvalidInputError."""
        ...


class Traces(Protocol):
    """Requests and where their time goes."""

    async def analyze(self, ask: TraceAsk) -> TraceAnalysis:
        """One analysis. Raises ActionRefusedError, NotFoundError, NotConfiguredError, InvalidInputError."""
        ...


class Services(Protocol):
    """Services and their promises."""

    async def health(self, ask: HealthAsk) -> ServiceHealth:
        """One service. Raises NotFoundError, InvalidInputError."""
        ...


class SensitiveReads(Protocol):
    """Whether texts that programs wrote may be read (safety page, T6); each permitted read is audited."""

    async def allow(self, what: str) -> None:
        """Pass, audited, or raise ActionRefusedError with what the operator must set."""
        ...


class LogQueries(Protocol):
    """Lines as a query finds them."""

    async def query(self, ask: LogQueryAsk) -> LogRows:
        """One query. Raises QueryInvalidError for what would read too much."""
        ...


class LogAnalyses(Protocol):
    """What many lines say together."""

    async def analyze(self, ask: LogAnalysisAsk) -> LogAnalysis:
        """One analysis. Raises QueryInvalidError for what would read too much."""
        ...
