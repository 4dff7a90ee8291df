"""The lab's Alertmanager: its v2 API over alerts told here, asked in process."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from aiops_lab.observatory.alertmanager import alertmanager_app
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.alerts import Inhibition, Matcher, StoredAlert, StoredSilence, emit

T0 = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
T0_S = T0.timestamp()


@dataclass
class World:
    """The observatory, as far as the room needs it."""

    telemetry: Telemetry = field(default_factory=lambda: Telemetry(t0_s=T0_S))

    def now(self) -> datetime:
        return T0


def told() -> World:
    world = World()
    emit(
        world.telemetry,
        StoredAlert({"alertname": "NodeDown", "node": "n1", "severity": "critical"}, ((T0_S - 600, None),)),
        StoredAlert({"alertname": "PodDown", "node": "n1", "severity": "warning"}, ((T0_S - 300, None),)),
        StoredAlert({"alertname": "PodDown", "node": "n2", "severity": "warning"}, ((T0_S - 200, None),)),
        StoredAlert({"alertname": "Over", "node": "n2"}, ((T0_S - 900, T0_S - 60),)),
    )
    alerts = world.telemetry.alerts
    critical, warning = Matcher("severity", "critical"), Matcher("severity", "warning")
    alerts.inhibitions = (Inhibition((critical,), (warning,), ("node",)),)
    n2 = Matcher("node", "n2")
    alerts.silences = (
        StoredSilence("s1", (n2,), T0_S - 60, T0_S + 60),
        StoredSilence("s2", (n2,), T0_S - 120, T0_S - 60),
    )
    return world


async def asked(path: str, **params: Any) -> httpx.Response:
    app = alertmanager_app(told())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://lab") as client:
        return await client.get(path, params=params)


async def names(**params: Any) -> set[tuple[str, str]]:
    rows = (await asked("/api/v2/alerts", **params)).json()
    return {(row["labels"]["alertname"], row["labels"].get("node", "")) for row in rows}


async def test_what_fires_is_listed_with_what_keeps_it_quiet_and_what_is_over_is_not() -> None:
    rows = (await asked("/api/v2/alerts")).json()
    status = {(row["labels"]["alertname"], row["labels"]["node"]): row["status"] for row in rows}
    assert set(status) == {("NodeDown", "n1"), ("PodDown", "n1"), ("PodDown", "n2")}
    assert status["NodeDown", "n1"]["state"] == "active"
    assert len(status["PodDown", "n1"]["inhibitedBy"]) == 1
    assert status["PodDown", "n2"]["silencedBy"] == ["s1"]


async def test_flags_and_filters_narrow_the_list() -> None:
    assert await names(silenced="false", inhibited="false") == {("NodeDown", "n1")}
    assert await names(active="false") == {("PodDown", "n1"), ("PodDown", "n2")}
    assert await names(filter='node="n2"') == {("PodDown", "n2")}
    assert await names(filter=["alertname=~Pod.*", "node!=n2"]) == {("PodDown", "n1")}
    assert await names(receiver="nobody") == set()


async def test_a_bad_filter_is_a_400_with_a_text() -> None:
    for params in ({"filter": "no matcher"}, {"active": "maybe"}, {"receiver": "("}):
        answer = await asked("/api/v2/alerts", **params)
        assert answer.status_code == 400
        assert isinstance(answer.json(), str)


async def test_groups_silences_and_status() -> None:
    groups = (await asked("/api/v2/alerts/groups")).json()
    assert [(one["labels"]["alertname"], len(one["alerts"])) for one in groups] == [
        ("NodeDown", 1),
        ("PodDown", 2),
    ]
    silences = (await asked("/api/v2/silences")).json()
    assert [one["status"]["state"] for one in silences] == ["active", "expired"]
    assert (await asked("/api/v2/silence/s2")).json()["id"] == "s2"
    assert (await asked("/api/v2/silence/none")).status_code == 404
    assert (await asked("/api/v2/status")).json()["versionInfo"]["version"]
