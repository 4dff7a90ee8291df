"""Asks a real Prometheus and the lab's evaluator the same, and says in one line where they differ."""

import math
from dataclasses import dataclass
from typing import Any

import httpx

from aiops_lab.promql.queries import Span, instant_query, range_query
from aiops_lab.promql.storage import Storage
from aiops_lab.promql.values import PromqlError
from tests.lab.promql.samples import T0

SPAN = Span((T0 + 600) * 1000, (T0 + 10_000) * 1000, 170_000)
MOMENT_MS = (T0 + 7000) * 1000 + 500
RELATIVE, NOTHING = 1e-6, 1e-9
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """Both engines over the same samples."""

    client: httpx.Client
    storage: Storage

    def difference(self, query: str) -> str:
        """Where the answers to a range and an instant query differ; empty where they agree."""
        ranged = {"start": SPAN.start_ms / 1000, "end": SPAN.end_ms / 1000, "step": SPAN.step_ms / 1000}
        there = self._real("query_range", {"query": query, **ranged})
        found = differing(there, self._ours(query, ranged=True))
        if found:
            return f"range {query}: {found}"
        there = self._real("query", {"query": query, "time": MOMENT_MS / 1000})
        found = differing(there, self._ours(query, ranged=False))
        return f"instant {query}: {found}" if found else ""

    def _real(self, path: str, form: Json) -> Json:
        found: Json = self.client.post(f"/api/v1/{path}", data=form).json()
        return found

    def _ours(self, query: str, *, ranged: bool) -> Json:
        try:
            if ranged:
                data = range_query(self.storage, query, SPAN)
            else:
                data = instant_query(self.storage, query, MOMENT_MS)
        except PromqlError as error:
            return {"status": "error", "errorType": error.kind, "error": str(error)}
        return {"status": "success", "data": data}


def differing(real: Json, ours: Json) -> str:
    """Where two answers of the API differ; empty where they agree."""
    if real["status"] != ours["status"] or real.get("errorType") != ours.get("errorType"):
        return f"real {real.get('error', 'answers')}, ours {ours.get('error', 'answers')}"
    if real["status"] == "error":
        return ""
    left, right = real["data"], ours["data"]
    if left["resultType"] != right["resultType"]:
        return f"real is a {left['resultType']}, ours a {right['resultType']}"
    if left["resultType"] in ("scalar", "string"):
        return _points([left["result"]], [right["result"]])
    return _series(left["result"], right["result"])


def _series(left: list[Json], right: list[Json]) -> str:
    real, ours = ({_name(row): row for row in rows} for rows in (left, right))
    if real.keys() != ours.keys():
        return f"real has {sorted(real.keys() - ours.keys())}, ours {sorted(ours.keys() - real.keys())}"
    for name, row in real.items():
        here, there = (each.get("values") or [each["value"]] for each in (row, ours[name]))
        if said := _points(here, there):
            return f"{dict(name)}: {said}"
    return ""


def _name(row: Json) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(row["metric"].items()))


def _points(left: list[Any], right: list[Any]) -> str:
    if [at for at, _ in left] != [at for at, _ in right]:
        apart = sorted({at for at, _ in left} ^ {at for at, _ in right})
        return f"only one has samples at {apart[:4]}"
    for (at, real), (_, ours) in zip(left, right, strict=True):
        if not _close(real, ours):
            return f"at {at} real {real}, ours {ours}"
    return ""


def _close(real: str, ours: str) -> bool:
    if real == ours:
        return True
    try:
        return math.isclose(float(real), float(ours), rel_tol=RELATIVE, abs_tol=NOTHING)
    except ValueError:
        return False
