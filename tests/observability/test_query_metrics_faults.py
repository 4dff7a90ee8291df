"""`query_metrics` when a backend fails, a name is wrong or a query is dear, through a client and the lab."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bench.tokens import tokens
from tests.e2e.stage import Answer
from tests.observability.stage import Stage, watched

pytestmark = pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")
MEMORY: dict[str, Any] = {"what": "memory", "namespace": "production"}
QUICK = {"AIOPS_METRICS_TIMEOUT_S": "5"}


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Stage]:
    async with watched(monkeypatch, tmp_path) as made:
        yield made


def means(answer: Answer) -> dict[str, float]:
    """Means by pod."""
    assert not answer.error, answer.error
    told = answer.data["series"]
    pod, mean = told["columns"].index("pod"), told["columns"].index("mean")
    return {row[pod]: row[mean] for row in told["rows"]}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.fault("R21")
@pytest.mark.row("S8")
async def test_another_backend_answers_for_the_one_that_fails_with_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, environment=QUICK) as stage:
        await _ill(stage)


async def _ill(stage: Stage) -> None:
    well = await stage.ask("query_metrics", **MEMORY)
    assert well.data["source"] == "Prometheus"
    illnesses: dict[str, dict[str, Any]] = {
        "throttled": {"status": 429},
        "upstream_error": {"status": 503},
        "not JSON": {"status": 200, "body": b'{"status":"success","data":{"resultType":"mat'},
        "instead of a matrix": {
            "status": 200,
            "body": b'{"status":"success","data":{"resultType":"vector","result":[]}}',
        },
        "timeout": {"status": 200, "delay_s": 8.0},
    }
    for words, illness in illnesses.items():
        stage.lab.observatory.fail("prometheus", **illness)
        answer = await stage.ask("query_metrics", **MEMORY)
        stage.lab.observatory.heal()
        assert not answer.error, (words, answer.error)
        assert answer.data["source"].startswith("AMP workspace")
        assert words in answer.data["warnings"][0], (words, answer.data["warnings"])
        assert means(answer) == pytest.approx(means(well), rel=0.02)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.fault("R21")
async def test_a_query_in_one_backends_words_is_asked_of_it_alone(stage: Stage) -> None:
    stage.lab.observatory.fail("prometheus", status=503)
    answer = await stage.ask("query_metrics", query="sum(container_memory_working_set_bytes)")
    assert answer.code == "upstream_error"
    assert "Prometheus" in answer.error
    named = await stage.ask("query_metrics", source="prometheus", **MEMORY)
    assert named.code == "upstream_error"
    for show in ("rules", "alerts", "cardinality", "labels"):
        assert (await stage.ask("query_metrics", show=show, query="up")).code == "upstream_error"
    assert (await stage.ask("query_metrics", search="memory")).code == "upstream_error"


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_wrong_name_gets_the_nearest_and_an_empty_answer_says_why(stage: Stage) -> None:
    empty = await stage.ask("query_metrics", query="container_memory_workingset_byte")
    assert "nearest: container_memory_working_set_bytes" in empty.data["hint"]
    wrong = await stage.ask("query_metrics", query='container_memory_working_set_bytes{pod="nobody"}')
    assert "exists with the labels container, namespace, node, pod" in wrong.data["hint"]
    labels = await stage.ask("query_metrics", show="labels", query="kube_pod_ownr")
    assert labels.code == "not_found"
    assert "kube_pod_owner" in labels.error
    words = await stage.ask("query_metrics", search="working set memory")
    assert words.data["found"]["rows"][0][0] == "container_memory_working_set_bytes"
    assert "namespace" in words.data["found"]["rows"][0][2]
    question = await stage.ask("query_metrics", what="memry")
    assert question.code == "query_invalid"
    assert "nearest: memory" in question.error
    assert len((await stage.ask("query_metrics", show="questions")).data["found"]["rows"]) > 40
    nobody = await stage.ask("query_metrics", source="prometheus", name="nobody", **MEMORY)
    assert "nobody" in nobody.data["hint"]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.threat("T10")
async def test_dear_and_endless_queries_are_refused_with_an_estimate_and_nothing_is_read(
    stage: Stage,
) -> None:
    bomb = {"query": 'count({__name__=~".+"}) by (__name__)', "since": "-365d", "step": "1s"}  # BI-077
    answer = await stage.ask("query_metrics", **bomb)
    assert answer.code == "query_invalid"
    assert "samples" in answer.error
    assert "show=cardinality" in answer.error
    endless = await stage.ask("query_metrics", query="rate(container_cpu_usage_seconds_total[10y])")
    assert "days back" in endless.error
    fine = await stage.ask("query_metrics", query="up", since="-30d", step="1s")
    assert "points a series" in fine.error
    assert not [one for one in stage.lab.observatory.log.asked if "query_range" in one[2]]
    backward = {"query": "up", "since": "-1h", "until": "-2h"}  # BI-081
    assert (await stage.ask("query_metrics", **backward)).code == "invalid_input"
    for wrong in (
        {},
        {"query": "up", "what": "memory"},
        {"query": "up", "name": "web"},
        {"what": "memory", "step": "soon"},
    ):
        assert (await stage.ask("query_metrics", **wrong)).code == "invalid_input"


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.threat("T10")
async def test_the_bound_is_the_operators_and_the_advice_fits_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bound = {"AIOPS_METRICS_MAX_SAMPLES": "1000"}
    async with watched(monkeypatch, tmp_path, environment=bound) as stage:
        query = 'container_memory_working_set_bytes{namespace="production"}'
        refused = await stage.ask("query_metrics", query=query, since="-6h", step="1m")
        assert refused.code == "query_invalid"
        assert "1,000 is the most" in refused.error
        step = refused.error.rpartition("step=")[2].split()[0].rstrip(";s")
        told = await stage.ask("query_metrics", query=query, since="-6h", step=step)
        assert not told.error, told.error


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_every_view_fits_its_budget_and_marks_foreign_text(stage: Stage) -> None:
    for asked in (
        {"what": "cpu"},
        {"query": "kube_pod_status_phase"},
        {"show": "questions"},
        {"show": "cardinality"},
        {"show": "rules"},
        {"search": ""},
        {"what": "requests", "namespace": "production", "by_hour_of_week": True, "since": "-1d"},
    ):
        answer = await stage.ask("query_metrics", **asked)
        assert not answer.error, answer.error
        assert tokens(answer.text) <= 1500, (asked, tokens(answer.text))
        if "series" in answer.data:
            assert {"series", "points"} <= set(answer.data["untrusted"])


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.fault("R21")
async def test_when_every_backend_fails_the_first_failure_is_told_with_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        stage.lab.observatory.fail("prometheus", status=503)
        stage.lab.fail_aws("amp", "DescribeWorkspace", code="ThrottlingException", status=429)
        stage.lab.fail_aws("cloudwatch", "ListMetrics", code="InternalServiceFault", status=500)
        stage.lab.fail_aws("cloudwatch", "GetMetricData", code="InternalServiceFault", status=500)
        answer = await stage.ask("query_metrics", **MEMORY)
        assert answer.code == "upstream_error"
        assert "Prometheus: HTTP 503" in answer.error
        assert "ThrottlingException" in answer.error
        nowhere = await stage.ask("query_metrics", cluster="no-such-cluster", **MEMORY)
        assert nowhere.code == "cluster_not_found"


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.row("S69")
async def test_what_only_cloudwatch_knows_is_answered_without_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "subnet-ip-exhaustion") as stage:
        flows = await stage.ask("query_metrics", what="retransmissions")
        assert not flows.error, flows.error
        assert flows.data["source"].startswith("CloudWatch")
        assert "warnings" not in flows.data
        assert flows.data["series"]["rows"][1][0].startswith("subnet-")
        zones = await stage.ask("query_metrics", what="latency_by_zone", namespace="production")
        assert "analyze_traces" in zones.data["hint"]
        assert (await stage.ask("query_metrics", what="db_connections")).data["total"] >= 1
        assert (
            await stage.ask("query_metrics", what="retransmissions", source="prometheus")
        ).code == "query_invalid"
