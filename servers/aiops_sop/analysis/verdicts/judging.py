"""Promote, hold or roll back (B26, F23c): checks of a release against what stood before or beside it.

A check is worse when chance does not explain it (one-sided p below 1 %) and it matters (a fifth more). What
looks worse and is not significant is watched for five minutes more, and then promoted; what is slower while
traffic rose on both sides is load, and is held. Pure; called by `clients.deployment_judging`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

from aiops_sop.analysis.verdicts.chances import form_of, higher, more_failures
from aiops_sop.models.deployments import Verdict

SIGNIFICANT: Final = 0.01
MATTERS: Final = 1.2  # B26: errors up by a fifth
BUSIER: Final = 1.3
HOLD_S: Final = 300
SEEN_S: Final = 600.0  # five minutes, and five more
LEAST_REQUESTS: Final = 500
LEAST_MOMENTS: Final = 7  # a sign test below it never reaches 1 %
LATENCY_S: Final = 300.0 * LEAST_MOMENTS
WEIGHTS: Final = (10, 25, 50, 100)
Finding = Literal["ok", "worse", "suspect", "load", "unknown"]


@dataclass(frozen=True, slots=True)
class Side:
    """One version over one window: requests, failures, and latency by moments (seconds)."""

    requests: float = 0.0
    failed: float = 0.0
    rate: float = 0.0
    latency: tuple[float, ...] = ()

    @property
    def share(self) -> float:
        """Failed of all."""
        return self.failed / self.requests if self.requests else 0.0

    @property
    def slow(self) -> float:
        """The median of its latency, 0 where nothing is known."""
        return median(self.latency) if self.latency else 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """One question about the release."""

    name: str
    before: float | None
    after: float | None
    p: float | None
    finding: Finding
    how: str
    settled_s: float = SEEN_S  # how long it must be watched before chance is believed


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict and why."""

    verdict: Verdict
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    recheck_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Canary:
    """A canary beside its baseline, in the same window; `earlier`: the baseline before the canary began."""

    canary: Side
    baseline: Side
    earlier: Side = field(default_factory=Side)
    seen_s: float = 0.0


def canary_checks(told: Canary) -> list[Check]:
    """Errors, latency, traffic."""
    return [_errors(told), _latency(told), _traffic(told)]


def _errors(told: Canary) -> Check:
    new, old = told.canary, told.baseline
    counts = [round(one) for one in (new.failed, new.requests, old.failed, old.requests)]
    if new.requests < LEAST_REQUESTS:
        how = f"{new.requests:.0f} requests, {LEAST_REQUESTS} are needed"
        return Check("errors", old.share, new.share, None, "unknown", how)
    chance = more_failures(*counts)
    higher_by = new.share / old.share if old.share else (float("inf") if new.failed else 1.0)
    worse = chance < SIGNIFICANT and higher_by >= MATTERS
    finding: Finding = "worse" if worse else "suspect" if higher_by >= MATTERS else "ok"
    how = f"{form_of(counts[0], counts[2])}: {counts[0]} of {counts[1]} against {counts[2]} of {counts[3]}"
    return Check("errors", old.share, new.share, chance, finding, how)


def _latency(told: Canary) -> Check:
    new, old = told.canary, told.baseline
    if not new.latency or not old.latency:
        return Check("latency p99 s", old.slow or None, new.slow or None, None, "unknown", "not measured")
    count = min(len(new.latency), len(old.latency))
    chance = higher(new.latency[-count:], old.latency[-count:])
    ratio = new.slow / old.slow if old.slow else 1.0
    risen = old.slow / told.earlier.slow if told.earlier.slow else 1.0
    how = f"sign test over {count} moments"
    finding: Finding = "ok"
    if ratio >= MATTERS:
        certain = chance < SIGNIFICANT and count >= LEAST_MOMENTS
        finding = "worse" if certain else "suspect"
    elif risen >= MATTERS and _busier(told) >= BUSIER:
        finding = "load"
        how = f"{how}; both versions are {risen:.1f} x slower, traffic is {_busier(told):.1f} x"
    elif risen >= MATTERS:
        finding = "suspect"
        how = f"{how}; the baseline is {risen:.1f} x slower too, without more traffic"
    return Check("latency p99 s", old.slow, new.slow, chance, finding, how, LATENCY_S)


def _traffic(told: Canary) -> Check:
    before, after = told.earlier.rate or None, told.canary.rate + told.baseline.rate
    how = f"{told.seen_s:.0f} s of canary seen"
    return Check("requests /s", before, after, None, "ok" if after else "unknown", how)


def _busier(told: Canary) -> float:
    return (told.canary.rate + told.baseline.rate) / told.earlier.rate if told.earlier.rate else 1.0


def judged(checks: Sequence[Check], seen_s: float) -> Judged:
    """The verdict on a release from its checks. `seen_s`: how long it has been watched."""
    worse = [one for one in checks if one.finding == "worse"]
    if worse:
        return Judged("rollback", tuple(_words(one) for one in worse), tuple(checks))
    if seen_s < HOLD_S:
        reason = f"watched for {seen_s:.0f} s only: a rate needs {HOLD_S} s"
        return Judged("hold", (reason,), tuple(checks), round(HOLD_S - seen_s))
    load = [one for one in checks if one.finding == "load"]
    if load:
        reasons = tuple(f"{_words(one)}: load, not the release" for one in load)
        return Judged("hold", reasons, tuple(checks), HOLD_S)
    suspect = [one for one in checks if one.finding == "suspect"]
    unknown = [one for one in checks if one.finding == "unknown"]
    early = [one for one in (*suspect, *unknown) if seen_s < one.settled_s]
    if early:
        reasons = tuple(f"{_words(one)}: not significant yet" for one in early)
        return Judged("hold", reasons, tuple(checks), HOLD_S)
    if unknown and len(unknown) == len(checks):
        return Judged("hold", ("nothing is measured of this release",), tuple(checks), HOLD_S)
    reasons = tuple(f"{_words(one)}: chance, after {seen_s:.0f} s" for one in suspect)
    return Judged("promote", reasons or ("no check is worse",), tuple(checks))


def next_weight(share_pct: float) -> int:
    """The canary's next share of traffic: 10, 25, 50, 100 %."""
    return next((one for one in WEIGHTS if one > share_pct + 1), 100)


def _words(one: Check) -> str:
    if one.before is None or one.after is None:
        return f"{one.name} {one.finding} ({one.how})"
    chance = "" if one.p is None else f", p {one.p:.2g}"
    return f"{one.name} {one.before:.4g} -> {one.after:.4g}{chance}"
