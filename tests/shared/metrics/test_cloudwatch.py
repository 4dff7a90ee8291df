"""The CloudWatch driver on the lab's CloudWatch: grid, statistics, arithmetic, price, and what fails."""

import json
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from aiops_lab.aws.cloudwatch.contributors import Rules
from aiops_lab.aws.cloudwatch.data import Ill
from aiops_lab.telemetry.log_groups import LogRecord
from aiops_lab.telemetry.signals import Array, Signal, counted
from aiops_shared.errors import (
    AccessDeniedError,
    InvalidInputError,
    NotFoundError,
    QueryInvalidError,
    ThrottledError,
    UnauthenticatedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.metrics.ports import Target
from tests.shared.metrics.cloudwatch_stage import T0_S, CloudWatchStage, staged, window

DAY_S = 86_400


def steady(value: float) -> Callable[[Array], Array]:
    return lambda times: np.full(times.shape, value)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CloudWatchStage]:
    async with staged(monkeypatch) as made:
        yield made


async def test_a_gauge_of_one_minute_is_of_its_moment_and_a_longer_period_of_the_step_that_ends_there(
    stage: CloudWatchStage,
) -> None:
    stage.emit("Shop/Load", lambda times: times - T0_S, Pod="a")
    each = await stage.driver.range('Shop/Load{Pod="a"}', window(1, 60))
    (series,) = each.series
    assert np.array_equal(series.values, series.window.times_s() - T0_S)
    assert series.labels == {}
    longer = (await stage.driver.range('Shop/Load{Pod="a"} Average', window(1, 300))).series[0]
    assert longer.missing == 0
    # minutes t-300 … t-60 of the five minutes that end at t
    assert np.allclose(longer.values, longer.window.times_s() - T0_S - 180)
    last = (await stage.driver.range('Shop/Load{Pod="a"} Last', window(1, 300))).series[0]
    assert np.array_equal(last.values, last.window.times_s() - T0_S)  # of the moment, whatever the step
    most = (await stage.driver.range('Shop/Load{Pod="a"} Maximum', window(1, 300))).series[0]
    assert np.allclose(most.values, most.window.times_s() - T0_S - 60)


async def test_percentiles_of_a_known_distribution_are_what_they_should_be(stage: CloudWatchStage) -> None:
    stage.emit("Shop/Load", lambda times: (times % 6000) / 60, Pod="a")  # 0..99 in 100 minutes
    asked = window(100 / 60 * 3, 6000)
    for stat, expected in (("p50", 49.5), ("p99", 98.01), ("p10", 9.9), ("IQM", 49.5), ("tm90", 44.5)):
        (series,) = (await stage.driver.range(f'Shop/Load{{Pod="a"}} {stat}', asked)).series
        assert series.values[-1] == pytest.approx(expected, rel=0.02), stat
    count = (await stage.driver.range('Shop/Load{Pod="a"} SampleCount', asked)).series[0]
    assert count.values[-1] == 100


async def test_sums_shares_and_gaps_are_joined_by_dimension(stage: CloudWatchStage) -> None:
    for pod, used, asked in (("a", 50.0, 100.0), ("b", 30.0, 40.0)):
        stage.emit("Shop/Used", steady(used), FullPodName=pod)
        stage.emit("Shop/Asked", steady(asked), FullPodName=pod)
    found = await stage.driver.range("Shop/Used{FullPodName=*} / Shop/Asked{FullPodName=*}", window())
    assert {one.labels["pod"]: one.values[0] for one in found.series} == {"a": 0.5, "b": 0.75}
    total = await stage.driver.range(
        "SUM(Shop/Used{FullPodName=*}) / SUM(Shop/Asked{FullPodName=*})", window()
    )
    assert [(one.labels, one.values[5]) for one in total.series] == [({}, 80 / 140)]
    # a metric that never was: FILL stands in for it
    share = await stage.driver.range(
        "FILL(Shop/Failed{FullPodName=*} Sum, 0) / Shop/Asked{FullPodName=*}", window()
    )
    assert {one.labels["pod"]: one.values[0] for one in share.series} == {"a": 0.0, "b": 0.0}
    missing = await stage.driver.range("Shop/Failed{FullPodName=*} / Shop/Asked{FullPodName=*}", window())
    assert missing.series == ()
    some = await stage.driver.range('Shop/Used{FullPodName="a*"} * 2 - 1', window())
    assert [(dict(one.labels), one.values[0]) for one in some.series] == [({"pod": "a"}, 99.0)]


