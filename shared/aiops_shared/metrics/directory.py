"""Which metrics backends a cluster has, and the open driver of each.

Servers wire a `MetricsDirectory`; drivers and what they import load with the first question (decision D31).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, NotConfiguredError
from aiops_shared.metrics.ports import BACKENDS, BackendName, MetricsBackend
from aiops_shared.settings import Settings

if TYPE_CHECKING:
    from aiops_shared.aws import AwsClients
    from aiops_shared.kube.clusters import ClusterDirectory

NOTHING = (
    "set AIOPS_METRICS_PROMETHEUS_URL or AIOPS_METRICS_AMP_WORKSPACE, or give AWS credentials and a region"
    " for CloudWatch, or AIOPS_METRICS_DATADOG_URL"
)


class MetricsDirectory:
    """The metrics of the clusters of one process."""

    def __init__(
        self, settings: Settings, aws: "AwsClients", clusters: "ClusterDirectory", clock: Clock
    ) -> None:
        self._settings = settings
        self._aws = aws
        self._clusters = clusters
        self._clock = clock
        self._open: dict[tuple[str, BackendName], MetricsBackend] = {}

    async def aclose(self) -> None:
        """Close every connection."""
        for backend in self._open.values():
            close: Callable[[], object] | None = getattr(backend, "aclose", None)
            if close is not None:
                await close()  # type: ignore[misc]  # drivers over HTTP have one, those over boto3 do not
        self._open.clear()

    def configured(self) -> tuple[BackendName, ...]:
        """The backends that the settings name, in the order in which they are asked."""
        metrics = self._settings.metrics
        named: dict[BackendName, bool] = {
            "prometheus": bool(metrics.prometheus_url),
            "amp": bool(metrics.amp_workspace),
            "cloudwatch": True,  # wherever AWS is reached; a call says what is missing
            "datadog": bool(metrics.datadog_url),
        }
        return tuple(name for name in BACKENDS if named[name])

    async def open(self, cluster: str | None, source: str = "auto") -> MetricsBackend:
        """The backend of a cluster's metrics. Raises NotConfiguredError, ClusterNotFoundError."""
        wanted = self._settings.metrics.source if source == "auto" else source
        names = self.configured()
        if wanted == "auto":
            return await self._backend(cluster, names[0])
        for name in names:
            if name == wanted:
                return await self._backend(cluster, name)
        raise NotConfiguredError(f"metrics of {wanted}", "it is not configured", NOTHING)

    async def every(self, cluster: str | None) -> tuple[MetricsBackend | AiopsError, ...]:
        """Every configured backend, or why it cannot be used."""
        found: list[MetricsBackend | AiopsError] = []
        for name in self.configured():
            try:
                found.append(await self._backend(cluster, name))
            except AiopsError as error:
                found.append(error)
        return tuple(found)

    async def _backend(self, cluster: str | None, name: BackendName) -> MetricsBackend:
        key = (cluster or "", name)
        if key not in self._open:
            self._open[key] = await self._make(cluster, name)
        return self._open[key]

    async def _make(self, cluster: str | None, name: BackendName) -> MetricsBackend:
        raise NotConfiguredError(f"metrics of {name} for {cluster}", "this driver is not built yet", NOTHING)
