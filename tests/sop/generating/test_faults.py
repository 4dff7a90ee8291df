"""What becomes of files and verdicts when other servers refuse, are slow, or know half (done-when 7)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    InsufficientDataError,
    NotFoundError,
    ThrottledError,
    UpstreamTimeoutError,
)
from aiops_sop.clients.config_making import ConfigMaker
from aiops_sop.clients.deployment_judging import DeploymentJudge
from aiops_sop.models.configs import ConfigAsk
from aiops_sop.models.deployments import DeploymentAsk
from tests.fakes.clocks import FakeClock
from tests.fakes.peers import FakePeers, Reply

NOW = datetime(2026, 11, 22, 13, 40, tzinfo=UTC)
STATISTICS = ("points", "missing %", "min", "mean", "p50", "p95", "p99", "max", "last", "slope/h")
CLOCK = FakeClock(NOW)
RESOURCES = ConfigAsk(namespace="production", name="web", kinds=("resources",))
RELEASE = DeploymentAsk(namespace="production", name="web", since="-2h")


def live(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A Deployment that is rolled out."""
    status = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "observedGeneration": 1}
    pod = {"spec": {"containers": [{"name": "app", "image": "web:1"}]}}
    made = {
        "metadata": {"name": arguments["name"], "generation": 1},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": pod},
        "status": status,
    }
    return {"yaml": yaml.safe_dump(made)}


def measured(_: Mapping[str, Any]) -> dict[str, Any]:
    """Two weeks of one number."""
    row = (4032, 0, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.2, 0.0)
    return {
        "first_at": "2026-11-08T13:45:00Z",
        "last_at": "2026-11-22T13:40:00Z",
        "step_s": 300,
        "series": {"columns": STATISTICS, "rows": [row]},
    }


def peers(**more: Reply) -> FakePeers:
    """Everything answers but what is said otherwise; `eks__scan_manifest` means `eks.scan_manifest`."""
    usual: dict[str, Reply] = {
        "eks.get_resource": live,
        "eks.list_resources": {"summary": "none"},
        "eks.list_clusters": {"clusters": {"columns": ["name"], "rows": [["my-cluster"]]}},
        "eks.scan_manifest": {"validation": "server_dry_run: 1 of 1 admitted, 0 refused"},
        "observability.query_metrics": measured,
        "observability.compare_windows": {"summary": "none"},
        "observability.analyze_logs": {"summary": "none"},
    }
    return FakePeers(usual | {name.replace("__", "."): reply for name, reply in more.items()})


async def generated(given: FakePeers) -> Any:
    return await ConfigMaker(given, CLOCK).generate(RESOURCES)


@pytest.mark.fault("R21")
@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("deployment web", "not found", "nearest: web-2"),
        AccessDeniedError("get deployment", "forbidden", "grant get on deployments"),
        ThrottledError("eks", "throttled", "try later"),
        UpstreamTimeoutError("eks", "no answer", "narrow the call"),
    ],
)
async def test_what_another_server_refuses_keeps_its_code_and_its_hint(error: AiopsError) -> None:
    with pytest.raises(type(error)) as raised:
        await generated(peers(eks__get_resource=error))
    assert raised.value.hint == error.hint


@pytest.mark.fault("R21")
@pytest.mark.parametrize(
    "error", [ThrottledError("amp", "throttled", ""), UpstreamTimeoutError("amp", "late", "")]
)
async def test_a_metrics_store_that_fails_is_no_lack_of_data(error: AiopsError) -> None:
    with pytest.raises(type(error)):
        await generated(peers(observability__query_metrics=error))
    with pytest.raises(InsufficientDataError, match="cpu of its pods"):
        await generated(peers(observability__query_metrics=InsufficientDataError("cpu", "none", "")))


@pytest.mark.fault("R21")
async def test_a_file_that_nothing_could_check_is_not_called_good() -> None:
    denied = AccessDeniedError("patch deployment", "forbidden", "grant patch on deployments")
    found = await generated(peers(eks__scan_manifest=denied))
    assert found.files[0].valid is None
    assert "grant patch" in found.files[0].checked
    assert "not dry-run" in found.summary
    only = await generated(peers(eks__scan_manifest={"validation": "schema_only: no right to patch"}))
    assert only.files[0].valid is None


@pytest.mark.fault("R21")
async def test_a_verdict_on_half_the_facts_says_which_are_missing() -> None:
    late = UpstreamTimeoutError("prometheus", "no answer", "")
    given = peers(observability__compare_windows=late, observability__analyze_logs=late)
    found = await DeploymentJudge(given, CLOCK).verify(RELEASE)
    assert found.verdict == "hold"
    assert any("compare_windows" in one for one in found.warnings)
    nothing = await DeploymentJudge(peers(), CLOCK).verify(RELEASE)
    assert "nothing is measured of this release" in nothing.warnings
    lost = NotFoundError("application shop", "not found", "nearest: shop-2")
    judge = DeploymentJudge(peers(eks__get_resource=lost), CLOCK)
    with pytest.raises(NotFoundError):
        await judge.verify(DeploymentAsk(app="shop"))
