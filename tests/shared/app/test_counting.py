"""What the suite counts of itself: by words of its own code, never by a name that somebody else chose."""

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.tools.function_tool import FunctionTool
from mcp.shared.exceptions import MCPError
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from aiops_shared.app import build
from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import AiopsError, NotFoundError, every_error
from aiops_shared.guardrails.redaction_rules import RULES
from aiops_shared.http.client import make_client
from aiops_shared.params import READS, WRITES
from aiops_shared.results import Answer, counting
from aiops_shared.settings import AwsSettings, Settings

PRIVATE = ("payments-secret-project", "alice", "prod-eu")
CODES = {found.code for found in every_error()}
LABELS = {
    "aiops.tool.calls": {"server", "tool", "outcome"},
    "aiops.tool.duration": {"server", "tool"},
    "aiops.upstream.requests": {"upstream", "outcome"},
    "aiops.redactions": {"rule"},
}

Counted = dict[str, dict[tuple[str, ...], Any]]


class Said(Answer):
    """What the test tools return."""

    text: str = ""


async def look(name: str, fail: bool = False, crash: bool = False) -> Said:
    """Look at an object."""
    if crash:
        raise KeyError(name)
    if fail:
        raise NotFoundError(name, f"[{name}] is not there")
    return Said(summary=f"{name} of {PRIVATE[1]}", text="password=hunter2hunter2 token")


async def change(name: str) -> Said:
    """Would change something."""
    return Said(summary=name)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    """The real SDK, for this test alone: the global provider of a process can be set only once."""
    found = InMemoryMetricReader()
    provider = MeterProvider([found], shutdown_on_exit=False)
    made = counting.Instruments.of(provider.get_meter("aiops"))
    monkeypatch.setattr(counting, "instruments", lambda: made)
    yield found
    provider.shutdown()


def counted(reader: InMemoryMetricReader) -> Counted:
    """Metric -> values of its labels in the order of their names -> the point."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        metric.name: {
            tuple(str(value) for _, value in sorted((point.attributes or {}).items())): point
            for point in metric.data.data_points
        }
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def labels(reader: InMemoryMetricReader) -> list[tuple[str, dict[str, str]]]:
    """Every metric's name with the labels of each of its points."""
    data = reader.get_metrics_data()
    assert data is not None
    return [
        (metric.name, {str(key): str(value) for key, value in (point.attributes or {}).items()})
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]


async def called(calls: list[tuple[str, dict[str, Any]]]) -> None:
    tools = [
        FunctionTool.from_function(look, annotations=READS, tags={"read"}),
        FunctionTool.from_function(change, annotations=WRITES, tags={"write"}),
    ]
    server = build("eks", tools, settings=Settings(), instructions="Test.")
    async with Client(server) as client:
        for name, arguments in calls:
            try:
                await client.call_tool(name, arguments, raise_on_error=False)
            except MCPError:
                continue


async def test_calls_count_by_tool_and_outcome_and_redactions_by_rule(reader: InMemoryMetricReader) -> None:
    await called(
        [
            ("look", {"name": PRIVATE[0]}),
            ("look", {"name": PRIVATE[0]}),
            ("look", {"name": PRIVATE[0], "fail": True}),
            ("look", {"name": PRIVATE[0], "crash": True}),
            ("look", {"wrong": PRIVATE[0]}),
            ("change", {"name": PRIVATE[0]}),
            (PRIVATE[2], {}),
        ]
    )
    found = counted(reader)
    calls = {key: point.value for key, point in found["aiops.tool.calls"].items()}
    assert calls == {
        ("ok", "eks", "look"): 2,
        ("not_found", "eks", "look"): 1,
        ("internal", "eks", "look"): 1,
        ("invalid_input", "eks", "look"): 1,
        ("read_only", "eks", "change"): 1,
        ("protocol_error", "eks", "unknown"): 1,
    }
    assert found["aiops.tool.duration"][("eks", "look")].count == 5
    assert sum(point.value for point in found["aiops.redactions"].values()) >= 2


async def test_no_label_is_a_name_or_an_argument(reader: InMemoryMetricReader) -> None:
    await called([("look", {"name": name, "fail": fail}) for name in PRIVATE for fail in (False, True)])
    await called([(name, {"name": name}) for name in PRIVATE])
    seen = labels(reader)
    assert {name for name, _ in seen} == {"aiops.tool.calls", "aiops.tool.duration", "aiops.redactions"}
    words = {"eks", "look", "change", "unknown", "ok", "protocol_error", "cancelled", *CODES}
    for name, one in seen:
        assert set(one) == LABELS[name]
        for key, value in one.items():
            assert key == "rule" or value in words, (name, key)
            assert not any(private in value for private in PRIVATE)
            assert re.fullmatch(r"[a-z][a-z0-9_-]*", value), value


async def test_a_rule_of_redaction_is_one_of_a_few(reader: InMemoryMetricReader) -> None:
    await called([("look", {"name": "x"})])
    rules = {key[0] for key in counted(reader)["aiops.redactions"]}
    assert rules <= {rule.name for rule in RULES} | {"key-name", "secret-data", "depth"}


class Answering(BaseHTTPRequestHandler):
    """Answers what its path says."""

    def do_GET(self) -> None:  # the base class names it
        """Answer."""
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # the base class names it
        """Say nothing."""


async def test_requests_count_by_the_kind_of_upstream_and_how_they_ended(
    reader: InMemoryMetricReader,
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        async with make_client(url, timeout_s=5, upstream="prometheus", plain_http=True) as client:
            for status in (200, 200, 503, 404):
                await client.get(f"/{PRIVATE[0]}/{status}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    async with make_client(url, timeout_s=5, upstream="prometheus", plain_http=True) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/200")
    found = {key: point.value for key, point in counted(reader)["aiops.upstream.requests"].items()}
    assert found == {
        ("ok", "prometheus"): 2,
        ("503", "prometheus"): 1,
        ("404", "prometheus"): 1,
        ("unreachable", "prometheus"): 1,
    }


async def test_aws_counts_by_service_and_code(
    reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE12")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    clients = AwsClients(AwsSettings(timeout_s=10))
    with pytest.raises(AiopsError) as error:
        await clients.call(AwsTarget(region="us-east-1"), "sts", "get_caller_identity")
    (key,) = counted(reader)["aiops.upstream.requests"]
    assert key == (error.value.code, "aws/sts")
