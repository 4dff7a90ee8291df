"""Grafana's dashboard model, as far as our dashboards use it: panels on a grid, variables, one data source.

Called by `dashboards`. Fields and their meaning: Grafana's documentation, "Dashboard JSON model"
(grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model). A file has no id of
its own, so that any Grafana takes it; its uid is stable, so that a second import replaces the first; the data
source is a variable. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA_VERSION = 39  # Grafana 10.4; newer ones migrate it when they load it
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, COLUMNS = 12, 8, 2  # two panels side by side on Grafana's grid of 24
# Our units in Grafana's words; `bytes` are IEC there.
UNITS = {
    "bytes": "bytes",
    "cores": "short",
    "ratio": "percentunit",
    "seconds": "s",
    "per second": "ops",
    "count": "short",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One query and what its series are called."""

    query: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `unit`: one of UNITS. `kind`: Grafana's type; a table shows the newest values."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    says: str = ""
    kind: str = "timeseries"


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable filled by a query. `pattern`: the part of each result that is kept."""

    name: str
    query: str
    label: str
    pattern: str = ""
    every: bool = False


def dashboard(
    uid: str, title: str, says: str, choices: Sequence[Choice], panels: Sequence[Panel]
) -> dict[str, Any]:
    """A dashboard as Grafana imports and exports it."""
    return {
        "id": None,
        "uid": uid,
        "title": title,
        "description": says,
        "tags": ["eks-aiops"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "utc",
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": [_source(), *(_variable(one) for one in choices)]},
        "panels": [_panel(index, one) for index, one in enumerate(panels)],
    }


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "hide": 0,
        "multi": False,
        "includeAll": False,
    }


def _variable(choice: Choice) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": choice.name,
        "label": choice.label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": choice.query, "refId": choice.name},
        "definition": choice.query,
        "regex": choice.pattern,
        "refresh": 2,
        "sort": 1,
        "hide": 0,
        "multi": choice.every,
        "includeAll": choice.every,
    }
    return found | ({"allValue": ".*"} if choice.every else {})


def _panel(index: int, panel: Panel) -> dict[str, Any]:
    table = panel.kind == "table"
    row, column = divmod(index, COLUMNS)
    return {
        "id": index + 1,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": DATASOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": UNITS[panel.unit], "min": 0}, "overrides": []},
        "options": {"showHeader": True} if table else _options(),
        "targets": [_target(chr(ord("A") + at), line, table) for at, line in enumerate(panel.lines)],
    }


def _options() -> dict[str, Any]:
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _target(letter: str, line: Line, table: bool) -> dict[str, Any]:
    return {
        "refId": letter,
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": line.query,
        "legendFormat": line.legend,
        "format": "table" if table else "time_series",
        "instant": table,
        "range": not table,
    }
