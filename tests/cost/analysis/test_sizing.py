"""Requests by percentiles: against a plain computation, and what is never lowered."""

from math import ceil
from random import Random

import numpy as np
import pytest

from aiops_cost.analysis.patches_workload import faults, resources_patch
from aiops_cost.analysis.sizing import (
    Container,
    Heap,
    Samples,
    Used,
    is_flat,
    judged,
    replicas_at,
    used,
)
from aiops_shared.kube.quantities import GI, MI

STEP_S = 3600
POINTS = 15 * 24  # hours of a little more than two weeks


def profile(seed: int) -> tuple[list[Samples], list[Samples]]:
    """CPU and memory of some pods, with holes."""
    rng = np.random.default_rng(seed)
    pods = int(rng.integers(1, 6))
    cpu = [rng.lognormal(-2, rng.uniform(0.1, 0.8), POINTS) for _ in range(pods)]
    base = rng.uniform(50, 3000) * MI
    memory = [base * rng.uniform(0.9, 1.1) * (1 + 0.2 * rng.random(POINTS)) for _ in range(pods)]
    for one in memory[1:]:
        one[: int(rng.integers(0, 60))] = np.nan
    return cpu, memory


def nearest_rank(values: list[float], share: float) -> float:
    """The plain definition."""
    ordered = sorted(value for value in values if value == value)
    return next(value for place, value in enumerate(ordered, 1) if place >= share * len(ordered) - 1e-9)


def grained(value: float) -> float:
    """A memory size as requests are written."""
    grain = 32 if value <= 2048 * MI else 64 if value <= 8192 * MI else 256
    return ceil(round(value / (grain * MI), 9)) * grain * MI


@pytest.mark.row("S65")
@pytest.mark.parametrize("seed", range(100))
def test_sizes_equal_a_plain_computation_for_any_profile(seed: int) -> None:
    cpu, memory = profile(seed)
    found = used(cpu, memory, STEP_S)
    asked = Container("app", cpu=64.0, memory=512.0 * GI, memory_limit=512.0 * GI)
    verdict = judged([asked], found)
    made = verdict.container
    assert made is not None
    p95 = nearest_rank([float(value) for one in cpu for value in one], 0.95)
    p99 = max(nearest_rank([float(value) for value in one], 0.99) for one in memory)
    most = max(float(np.nanmax(one)) for one in memory)
    assert made.cpu == pytest.approx(max(0.03, ceil(round(p95 * 115, 9)) / 100))
    request = grained(max(p99 * 1.15, 64 * MI))
    assert made.memory == request
    assert made.memory_limit == grained(max(request * 1.2, most * 1.1))
    assert made.memory_limit >= most
    assert verdict.kind == "smaller"
    assert faults(resources_patch("Deployment", "shop", "web", asked, made), [asked]) == ()


def steady(*, cores: float = 0.15, memory: float = 500 * MI, days: float = 14, **more: object) -> Used:
    """Use that barely moves."""
    count = round(days * 24) + 1
    rng = np.random.default_rng(1)
    made = used([cores * (1 + 0.05 * rng.random(count))], [memory * (1 + 0.05 * rng.random(count))], STEP_S)
    return Used(**{name: getattr(made, name) for name in Used.__slots__} | more)


LARGE = Container("app", cpu=2.0, memory=4.0 * GI, memory_limit=4.0 * GI)


def test_short_history_and_holes_are_insufficient() -> None:
    few = judged([LARGE], steady(days=6))
    assert (few.kind, "6.0 days" in few.why) == ("insufficient", True)
    holes = np.full(15 * 24, np.nan)
    holes[::2] = 500.0 * MI
    gappy = judged([LARGE], used([holes / GI], [holes], STEP_S))
    assert (gappy.kind, "50% of the window" in gappy.why) == ("insufficient", True)
    assert judged([LARGE], used([], [], STEP_S)).kind == "insufficient"


