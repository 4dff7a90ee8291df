"""F13b: metrics begin with the add-on; F18 and F19: the numbers that a report needs are to be had from the
tools.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import pytest_asyncio
from botocore.session import Session

from aiops_lab.aws.account import InstalledAddon
from aiops_lab.aws.container_insights import ADDON, ContainerInsights
from aiops_lab.scenarios.profiles import leaker
from aiops_lab.scenarios.usage_stories import hoard
from tests.observability.stage import Stage, watched

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
NODE_CPU = {
    "query": "ContainerInsights/node_cpu_utilization{ClusterName=*,InstanceId=*,NodeName=*} Average",
    "source": "cloudwatch",
    "since": "-15m",
    "step": "1m",
}
FIRST_WITHIN_S = 180


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        async with watched(patch, Path(tmp_path_factory.mktemp("facts"))) as made:
            yield made


def client(stage: Stage, service: str) -> Any:
    """Somebody who may write, beside the server."""
    told = stage.lab.export("lab-admin")
    return Session().create_client(
        service,
        endpoint_url=told["AWS_ENDPOINT_URL"],
        region_name=told["AWS_REGION"],
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=told["AWS_SESSION_TOKEN"] or None,
    )


@pytest.mark.timeout(60)
@pytest.mark.row("S16")
@pytest.mark.parametrize("seed", [0, 3])
async def test_the_first_point_comes_within_three_minutes_of_an_active_addon(stage: Stage, seed: int) -> None:
    stage.play("addon-inventory", seed)
    before = await stage.got("query_metrics", **NODE_CPU)
    assert "No value" in before["summary"]
    eks = client(stage, "eks")
    await anyio.to_thread.run_sync(lambda: eks.create_addon(clusterName="my-cluster", addonName=ADDON))
    while stage.lab.account.addons[ADDON].status != "ACTIVE":
        assert "No value" in (await stage.got("query_metrics", **NODE_CPU))["summary"]
        stage.lab.clock.advance(15)
        await anyio.to_thread.run_sync(lambda: eks.describe_addon(clusterName="my-cluster", addonName=ADDON))
    waited_s = 0
    while "No value" in (found := await stage.got("query_metrics", **NODE_CPU))["summary"]:
        stage.lab.clock.advance(30)
        waited_s += 30
        assert waited_s <= FIRST_WITHIN_S
    assert found["total"] == len(stage.lab.store.list("Node"))
    assert waited_s > 0  # nothing from before the agent


@pytest.mark.timeout(60)
async def test_an_addon_of_the_story_has_its_past_and_one_that_is_ill_collects_nothing(stage: Stage) -> None:
    stage.play("healthy")
    stage.lab.account.area(ContainerInsights).own_agent = False
    stage.lab.account.addons[ADDON] = InstalledAddon(ADDON, "v4.10.1-eksbuild.1")
    assert (await stage.got("query_metrics", **NODE_CPU))["total"] > 0
    stage.lab.account.addons[ADDON] = InstalledAddon(ADDON, "v4.10.1-eksbuild.1", "DEGRADED")
    assert "No value" in (await stage.got("query_metrics", **NODE_CPU))["summary"]


@pytest.mark.timeout(60)
@pytest.mark.row("S78")
async def test_a_report_can_count_alarms_and_see_which_workloads_have_a_detector(stage: Stage) -> None:
    stage.play("active-alarms", 0)
    found = await stage.got("list_alarms", state="all", source="cloudwatch", group=False, limit=1)
    assert found["total"] == 22
    stage.play("memory-daily", 0)
    who = leaker(stage.who)
    metric = {
        "Namespace": "ContainerInsights",
        "MetricName": "pod_memory_utilization_over_pod_limit",
        "Dimensions": [
            {"Name": "ClusterName", "Value": "my-cluster"},
            {"Name": "Namespace", "Value": "production"},
            {"Name": "PodName", "Value": who},
        ],
        "Stat": "Average",
    }
    cloudwatch = client(stage, "cloudwatch")
    await anyio.to_thread.run_sync(
        lambda: cloudwatch.put_anomaly_detector(SingleMetricAnomalyDetector=metric)
    )
    ask = {"namespace": "production", "kind": "Deployment", "name": who, "since": "-1d"}
    told = await stage.got("detect_anomalies", **ask)
    assert [one for one in told["voices"] if "a band is kept over pod_memory" in one]


@pytest.mark.timeout(60)
@pytest.mark.row("S83")
async def test_a_report_can_count_active_series_and_those_that_nobody_asked_for(stage: Stage) -> None:
    stage.play("observability-cost", 0)
    truth = hoard(stage.who)
    found = await stage.got("query_metrics", show="cardinality")
    active = int(found["summary"].partition(" active series")[0].replace(",", ""))
    assert active == pytest.approx(truth.series, rel=0.005)  # the world's own pods and nodes beside them
    assert f"{truth.idle:,} series ({100 * truth.idle / active:.1f} %)" in found["summary"]
