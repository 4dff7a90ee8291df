"""What telemetry costs that nobody reads: metrics by tiers of samples, log lines by level.

Pure. Called by the adviser of observability.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiops_shared.metrics.inventory import MetricSize

Tiers = Sequence[tuple[float, int]]  # where a tier begins, in units, and billionths for one unit in it
# Prometheus' own, and what alerts are made of: written by the server, dropped by nobody.
KEPT: Final = frozenset(
    {"up", "ALERTS", "ALERTS_FOR_STATE", "scrape_duration_seconds", "scrape_samples_scraped"}
)
QUIET: Final = ("debug",)  # levels that production can do without (`log_lines.level_named`: trace is debug)
LONGEST_RULE: Final = 800  # characters of a relabelling rule: the rest is another rule's


@dataclass(frozen=True, slots=True)
class Unused:
    """Metrics that were never queried and stand in no rule: their series, and what names them."""

    series: int
    total: int
    metrics: tuple[str, ...]
    groups: tuple[tuple[str, int], ...]  # `go_*`: series, the largest first
    regex: str

    @property
    def share(self) -> float:
        """Of all series."""
        return self.series / self.total if self.total else 0.0


def unused(metrics: Sequence[MetricSize], total: int) -> Unused | None:
    """What can be dropped; None where nothing is unused, or nobody counts queries."""
    idle = [one for one in metrics if one.asked == 0 and not one.in_rules and one.name not in KEPT]
    if not idle:
        return None
    used = [one.name for one in metrics if one not in idle]
    groups: dict[str, int] = defaultdict(int)
    for one in idle:
        groups[_head(one.name)] += one.series
    ordered = tuple(sorted(groups.items(), key=lambda one: (-one[1], one[0])))
    regex, covered = _rule(idle, [name for name, _ in ordered], used)
    kept = [one for one in idle if one.name in covered]
    return Unused(
        series=sum(one.series for one in kept),
        total=max(total, sum(one.series for one in metrics)),
        metrics=tuple(one.name for one in kept),
        groups=ordered,
        regex=regex,
    )


def _head(name: str) -> str:
    first, line, _ = name.partition("_")
    return f"{first}_*" if line else name


def _rule(
    idle: Sequence[MetricSize], groups: Sequence[str], used: Iterable[str]
) -> tuple[str, frozenset[str]]:
    """A regular expression of unused names and what it covers: a whole group where nobody uses any of it,
    names one by one elsewhere, as many as a rule holds.
    """
    busy = {_head(name) for name in used}
    parts: list[str] = []
    covered: set[str] = set()
    for group in groups:
        members = [one.name for one in idle if _head(one.name) == group]
        whole = group.endswith("_*") and group not in busy
        for words, names in [(f"{group[:-1]}.*", members)] if whole else [(name, [name]) for name in members]:
            if len("|".join((*parts, words))) <= LONGEST_RULE:
                parts.append(words)
                covered |= set(names)
    return "|".join(parts), frozenset(covered)


def rule_faults(regex: str, wanted: Iterable[str], used: Iterable[str]) -> tuple[str, ...]:
    """Names that a rule misses or takes with it; relabelling anchors its expressions at both ends."""
    rule = re.compile(regex)
    missed = [f"{name} stays" for name in wanted if not rule.fullmatch(name)]
    return (*missed, *(f"{name} would be dropped" for name in used if rule.fullmatch(name)))


def tiered(quantity: float, tiers: Tiers) -> int:
    """What a quantity costs by tiers, billionths."""
    cost = 0.0
    ends = [begin for begin, _ in tiers[1:]] + [float("inf")]
    for (begin, price), end in zip(tiers, ends, strict=True):
        cost += max(0.0, min(quantity, end) - begin) * price
    return round(cost)


def marginal(quantity: float, less: float, tiers: Tiers) -> int:
    """What so much less saves: the dearest tier is the first, so the last units are the cheapest."""
    return tiered(quantity, tiers) - tiered(max(0.0, quantity - less), tiers)


def interval_s(series: int, samples: float, days: float) -> float:
    """How often a series is written, on average, as the bill's samples tell; 0 where there are none."""
    return series * days * 86_400 / samples if samples else 0.0


@dataclass(frozen=True, slots=True)
class Loud:
    """Lines of one service at one level: their share of a group's bytes."""

    service: str
    level: str
    share: float


def loud(sizes: Mapping[tuple[str, str], int], least: float = 0.02) -> tuple[Loud, ...]:
    """Services whose quiet levels are a part of the bytes worth naming, largest first."""
    whole = sum(sizes.values())
    if not whole:
        return ()
    found = [Loud(service, level, size / whole) for (service, level), size in sizes.items() if level in QUIET]
    return tuple(
        sorted((one for one in found if one.share >= least), key=lambda one: (-one.share, one.service))
    )
