"""`list_alarms(state=all)` says who watches without a threshold; a refusal is a warning with its right."""

from pathlib import Path

import pytest

from aiops_lab.scenarios.maturity_watch import ALARMS, DETECTORS, RESOURCES
from tests.observability.stage import watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.row("S78")
async def test_detectors_and_devops_guru_are_counted_and_a_refusal_names_its_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        stage.play("maturity-3", 1)
        told = await stage.got("list_alarms", state="all", limit=1)
        assert told["detection"] == {"anomaly_detectors": DETECTORS, "devops_guru_resources": RESOURCES}
        assert sum(told["states"].values()) >= ALARMS
        assert "detection" not in await stage.got("list_alarms"), "nobody asked for all"
        stage.play("maturity-2", 1)
        none = await stage.got("list_alarms", state="all", limit=1)
        assert none["detection"] == {"anomaly_detectors": 0, "devops_guru_resources": 0}
        for operation, right, left in (
            ("DescribeAnomalyDetectors", "cloudwatch:DescribeAnomalyDetectors", "devops_guru_resources"),
            ("DescribeAccountHealth", "devops-guru:DescribeAccountHealth", "anomaly_detectors"),
        ):
            stage.play("maturity-3", 1)
            service = right.partition(":")[0]
            stage.lab.fail_aws(service, operation, code="AccessDeniedException", status=403)
            half = await stage.got("list_alarms", state="all", limit=1)
            assert set(half["detection"]) == {left}
            assert any(right in one for one in half["warnings"]), half["warnings"]