def test_a_well_sized_workload_is_left_alone() -> None:
    verdict = judged([Container("app", cpu=0.19, memory=600.0 * MI, memory_limit=704.0 * MI)], steady())
    assert (verdict.kind, verdict.why) == ("fits", "")


def test_memory_that_was_not_enough_is_raised_never_lowered() -> None:
    killed = judged([LARGE], steady(oom_kills=2))
    assert killed.kind == "larger"
    assert killed.container is not None
    assert killed.container.memory == LARGE.memory
    assert killed.container.memory_limit >= 1.2 * LARGE.memory_limit
    full = judged([Container("app", 0.2, 400.0 * MI, 0.0, 560.0 * MI)], steady())
    assert (full.kind, "in use" in full.why) == ("larger", True)


def test_cpu_that_was_throttled_is_not_lowered_but_memory_is() -> None:
    verdict = judged([LARGE], steady(throttled=0.2))
    assert verdict.container is not None
    assert verdict.container.cpu == LARGE.cpu
    assert verdict.container.memory < LARGE.memory
    assert any("throttled in 20.0%" in one for one in verdict.kept)


def test_a_heap_that_follows_the_limit_and_memory_that_grows_are_kept() -> None:
    share = Container("app", 2.0, 4.0 * GI, 0.0, 4.0 * GI, Heap("-XX:MaxRAMPercentage=75", share=True))
    for verdict in (judged([share], steady()), judged([LARGE], steady(grown=1.6))):
        assert verdict.container is not None
        assert verdict.container.memory == 4.0 * GI
        assert verdict.container.cpu < 2.0
    fixed = Container("app", 2.0, 4.0 * GI, 0.0, 4.0 * GI, Heap("-Xmx2g", bytes=2.0 * GI))
    held = judged([fixed], steady()).container
    assert held is not None
    assert held.memory == 2.5 * GI
    assert is_flat(steady(memory_p05=500.0 * MI, memory_p99=505.0 * MI))


def test_guaranteed_pods_stay_guaranteed() -> None:
    whole = Container("app", 2.0, 4.0 * GI, 2.0, 4.0 * GI)
    made = judged([whole], steady()).container
    assert made is not None
    assert (made.cpu, made.memory) == (made.cpu_limit, made.memory_limit)
    assert made.memory >= 500 * MI * 1.05 * 1.1


def test_sidecars_keep_what_they_ask_for_and_floors_hold() -> None:
    side = Container("proxy", 0.1, 128.0 * MI)
    both = judged([LARGE, side], steady()).container
    alone = judged([LARGE], steady()).container
    assert both is not None
    assert alone is not None
    assert both.name == "app"
    assert alone.cpu - both.cpu == pytest.approx(0.1, abs=0.011)
    assert alone.memory - both.memory == pytest.approx(128 * MI, abs=32 * MI)
    tiny = judged([LARGE], steady(cores=0.001, memory=3.0 * MI)).container
    assert tiny is not None
    assert (tiny.cpu, tiny.memory) == (0.03, 64.0 * MI)


@pytest.mark.row("B18")
@pytest.mark.parametrize("seed", range(20))
def test_an_autoscaler_keeps_its_replicas_at_the_new_request(seed: int) -> None:
    rng = Random(seed)
    target, replicas = rng.uniform(0.4, 0.8), rng.randint(2, 20)
    found = steady(cores=rng.uniform(0.05, 0.5))
    made = judged([LARGE], found, hpa_target=target, hpa_memory=target).container
    assert made is not None
    assert replicas_at(replicas, found.cpu_p95, made.cpu, target) <= replicas
    assert found.memory_p99 <= made.memory * target * 1.001


def test_a_patch_that_an_api_server_refuses_is_named() -> None:
    low = Container("app", 1.0, 1.0 * GI, 0.0, 0.5 * GI)
    assert "below request" in faults(resources_patch("Deployment", "shop", "web", LARGE, low), [LARGE])[0]
    other = resources_patch("Deployment", "shop", "web", Container("other", 1.0), Container("other", 0.5))
    assert faults(other, [LARGE]) == ("no container other",)
