"""F3 and N1-N5 through the MCP client, five seeds each: leaks are told with time to limit, no other."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from aiops_lab.aws.devopsguru import DevOpsGuru, GuruInsight, GuruMetric
from aiops_lab.scenarios.memory_trends import HOUR_S, Truth, released, truth
from aiops_lab.scenarios.profiles import leaker
from aiops_lab.telemetry import Telemetry
from tests.e2e.stage import Obj
from tests.observability.stage import SEEDS, Stage, watched

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOURS_2 = 2 * HOUR_S


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        async with watched(patch, Path(tmp_path_factory.mktemp("anomalies"))) as made:
            yield made


async def of_memory(stage: Stage, **more: object) -> Obj:
    return await stage.got(
        "detect_anomalies", namespace="production", kind="Deployment", name=leaker(stage.who), **more
    )


def moment(stage: Stage, before_s: float) -> str:
    t0_s = stage.lab.account.area(Telemetry).t0_s
    return datetime.fromtimestamp(t0_s - before_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rows(answer: Obj, table: str) -> list[list[object]]:
    return list(answer[table].get("rows", []))


@pytest.mark.row("S60")
@pytest.mark.row("S67")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_slow_leak_is_told_with_its_onset_its_release_and_its_time_to_limit(
    stage: Stage, seed: int
) -> None:
    stage.play("memory-leak-slow", seed)
    told: Truth = truth(seed)
    changes = [
        f"{moment(stage, told.released_s)} deploy {released(stage.who)}",
        f"{moment(stage, told.onset_s - 5400)} deploy of another service",
        f"{moment(stage, told.onset_s + 7200)} node added",
    ]
    answer = await of_memory(stage, changes=changes)
    growth = answer["growth"]
    assert (growth["code"], growth["grade"], answer["memory_class"]) == ("MEMORY_LEAK", "confirmed", "leak")
    assert abs(growth["limit_eta_s"] - told.limit_eta_s) < HOURS_2, (growth, told)
    assert growth["limit_eta_low_s"] < growth["limit_eta_s"] < growth["limit_eta_high_s"]
    assert growth["static_rule_in_s"] > 0
    onset = datetime.fromisoformat(growth["onset"].replace("Z", "+00:00")).timestamp()
    assert abs(onset - (stage.lab.account.area(Telemetry).t0_s - told.onset_s)) <= 600
    assert "abnormal increasing trend" in answer["summary"]
    related = [row for row in rows(answer, "related") if row[0] == "memory trend"]
    assert [row[3] for row in related] == [f"deploy {released(stage.who)}"]
    assert not rows(answer, "anomalies"), answer["sentences"]


@pytest.mark.parametrize("seed", SEEDS)
async def test_two_hours_after_its_onset_a_leak_is_suspected_long_before_the_static_rule(
    stage: Stage, seed: int
) -> None:
    stage.play("memory-leak-slow", seed)
    told = truth(seed)
    answer = await of_memory(stage, until=moment(stage, 4 * HOUR_S))
    growth = answer["growth"]
    assert growth["grade"] == "suspected"
    until_static = (0.8 * told.limit_mi - told.level_mi) / told.per_hour_mi + 4
    assert growth["static_rule_in_s"] / HOUR_S == pytest.approx(until_static, rel=0.25)
    assert until_static > 14.9 or seed  # the fixture's: fifteen hours before the static rule
    before = await of_memory(stage, until=moment(stage, 7 * HOUR_S))
    assert "growth" not in before
    assert not rows(before, "anomalies")


NEGATIVES = {
    "memory-daily": {"seasonal", "steady"},
    "memory-warmup": {"warmup"},
    "memory-by-load": {"load_driven"},
    "memory-sawtooth": {"steady", "seasonal"},
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("story", NEGATIVES)
async def test_memory_that_moves_for_a_known_reason_is_no_leak(stage: Stage, story: str, seed: int) -> None:
    stage.play(story, seed)
    answer = await of_memory(stage)
    assert "growth" not in answer
    assert answer["memory_class"] in NEGATIVES[story], answer
    assert "memory" not in {row[0] for row in rows(answer, "anomalies")}, answer["sentences"]


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_leak_that_restarts_hide_is_a_leak(stage: Stage, seed: int) -> None:
    stage.play("memory-leak-restarts", seed)
    answer = await of_memory(stage)
    assert answer["growth"]["code"] == "MEMORY_LEAK", answer
    assert answer["growth"]["grade"] == "confirmed"
    assert answer["growth"]["rate_bytes_per_h"] / 2**20 == pytest.approx(truth(seed).per_hour_mi, rel=0.15)


@pytest.mark.row("S68")
@pytest.mark.row("B11")
async def test_devops_guru_is_one_voice_and_its_silence_is_a_line(stage: Stage) -> None:
    stage.play("memory-daily", 0)
    name, now_s = leaker(stage.who), stage.lab.account.area(Telemetry).t0_s
    pods = (("ClusterName", "my-cluster"), ("Namespace", "production"), ("PodName", name))
    others = (("ClusterName", "my-cluster"), ("Namespace", "staging"))
    stage.lab.account.area(DevOpsGuru).insights = [
        GuruInsight("A" * 32, "Memory pressure", "Memory went from 92 to 98 %; evictions.", now_s - 1800,
                    (GuruMetric("ContainerInsights", "pod_memory_utilization", pods),)),
        GuruInsight("B" * 32, "Elsewhere", "Not this namespace.", now_s - 1800,
                    (GuruMetric("ContainerInsights", "pod_cpu_utilization", others),)),
    ]  # fmt: skip
    heard = [line for line in (await of_memory(stage))["voices"] if line.startswith("DevOps Guru")]
    assert len(heard) == 1
    assert "Memory went from 92 to 98 %" in heard[0]
    stage.lab.fail_aws("devops-guru", "ListInsights", code="ThrottlingException", status=400)
    answer = await of_memory(stage)
    # The SDK tries again for as long as the other detectors may take: on a slow machine that is the end.
    late = "other detectors did not answer in time"
    assert {"DevOps Guru not heard: throttled", late} & set(answer["voices"])
    assert answer["memory_class"] == "seasonal"


@pytest.mark.fault("R21")
async def test_a_backend_that_fails_is_said_and_not_answered_for(stage: Stage) -> None:
    stage.play("memory-daily", 0)
    stage.lab.observatory.fail("prometheus", status=503)
    ask = {"namespace": "production", "kind": "Deployment", "name": leaker(stage.who)}
    answer = await stage.ask("detect_anomalies", source="prometheus", **ask)
    assert answer.code in {"upstream_error", "unreachable"}, answer.text
    stage.lab.observatory.heal()
