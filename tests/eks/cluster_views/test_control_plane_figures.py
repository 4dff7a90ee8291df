"""The API server's own measurements: read as they come, folded into a few figures, hostile pages survived."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from aiops_eks.clients.control_plane import _Fold, control_plane
from aiops_lab.kube.control_metrics import GIB, ControlPlaneMeter
from aiops_lab.run import Lab
from aiops_shared.errors import AccessDeniedError, AnswerTooLargeError, InvalidInputError
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from aiops_shared.kube.metrics_page import samples
from tests.lab_fixture import running_lab


@asynccontextmanager
async def connected(lab: Lab, identity: str = "aiops-reader") -> AsyncIterator[Connection]:
    access = Access(lab.kube_url, ca_file=str(lab.ca_path), token=lab.token(identity))
    connection = Connection(FixedSource(access))
    yield connection
    await connection.aclose()


async def test_the_figures_are_those_the_api_server_tells() -> None:
    async with running_lab() as lab:
        meter = lab.account.area(ControlPlaneMeter)
        meter.database_bytes, meter.p99_s["LIST"], meter.throttled = int(7.5 * GIB), 4.2, 812
        meter.rejected[("workload-low", "service-accounts", "queue-full")] = 640
        meter.deprecated = (("flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas", "1.32"),)
        meter.objects, meter.filler_lines = {"configmaps": 41_000}, 20_000
        async with connected(lab) as connection:
            figures = await control_plane(KubeApi("my-cluster", connection))
    assert figures.database_bytes == int(7.5 * GIB)
    assert figures.objects[0] == ("configmaps", 41_000)
    assert figures.latency[0].verb == "LIST"
    assert 4.0 <= figures.latency[0].p99_s <= 5.0
    assert (figures.slowest[0].verb, figures.slowest[0].resource) == ("LIST", "pods")
    assert (figures.throttled, figures.failed) == (812, 3)
    assert (figures.rejected[0].flow_schema, figures.rejected[0].count) == ("service-accounts", 640)
    assert figures.deprecated[0].removed_in == "1.32"
    assert figures.started_at is not None
    assert abs(figures.started_at - (lab.clock.now() - timedelta(days=6))) < timedelta(minutes=1)
    assert "WATCH" not in {one.verb for one in figures.latency}


async def test_without_the_right_the_refusal_names_the_path() -> None:
    async with running_lab() as lab:
        async with connected(lab, "ci-cleanup") as connection:
            with pytest.raises(AccessDeniedError, match="/metrics"):
                await samples(connection, "metrics", ["x"], print)
        assert lab.requests.entries[-1].status == 403


@pytest.mark.threat("T14")
async def test_a_page_without_end_is_cut_and_what_came_stands() -> None:
    async with running_lab() as lab:
        lab.account.area(ControlPlaneMeter).filler_lines = 60_000
        taken: list[str] = []
        size = "apiserver_storage_size_bytes"
        async with connected(lab) as connection:
            with pytest.raises(AnswerTooLargeError):
                await samples(connection, "metrics", [size], taken.append, most_bytes=100_000)
    assert len(taken) == 1


async def test_no_metric_named_is_refused_before_any_request() -> None:
    async with running_lab() as lab:
        async with connected(lab) as connection:
            with pytest.raises(InvalidInputError):
                await samples(connection, "metrics", [], print)
        assert not lab.requests.entries


def folded(*lines: str) -> _Fold:
    fold = _Fold()
    for line in lines:
        fold.take(line)
    return fold


@pytest.mark.threat("T14")
def test_lines_that_are_no_samples_are_left_out() -> None:
    figures = folded(
        "",
        "apiserver_storage_size_bytes NaN",
        "apiserver_storage_size_bytes +Inf",
        'apiserver_request_total{code="429"} many',
        'apiserver_request_duration_seconds_bucket{verb="GET",le="x"} 4',
        'apiserver_storage_objects{resource="pods"} -1',
        "process_start_time_seconds 1e300",
        "\x00\xff",
    ).figures()
    assert (figures.database_bytes, figures.requests, figures.latency) == (None, 0, ())
    assert (figures.objects, figures.started_at) == ((), None)


def test_names_of_older_and_newer_kubernetes_are_read_too() -> None:
    old = folded(
        'apiserver_storage_db_total_size_in_bytes{endpoint="https://a"} 2e9',
        'apiserver_storage_db_total_size_in_bytes{endpoint="https://b"} 3e9',
        'etcd_object_counts{resource="events"} 7',
    ).figures()
    assert (old.database_bytes, old.objects) == (3_000_000_000, (("events", 7),))
    new = folded(
        'apiserver_resource_objects{group="apps",resource="deployments"} 9',
        'apiserver_storage_objects{resource="deployments.apps"} 9',
    ).figures()
    assert new.objects == (("deployments.apps", 9),)


def test_a_percentile_beyond_the_last_bucket_is_at_least_that_and_few_requests_have_none() -> None:
    slow = folded(
        'apiserver_request_duration_seconds_bucket{verb="LIST",resource="pods",le="30"} 10',
        'apiserver_request_duration_seconds_bucket{verb="LIST",resource="pods",le="60"} 20',
        'apiserver_request_duration_seconds_bucket{verb="LIST",resource="pods",le="+Inf"} 100',
        'apiserver_request_duration_seconds_bucket{verb="GET",resource="pods",le="+Inf"} 5',
        'apiserver_request_duration_seconds_bucket{verb="GET",subresource="log",le="+Inf"} 99',
    ).figures()
    (only,) = slow.latency
    assert (only.verb, only.p99_s, only.above) == ("LIST", 60.0, True)
