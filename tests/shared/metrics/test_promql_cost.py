"""The price of a query before it is read: refused with its estimate and a cheaper form."""

from datetime import UTC, datetime, timedelta

import pytest

from aiops_shared.errors import QueryInvalidError
from aiops_shared.metrics.promql import parsed, selectors
from aiops_shared.metrics.promql_cost import (
    Probe,
    distinct,
    estimated,
    nameless,
    nice_step,
    probe_query,
    probes,
    refuse_dear,
    refuse_unbounded,
)
from aiops_shared.metrics.series import Window

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def window(hours: float, step_s: int) -> Window:
    return Window.over(NOW - timedelta(hours=hours), NOW, step_s)


def cost_of(query: str, over: Window, series: float = 100.0, interval_s: float = 60.0) -> int:
    found = selectors(parsed(query))
    return estimated(found, {text: Probe(series, interval_s) for text in distinct(found)}, over).samples


def test_an_instant_selector_reads_one_sample_a_series_and_point() -> None:
    assert cost_of("foo", window(1, 60)) == 100 * 61


def test_a_range_reads_its_window_at_each_point() -> None:
    assert cost_of("rate(foo[1h])", window(1, 60)) == 100 * 61 * 60


def test_two_selectors_add_up_and_the_same_twice_counts_its_series_once() -> None:
    found = selectors(parsed("foo / foo"))
    cost = estimated(found, {"foo": Probe(10)}, window(1, 60))
    assert (cost.samples, cost.series) == (2 * 10 * 61, 10)


def test_a_subquery_evaluates_what_is_inside_over_everything() -> None:
    inside = (3600 + 3600) / 60 + 1  # once over window and range
    assert cost_of("max_over_time(rate(foo[5m])[1h:1m])", window(1, 60)) == 100 * (61 * 60 + inside * 5)


def test_ten_million_samples_are_refused_with_the_estimate_and_a_step_that_fits() -> None:
    over = window(24 * 7, 60)
    found = selectors(parsed('http_requests_total{job="a"}'))
    cost = estimated(found, {found[0].text: Probe(1000)}, over)
    assert cost.samples == 1000 * 10_081
    with pytest.raises(QueryInvalidError) as refused:
        refuse_dear(cost, 5_000_000, found, over)
    assert "10,081,000 samples of 1,000 series" in refused.value.reason
    assert "step=300s (reads about 2,016,200)" in refused.value.hint


def test_a_long_range_at_every_point_is_told_to_be_shorter() -> None:
    over, found = window(24, 60), selectors(parsed("rate(foo[1d])"))
    cost = estimated(found, {"foo": Probe(100)}, over)
    with pytest.raises(QueryInvalidError, match=r"\[1m\] instead of \[1d\]"):
        refuse_dear(cost, 5_000_000, found, over)


def test_nobody_is_refused_for_what_fits() -> None:
    over, found = (
        window(24 * 28, 3600),
        selectors(parsed('sum(rate(http_requests_total{service="shop"}[5m]))')),
    )
    refuse_unbounded(found, over)
    refuse_dear(estimated(found, {found[0].text: Probe(200)}, over), 5_000_000, found, over)


@pytest.mark.parametrize(
    "query",
    ['{__name__=~".+"}', 'count by (__name__) ({__name__=~"a.*"})', '{job=~".+"}'],
)
def test_a_selector_without_any_exact_value_reads_everything(query: str) -> None:
    assert nameless(selectors(parsed(query))) is not None


@pytest.mark.parametrize("query", ["foo", '{__name__="foo"}', '{job="a"}', '{__name__=~"a|b",job="x"}'])
def test_a_name_or_an_exact_label_is_enough(query: str) -> None:
    assert nameless(selectors(parsed(query))) is None


@pytest.mark.parametrize("query", ["rate(foo[5y])", "foo offset 600d", "max_over_time(rate(foo[1h])[2y:1h])"])
def test_looking_back_for_years_is_refused(query: str) -> None:
    with pytest.raises(QueryInvalidError, match="days back"):
        refuse_unbounded(selectors(parsed(query)), window(1, 60))


def test_more_points_than_prometheus_gives_are_refused_with_a_step() -> None:
    with pytest.raises(QueryInvalidError, match=r"31,536,001 points.*step=86400s"):
        refuse_unbounded(selectors(parsed("up")), window(24 * 365, 1))


def test_one_query_asks_for_all_counts_and_its_answer_gives_intervals() -> None:
    found = selectors(parsed('rate(foo{a="b"}[5m]) / bar'))
    assert probe_query(found) == (
        'label_replace(count(foo{a="b"}), "aiops", "c0", "", "")'
        ' or label_replace(sum(count_over_time(foo{a="b"}[600s])), "aiops", "w0", "", "")'
        ' or label_replace(count(bar), "aiops", "c1", "", "")'
    )
    known = probes(found, {"c0": 4.0, "w0": 80.0, "c1": 2.0})
    assert known == {'foo{a="b"}': Probe(4.0, 30.0), "bar": Probe(2.0, 60.0)}


def test_steps_are_those_that_people_use() -> None:
    assert [nice_step(one) for one in (1, 31, 400, 90_000)] == [15, 60, 600, 172_800]
