"""Facts for tests of rules: small answers of other servers, in their shapes, and a question."""

from datetime import UTC, datetime, timedelta
from typing import Any

from aiops_sop.analysis.causes.answering import answer
from aiops_sop.analysis.causes.facts import Facts
from aiops_sop.models.investigations import Investigation, Question

NOW = datetime(2026, 11, 22, 13, 40, tzinfo=UTC)
SERVICE, SPACE = "till", "shops"
Obj = dict[str, Any]


def ago(minutes: float) -> str:
    """A moment before now, as the servers write it."""
    return f"{NOW - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def table(*columns: str, rows: list[list[Any]]) -> Obj:
    """A columnar table."""
    return {"columns": list(columns), "rows": rows}


def abnormal(signal: str, minutes: float, expected: float, seen: float) -> list[Any]:
    """A row of `detect_anomalies`: a level shift that lasts."""
    return [signal, "level_shift", ago(minutes), None, expected, seen]


def anomalies(*rows: list[Any], **more: Any) -> Obj:
    """An answer of `detect_anomalies`."""
    columns = ("signal", "kind", "onset", "until", "expected", "seen")
    return {"anomalies": table(*columns, rows=list(rows)), **more}


def failing(minutes: float = 20) -> Obj:
    """Requests fail since so long."""
    return anomalies(abnormal("errors", minutes, 0.0005, 0.16))


def changes(*rows: tuple[float, str, str, str]) -> Obj:
    """An answer of `list_changes`: (minutes ago, verb, object, what)."""
    made: list[list[Any]] = [[ago(at), verb, spot, "ann", "kubectl", what] for at, verb, spot, what in rows]
    return {"changes": table("at", "verb", "object", "by", "client", "what", rows=made)}


def series(label: str, *rows: tuple[str, int, float, float, float, float]) -> Obj:
    """An answer of `query_metrics`: (name, points, last, mean, min, slope an hour)."""
    columns = (label, "points", "last", "mean", "min", "max", "slope/h")
    made: list[list[Any]] = [
        [name, points, last, mean, low, max(last, mean, low), slope]
        for name, points, last, mean, low, slope in rows
    ]
    return {"series": table(*columns, rows=made)}


def traces(
    part: str, share: float, *, outlier: str = "", pattern: str = "", normal: tuple[str, ...] = ()
) -> Obj:
    """An answer of `analyze_traces(group_by=az)` where a part explains so much."""
    return {
        "requests": 300,
        "faults": 30,
        "outlier": outlier,
        "edge": part,
        "pattern": pattern,
        "normal": list(normal),
        "groups": table(
            "az", "requests", "faults", "fault_pct", "p95_ms", rows=[[outlier, 99, 20, 20.2, 90.0]]
        ),
        "critical_path": table(
            "part", "self_ms", "usual_ms", "failures_began", "explained", rows=[[part, 1, 1, 9, share]]
        ),
    }


def health(*stores: str) -> Obj:
    """The map: the asked service and what it calls that leaves no spans."""
    return {"nodes": table("node", "inferred", rows=[[SERVICE, False], *([one, True] for one in stores)])}


def finding(code: str, kind: str = "Deployment", name: str = SERVICE, **more: Any) -> Obj:
    """An answer of `diagnose` with one finding."""
    one = {
        "code": code,
        "severity": "high",
        "kind": kind,
        "namespace": SPACE,
        "name": name,
        "confidence": 0.9,
    }
    return {"findings": [{**one, "title": f"{name} is ill", "root_cause": "because", **more}]}


def facts(symptom: str = "errors", service: str = SERVICE, alarm: str = "", **answers: Obj) -> Facts:
    """Facts of these answers; `traces_az` stands for the key `traces/az`."""
    question = Question(symptom=symptom, service=service, namespace=SPACE, alarm=alarm)
    named = {key.replace("__", "/"): value for key, value in answers.items()}
    return Facts(question, NOW, NOW - timedelta(hours=1), named)


def answered(symptom: str = "errors", /, **answers: Any) -> Investigation:
    """The answer to these facts."""
    return answer(facts(symptom, **answers), [("eks", "diagnose", "answered")])


def verdicts(found: Investigation) -> dict[str, str]:
    """Code -> verdict."""
    return {str(row[0]): str(row[2]) for row in found.hypotheses.rows}
