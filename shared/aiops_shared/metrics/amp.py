"""Driver of Amazon Managed Service for Prometheus: the Prometheus API, each request signed (SigV4, `aps`).

Made by `MetricsDirectory`. The endpoint is what DescribeWorkspace says; the credentials are those of the
cluster's account and role, asked anew at each request, since a session's expire. AMP's own anomaly detectors
are a further voice for `detect_anomalies`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.clock import Clock
from aiops_shared.errors import NotConfiguredError, UpstreamError
from aiops_shared.metrics.prometheus import Bounds, PrometheusMetrics
from aiops_shared.metrics.prometheus_http import Place, PrometheusApi
from aiops_shared.settings import MetricsSettings

SERVICE = "aps"
RIGHTS = (
    "grant aps:QueryMetrics, aps:GetLabels and aps:GetMetricMetadata on the workspace"
    " (for rules and alerts: aps:ListRules, aps:ListAlerts)"
)
MOST_DETECTORS = 50


@dataclass(frozen=True, slots=True)
class AmpDetector:
    """One anomaly detector of a workspace. `query`: what its random cut forest watches."""

    alias: str
    status: str
    query: str = ""
    every_s: int = 0
    created_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


class AmpMetrics(PrometheusMetrics):
    """Fulfils `ports.MetricsBackend` and `inventory.MetricsInventory`."""

    def __init__(
        self, api: PrometheusApi, clock: Clock, bounds: Bounds, eks: EksCluster, workspace: str
    ) -> None:
        super().__init__(api, clock, bounds, "amp")
        self._eks, self._workspace = eks, workspace

    async def detectors(self) -> tuple[AmpDetector, ...]:
        """The workspace's anomaly detectors. Raises AiopsError."""
        listed = await self._eks.every(
            "amp",
            "list_anomaly_detectors",
            "anomalyDetectors",
            at_most=MOST_DETECTORS,
            workspaceId=self._workspace,
        )
        return tuple([await self._detector(row) for row in listed.items])

    async def _detector(self, row: Mapping[str, Any]) -> AmpDetector:
        said = await self._eks.call(
            "amp",
            "describe_anomaly_detector",
            workspaceId=self._workspace,
            anomalyDetectorId=row["anomalyDetectorId"],
        )
        told = said.get("anomalyDetector") or {}
        forest = (told.get("configuration") or {}).get("randomCutForest") or {}
        return AmpDetector(
            alias=str(row.get("alias") or ""),
            status=str((row.get("status") or {}).get("statusCode") or ""),
            query=str(forest.get("query") or ""),
            every_s=int(told.get("evaluationIntervalInSeconds") or 0),
            created_at=row.get("createdAt"),
            labels=dict(told.get("labels") or {}),
        )


async def open_amp(eks: EksCluster, settings: MetricsSettings, clock: Clock, bounds: Bounds) -> AmpMetrics:
    """The driver of the settings' workspace. Raises NotFoundError, AccessDeniedError, NotConfiguredError."""
    workspace = settings.amp_workspace
    said = await eks.call("amp", "describe_workspace", workspaceId=workspace)
    told = said.get("workspace") or {}
    url = str(told.get("prometheusEndpoint") or "")
    state = str((told.get("status") or {}).get("statusCode") or "")
    if not url:
        raise UpstreamError(f"AMP workspace {workspace}", f"DescribeWorkspace named no endpoint ({state})")
    if state in {"DELETING", "CREATION_FAILED"}:
        raise NotConfiguredError(
            f"AMP workspace {workspace}", f"is {state}", "set AIOPS_METRICS_AMP_WORKSPACE"
        )
    place = Place(
        url=url,
        thing=f"AMP workspace {workspace}",
        timeout_s=settings.timeout_s,
        sign=Signing(eks).headers,
        rights=RIGHTS,
    )
    return AmpMetrics(PrometheusApi(place), clock, bounds, eks, workspace)


@dataclass(frozen=True, slots=True)
class Signing:
    """SigV4 with the credentials that AWS is reached with for this cluster."""

    eks: EksCluster
    service: str = SERVICE

    async def headers(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """What a request must carry besides its own headers. Raises NotConfiguredError, AccessDeniedError."""
        aws, target = self.eks.aws, self.eks.target

        def act() -> Mapping[str, str]:
            from botocore.auth import SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.exceptions import NoCredentialsError

            credentials = aws.session(target).get_credentials()
            if credentials is None:
                raise NoCredentialsError
            kept = {name: value for name, value in headers.items() if name == "content-type"}
            request = AWSRequest(method=method, url=url, data=body, headers=kept)
            SigV4Auth(credentials.get_frozen_credentials(), self.service, target.region).add_auth(request)
            return {name: value for name, value in request.headers.items() if name not in kept}

        return await aws.run(f"AWS credentials of {target}", act)
