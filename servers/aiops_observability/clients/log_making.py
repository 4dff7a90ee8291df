"""Makes the readers of logs, and keeps the one connection to OpenSearch that they share."""

from collections.abc import Mapping

from aiops_observability.clients.log_analysis_reading import LogAnalysisReader
from aiops_observability.clients.log_opensearch import OpenSearch
from aiops_observability.clients.log_query_reading import LogQueryReader, Places, Sensitive
from aiops_shared.aws import AwsClients, EksCluster
from aiops_shared.aws.target import AwsTarget
from aiops_shared.clock import Clock
from aiops_shared.settings import LogsSettings

SERVICE = "es"  # what Amazon OpenSearch Service's requests are signed for


class LogDoors:
    """The readers of one server."""

    def __init__(
        self, settings: LogsSettings, aws: AwsClients, clusters: Places, clock: Clock, sensitive: Sensitive
    ) -> None:
        self._settings, self._aws, self._clusters = settings, aws, clusters
        self._clock, self._sensitive = clock, sensitive
        self._search: OpenSearch | None = None

    def queries(self) -> LogQueryReader:
        """Fulfils `ports.LogQueries`."""
        return LogQueryReader(self._clusters, self._clock, self._sensitive, self._settings, self.search)

    def analyses(self) -> LogAnalysisReader:
        """Fulfils `ports.LogAnalyses`."""
        return LogAnalysisReader(self._clusters, self._clock, self._sensitive, self._settings, self.search)

    def search(self) -> OpenSearch:
        """The OpenSearch API of the settings. Raises NotConfiguredError."""
        if self._search is None:
            sign = self._signed if self._settings.opensearch_signed else None
            self._search = OpenSearch(self._settings, sign)
        return self._search

    async def aclose(self) -> None:
        """Close what was opened."""
        if self._search is not None:
            await self._search.aclose()

    async def _signed(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """SigV4 with the default credentials and region."""
        from aiops_shared.metrics.amp import Signing

        eks = EksCluster(self._aws, AwsTarget(region=await self._aws.default_region()), "")
        return await Signing(eks, SERVICE).headers(method, url, body, headers)
