"""F3 and F4 asked of CloudWatch by a client: memory within 2 % of the world's signal and of Prometheus."""

from pathlib import Path

import numpy as np
import pytest

from aiops_lab.scenarios.memory_spike import HOME, spiking
from aiops_lab.scenarios.profiles import leaker
from aiops_lab.telemetry import Telemetry
from tests.observability.stage import SEEDS, Stage, watched

TOLERANCE = 0.02
COMPARED = ("min", "mean", "p95", "max", "last")
pytestmark = pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")


def memory_of_pods(stage: Stage, workload: str, since_s: float, step_s: int) -> dict[str, float]:
    """The mean working set of each pod of a workload, straight from the signals."""
    now_s = stage.lab.clock.now().timestamp()
    moments = np.arange(-(-(now_s - since_s) // step_s) * step_s, now_s, step_s)
    found: dict[str, float] = {}
    for one in stage.lab.account.area(Telemetry).signals.find(
        "container_memory_working_set_bytes", namespace=HOME
    ):
        if one.labels["pod"].startswith(f"{workload}-"):
            values = one.read(moments)
            if not np.isnan(values).all():
                found[one.labels["pod"]] = float(np.nanmean(values))
    return found


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.row("S8")
@pytest.mark.parametrize("story", ["memory-leak-slow", "memory-spike"])
async def test_memory_over_cloudwatch_is_the_worlds_and_prometheuss(
    story: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play(story, seed)
            name = spiking(stage.who) if story == "memory-spike" else leaker(stage.who)
            asked = {
                "what": "memory",
                "namespace": HOME,
                "name": name,
                "since": "-3h",
                "step": "5m",
                "detail": "full",
            }
            told = {}
            for source in ("cloudwatch", "prometheus"):
                found = await stage.got("query_metrics", source=source, **asked)
                assert found["unit"] == "bytes"
                table = found["series"]
                rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
                told[source] = {row["pod"]: row for row in rows if row.get("pod") not in {None, "", "all"}}
            truth = memory_of_pods(stage, name, 3 * 3600, 300)
            assert told["cloudwatch"], (story, seed)
            assert told["cloudwatch"].keys() == told["prometheus"].keys() == truth.keys()
            for pod, row in told["cloudwatch"].items():
                assert row["mean"] == pytest.approx(truth[pod], rel=TOLERANCE)
                for column in COMPARED:
                    assert row[column] == pytest.approx(told["prometheus"][pod][column], rel=TOLERANCE), (
                        column
                    )
