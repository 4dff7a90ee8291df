"""F22: a backend that is down, throttled or silent: the next one answers and the answer says so; where no
other may answer, the refusal names what failed.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from aiops_lab.scenarios import traced
from tests.observability.stage import Stage, watched

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.fault("R21")]
FAULTS = {"503": (503, 0.0), "throttled": (429, 0.0), "silent": (0, 30.0)}
CODES = {"503": "upstream_error", "throttled": "throttled", "silent": "timeout"}
METRICS = {
    "query_metrics": {"what": "requests_total", "kind": "Service", "name": "shop"},
    "detect_anomalies": {"what": "requests_total", "kind": "Service", "name": "shop", "since": "-2d"},
    "forecast_metric": {"what": "requests_total", "kind": "Service", "name": "shop"},
    "compare_windows": {"name": "shop", "a": "-26h/-24h", "b": "-2h/"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    quick = {"AIOPS_METRICS_TIMEOUT_S": "1"}
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(tmp_path_factory.mktemp("outages"))
        async with watched(patch, folder, "traffic-surge", environment=quick) as made:
            yield made


@pytest.fixture(autouse=True)
def healed(stage: Stage) -> None:
    stage.lab.observatory.heal()
    stage.lab.aws_faults.clear()


def fail(stage: Stage, room: str, fault: str) -> None:
    status, delay_s = FAULTS[fault]
    stage.lab.observatory.fail(room, status=status, delay_s=delay_s)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fault", FAULTS)
async def test_metrics_come_from_the_next_backend_and_the_answer_says_so(stage: Stage, fault: str) -> None:
    if stage.lab.scenario != "traffic-surge":
        stage.play("traffic-surge")
    for tool, ask in METRICS.items():
        whole = await stage.got(tool, source="amp", **ask)
        fail(stage, "prometheus", fault)
        partly = await stage.got(tool, **ask)
        said = " ".join(partly["warnings"])
        assert "rometheus gave nothing" in said, (tool, said)
        assert partly["summary"] == whole["summary"]
        alone = await stage.ask(tool, source="prometheus", **ask)
        assert alone.code in {CODES[fault], "unreachable"}, (tool, alone.text)
        stage.lab.observatory.heal()
    fail(stage, "prometheus", fault)
    own_words = await stage.ask("query_metrics", query="up")
    assert own_words.code in {CODES[fault], "unreachable"}  # nobody else understands it


@pytest.mark.timeout(60)
async def test_when_every_backend_is_down_the_first_ones_error_names_the_others(stage: Stage) -> None:
    for room in ("prometheus", "amp"):
        fail(stage, room, "503")
    stage.lab.fail_aws("cloudwatch", "*", code="AccessDeniedException")
    for tool, ask in METRICS.items():
        down = await stage.ask(tool, **ask)
        assert down.code in {"upstream_error", "timeout", "unreachable"}, (tool, down.text)
        assert "rometheus" in down.error
        assert "amp gave nothing" in down.error, (tool, down.error)
        assert "cloudwatch gave nothing" in down.error
    health = await stage.ask("get_service_health", service="shop")
    assert health.error


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fault", FAULTS)
async def test_health_keeps_its_burn_rates(stage: Stage, fault: str) -> None:
    whole = await stage.got("get_service_health", service="shop")
    fail(stage, "prometheus", fault)
    partly = await stage.got("get_service_health", service="shop")
    assert partly["burn_rates"] == whole["burn_rates"]
    assert any("prometheus gave nothing" in one for one in partly["warnings"])


@pytest.mark.timeout(90)
async def test_traces_come_from_the_next_store_and_alarms_from_the_other_sources(stage: Stage) -> None:
    stage.play("subnet-ip-exhaustion")
    ask = {"service": traced.shop(stage.who).service, "since": "-15m"}
    whole = await stage.got("analyze_traces", **ask)
    for code, status in (("InternalServerError", 500), ("ThrottledException", 429)):
        stage.lab.fail_aws("xray", "GetTraceSummaries", code=code, status=status)
        partly = await stage.got("analyze_traces", **ask)
        assert partly["source"] == "jaeger"
        assert (partly["outlier"], partly["edge"]) == (whole["outlier"], whole["edge"])
        assert any("xray gave nothing" in one for one in partly["warnings"])
        stage.lab.aws_faults.clear()
    stage.lab.fail_aws("xray", "GetTraceSummaries", code="AccessDeniedException")
    for room in ("jaeger", "tempo"):
        fail(stage, room, "503")
    assert (await stage.ask("analyze_traces", **ask)).code == "access_denied"
    for fault in ("503", "throttled"):
        fail(stage, "alertmanager", fault)
        alarms = await stage.got("list_alarms")
        assert any("lertmanager" in one for one in alarms["warnings"])


@pytest.mark.timeout(60)
async def test_logs_have_one_source_a_call_so_its_failure_is_the_answer(stage: Stage) -> None:
    for fault in ("503", "throttled"):
        fail(stage, "opensearch", fault)
        for tool, more in (("query_logs", {"query": "x"}), ("analyze_logs", {})):
            refused = await stage.ask(tool, source="opensearch", target="logs-application", **more)
            assert refused.code == CODES[fault], refused.text
