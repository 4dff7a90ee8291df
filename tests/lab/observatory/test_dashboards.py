"""The shipped dashboards on the lab's Prometheus: every panel that a world can fill shows something."""

import re
from typing import Any

import pytest

from aiops_lab.telemetry.alerts import StoredAlert, emit
from aiops_lab.telemetry.workloads import DAY_S, RouteFacts, emit_autoscaler, emit_requests
from aiops_observability.telemetry.dashboards import DASHBOARDS
from tests.lab.observatory.conftest import Room

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.row("S22")]

# Metrics that the lab's world does not have, and alerts that wait, which Prometheus alone knows.
EMPTY = {"CPU throttled A", "DNS errors A", "Pending A"}


def filled(query: str, **values: str) -> str:
    """A query as Grafana sends it."""
    given = {"cluster": "", "__rate_interval": "5m", **values}
    return re.sub(r"\$(__rate_interval|[a-z]+)", lambda found: given[found[1]], query)


async def shown(room: Room, name: str, **values: str) -> dict[str, int]:
    """Panel -> series over the last hour."""
    found: dict[str, int] = {}
    for panel in DASHBOARDS[name]()["panels"]:
        for target in panel["targets"]:
            answer = await room.data(
                "query_range",
                query=filled(target["expr"], **values),
                start=str(room.now_s - 3600),
                end=str(room.now_s),
                step="60",
            )
            key = f"{panel['title']} {target['refId']}"
            found[key] = len(answer["result"])
    return found


async def variable(room: Room, name: str, which: str, **values: str) -> list[str]:
    """What a variable of a dashboard offers, by its query and its pattern."""
    (one,) = (one for one in DASHBOARDS[name]()["templating"]["list"] if one["name"] == which)
    inside = re.fullmatch(r"(label_values|query_result)\((.*?)(?:, ([a-z]+))?\)", one["definition"])
    assert inside
    rows: list[dict[str, Any]] = await room.query(filled(inside[2], **values))
    if inside[1] == "label_values":
        return sorted({row["metric"].get(inside[3], "") for row in rows})
    pattern = one["regex"].strip("/")
    written = [
        "{" + ",".join(f'{key}="{value}"' for key, value in row["metric"].items()) + "}" for row in rows
    ]
    return sorted({found[1] for text in written if (found := re.search(pattern, text))})


async def test_nodes_fill_every_panel(room: Room) -> None:
    found = await shown(room, "nodes")
    assert {panel for panel, series in found.items() if not series} <= EMPTY


async def test_the_variables_offer_workloads_by_their_own_names(room: Room) -> None:
    assert await variable(room, "workload", "cluster") == [""], "a store of one cluster"
    assert {"kube-system", "production"} <= set(await variable(room, "workload", "namespace"))
    assert await variable(room, "workload", "workload", namespace="kube-system") == [
        "aws-node",
        "coredns",
        "kube-proxy",
        "metrics-server",
    ]


async def test_a_workload_fills_every_panel(fresh: Room) -> None:
    telemetry, since_s = fresh.lab.observatory.telemetry, fresh.now_s - DAY_S
    (name, *_) = await variable(fresh, "workload", "workload", namespace="production")
    for status, rate in (("200", 20.0), ("500", 0.5)):
        route = RouteFacts(name, "/cart", "production", since_s=since_s)
        emit_requests(telemetry.signals, route, rate=rate, status=status)
    emit_autoscaler(telemetry.signals, "production", name, least=2, most=8, current=2)
    found = await shown(fresh, "workload", namespace="production", workload=name)
    assert {panel for panel, series in found.items() if not series} <= EMPTY
    assert found["Latency A"] == found["Errors A"] == found["Replicas A"] == 1


async def test_a_daemonset_is_found_by_the_same_panels_and_a_namesake_is_not(room: Room) -> None:
    found = await shown(room, "workload", namespace="kube-system", workload="aws-node")
    nodes = (await shown(room, "nodes"))["CPU A"]
    assert found["Memory A"] == found["CPU A"] == found["Restarts A"] == nodes
    none = await shown(room, "workload", namespace="kube-system", workload="aws")
    assert set(none.values()) == {0}


async def test_alerts_that_fire_are_shown(fresh: Room) -> None:
    labels = {"alertname": "PodsSlow", "severity": "warning", "namespace": "production"}
    emit(fresh.lab.observatory.telemetry, StoredAlert(labels, ((fresh.now_s - 1800, None),)))
    found = await shown(fresh, "alerts")
    assert found == {"Firing A": 1, "Firing now A": 1, "Pending A": 0}


async def test_the_suites_own_queries_are_understood(room: Room) -> None:
    assert set((await shown(room, "suite", server=".*")).values()) == {0}, "nobody exports them in the lab"
