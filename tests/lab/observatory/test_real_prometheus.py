"""A world served by a real Prometheus behind the lab's own address: the same numbers, the same refusals."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import anyio
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from aiops_lab.cli import app
from aiops_lab.observatory.real_prometheus import in_place_of_own, missing_programs
from tests.lab.observatory.conftest import Room
from tests.lab.promql.comparing import differing

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERIES = (
    "sum by (namespace) (container_memory_working_set_bytes)",
    "topk(5, rate(container_cpu_usage_seconds_total[10m]))",
    'sum by (node) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))',
    "histogram_quantile(0.99, sum by (le) (rate(coredns_dns_request_duration_seconds_bucket[5m])))",
    "container_memory_working_set_bytes * on(namespace, pod) group_left(owner_name) kube_pod_owner",
    'count by (condition) (kube_node_status_condition{status="true"} == 1)',
    "max_over_time(kube_horizontalpodautoscaler_status_current_replicas[30m])",
    "kube_pod_owner * on(namespace, pod) group_left(label_app) kube_pod_labels",
)
BAD: tuple[tuple[str, dict[str, str]], ...] = (
    ("query", {"query": "up", "time": "abc"}),
    ("query", {"query": "up", "timeout": "x"}),
    ("query_range", {"query": "up"}),
    ("query_range", {"query": "up", "start": "1", "end": "2"}),
    ("query_range", {"query": "up", "start": "x", "end": "2", "step": "1"}),
    ("query_range", {"query": "up", "start": "3", "end": "2", "step": "1"}),
    ("query_range", {"query": "up", "start": "1", "end": "2", "step": "0"}),
    ("query_range", {"query": "up", "start": "1", "end": "2", "step": "abc"}),
    ("query_range", {"query": "up", "start": "1", "end": "20000", "step": "1"}),
    ("query_range", {"query": "up[5m]", "start": "1", "end": "2", "step": "1"}),
    ("series", {}),
    ("series", {"match": '{__name__=~".*"}'}),
    ("label/a-b/values", {}),
    ("rules", {"type": "foo"}),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(room: Room) -> AsyncIterator[str]:
    """The address of a real Prometheus with the last two hours of the world."""
    if missing := missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    with ExitStack() as closing:
        enter = closing.enter_context
        found = await anyio.to_thread.run_sync(enter, in_place_of_own(room.lab.observatory, hours=2))
        yield found.url


async def both(room: Room, real: str, path: str, params: dict[str, Any]) -> tuple[Any, Any]:
    """The real answer and the lab's own, each with its status."""
    room.lab.observatory.prometheus = real
    there = await room.ask(path, **params)
    room.lab.observatory.prometheus = ""
    here = await room.ask(path, **params)
    assert there.status_code == here.status_code, (there.text, here.text)
    return there.json(), here.json()


async def test_a_world_has_the_same_numbers_in_both(room: Room, real: str) -> None:
    until = room.now_s - 900  # before the furniture's rollout: the real one knows no staleness markers
    for query in QUERIES:
        params = {"query": query, "start": until - 3600, "end": until, "step": "300"}
        there, here = await both(room, real, "query_range", params)
        assert there["data"]["result"], query
        assert differing(there, here) == "", query


async def test_bad_requests_are_refused_with_the_same_words(room: Room, real: str) -> None:
    for path, params in BAD:
        there, here = await both(room, real, path, params)
        assert there == here


async def test_what_exists_is_the_same_in_both(room: Room, real: str) -> None:
    window = {"start": str(room.now_s - 5400), "end": str(room.now_s)}
    for path in ("label/__name__/values", "label/node/values", "labels"):
        there, here = await both(room, real, path, window)
        assert there == here


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--prometheus", "mine"), "--prometheus mine: own or real"),
        (("--prometheus", "real", "--clusters", "2"), "--prometheus real: for one cluster only"),
    ],
)
async def test_a_prometheus_that_cannot_serve_is_refused(arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(app, ["up", *arguments])
    assert result.exit_code == 1
    assert said in result.stderr
