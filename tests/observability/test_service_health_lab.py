"""get_service_health through the client on the lab: the same map from every source, budgets, and what
fails.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiops_lab.aws.application_state import Monitored, Objective
from aiops_lab.scenarios import az_gray, traced
from tests.e2e.stage import Obj
from tests.observability.stage import Stage, watched


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Stage]:
    async with watched(monkeypatch, tmp_path) as found:
        yield found


def by_key(table: Obj, *keys: str) -> dict[tuple[str, ...], Obj]:
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    return {tuple(str(row[key]) for key in keys): row for row in rows}


def alike(first: Obj, second: Obj, share: float = 0.05) -> None:
    """The same nodes and edges with the same numbers."""
    for part, keys in (("nodes", ("node",)), ("edges", ("from", "to"))):
        one, other = by_key(first[part], *keys), by_key(second[part], *keys)
        assert one.keys() == other.keys()
        for key, row in one.items():
            assert other[key]["requests"] == pytest.approx(row["requests"], rel=share), (part, key)
            assert other[key]["avg_ms"] == pytest.approx(row["avg_ms"], rel=share), (part, key)
            assert other[key]["fault_pct"] == pytest.approx(row["fault_pct"], abs=0.5), (part, key)


@pytest.mark.row("S76")
@pytest.mark.timeout(120)
async def test_the_map_is_the_same_with_and_without_application_signals(stage: Stage) -> None:
    for seed in (0, 3):
        stage.play("subnet-ip-exhaustion", seed)
        who = traced.shop(stage.who)
        ask = {"service": who.service, "since": "-1h"}
        without = await stage.got("get_service_health", **ask)
        assert without["source"] == "X-Ray"
        monitored = stage.lab.account.area(Monitored)
        monitored.enabled = True
        slos = (
            Objective("available", who.service, 99.5),
            Objective("quick", who.service, 99.0, latency_ms=500),
        )
        monitored.objectives = slos
        found = await stage.got("get_service_health", **ask)
        assert found["source"] == "Application Signals"
        alike(without, found)
        assert set(by_key(found["nodes"], "node")) == {
            (each,) for each in (who.gateway, who.service, who.proxy, who.database, who.cache)
        }
        assert found["slo_percent"] == 99.5  # its own objective, not the assumed one
        own = by_key(found["slos"], "slo")
        assert own[("available",)]["status"] == "BREACHED"
        assert own[("quick",)]["kind"] == "LATENCY"
        assert found["status"] == "breached"
        assert who.service in found["summary"]


@pytest.mark.row("B10")
@pytest.mark.timeout(60)
async def test_burn_rates_come_from_request_metrics_and_say_which_windows_fire(stage: Stage) -> None:
    stage.play("db-pool", 1)
    service = stage.who.api
    found = await stage.got("get_service_health", service=service, slo=99.9)
    rates = by_key(found["burn_rates"], "windows")
    assert rates[("1h/5m",)]["fires"] == "page"
    assert rates[("1h/5m",)]["short"] == pytest.approx(300, rel=0.1)  # 30 % fail, 0.1 % may
    assert rates[("1h/5m",)]["threshold"] == 14.4
    assert found["budget_minutes"] == 43.2
    assert "page" in found["summary"]
    strict = await stage.got("get_service_health", service=service, slo=99.99)
    assert strict["budget_minutes"] == 4.32
    assert by_key(strict["burn_rates"], "windows")[("1h/5m",)]["short"] == pytest.approx(3000, rel=0.1)
    stage.play("az-gray-failure")
    calm = await stage.got("get_service_health", service=az_gray.frontend(stage.who), slo=95.0)
    assert calm["status"] == "healthy"
    assert not any(row["fires"] for row in by_key(calm["burn_rates"], "windows").values())


def _no_metrics(stage: Stage) -> None:
    for room in ("prometheus", "amp"):
        stage.lab.observatory.fail(room, status=503)
    stage.lab.fail_aws("cloudwatch", "*", code="InternalFailure")


@pytest.mark.fault("R21")
@pytest.mark.timeout(60)
async def test_what_fails_is_left_out_and_said_and_when_all_fails_the_reason_is_the_answer(
    stage: Stage,
) -> None:
    stage.play("db-pool")
    lab, ask = stage.lab, {"service": "orders-service"}
    whole = await stage.got("get_service_health", **ask)
    lab.observatory.fail("prometheus", status=503)
    partly = await stage.got("get_service_health", **ask)
    assert partly["burn_rates"] == whole["burn_rates"]  # the next backend's
    assert any("prometheus gave nothing" in one for one in partly["warnings"])
    _no_metrics(stage)
    partly = await stage.got("get_service_health", **ask)
    assert partly["nodes"]
    assert partly["status"] == "unknown"
    assert any("request metrics" in one for one in partly["warnings"])
    lab.aws_faults.clear()
    lab.observatory.heal()
    lab.fail_aws("xray", "GetServiceGraph", code="AccessDeniedException")
    partly = await stage.got("get_service_health", **ask)
    assert "nodes" not in partly
    assert partly["burn_rates"]
    assert any("GetServiceGraph" in one for one in partly["warnings"])
    lab.fail_aws("application-signals", "ListServices", code="AccessDeniedException")
    _no_metrics(stage)
    failed = await stage.ask("get_service_health", **ask)
    assert failed.code == "access_denied"
    lab.aws_faults.clear()
    lab.observatory.heal()
    lab.account.area(Monitored).enabled = True
    lab.fail_aws("application-signals", "ListServiceDependencies", code="ValidationException")
    partly = await stage.got("get_service_health", **ask)
    assert partly["source"] == "X-Ray"
    assert any("Application Signals, in part" in one for one in partly["warnings"])


async def test_a_wrong_name_gets_the_right_ones_and_a_wrong_objective_is_refused(stage: Stage) -> None:
    stage.play("db-pool")
    wrong = await stage.ask("get_service_health", service="order-service")
    assert wrong.code == "not_found"
    assert "orders-service" in wrong.error
    assert (await stage.ask("get_service_health", service="orders-service", slo=100)).error
    assert (
        await stage.ask("get_service_health", service="orders-service", since="-1m")
    ).code == "invalid_input"


@pytest.mark.row("S8")
@pytest.mark.timeout(60)
async def test_jaeger_draws_the_same_map(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with watched(monkeypatch, tmp_path, "db-pool") as stage:
        xray = await stage.got("get_service_health", service="orders-service", since="-15m")
    jaeger = {"AIOPS_TRACES_SOURCE": "jaeger"}
    async with watched(monkeypatch, tmp_path / "j", "db-pool", environment=jaeger) as stage:
        other = await stage.got("get_service_health", service="orders-service", since="-15m")
    assert other["source"].startswith("jaeger")
    for part, keys in (("nodes", ("node",)), ("edges", ("from", "to"))):
        assert by_key(xray[part], *keys).keys() == by_key(other[part], *keys).keys()
    one, two = by_key(xray["nodes"], "node"), by_key(other["nodes"], "node")
    for key, row in one.items():
        assert two[key]["avg_ms"] == pytest.approx(row["avg_ms"], rel=0.1)
        assert two[key]["fault_pct"] == pytest.approx(row["fault_pct"], abs=5)
