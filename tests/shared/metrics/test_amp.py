"""AMP: DescribeWorkspace says where, every request carries a SigV4 signature of service aps that holds."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aiops_shared.aws import AwsClients, EksCluster
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import AccessDeniedError, NotConfiguredError, NotFoundError, ThrottledError
from aiops_shared.metrics.amp import AmpMetrics, open_amp
from aiops_shared.metrics.prometheus import Bounds
from aiops_shared.metrics.series import Window
from aiops_shared.settings import AwsSettings, MetricsSettings
from tests.fakes.clocks import FakeClock
from tests.shared.http.wire_server import Reply, Seen, WireServer, as_json

KEY, SECRET, REGION, WORKSPACE = "AKIAFAKEFAKEFAKEFAKE", "fake-secret-worth-nothing", "us-east-1", "ws-1"
SINCE = datetime(2026, 11, 22, 1, tzinfo=UTC)
WINDOW = Window.over(SINCE, SINCE + timedelta(hours=1), 60)


def signature_holds(url: str, seen: Seen) -> bool:
    """Whether AWS would accept the request: the signature is made again from what came over the wire."""
    told = seen.headers.get("authorization", "")
    if (
        not told.startswith(f"AWS4-HMAC-SHA256 Credential={KEY}/")
        or f"/{REGION}/aps/aws4_request" not in told
    ):
        return False
    names = told.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest(
        method=seen.method,
        url=url + seen.target,
        data=seen.body,
        headers={name: seen.headers[name] for name in names},
    )
    request.context["timestamp"] = seen.headers["x-amz-date"]
    signer = SigV4Auth(Credentials(KEY, SECRET), "aps", REGION)
    mine = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return bool(told.endswith(f"Signature={mine}"))


def matrix(value: str = "3", **labels: str) -> Reply:
    row = {"metric": labels, "values": [[SINCE.timestamp(), value]]}
    return as_json({"status": "success", "data": {"resultType": "matrix", "result": [row]}})


class Amp:
    """The control side, and a data side that takes signed requests alone."""

    def __init__(self) -> None:
        self.state, self.says = "ACTIVE", matrix
        self.refused: Reply | None = None
        self.server = WireServer(self.answer)

    def answer(self, seen: Seen) -> Reply:
        if "/api/v1/" in seen.path:
            if not signature_holds(self.server.url, seen):
                return Reply(b'{"message":"Missing Authentication Token"}', 403)
            return self.refused or self.says(aiops="c0")
        routes: dict[str, Callable[[], Reply]] = {
            f"/workspaces/{WORKSPACE}": self.workspace,
            f"/workspaces/{WORKSPACE}/anomalydetectors": lambda: as_json({"anomalyDetectors": [DETECTOR]}),
            f"/workspaces/{WORKSPACE}/anomalydetectors/ad-1": lambda: as_json(
                {"anomalyDetector": DETECTOR | {"evaluationIntervalInSeconds": 60, "configuration": FOREST}}
            ),
        }
        if seen.path not in routes:
            return as_json({"message": "no such"}, 404, x_amzn_errortype="ResourceNotFoundException")
        return routes[seen.path]()

    def workspace(self) -> Reply:
        return as_json(
            {
                "workspace": {
                    "workspaceId": WORKSPACE,
                    "arn": f"arn:aws:aps:{REGION}:111122223333:workspace/{WORKSPACE}",
                    "status": {"statusCode": self.state},
                    "prometheusEndpoint": f"{self.server.url}/workspaces/{WORKSPACE}/",
                    "createdAt": 1.0,
                }
            }
        )


DETECTOR: dict[str, Any] = {
    "arn": "arn:aws:aps:us-east-1:111122223333:anomalydetector/ws-1/ad-1",
    "anomalyDetectorId": "ad-1",
    "alias": "rps",
    "status": {"statusCode": "ACTIVE"},
    "createdAt": 1.0,
    "modifiedAt": 1.0,
}
FOREST = {"randomCutForest": {"query": "sum(rate(http_requests_total[5m]))"}}


@pytest.fixture
async def amp(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Amp]:
    made = Amp()
    async with made.server as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_CONFIG_FILE": "/nonexistent/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        yield made


async def opened(workspace: str = WORKSPACE) -> AmpMetrics:
    eks = EksCluster(AwsClients(AwsSettings(timeout_s=10)), AwsTarget(region=REGION), "my-cluster")
    settings = MetricsSettings(amp_workspace=workspace)
    return await open_amp(eks, settings, FakeClock(SINCE + timedelta(hours=1)), Bounds(5_000_000))


async def test_short_and_long_queries_and_label_lists_are_signed(amp: Amp) -> None:
    backend = await opened()
    odd = 'foo{path="/a b/$1?x={y}&é=~*\'()",re=~"a+|b"}'
    assert (await backend.range(odd, WINDOW)).series
    long = f'foo{{a=~"{"|".join(f"pod-{number}" for number in range(400))}"}}'
    assert (await backend.range(long, WINDOW)).source == f"AMP workspace {WORKSPACE}"
    assert {seen.method for seen in amp.server.seen if "/api/v1/" in seen.path} == {"GET", "POST"}
    amp.refused = as_json({"status": "success", "data": ["up"]})
    assert [one.name for one in await backend.search("up", limit=3)] == ["up"]
    assert backend.name == "amp"
    await backend.aclose()


async def test_its_anomaly_detectors_are_a_further_voice(amp: Amp) -> None:
    backend = await opened()
    (found,) = await backend.detectors()
    assert (found.alias, found.status, found.every_s) == ("rps", "ACTIVE", 60)
    assert found.query == FOREST["randomCutForest"]["query"]
    await backend.aclose()


async def test_a_missing_right_is_named_and_throttling_is_throttling(amp: Amp) -> None:
    backend = await opened()
    amp.refused = Reply(b'{"message":"not authorized to perform: aps:QueryMetrics"}', 403)
    with pytest.raises(AccessDeniedError, match="aps:QueryMetrics"):
        await backend.range("foo", WINDOW)
    amp.refused = Reply(b"", 429)
    with pytest.raises(ThrottledError):
        await backend.range("foo", WINDOW)
    await backend.aclose()


async def test_an_unknown_workspace_and_one_that_goes_are_told(amp: Amp) -> None:
    with pytest.raises(NotFoundError, match="no such"):
        await opened("ws-2")
    amp.state = "DELETING"
    with pytest.raises(NotConfiguredError, match="DELETING"):
        await opened()
