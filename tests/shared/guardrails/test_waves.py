"""How far a change goes at once: one, 10 %, 50 %, all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_shared.guardrails.models import BlastRadius
from aiops_shared.guardrails.waves import at_once, wave_ranges, wave_sizes


@pytest.mark.row("S74")
@pytest.mark.parametrize(
    ("targets", "waves"),
    [(0, ()), (1, (1,)), (2, (1, 1)), (4, (1, 1, 2)), (10, (1, 4, 5)), (100, (1, 9, 40, 50))],
)
def test_the_canary_comes_first_and_the_rest_grows(targets: int, waves: tuple[int, ...]) -> None:
    assert wave_sizes(targets) == waves


@given(st.integers(min_value=0, max_value=5000))
def test_waves_sum_to_all_targets_and_visit_each_once(targets: int) -> None:
    waves = wave_sizes(targets)
    assert sum(waves) == targets
    assert all(size > 0 for size in waves)
    assert [index for wave in wave_ranges(waves) for index in wave] == list(range(targets))


@pytest.mark.parametrize(("targets", "most"), [(1, 1), (9, 1), (19, 1), (20, 2), (150, 15)])
def test_at_most_a_tenth_is_touched_together(targets: int, most: int) -> None:
    assert at_once(targets) == most


@pytest.mark.row("S74")
def test_one_pod_of_ten_is_a_blast_radius_of_ten_percent() -> None:
    assert (BlastRadius(at_once=1, total_pods=10).pct, BlastRadius().pct) == (10, 0)
