"""PromQL on its tree: what is written means what was read, and the cluster's label cannot be escaped."""

from typing import Any

import promql_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_shared.errors import QueryInvalidError
from aiops_shared.metrics.promql import (
    MAX_DEPTH,
    checked,
    parsed,
    require_series,
    selectors,
    with_label,
    written,
)
from aiops_shared.metrics.promql_units import unit_of

ORDINARY = (
    'sum by (pod) (rate(http_requests_total{path="/api/v1/users/{id}?q=$1&x=#y",code=~"5.."}[5m]))',
    r'foo{url="https://a.example/x?y=1",re=~"/v[0-9]+/\\d+\\.html"}',
    'label_replace(up, "host", "$1", "instance", "(.*):[0-9]+")',
    'histogram_quantile(0.99, sum by (le) (rate(x_bucket{n="é",b="☃ {}"}[1m]))) > 0.5',
    "max_over_time(rate(foo[5m])[1h:])",
    "rate(foo[100ms] offset 1w)",
    "foo @ end() offset -5m",
    "a / on (x) group_left (y) b unless ignoring (z) c",
    "sum without () (foo) > bool 2 ^ -1",
    'foo{a=\'it"s\',b=`raw \\d "x"`} # a comment { with brackets',
    'count_values("a\\"b", foo) or vector(0)',
    "topk(3, foo)",
    '{__name__=~"node_.*",job="a"}',
    "-foo ^ 2 % 3 atan2 4",
    "inf - NaN * 0x1F",
    'sum by ("a b") ({"my.metric","x y"=~"z"})',
)


@pytest.mark.parametrize("query", ORDINARY)
def test_an_ordinary_query_is_written_as_the_same_tree(query: str) -> None:
    text = checked(query)
    assert checked(text) == text
    assert [one.name for one in selectors(parsed(text))] == [one.name for one in selectors(parsed(query))]


@pytest.mark.parametrize("query", [one for one in ORDINARY if "inf" not in one])
@pytest.mark.threat("T1")
def test_every_selector_carries_the_clusters_label_once(query: str) -> None:
    text = with_label(query, "cluster", 'prod"} or {x=~"1')
    found = selectors(parsed(text))
    assert found
    for one in found:
        assert one.text.count('cluster="prod\\"} or {x=~\\"1"') == 1


def test_a_subquery_keeps_its_default_step_and_a_range_its_milliseconds() -> None:
    assert written(parsed("rate(foo[5m:])")) == "rate(foo[5m:])"
    assert written(parsed("rate(foo[1500ms])")) == "rate(foo[1500ms])"


@pytest.mark.parametrize(
    "query", ['foo{cluster="other"}', 'foo{cluster!=""}', 'a + rate(b{cluster=~".*"}[5m])', "foo{cluster=''}"]
)
@pytest.mark.threat("T4")
def test_a_query_may_not_choose_the_cluster_itself(query: str) -> None:
    with pytest.raises(QueryInvalidError, match="tells clusters apart"):
        with_label(query, "cluster", "prod")


@pytest.mark.threat("T4")
def test_alternatives_of_matchers_are_refused_since_the_label_would_bind_one_alone() -> None:
    with pytest.raises(QueryInvalidError, match="or"):
        with_label('foo{a="1" or b="2"}', "cluster", "prod")


@pytest.mark.parametrize(
    ("query", "place", "advice"),
    [
        ("sum(rate(foo)) by (x)", "character 5", r"foo\[5m\]"),
        ("rat(foo[5m])", "character 1", "nearest: rate"),
        ("sum(foo", "character 4", ""),
        ("sum by x (foo)", "character 5", ""),
        ("foo bar", "character 5", ""),
        ("max_over_time(sum(foo)[5m])", "character 23", "5m:1m"),
        ('foo{a="x', "character 7", ""),
        ("sum(foo[5m])", "character 8", "rate"),
        ("{}", "", "search="),
        ("", "", "what="),
    ],
)
def test_an_error_says_what_where_and_what_to_write(query: str, place: str, advice: str) -> None:
    with pytest.raises(QueryInvalidError) as caught:
        parsed(query)
    assert place in caught.value.reason
    assert advice.replace("\\", "") in caught.value.hint


@pytest.mark.parametrize("query", ["foo[5m]", "(foo[5m])", "foo[5m:1m]", '"text"'])
def test_what_has_no_value_at_a_moment_is_refused(query: str) -> None:
    with pytest.raises(QueryInvalidError):
        require_series(parsed(query))


@pytest.mark.parametrize(
    "query",
    ["(" * 5000, "-" * 3000 + "a", "a+" * 8000 + "a", "x" * 20_000, "foo\x00", "sum(" * 70 + "a" + ")" * 70],
)
@pytest.mark.threat("T14")
def test_a_query_that_is_made_to_hurt_the_parser_is_refused(query: str) -> None:
    with pytest.raises(QueryInvalidError):
        parsed(query)


