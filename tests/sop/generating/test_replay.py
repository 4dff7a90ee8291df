"""F6 in both worlds: without the generated files pods wait for nodes at the surge, with them none does."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiops_lab.run import Lab
from aiops_lab.scenarios.traffic_surge import surge
from tests.sop import stage as staging
from tests.sop.generating.replaying import apply_files, pending_seconds, pods_of
from tests.sop.stage import operated

MORNING = datetime(2026, 11, 23, 8, 0, 12, tzinfo=UTC)  # the Monday of the surge
NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KINDS = ["hpa_schedule", "placeholder", "nodepool"]


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.row("S71")
async def test_with_the_generated_files_no_pod_waits_at_the_surge_and_without_them_some_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(staging, "START", MORNING)
    async with operated(monkeypatch, tmp_path, "traffic-surge") as stage:
        lab, shop = stage.lab, surge(stage.who).service
        made = await stage.got(
            "generate_config", workload=shop, namespace="production", kinds=KINDS, detail="full"
        )
        assert all(file["valid"] for file in made["files"])
        apply_files(lab, made["files"])
        lab.clock.advance((NINE - lab.clock.now()).total_seconds())
        assert least(lab, shop) == 13
        assert pending_seconds(lab, "production", shop, 600) == 0
        assert len(pods_of(lab, "production", shop)) == 13
        lab.clock.advance(2 * 3600)
        assert least(lab, shop) == 4

        lab.clock.rewind(MORNING)
        stage.play("traffic-surge")
        lab.clock.advance((NINE - lab.clock.now()).total_seconds())
        assert pending_seconds(lab, "production", shop, 600) > 0


def least(lab: Lab, name: str) -> int:
    """What its autoscaler keeps."""
    live = lab.store.get("HorizontalPodAutoscaler", "production", name)
    assert live is not None
    return int(live["spec"]["minReplicas"])
