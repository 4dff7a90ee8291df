"""Budgets and burn rates against the figures of the SRE workbook."""

import pytest

from aiops_observability.analysis.burn_rates import RULES, budget, budget_minutes, burns


@pytest.mark.row("B10")
@pytest.mark.parametrize(("objective", "minutes"), [(0.999, 43.2), (0.9995, 21.6), (0.9999, 4.32)])
def test_the_budget_of_thirty_days_is_the_known_one(objective: float, minutes: float) -> None:
    assert budget_minutes(objective) == pytest.approx(minutes)


@pytest.mark.row("B10")
def test_the_four_rules_are_those_of_the_workbook() -> None:
    told = [(rule.threshold, rule.long_s, rule.short_s, rule.action) for rule in RULES]
    assert told == [
        (14.4, 3600, 300, "page"),
        (6.0, 21_600, 1800, "page"),
        (3.0, 86_400, 7200, "ticket"),
        (1.0, 259_200, 21_600, "ticket"),
    ]


def test_a_rule_fires_when_both_windows_burn_and_not_before() -> None:
    at_threshold = burns(0.999, {3600: 0.0144, 300: 0.0144})[0]
    assert at_threshold.firing
    assert at_threshold.long == pytest.approx(14.4)
    assert at_threshold.short == pytest.approx(14.4)
    assert not burns(0.999, {3600: 0.0144, 300: 0.001})[0].firing  # over already
    assert not burns(0.999, {3600: 0.0143, 300: 0.5})[0].firing  # too short to matter yet
    assert not burns(0.999, {3600: None, 300: 0.5})[0].firing  # not known
    assert not any(one.firing for one in burns(0.999, {}))


def test_fourteen_times_the_rate_spends_two_percent_of_the_budget_in_an_hour() -> None:
    month, hour = 30 * 24, 1
    found = budget(0.999, bad=14.4 * 0.001 * hour, total=month)
    assert found is not None
    assert found.spent == pytest.approx(0.02)
    assert found.left == pytest.approx(0.98)
    assert budget(0.999, 0, 0) is None
    overspent = budget(0.999, 5, 1000)
    assert overspent is not None
    assert overspent.left == pytest.approx(-4.0)
