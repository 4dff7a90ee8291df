"""F22: the same lines in CloudWatch Logs and in OpenSearch, the same requests in X-Ray, Jaeger and Tempo."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from aiops_lab.scenarios import memory_spike, traced
from tests.e2e.stage import Obj
from tests.observability.stage import Stage, watched

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.row("S8")]
TOLERANCE = 0.02
LOGS = (("cloudwatch", ""), ("opensearch", "logs-application"))
STORES = ("xray", "jaeger", "tempo")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        async with watched(patch, Path(tmp_path_factory.mktemp("parity"))) as made:
            yield made


def rows(told: Obj | None) -> list[Obj]:
    return [dict(zip(told["columns"], row, strict=True)) for row in told.get("rows", ())] if told else []


def near(one: object, other: object) -> bool:
    """Equal; numbers within the tolerance."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= TOLERANCE * max(abs(one), abs(other)) + 1e-9
    return one == other


def counted(answer: Obj) -> dict[str, list[Obj]]:
    return {part: rows(answer.get(part)) for part in ("patterns", "rows", "worst")}


async def of_lines(stage: Stage, mode: str, **more: object) -> list[dict[str, list[Obj]]]:
    """The counts of each backend."""
    return [
        counted(await stage.got("analyze_logs", mode=mode, source=source, target=target, **more))
        for source, target in LOGS
    ]


@pytest.mark.timeout(90)
@pytest.mark.row("S42")
@pytest.mark.parametrize("seed", [0, 3])
async def test_lines_are_counted_alike(stage: Stage, seed: int) -> None:
    stage.play("log-insights", seed)
    first, second = await of_lines(stage, "patterns", since="-24h")
    numbers = [[(row["count"]) for row in one["patterns"][:3]] for one in (first, second)]
    assert all(map(near, *numbers)), numbers
    assert [row["pattern"] for row in first["patterns"][:3]] == [
        row["pattern"] for row in second["patterns"][:3]
    ]
    first, second = await of_lines(stage, "impact", since="-24h")
    for name in ("errors", "customers"):
        assert all(
            map(near, [row[name] for row in first["patterns"]], [row[name] for row in second["patterns"]])
        )
    first, second = await of_lines(stage, "error_rate", since="-24h")
    assert first["worst"][0].keys() == second["worst"][0].keys()
    assert all(near(second["worst"][0][name], value) for name, value in first["worst"][0].items()), (
        first,
        second,
    )


SAME = ("group_by", "requests", "faults", "outlier", "differs_in", "edge", "pattern")


@pytest.mark.timeout(90)
@pytest.mark.row("S69")
@pytest.mark.parametrize("seed", [0, 3])
async def test_requests_are_judged_alike(stage: Stage, seed: int) -> None:
    for story, ask in (
        ("memory-spike", {"since": "-175m", "until": "-100m"}),  # fewer than are sampled
        ("subnet-ip-exhaustion", {"since": "-15m"}),
    ):
        stage.play(story, seed)
        service = (
            memory_spike.spiking(stage.who) if story == "memory-spike" else traced.shop(stage.who).service
        )
        first, *others = [
            await stage.got("analyze_traces", service=service, source=one, **ask) for one in STORES
        ]
        assert first["outlier"], (story, first["summary"])
        for other in others:
            assert {name: other.get(name) for name in SAME} == {name: first.get(name) for name in SAME}
            assert near(other["ratio"], first["ratio"])
            for mine, theirs in zip(rows(first["groups"]), rows(other["groups"]), strict=True):
                assert all(near(theirs[name], value) for name, value in mine.items() if name != "p")
