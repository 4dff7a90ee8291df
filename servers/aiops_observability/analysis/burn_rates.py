"""Error budgets and how fast they burn (row B10).

Windows and thresholds are those of the Google SRE workbook, "Alerting on SLOs", 6: multiwindow,
multi-burn-rate alerts: 14.4 over 1 h and 5 min and 6 over 6 h and 30 min page; 3 over 1 d and 2 h and 1
over 3 d and 6 h make a ticket. Both windows must burn: the long one says that it matters, the short one
that it still goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
SLO_DAYS = 30


@dataclass(frozen=True, slots=True)
class Rule:
    """One pair of windows."""

    threshold: float
    long_s: int
    short_s: int
    action: Literal["page", "ticket"]


RULES = (
    Rule(14.4, HOUR_S, 5 * MINUTE_S, "page"),
    Rule(6.0, 6 * HOUR_S, 30 * MINUTE_S, "page"),
    Rule(3.0, DAY_S, 2 * HOUR_S, "ticket"),
    Rule(1.0, 3 * DAY_S, 6 * HOUR_S, "ticket"),
)
WINDOWS_S = tuple(sorted({window for rule in RULES for window in (rule.long_s, rule.short_s)}))


@dataclass(frozen=True, slots=True)
class Burn:
    """One rule judged. A burn of None: that window has no data, so the rule cannot say."""

    rule: Rule
    long: float | None
    short: float | None

    @property
    def firing(self) -> bool:
        """Whether both windows burn at the threshold or faster."""
        return all(
            burn is not None and burn >= self.rule.threshold - 1e-9 for burn in (self.long, self.short)
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """What an objective allows and what is left of it, by requests over its whole window."""

    objective: float  # 0..1
    days: int
    attained: float  # share of good requests
    spent: float  # share of the budget that is gone; above 1 the objective is missed

    @property
    def left(self) -> float:
        """Share of the budget that is left, below zero when overspent."""
        return 1.0 - self.spent

    @property
    def minutes(self) -> float:
        """The budget as minutes of a full outage."""
        return budget_minutes(self.objective, self.days)


def budget_minutes(objective: float, days: int = SLO_DAYS) -> float:
    """Minutes of full outage that an objective (0..1) allows: 43.2 for 99.9 % over 30 days."""
    return (1.0 - objective) * days * DAY_S / MINUTE_S


def budget(objective: float, bad: float, total: float, days: int = SLO_DAYS) -> Budget | None:
    """The budget by bad and all requests of its window; None without requests."""
    if total <= 0:
        return None
    share = bad / total
    return Budget(objective, days, 1.0 - share, share / (1.0 - objective))


def burns(objective: float, bad_shares: Mapping[int, float | None]) -> tuple[Burn, ...]:
    """Every rule judged, from the share of bad requests in each window (seconds -> 0..1, None: no data).

    A burn rate of 1 spends the whole budget in exactly the objective's window.
    """

    def rate(window_s: int) -> float | None:
        share = bad_shares.get(window_s)
        return None if share is None else share / (1.0 - objective)

    return tuple(Burn(rule, rate(rule.long_s), rate(rule.short_s)) for rule in RULES)
