"""F4 as far as this server goes: the release is named, and the way back is planned and taken pod by pod."""

from pathlib import Path

import pytest

from aiops_lab.scenarios.memory_spike import CALM_MI, HOME, SPIKE_MI, images, spiking
from aiops_lab.scenarios.programs import MI
from tests.e2e.stage import Stage, whole
from tests.eks.test_effects_lab import carried_out

pytestmark = [pytest.mark.row("B8"), pytest.mark.row("B2"), pytest.mark.slow]


def used_mi(stage: Stage, name: str) -> list[float]:
    """Memory of every pod of the workload, MiB."""
    pods = [pod["metadata"]["name"] for pod in stage.lab.store.list("Pod", HOME, labels=f"app={name}")]
    usage = [stage.lab.world.pod(HOME, pod) or {} for pod in pods]
    return [sum(memory for _, memory in each.values()) / MI for each in usage]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", range(5))
async def test_the_release_before_comes_back_within_the_budget(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("memory-spike", seed, monkeypatch, tmp_path, write=True) as stage:
        name, (before, after) = spiking(stage.who), images(stage.who)
        assert min(used_mi(stage, name)) > (CALM_MI + SPIKE_MI) / 2
        changes = await stage.got("list_changes", since="-4h", namespace=HOME, kind="Deployment", name=name)
        row = dict(zip(changes["changes"]["columns"], changes["changes"]["rows"][0], strict=True))
        assert row["verb"] == "rollout"
        assert f"{before.rpartition('/')[2]} → {after.rpartition('/')[2]}" in row["what"], row
        plan = await stage.plan(action="rollback", namespace=HOME, name=name)
        assert stage.writes() == []
        said = str(plan)
        assert before in said
        assert after in said
        assert "1 of 4 pods at once" in plan["blast_radius"]
        assert "2 may be disrupted" in plan["blast_radius"]
        done = await carried_out(stage, plan)
        assert done["state"] == "succeeded", done
        assert stage.spec("Deployment", HOME, name)["template"]["spec"]["containers"][0]["image"] == before
        assert max(used_mi(stage, name)) < 450
