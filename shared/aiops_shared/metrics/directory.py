"""Which metrics backends a cluster has, and the open driver of each.

Servers wire a `MetricsDirectory`; drivers and what they import load with the first question (decision D31).
"""

from collections.abc import Awaitable, Callable
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
            await _closed(backend)
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
            made = await self._make(cluster, name)
            if self._open.setdefault(key, made) is not made:  # another call was quicker
                await _closed(made)
        return self._open[key]

    async def _make(self, cluster: str | None, name: BackendName) -> MetricsBackend:
        """An open driver. A cluster that is named must exist, whatever the backend."""
        if name == "prometheus":
            return await self._prometheus(cluster)
        if name == "amp":
            return await self._amp(cluster)
        if name == "cloudwatch":
            return await self._cloudwatch(cluster)
        return await self._datadog(cluster)

    async def _prometheus(self, cluster: str | None) -> MetricsBackend:
        from aiops_shared.metrics.prometheus import Bounds, PrometheusMetrics
        from aiops_shared.metrics.prometheus_http import Place, PrometheusApi

        metrics = self._settings.metrics
        label = await self._label(cluster)
        place = Place(
            url=metrics.prometheus_url,
            thing="Prometheus",
            timeout_s=metrics.timeout_s,
            token_file=metrics.prometheus_token_file,
            ca_file=metrics.prometheus_ca_file,
        )
        return PrometheusMetrics(PrometheusApi(place), self._clock, Bounds(metrics.max_samples, label))

    async def _amp(self, cluster: str | None) -> MetricsBackend:
        from aiops_shared.metrics.amp import open_amp
        from aiops_shared.metrics.prometheus import Bounds

        metrics = self._settings.metrics
        label = await self._label(cluster)
        eks = await self._clusters.eks(cluster)
        return await open_amp(eks, metrics, self._clock, Bounds(metrics.max_samples, label))

    async def _cloudwatch(self, cluster: str | None) -> MetricsBackend:
        from aiops_shared.metrics.cloudwatch import CloudWatchMetrics

        eks = await self._clusters.eks(cluster)
        return CloudWatchMetrics(eks, self._clock, self._settings.metrics.max_samples)

    async def _datadog(self, cluster: str | None) -> MetricsBackend:
        from aiops_shared.metrics.datadog import DatadogMetrics
        from aiops_shared.metrics.datadog_http import DatadogApi

        metrics = self._settings.metrics
        name = await self._named(cluster)
        api = DatadogApi(metrics.datadog_url, metrics.datadog_key_file, metrics.timeout_s)
        return DatadogMetrics(api, name, self._clock)

    async def _named(self, cluster: str | None) -> str:
        """The cluster's name. Raises ClusterNotFoundError; NotConfiguredError where none can be told."""
        try:
            return (await self._clusters.eks(cluster)).name
        except NotConfiguredError:
            if cluster is None:
                raise
            return cluster.rpartition("/")[2]  # of a kubeconfig context: its name, or the end of its ARN

    async def _label(self, cluster: str | None) -> tuple[str, str] | None:
        """The label that tells this cluster apart, and that the cluster exists when it is named.

        Raises ClusterNotFoundError; NotConfiguredError where a label is set and no name can be told.
        """
        name = self._settings.metrics.cluster_label
        if cluster is None and not name:
            return None
        said = await self._named(cluster)
        return (name, said) if name else None


async def _closed(backend: MetricsBackend) -> None:
    close: Callable[[], Awaitable[None]] | None = getattr(backend, "aclose", None)
    if close is not None:  # drivers over HTTP have one, those over boto3 do not
        await close()
