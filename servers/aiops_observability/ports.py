"""What the tools need and the clients fulfil. No code."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aiops_shared.metrics.ports import MetricsBackend


class Metrics(Protocol):
    """The metrics backends of the clusters; `aiops_shared.metrics.directory.MetricsDirectory` fulfils it."""

    async def open(self, cluster: str | None, source: str = "auto") -> "MetricsBackend":
        """The backend of a cluster's metrics. Raises NotConfiguredError, ClusterNotFoundError."""
        ...