def test_the_deepest_query_that_is_taken_is_written_and_labelled() -> None:
    query = "abs(" * (MAX_DEPTH - 2) + 'foo{a="b"}' + ")" * (MAX_DEPTH - 2)
    assert 'foo{a="b",c="d"}' in with_label(query, "c", "d")
    assert checked("+".join(["a"] * 150)).count("a") == 150


@pytest.mark.parametrize(("step_s", "range_said"), [(60, "5m"), (3600, "1h"), (900, "15m")])
def test_grafanas_interval_becomes_five_minutes_or_the_step(step_s: int, range_said: str) -> None:
    assert checked("rate(foo[$__rate_interval])", step_s) == f"rate(foo[{range_said}])"
    assert checked('foo{a="$__rate_interval"}', step_s) == 'foo{a="$__rate_interval"}'


@pytest.mark.parametrize(
    ("query", "unit"),
    [
        ("sum(container_memory_working_set_bytes)", "bytes"),
        ("rate(node_cpu_seconds_total[5m])", "seconds per second"),
        ("sum(rate(http_requests_total[5m]))", "per second"),
        ("histogram_quantile(0.9, rate(x_duration_seconds_bucket[5m]))", "seconds"),
        ("a_bytes / b_bytes", ""),
        ("count(a_bytes)", "count"),
        ("up", ""),
    ],
)
def test_a_unit_is_said_where_the_name_says_it(query: str, unit: str) -> None:
    assert unit_of(parsed(query)) == unit


# Texts of labels as people and attackers write them: quotes, braces, backslashes, newlines, unicode.
VALUES = st.text(
    alphabet=st.one_of(
        st.sampled_from("\"\\{}()[],=~!`'\n\t$#/ :%"), st.characters(exclude_categories=("Cs", "Cc"))
    ),
    max_size=24,
)


def _escaped(value: str) -> str:
    table = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    return "".join(table.get(letter, letter) for letter in value)


@settings(max_examples=300, deadline=None)
@given(VALUES, VALUES)
@pytest.mark.threat("T1")
def test_no_value_of_any_label_escapes_its_quotes(mine: str, theirs: str) -> None:
    told = f'a="{_escaped(theirs)}"'
    query = f'sum(rate(foo{{{told},b!~"x"}}[5m])) / max_over_time(bar{{{told}}}[1h:5m])'
    tree: Any = promql_parser.parse(with_label(query, "cluster", mine))
    rate = tree.lhs.expr.args[0].vector_selector
    found = [(one.name, one.value) for one in rate.matchers.matchers]
    assert found == [("a", theirs), ("b", "x"), ("cluster", mine)]
    inner = tree.rhs.args[0].expr
    assert [(one.name, one.value) for one in inner.matchers.matchers] == [("a", theirs), ("cluster", mine)]


LEAVES = st.sampled_from(
    ["foo", 'foo{a="b"}', 'bar{x=~"1|2",y!="$1/{}"} offset 5m', "baz @ 12.5", "3", "vector(1)"]
)
VECTORS = st.sampled_from(["foo", 'foo{a="b"}', 'bar{x=~"1|2"} offset 5m', "baz @ start()"])
RANGES = st.sampled_from(["rate({}[5m])", "max_over_time({}[90s:30s])", "increase({}[2h])"])
PLAIN = st.sampled_from(["foo", 'foo{a="}"}', "ns:bar:sum"])
EXPRESSIONS = st.recursive(
    st.one_of(VECTORS, st.builds(lambda form, name: form.format(name), RANGES, PLAIN)),
    lambda inner: st.one_of(
        inner.map(lambda one: f"sum by (a, b) ({one})"),
        inner.map(lambda one: f"topk(3, {one})"),
        inner.map(lambda one: f"({one})"),
        inner.map(lambda one: f"-{one}"),
        inner.map(lambda one: f"clamp_min({one}, 0)"),
        inner.map(lambda one: f"max_over_time(({one})[10m:1m])"),
        st.tuples(
            inner, st.sampled_from(["+", "*", "/ on (a)", "unless", "> bool", "- ignoring (b)"]), inner
        ).map(lambda one: f"{one[0]} {one[1]} {one[2]}"),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS)
def test_any_query_survives_writing_and_labelling(query: str) -> None:
    text = checked(query)
    assert checked(text) == text
    labelled = with_label(query, "cluster", "prod-1")
    assert labelled.count('cluster="prod-1"') == len(selectors(parsed(query)))
    assert labelled.replace(',cluster="prod-1"', "").replace('{cluster="prod-1"}', "") == text
