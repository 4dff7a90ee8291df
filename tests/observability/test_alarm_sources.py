"""What a source of alarms does with too much, asked in process."""

from datetime import UTC, datetime, timedelta
from typing import Any

from aiops_observability.clients.alarm_alertmanager import AlertmanagerAlerts
from aiops_observability.clients.alarm_http import AlertDoor
from aiops_observability.clients.alarm_source import MOST_ALARMS, Window

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


class ToldDoor(AlertDoor):
    """A door behind which stands what a test says."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__("Alertmanager", "http://127.0.0.1:9", setting="X", timeout_s=1)
        self._answers = answers

    async def get(self, path: str, params: Any) -> Any:
        del params
        return self._answers[path]


def alert(number: int, severity: str) -> dict[str, Any]:
    labels = {"alertname": f"Rule{number}", "severity": severity, "blob": "x" * 50}
    return {"labels": labels, "startsAt": "2026-11-22T02:00:00Z", "status": {"state": "active"}}


async def test_of_a_hundred_thousand_alerts_the_worst_are_read_and_the_cut_is_said() -> None:
    rows = [alert(number, "info") for number in range(100_000)] + [alert(-1, "critical")]
    source = AlertmanagerAlerts(ToldDoor({"/api/v2/alerts": rows, "/api/v2/silences": []}), None, None)
    told = await source.read(None, Window(NOW - timedelta(hours=1), NOW))
    assert len(told.alarms) == MOST_ALARMS
    assert told.alarms[0].severity == "critical"
    assert told.warnings == (f"Alertmanager: {MOST_ALARMS} of 100001 alerts were read, the worst",)


async def test_nonsense_in_an_alert_is_left_out_and_not_followed() -> None:
    rows = [
        {"labels": {"alertname": 7, "a": ["b"]}, "startsAt": "0001-01-01T00:00:00Z", "status": None},
        "text",
        None,
    ]
    source = AlertmanagerAlerts(ToldDoor({"/api/v2/alerts": rows, "/api/v2/silences": {}}), None, None)
    told = await source.read(None, Window(NOW - timedelta(hours=1), NOW))
    assert [(one.name, one.since) for one in told.alarms] == [("(no name)", NOW)]
