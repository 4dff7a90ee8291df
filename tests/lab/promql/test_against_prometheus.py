"""The lab's PromQL against a real Prometheus 2.42 over the same samples: same labels, numbers, refusals."""

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from tests.lab.promql.comparing import Pair
from tests.lab.promql.grammar import queries
from tests.lab.promql.queries import QUERIES, REFUSED
from tests.lab.promql.samples import storage
from tests.prometheus_server import real_prometheus_of

MADE = 400
MANY = settings(
    max_examples=MADE,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.large_base_example],
)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """One process for the whole module."""
    samples = storage()
    with (
        real_prometheus_of(samples.series) as real,
        httpx.Client(base_url=real.url, trust_env=False) as client,
    ):
        yield Pair(client, samples)


def test_written_queries_have_the_same_answers(pair: Pair) -> None:
    assert len(QUERIES) >= 60
    assert [said for query in QUERIES if (said := pair.difference(query))] == []


def test_what_is_no_query_is_refused_by_both(pair: Pair) -> None:
    assert [said for query in REFUSED if (said := pair.difference(query))] == []


@pytest.mark.timeout(120)
@given(query=queries())
@MANY
def test_made_up_queries_have_the_same_answers(pair: Pair, query: str) -> None:
    assert pair.difference(query) == ""
