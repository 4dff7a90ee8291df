"""`deploy/grafana`: files that any Grafana takes, with queries that are the catalogue's own (row S22)."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastmcp import Client
from jsonschema import Draft202012Validator
from mcp.shared.exceptions import MCPError
from opentelemetry.sdk.metrics import MeterProvider

from aiops_observability.server import make
from aiops_observability.telemetry.dashboards import DASHBOARDS
from aiops_shared.metrics.promql import parsed, selectors
from aiops_shared.results.counting import Instruments
from aiops_shared.settings import Settings
from eks_aiops.dashboards import files
from tests.contracts.repository import ROOT

pytestmark = pytest.mark.row("S22")

SCHEMA = Draft202012Validator(
    json.loads((ROOT / "tests/contracts/grafana_dashboard.schema.json").read_text("utf-8"))
)
NAMES = sorted(DASHBOARDS)
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([a-z]\w*))")


def dashboard(name: str) -> dict[str, Any]:
    """A dashboard as the file holds it."""
    found: dict[str, Any] = json.loads((ROOT / f"deploy/grafana/{name}.json").read_text("utf-8"))
    return found


def queries(found: dict[str, Any]) -> Iterator[str]:
    for panel in found["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def test_the_folder_holds_the_generated_files_and_nothing_else() -> None:
    there = {str(one.relative_to(ROOT)) for one in (ROOT / "deploy/grafana").iterdir()}
    assert there == set(files())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_fits_grafanas_model_and_any_grafana(name: str) -> None:
    found = dashboard(name)
    SCHEMA.validate(found)
    assert found["uid"] == f"aiops-{name}", "a second import replaces the first"
    ids = [panel["id"] for panel in found["panels"]]
    assert ids == sorted(set(ids))
    taken = [
        (panel["gridPos"]["x"], panel["gridPos"]["y"], panel["gridPos"]["w"]) for panel in found["panels"]
    ]
    assert len(set(taken)) == len(taken), "panels lie beside each other"
    assert all(x + width <= 24 for x, _, width in taken)


def test_the_schema_refuses_what_ties_a_dashboard_to_one_grafana() -> None:
    good = dashboard("suite")
    for path, value in (
        (("id",), 17),
        (("uid",), ""),
        (("panels", 0, "datasource", "uid"), "PBFA97CFB590B2093"),
        (("panels", 0, "targets", 0, "expr"), ""),
        (("panels", 0, "gridPos", "w"), 25),
        (("panels", 0, "fieldConfig", "defaults", "unit"), "parsecs"),
        (("templating", "list"), []),
    ):
        bad: Any = copy.deepcopy(good)
        place = bad
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value
        assert not SCHEMA.is_valid(bad), path


@pytest.mark.parametrize("name", NAMES)
def test_every_query_parses_and_uses_only_variables_that_are_there(name: str) -> None:
    found = dashboard(name)
    known = {one["name"] for one in found["templating"]["list"]} | {"__rate_interval"}
    for query in queries(found):
        read = selectors(parsed(query))
        assert read
        if name != "suite":
            assert all('cluster="$cluster"' in one.text for one in read), "one cluster of a shared store"
        assert {one or two for one, two in VARIABLE.findall(query)} <= known, query
    for one in found["templating"]["list"][1:]:
        inside = re.fullmatch(r"(?:label_values|query_result)\((.*?)(?:, [a-z]+)?\)", one["definition"])
        assert inside, one["definition"]
        assert selectors(parsed(inside[1]))


def test_the_suites_own_metrics_are_asked_by_the_names_that_prometheus_gives_them() -> None:
    made = Instruments.of(MeterProvider(shutdown_on_exit=False).get_meter("aiops"))
    named = {
        str(getattr(made, field).name).replace(".", "_") + ending
        for field, ending in (
            ("calls", "_total"),
            ("duration", "_seconds_bucket"),
            ("upstream", "_total"),
            ("redactions", "_total"),
        )
    }
    assert {one.name for query in queries(dashboard("suite")) for one in selectors(parsed(query))} == named


async def test_the_server_gives_the_same_dashboards_as_resources() -> None:
    async with Client(make(Settings())) as client:
        for name in NAMES:
            (content,) = await client.read_resource(f"dashboard://{name}")
            assert json.loads(getattr(content, "text", "")) == dashboard(name)
        with pytest.raises(MCPError, match=r"not_found.*suite, workload, nodes, alerts"):
            await client.read_resource("dashboard://costs")
