"""The tests behind "this group is worse": against published tables, and on worlds in which no group is."""

import math
from random import Random

import numpy as np
import pytest

from aiops_observability.analysis.exact import fisher, holm, larger, more_hits, ranks, upper_tail
from aiops_observability.analysis.outliers import ALPHA, Request, judge

ZONES = ("a", "b", "c")


def test_fishers_test_gives_the_published_values() -> None:
    # The lady tasting tea (Fisher 1935): 3 of 4 right -> 17/70 one-sided, 34/70 two-sided.
    assert more_hits([(3, 4, 1, 4)]) == pytest.approx(17 / 70)
    assert fisher(3, 4, 1, 4) == pytest.approx(34 / 70)
    # Convictions of like-sex twins of criminals (Fisher 1925): 10 of 13 against 2 of 17.
    assert more_hits([(10, 13, 2, 17)]) == pytest.approx(0.0004652, rel=1e-3)
    assert fisher(10, 13, 2, 17) == pytest.approx(0.0005367, rel=1e-3)
    assert fisher(0, 10, 0, 10) == 1.0


def test_strata_are_folded_and_what_cannot_be_compared_says_nothing() -> None:
    alone = more_hits([(3, 4, 1, 4)])
    both = more_hits([(3, 4, 1, 4), (3, 4, 1, 4)])
    # 16+1 of 70 ways each: P(sum >= 6) by hand = (16*16 + 2*1*(36) + 2*16 + 1) / 4900
    ways = {4: 1, 3: 16, 2: 36, 1: 16, 0: 1}
    by_hand = sum(m * n for i, m in ways.items() for j, n in ways.items() if i + j >= 6) / 4900
    assert both == pytest.approx(by_hand)
    assert both < alone
    assert more_hits([(5, 5, 0, 0)]) == 1.0


def test_mann_whitney_gives_the_published_values() -> None:
    # Hollander, Wolfe: permeability of the membrane; W = 35, one-sided p = 0.1272 (R: wilcox.test, exact).
    term = np.array([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])
    early = np.array([1.15, 0.88, 0.90, 0.74, 1.21])
    p, delta = larger(term, early)
    assert p == pytest.approx(0.1272, abs=5e-4)
    assert delta == pytest.approx(2 * 35 / 50 - 1)
    # No overlap, 5 against 5: one arrangement of 252.
    p, delta = larger(np.arange(5.0) + 10, np.arange(5.0))
    assert p == pytest.approx(1 / 252)
    assert delta == 1.0
    # All the same: nothing is larger.
    assert larger(np.ones(30), np.ones(30))[0] == 1.0


def test_the_normal_approximation_agrees_with_counting_out() -> None:
    rng = np.random.default_rng(3)
    for shift in (0.0, 0.5, 1.0):
        first, second = rng.normal(shift, 1, 10), rng.normal(0, 1, 10)
        exact = larger(first, second)[0]
        u = float(ranks(np.concatenate((first, second)))[:10].sum() - 55)
        approximate = upper_tail((u - 50 - 0.5) / math.sqrt(10 * 10 * 21 / 12))
        assert approximate == pytest.approx(exact, abs=0.01)


def test_holm_corrects_in_steps_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def _world(rng: Random, *, groups: int = 3, size: int = 40) -> list[Request]:
    """Requests of two routes, one slow and failing, spread over groups by chance: no group is worse."""
    found = []
    for _ in range(groups * size):
        route = rng.choice(("/fast", "/slow"))
        base, failing = (0.02, 0.01) if route == "/fast" else (0.2, 0.08)
        found.append(
            Request(
                ZONES[rng.randrange(groups)], base * rng.lognormvariate(0, 0.6), rng.random() < failing, route
            )
        )
    return found


def test_in_two_hundred_worlds_without_a_difference_at_most_five_in_a_hundred_have_an_outlier() -> None:
    found = sum(bool(judge(_world(Random(seed))).outliers) for seed in range(200))
    assert found <= 10
    lowest = [judge(_world(Random(seed))).rows[0].p for seed in range(200)]
    assert sum(p < 0.05 for p in lowest) <= 16  # the corrected p-values themselves: 5 % and chance


def test_a_group_that_serves_more_of_a_slow_route_is_no_slow_group() -> None:
    rng = Random(5)
    requests = []
    for zone, slow_share in (("a", 0.2), ("b", 0.8), ("c", 0.2)):
        for _ in range(150):
            slow = rng.random() < slow_share
            base = 0.4 if slow else 0.02
            route = "/report" if slow else "/list"
            failed = rng.random() < (0.2 if slow else 0.0)
            requests.append(Request(zone, base * rng.lognormvariate(0, 0.3), failed, route))
    assert judge(requests).outliers == ()
    unlike = [Request(one.group, one.duration_s, one.fault) for one in requests]
    assert judge(unlike).outliers[0].row.group == "b"  # without the routes it would be blamed


def test_a_worse_group_is_found_with_its_size_and_the_others_are_not_blamed() -> None:
    rng = Random(8)
    requests = [
        Request(
            zone,
            0.02 * rng.lognormvariate(0, 0.3) * (4 if zone == "b" else 1),
            rng.random() < (0.4 if zone == "b" else 0.01),
            "/",
        )
        for _ in range(60)
        for zone in ZONES
    ]
    verdict = judge(requests)
    assert [one.row.group for one in verdict.outliers] == ["b"]
    outlier = verdict.outliers[0]
    assert set(outlier.metrics) == {"faults", "latency"}
    assert outlier.row.latency_ratio == pytest.approx(4, rel=0.25)
    assert outlier.row.p < 1e-6
    assert all(row.p > ALPHA for row in verdict.rows if row.group != "b")


def test_few_requests_are_not_judged_and_certain_but_tiny_differences_are_no_outlier() -> None:
    few = [Request("a", 1.0, False), *(Request("b", 0.1, False) for _ in range(50))]
    verdict = judge(few)
    assert verdict.outliers == ()
    assert not next(row for row in verdict.rows if row.group == "a").judged
    rng = Random(1)
    tiny = [
        Request(zone, (1.03 if zone == "a" else 1.0) * rng.lognormvariate(0, 0.05), False)
        for _ in range(2000)
        for zone in ZONES
    ]
    assert judge(tiny).rows[0].p < 1e-6
    assert judge(tiny).outliers == ()


def test_a_group_may_be_compared_with_its_own_past() -> None:
    rng = Random(2)

    def rows(name: str, base: float, count: int = 40) -> list[Request]:
        return [Request(name, base * rng.lognormvariate(0, 0.2), False) for _ in range(count)]

    now = rows("/report", 2.0) + rows("/list", 0.06)
    past = {"/report": rows("/report", 2.0), "/list": rows("/list", 0.02)}
    verdict = judge(now, past)
    assert [one.row.group for one in verdict.outliers] == ["/list"]
    assert verdict.outliers[0].row.latency_ratio == pytest.approx(3, rel=0.2)
