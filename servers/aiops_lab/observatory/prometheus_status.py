"""What Prometheus says about itself: rules and alerts, metadata, targets, cardinality, exemplars, build.

Alerts are the results of their rules' queries over the last hours, so that they agree with the metrics.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import promql_parser as parser

from aiops_lab.observatory.ports import HasWorld
from aiops_lab.observatory.prometheus_asking import Asked, bad
from aiops_lab.promql.matchers import matches_of
from aiops_lab.promql.numbers import shortest
from aiops_lab.promql.parsing import parse
from aiops_lab.promql.queries import Span, range_query
from aiops_lab.promql.storage import SignalStorage
from aiops_lab.promql.values import NAME, PromqlError
from aiops_lab.telemetry.meanings import HELP
from aiops_lab.telemetry.rules import MetricRule, Rules

SEEN_MS = 6 * 3_600_000  # how far back an alert's beginning is looked for
STEP_MS = 60_000
VERSION = "2.42.0"
_ENDINGS = ("_bucket", "_count", "_sum")


@dataclass(frozen=True, slots=True)
class Status:
    """The pages beside queries."""

    observatory: HasWorld

    @property
    def storage(self) -> SignalStorage:
        """The samples of the present world: a reset brings another one."""
        return world_samples(self.observatory)

    @property
    def _told(self) -> Rules:
        return self.observatory.telemetry.rules

    @property
    def _now_ms(self) -> int:
        return round(self.observatory.now().timestamp() * 1000)

    def metadata(self, asked: Asked) -> Any:
        """GET /metadata: type and help by metric; a histogram's under its own name."""
        wanted, signals = asked.one("metric"), self.observatory.telemetry.signals
        found: dict[str, Any] = {}
        names = signals.names()
        for metric in sorted(names):
            told = next(iter(signals.of(metric)), None)
            if told is None:
                continue
            endings = (end for end in _ENDINGS if _is_histogram(metric, end, names))
            family = next((metric.removesuffix(end) for end in endings), "")
            name = family or metric
            kind = "histogram" if family else told.kind
            if not wanted or wanted == name:
                found[name] = [{"type": kind, "help": told.says or HELP.get(name, ""), "unit": ""}]
        limit = asked.one("limit")
        return dict(list(found.items())[: int(limit)]) if limit.isdecimal() else found

    def rules(self, asked: Asked) -> Any:
        """GET /rules."""
        wanted = asked.one("type")
        if wanted not in ("", "alert", "record"):
            raise bad("type", f'not supported value "{wanted}"')
        groups: dict[str, list[MetricRule]] = {}
        for rule in list(self._told.rules):
            if wanted in ("", "alert" if rule.alert else "record"):
                groups.setdefault(rule.group, []).append(rule)
        return {"groups": [self._group(name, rules) for name, rules in groups.items()]}

    def _group(self, name: str, rules: list[MetricRule]) -> Mapping[str, Any]:
        return {
            "name": name,
            "file": f"/etc/prometheus/rules/{name}.yaml",
            "rules": [self._rule(rule) for rule in rules],
            "interval": rules[0].interval_s,
            "limit": 0,
            "evaluationTime": 0.002,
            "lastEvaluation": _rfc3339(self._now_ms // STEP_MS * STEP_MS),
        }

    def _rule(self, rule: MetricRule) -> Mapping[str, Any]:
        common = {
            "name": rule.name,
            "query": rule.query,
            "health": "err" if rule.error else "ok",
            "evaluationTime": 0.001,
            "lastEvaluation": _rfc3339(self._now_ms // STEP_MS * STEP_MS),
            "type": "alerting" if rule.alert else "recording",
        } | ({"lastError": rule.error} if rule.error else {})
        if not rule.alert:
            return common | ({"labels": dict(rule.labels)} if rule.labels else {})
        alerts = list(self._alerts(rule))
        states = {each["state"] for each in alerts}
        return {
            "state": next((each for each in ("firing", "pending") if each in states), "inactive"),
            **common,
            "duration": rule.for_s,
            "keepFiringFor": 0,
            "labels": dict(rule.labels),
            "annotations": dict(rule.annotations),
            "alerts": alerts,
        }

    def alerts(self, asked: Asked) -> Any:
        """GET /alerts: pending and firing ones."""
        del asked
        return {
            "alerts": [one for rule in list(self._told.rules) if rule.alert for one in self._alerts(rule)]
        }

    def _alerts(self, rule: MetricRule) -> Iterator[Mapping[str, Any]]:
        """The series of the rule's query now; active since they have been there without a gap."""
        if rule.error:
            return
        end = self._now_ms // STEP_MS * STEP_MS
        back = max(SEEN_MS, round(2000 * rule.for_s))
        for row in range_query(self.storage, rule.query, Span(end - back, end, STEP_MS))["result"]:
            active = _without_gap(row["values"], end)
            if active is None:
                continue
            state = "firing" if end - active >= 1000 * rule.for_s else "pending"
            labels = {key: value for key, value in row["metric"].items() if key != NAME}
            yield {
                "labels": {**labels, **rule.labels, "alertname": rule.name},
                "annotations": dict(rule.annotations),
                "state": state,
                "activeAt": _rfc3339(active),
                "value": _go_exponent(float(row["values"][-1][1])),
            }

    def targets(self, asked: Asked) -> Any:
        """GET /targets: node exporters, as far as a reader wants to see that something is scraped."""
        del asked
        found = self.observatory.telemetry.signals.of("node_memory_MemTotal_bytes")
        nodes = {one.labels.get("instance", "") for one in found}
        active = [
            {
                "discoveredLabels": {"__address__": instance},
                "labels": {"instance": instance, "job": "node-exporter"},
                "scrapePool": "node-exporter",
                "scrapeUrl": f"http://{instance}/metrics",
                "globalUrl": f"http://{instance}/metrics",
                "lastError": "",
                "lastScrape": _rfc3339(self._now_ms // STEP_MS * STEP_MS),
                "lastScrapeDuration": 0.012,
                "health": "up",
                "scrapeInterval": "1m",
                "scrapeTimeout": "10s",
            }
            for instance in sorted(nodes)
        ]
        return {"activeTargets": active, "droppedTargets": []}

    def exemplars(self, asked: Asked) -> Any:
        """GET /query_exemplars: those that a story told, of the selectors in the query."""
        start = asked.time_ms("start", 0)
        end = asked.time_ms("end", self._now_ms)
        if end < start:
            raise bad("end", "end timestamp must not be before start timestamp")
        try:
            selectors = _selectors(asked.one("query"))
        except PromqlError as error:
            raise PromqlError(str(error), "bad_data") from error
        found: dict[tuple[tuple[str, str], ...], list[Any]] = {}
        for one in list(self._told.exemplars):
            labels = {**one.labels, NAME: one.metric}
            inside = start <= 1000 * one.at_s <= end
            if inside and any(all(match(labels) for match in matches) for matches in selectors):
                said = {
                    "labels": {"trace_id": one.trace_id},
                    "value": shortest(one.value),
                    "timestamp": one.at_s,
                }
                found.setdefault(tuple(sorted(labels.items())), []).append(said)
        return [{"seriesLabels": dict(labels), "exemplars": said} for labels, said in found.items()]

    # of the process itself

    def build_info(self, asked: Asked) -> Any:
        """GET /status/buildinfo."""
        del asked
        return {"version": VERSION, "revision": "lab", "branch": "lab", "buildUser": "lab",
                "buildDate": "20260101-00:00:00", "goVersion": "go1.19.8"}  # fmt: skip

    def runtime_info(self, asked: Asked) -> Any:
        """GET /status/runtimeinfo."""
        del asked
        started = _rfc3339(round(1000 * self.observatory.telemetry.t0_s) - 30 * 86_400_000)
        return {
            "startTime": started,
            "CWD": "/prometheus",
            "reloadConfigSuccess": True,
            "lastConfigTime": started,
            "corruptionCount": 0,
            "goroutineCount": 40,
            "GOMAXPROCS": 2,
            "GOGC": "",
            "GODEBUG": "",
            "storageRetention": "30d",
        }

    def tsdb(self, asked: Asked) -> Any:
        """GET /status/tsdb: the series of the last hour, and what a story says there is beside them."""
        text = asked.one("limit")
        if text and (not text.isdecimal() or int(text) < 1):
            raise PromqlError("limit must be a positive number", "bad_data")
        most = int(text or "10")
        names, pairs, values = self._counted()
        total = sum(names.values())
        return {
            "headStats": {
                "numSeries": total,
                "numLabelPairs": len(pairs),
                "chunkCount": total * 2,
                "minTime": self._now_ms - 7_200_000,
                "maxTime": self._now_ms,
            },
            "seriesCountByMetricName": _top(names, most),
            "labelValueCountByLabelName": _top(
                Counter({key: len(each) for key, each in values.items()}), most
            ),
            "memoryInBytesByLabelName": _top(
                Counter({key: sum(map(len, each)) for key, each in values.items()}), most
            ),
            "seriesCountByLabelValuePair": _top(pairs, most),
        }

    def _counted(self) -> tuple[Counter[str], Counter[str], dict[str, set[str]]]:
        names, pairs, values = Counter[str](), Counter[str](), dict[str, set[str]]()
        for labels in self.storage.labels((), self._now_ms - 3_600_000, self._now_ms):
            for key, value in labels:
                pairs[f"{key}={value}"] += 1
                values.setdefault(key, set()).add(value)
            names[dict(labels)[NAME]] += 1
        for metric, size in self._told.ballast.items():
            names[metric] += size
            pairs[f"{NAME}={metric}"] += size
            values.setdefault(NAME, set()).add(metric)
        return names, pairs, values

    def queried(self, limit: str) -> Mapping[str, Any] | None:
        """VictoriaMetrics' count of queries by metric; None where the backend does not count."""
        asked = self._told.asked
        if asked is None:
            return None
        most = int(limit) if limit.isdecimal() else 1000
        last = round(self._now_ms / 1000)
        rows = [
            {"metricName": name, "queryRequestsCount": count, "lastRequestTimestamp": last if count else 0}
            for name, count in sorted(asked.items(), key=lambda one: one[1])[:most]
        ]
        return {
            "status": "success",
            "statsCollectedSince": round(self._told.asked_since_s),
            "statsCollectedRecordsTotal": len(asked),
            "records": rows,
        }


def world_samples(observatory: HasWorld) -> SignalStorage:
    """What the world emits, as far as it is known now."""
    now = observatory.now
    return SignalStorage(observatory.telemetry.signals, lambda: now().timestamp())


def _is_histogram(metric: str, ending: str, names: set[str]) -> bool:
    return metric.endswith(ending) and f"{metric.removesuffix(ending)}_bucket" in names


def _top(counted: Counter[str], most: int) -> list[Mapping[str, Any]]:
    return [{"name": name, "value": value} for name, value in counted.most_common(most)]


def _selectors(text: str) -> list[Any]:
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, parser.VectorSelector):
            found.append(matches_of(node))
        if isinstance(node, parser.MatrixSelector):
            found.append(matches_of(node.vector_selector))

    parser.walk(parse(text), visit)
    return found


def _without_gap(values: list[Any], end_ms: int) -> int | None:
    """Since when a series has been there without a gap; None if it is not there now."""
    moments = [round(1000 * at) for at, _ in values]
    if not moments or moments[-1] != end_ms:
        return None
    active = end_ms
    for moment in reversed(moments):
        if active - moment > STEP_MS:
            break
        active = moment
    return active


def _rfc3339(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def _go_exponent(value: float) -> str:
    """An alert's value: strconv's 'e' with -1 digits."""
    return str(np.format_float_scientific(value, trim="-", exp_digits=2))