async def test_gaps_stay_gaps(stage: CloudWatchStage) -> None:
    stage.emit("Shop/Load", lambda times: np.where((times // 60) % 2 == 0, 1.0, np.nan), Pod="a")
    (series,) = (await stage.driver.range('Shop/Load{Pod="a"}', window())).series
    assert series.missing == pytest.approx(0.5, abs=0.02)


async def test_what_is_no_arithmetic_is_cloudwatchs_own_metric_math(stage: CloudWatchStage) -> None:
    stage.emit("Shop/Load", lambda times: (times - T0_S) * 2, Pod="a")
    stage.emit("Shop/Load", lambda times: times - T0_S, Pod="b")
    (rate,) = (await stage.driver.range('RATE(Shop/Load{Pod="a"})', window())).series
    assert np.nanmean(rate.values) == pytest.approx(2.0)
    (most,) = (await stage.driver.range("MAX(ABS(Shop/Load{Pod=*}))", window())).series
    assert most.values[0] == 7200
    test = 'IF(Shop/Load{Pod="a"} < Shop/Load{Pod="b"}, 1, 0)'
    (less,) = (await stage.driver.range(test, window())).series
    assert less.values[0] == 1
    searched = await stage.driver.range("SEARCH('{Shop,Pod} MetricName=\"Load\"', 'Maximum', 60)", window())
    assert sorted(one.labels["series"] for one in searched.series) == ["a", "b"]
    with pytest.raises(InvalidInputError, match="Unsupported function"):
        await stage.driver.range('MINUTE(Shop/Load{Pod="a"})', window())


async def test_a_band_holds_what_is_usual_and_not_what_is_odd(stage: CloudWatchStage) -> None:
    def daily(times: Array) -> Array:
        usual = 100 + 50 * np.sin(2 * np.pi * times / DAY_S) + times // 60 % 7
        return np.where(times >= T0_S - 1800, usual + 100, usual)

    stage.emit("Shop/Load", daily, Pod="a")
    asked = window(6, 300)
    found = await stage.driver.range('ANOMALY_DETECTION_BAND(Shop/Load{Pod="a"}, 3)', asked)
    by_bound = {one.labels["bound"]: one.values for one in found.series}
    (load,) = (await stage.driver.range('Shop/Load{Pod="a"}', asked)).series
    inside = (load.values <= by_bound["upper"]) & (load.values >= by_bound["lower"])
    odd = load.window.times_s() > T0_S - 1500
    assert inside[~odd].mean() > 0.95
    assert not inside[odd].any()
    wider = await stage.driver.range('ANOMALY_DETECTION_BAND(Shop/Load{Pod="a"}, 6)', asked)
    width = {one.labels["bound"]: one.values for one in wider.series}
    assert np.allclose(width["upper"] - width["lower"], 2 * (by_bound["upper"] - by_bound["lower"]))


async def test_metrics_insights_really_groups_filters_orders_and_limits(stage: CloudWatchStage) -> None:
    for pod, team, value in (("a", "x", 1.0), ("b", "x", 3.0), ("c", "y", 10.0), ("d", "z", 7.0)):
        stage.emit("Shop/Load", steady(value), FullPodName=pod, Team=team)
    source = "SELECT SUM(Load) FROM SCHEMA(Shop, FullPodName, Team)"
    sql = f"{source} WHERE Team != 'z' GROUP BY Team ORDER BY SUM() DESC"
    found = await stage.driver.range(sql, window(1, 300))
    assert [(one.labels["Team"], one.values[0]) for one in found.series] == [("y", 50.0), ("x", 20.0)]
    (top,) = (await stage.driver.range(f"{sql} LIMIT 1", window(1, 300))).series
    assert top.labels == {"Team": "y"}
    (mean,) = (await stage.driver.range("SELECT AVG(Load) FROM Shop", window(1, 300))).series
    assert mean.values[0] == pytest.approx(21 / 4)
    assert (await stage.driver.estimate(sql, window())).requests == 4
    with pytest.raises(QueryInvalidError, match="14 days"):
        await stage.driver.range(sql, window(1, 300, ago_days=20))
    with pytest.raises(InvalidInputError, match="operator LIKE"):
        await stage.driver.range("SELECT AVG(Load) FROM Shop WHERE Team LIKE 'x'", window(1, 300))


async def test_old_data_is_read_in_the_periods_that_are_kept_and_it_is_said(stage: CloudWatchStage) -> None:
    stage.emit("Shop/Load", steady(5.0), Pod="a")
    for ago_days, step_s in ((10, 60), (20, 300), (70, 3600)):
        found = await stage.driver.range('Shop/Load{Pod="a"}', window(6, 60, ago_days=ago_days))
        (series,) = found.series
        assert series.window.step_s == step_s
        assert series.missing == 0
        assert bool(found.warnings) is (step_s > 60)
    odd = await stage.driver.range('Shop/Load{Pod="a"}', window(1, 45))
    assert odd.series[0].window.step_s == 60
    assert "whole minutes" in odd.warnings[0]
    with pytest.raises(InvalidInputError, match="455 days"):
        await stage.driver.range('Shop/Load{Pod="a"}', window(1, 3600, ago_days=500))


async def test_a_dear_query_is_refused_with_its_price_before_anything_is_read(stage: CloudWatchStage) -> None:
    for index in range(520):
        stage.emit("Shop/Load", np.zeros_like, FullPodName=f"p{index}")
    cost = await stage.driver.estimate("Shop/Load{FullPodName=*}", window())
    assert (cost.series, cost.requests, cost.samples) == (520, 520, 520 * 61)
    with pytest.raises(QueryInvalidError, match=r"520 metrics, 31,720 datapoints.*billed"):
        await stage.driver.range("Shop/Load{FullPodName=*}", window())
    with pytest.raises(QueryInvalidError, match="datapoints are the most"):
        await stage.driver.range('Shop/Load{FullPodName="p4*"}', window(24 * 7, 60))
    with pytest.raises(QueryInvalidError, match="points a series"):
        await stage.driver.range('Shop/Load{FullPodName="p4"}', window(24 * 14, 60))
    assert stage.calls("GetMetricData") == 0


async def test_many_metrics_come_in_batches_and_pages_and_a_batch_that_fails_is_a_warning(
    stage: CloudWatchStage,
) -> None:
    def lately(value: float) -> Callable[[Array], Array]:
        return lambda times: np.where(times >= T0_S - 600, value, np.nan)

    for index in range(30):
        stage.emit("Shop/Load", lately(index), FullPodName=f"p{index:02}")
    asked = window(24 * 6, 60)  # 8,641 points: 11 metrics a call
    found = await stage.driver.range("Shop/Load{FullPodName=*}", asked)
    assert stage.calls("GetMetricData") == 3
    assert [one.values[-1] for one in found.series] == list(range(30))
    stage.fail("GetMetricData", code="AccessDenied", times=1)
    part = await stage.driver.range("Shop/Load{FullPodName=*}", asked)
    assert 0 < len(part.series) < 30
    assert any("[access_denied]" in one for one in part.warnings)


async def test_partial_data_and_forbidden_metrics_are_warnings_of_what_there_is(
    stage: CloudWatchStage,
) -> None:
    for name in ("Load", "Other"):
        stage.emit(f"Shop/{name}", lambda times: np.ones(times.shape), Pod="a")
    ill = stage.account.area(Ill).metrics
    ill["Other"] = ("PartialData", "some datapoints are late")
    found = await stage.driver.range('Shop/Load{Pod="a"} + FILL(Shop/Other{Pod="a"}, 5)', window())
    assert found.warnings == ("Other: PartialData; PartialData: some datapoints are late",)
    assert {float(one) for one in found.series[0].values} == {2.0, 6.0}
    ill["Other"] = ("Forbidden", "you may not read it")
    found = await stage.driver.range('Shop/Load{Pod="a"} + FILL(Shop/Other{Pod="a"}, 5)', window())
    assert found.warnings == ("Other: Forbidden; Forbidden: you may not read it",)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", ThrottledError),
        ("ExpiredTokenException", UnauthenticatedError),
        ("AccessDenied", AccessDeniedError),
        ("InternalServerError", UpstreamError),
    ],
)
async def test_a_cloudwatch_that_refuses_is_a_clear_error(
    stage: CloudWatchStage, code: str, error: type[Exception]
) -> None:
    stage.emit("Shop/Load", lambda times: np.ones(times.shape), FullPodName="a")
    stage.fail("GetMetricData", code=code)
    with pytest.raises(error) as refused:
        await stage.driver.range('Shop/Load{FullPodName="a"}', window())
    assert "cloudwatch" in str(refused.value)
    if error is AccessDeniedError:  # the others are tried again by botocore, which takes its time
        stage.overlay.faults.clear()
        stage.fail("ListMetrics", code=code)
        with pytest.raises(error, match="ListMetrics"):
            await stage.driver.range("Shop/Load{FullPodName=*}", window())


async def test_a_cloudwatch_that_is_silent_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged(monkeypatch, timeout_s=1.0) as stage:
        stage.fail("GetMetricData", delay_s=20.0)
        with pytest.raises(UpstreamTimeoutError):
            await stage.driver.range('Shop/Load{Pod="a"}', window())


async def test_search_finds_metrics_by_words(stage: CloudWatchStage) -> None:
    stage.emit(
        "ContainerInsights/pod_memory_working_set", lambda times: times, FullPodName="a", Namespace="n"
    )
    stage.emit("AWS/RDS/CPUUtilization", lambda times: times, DBInstanceIdentifier="orders")
    found = await stage.driver.search("memory of a pod", limit=1)
    assert [(one.name, one.labels) for one in found] == [
        ("ContainerInsights/pod_memory_working_set", ("FullPodName", "Namespace"))
    ]
    assert len(await stage.driver.search("", limit=10)) == 2
    stage.fail("ListMetrics", code="AccessDenied")
    with pytest.raises(AccessDeniedError, match="ListMetrics"):
        await stage.driver.search("x", limit=1)


async def test_a_question_of_a_service_reads_its_own_load_balancer(stage: CloudWatchStage) -> None:
    for service, rate, failing in (("users-service", 10.0, 0.1), ("shop", 5.0, 0.5)):
        for status, share in (("200", 1 - failing), ("500", failing / 2), ("504", failing / 2)):
            values = counted(steady(rate * share), T0_S - DAY_S)
            labels = {"namespace": "production", "service": service, "route": "/", "status": status}
            stage.telemetry.signals.add(Signal("http_requests_total", labels, values, "counter"))
    target = Target("production", "Service", "users-service")
    for question, expected in (("errors", 0.1), ("requests_total", 10.0)):
        asked = stage.driver.asks(question, target)
        found = await stage.driver.range(asked.query, window(1, asked.step_s))
        (series,) = found.series
        assert (dict(series.labels), series.missing) == ({}, 0.0)
        assert np.allclose(series.values, expected)
    whole = Target("production", "Namespace")
    asked = stage.driver.asks("errors", whole)
    (together,) = (await stage.driver.range(asked.query, window(1, asked.step_s))).series
    assert np.allclose(together.values, (1.0 + 2.5) / 15)
    with pytest.raises(QueryInvalidError, match="name a Service"):
        stage.driver.asks("latency_p99", whole)
    with pytest.raises(QueryInvalidError, match="source=prometheus"):
        stage.driver.asks("errors_by_zone", target)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "1 + 2",
        "load",
        "Shop/Load",
        "Shop/Load{Pod=a}",
        "Shop/Load{Pod=*} Median(",
        "SUM(Shop/Load{Pod=*}",
        "{}",
        "(" * 99,
    ],
)
async def test_a_query_that_does_not_parse_is_refused_before_aws_is_asked(
    stage: CloudWatchStage, query: str
) -> None:
    with pytest.raises(QueryInvalidError):
        await stage.driver.range(query, window())
    assert not stage.overlay.requests


