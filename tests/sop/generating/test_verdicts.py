"""Verdicts from numbers: what is worse, what is chance, what is load; pure."""

from math import comb

import pytest

from aiops_sop.analysis.tables import point_time, rows_of
from aiops_sop.analysis.verdicts.chances import higher, more_failures
from aiops_sop.analysis.verdicts.judging import Canary, Side, canary_checks, judged, next_weight
from aiops_sop.analysis.verdicts.rollouts import rollout_of, sync_of

SEEDS = range(5)


def side(rate: float, share: float, seconds: float, slow: float = 0.08, moments: int = 2) -> Side:
    requests = rate * seconds
    return Side(requests, requests * share, rate, (slow,) * moments)


def canary(share: float, seconds: float, **more: float) -> Canary:
    """A tenth of 200 requests a second for so long; the baseline fails 0.1 %."""
    moments = max(1, round(seconds / 300))
    busy, slow = more.get("busy", 1.0), more.get("slow", 0.08)
    return Canary(
        side(20 * busy, share, seconds, slow, moments),
        side(180 * busy, 0.001, seconds, more.get("base_slow", slow), moments),
        side(200, 0.001, 3600, 0.08, 12),
        seen_s=seconds,
    )


@pytest.mark.row("B26")
def test_half_more_errors_at_a_tenth_of_the_traffic_are_held_for_five_minutes_and_promoted() -> None:
    first = judged(canary_checks(canary(0.0015, 310)), 310)
    assert (first.verdict, first.recheck_after_s) == ("hold", 300)
    assert "not significant yet" in first.reasons[0]
    assert judged(canary_checks(canary(0.0015, 610)), 610).verdict == "promote"


@pytest.mark.row("B26")
def test_six_times_the_errors_are_rolled_back_at_once_and_load_on_both_is_held() -> None:
    assert judged(canary_checks(canary(0.006, 310)), 310).verdict == "rollback"
    busy = judged(canary_checks(canary(0.001, 610, busy=2.0, slow=0.17)), 610)
    assert busy.verdict == "hold"
    assert "load, not the release" in busy.reasons[0]
    slow = judged(canary_checks(canary(0.001, 3600, slow=0.2, base_slow=0.08)), 3600)
    assert slow.verdict == "rollback"
    assert judged(canary_checks(canary(0.001, 100)), 100).verdict == "hold"
    assert judged(canary_checks(Canary(Side(), Side(), seen_s=900)), 900).verdict == "hold"
    assert [next_weight(one) for one in (5, 10, 25.3, 50, 100)] == [10, 25, 50, 100, 100]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_chance_of_more_failures_is_the_binomial_tail(seed: int) -> None:
    hits, base, of, base_of = 3 + seed, 5, 1000, 3000
    every, part = hits + base, of / (of + base_of)
    tail = sum(comb(every, k) * part**k * (1 - part) ** (every - k) for k in range(hits, every + 1))
    assert more_failures(hits, of, base, base_of) == pytest.approx(tail, rel=1e-9)
    assert more_failures(0, of, 0, base_of) == 1.0
    assert more_failures(9000, 100_000, 81_000, 900_000) == pytest.approx(0.5, abs=0.01)
    assert higher([2.0] * 7, [1.0] * 7) == pytest.approx(1 / 128)
    assert higher([1.0], [1.0]) == 1.0


def test_a_rollout_is_told_in_the_words_of_kubectl() -> None:
    done = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "observedGeneration": 2}
    about, spec = {"generation": 2}, {"replicas": 3}
    assert rollout_of({"metadata": about, "spec": spec, "status": done}).state == "complete"
    assert rollout_of({"metadata": {"generation": 3}, "spec": spec, "status": done}).state == "progressing"
    late = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "too late"}
    stuck = {**done, "readyReplicas": 2, "conditions": [late]}
    assert rollout_of({"metadata": about, "spec": spec, "status": stuck}).state == "stuck"
    assert rollout_of({"metadata": about, "spec": {**spec, "paused": True}, "status": done}).state == "paused"
    assert (
        rollout_of({"metadata": about, "spec": spec, "status": {**done, "replicas": 4}}).state
        == "progressing"
    )
    assert sync_of({}).status == "Unknown"
    failed = {"operationState": {"phase": "Failed", "message": "no"}, "sync": {"status": "OutOfSync"}}
    assert sync_of({"status": failed}).failed


def test_points_without_year_or_day_are_placed_from_the_beginning_of_their_window() -> None:
    from datetime import UTC, datetime

    new_year = datetime(2026, 12, 30, 22, 30, tzinfo=UTC)
    assert point_time("01-02T03:00", new_year) == datetime(2027, 1, 2, 3, tzinfo=UTC)
    assert point_time("12-31T03:00", new_year) == datetime(2026, 12, 31, 3, tzinfo=UTC)
    assert point_time("23:00", new_year) == datetime(2026, 12, 30, 23, tzinfo=UTC)
    assert point_time("00:10:30", new_year) == datetime(2026, 12, 31, 0, 10, 30, tzinfo=UTC)
    assert rows_of({}, "points") == []