@pytest.mark.row("S84")
async def test_the_top_contributors_of_a_rule_are_series(stage: CloudWatchStage) -> None:
    rule = {
        "Schema": {"Name": "CloudWatchLogRule", "Version": 1},
        "LogGroupNames": ["/shop/*"],
        "LogFormat": "JSON",
        "Contribution": {"Keys": ["$.who"], "Filters": [{"Match": "$.status", "GreaterThan": 499}]},
        "AggregateOn": "Count",
    }
    stage.account.area(Rules).by_name["failing-callers"] = (rule, "ENABLED")
    lines = [
        LogRecord(T0_S - 60 * minute - 1, "s", json.dumps({"who": who, "status": status}))
        for minute in range(30)
        for who, status, often in (("a", 500, 3), ("b", 503, 1), ("c", 200, 9))
        for _ in range(often)
    ]
    stage.telemetry.logs.group("/shop/api").write([*lines, LogRecord(T0_S - 9, "s", "no JSON")])
    found = await stage.driver.range("CONTRIBUTORS('failing-callers')", window(0.5, 300))
    told = {one.labels["who"]: float(np.nansum(one.values)) for one in found.series}
    assert list(told) == ["a", "b"]
    assert told["a"] == 3 * told["b"]
    assert found.series[0].values[-1] == 15  # the five minutes that end now
    (top,) = (await stage.driver.range("CONTRIBUTORS('failing-callers', 1)", window(0.5, 300))).series
    assert top.labels == {"who": "a"}
    with pytest.raises(NotFoundError, match="nearest: failing-callers"):
        await stage.driver.range("CONTRIBUTORS('failing-caller')", window())
    with pytest.raises(QueryInvalidError, match="CONTRIBUTORS"):
        await stage.driver.range("CONTRIBUTORS(x)", window())
