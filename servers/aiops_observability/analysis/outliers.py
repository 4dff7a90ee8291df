"""Which group of requests is different: every group against the rest, with effect, chance and correction.

Called by the trace and comparison readers. Requests are compared with requests of the same stratum (their
route), so that a zone that serves more of a slow route is no slow zone. One-sided: a group may be worse; that
the others look better beside it is no finding. p-values are Holm-corrected over all groups and both
questions.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from aiops_observability.analysis.exact import holm, larger, more_hits

Array = npt.NDArray[np.float64]
ALPHA = 0.01  # one false outlier in a hundred questions is what an operator bears
MIN_RATIO, MIN_DELTA = 1.2, 0.15  # smaller differences are certain in large samples and matter to nobody
MIN_MORE_FAULTS = 0.005
FEWEST = 5  # requests of a group, and of the rest
Metric = Literal["faults", "latency"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it is compared: its group, what it is comparable with, how long, and whether it
    failed.
    """

    group: str
    duration_s: float
    fault: bool
    stratum: str = ""
    error: bool = False


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group in numbers. p-values are corrected; 1.0 where a group is too small to be judged."""

    group: str
    requests: int
    faults: int
    errors: int
    p50_s: float
    p95_s: float
    fault_ratio: float = 1.0  # share of faults against the rest's
    latency_ratio: float = 1.0  # median against the rest's, route by route
    tail_ratio: float = 1.0  # 95th percentile against the rest's
    delta: float = 0.0  # Cliff's, of latency
    p_faults: float = 1.0
    p_latency: float = 1.0
    judged: bool = True

    @property
    def fault_share(self) -> float:
        """Faults of its requests, 0..1."""
        return self.faults / max(1, self.requests)

    @property
    def p(self) -> float:
        """The smaller of its two."""
        return min(self.p_faults, self.p_latency)


@dataclass(frozen=True, slots=True)
class Outlier:
    """The group that is different, in what it is, and how sure that is."""

    row: GroupRow
    metrics: tuple[Metric, ...]
    rest_faults: int
    rest_requests: int
    rest_p50_s: float
    rest_p95_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """All groups, worst first; the outliers among them (none: no group differs more than chance allows)."""

    rows: tuple[GroupRow, ...]
    outliers: tuple[Outlier, ...]


@dataclass(frozen=True, slots=True)
class _Raw:
    p_faults: float
    p_latency: float
    delta: float
    latency_ratio: float


def judge(requests: Sequence[Request], references: Mapping[str, Sequence[Request]] | None = None) -> Verdict:
    """Compare each group with all the others, or with its own reference (its past) where those are given."""
    groups: dict[str, list[Request]] = defaultdict(list)
    for one in requests:
        groups[one.group].append(one)
    rests = {
        name: list(references.get(name, ())) if references is not None else _others(requests, name)
        for name in groups
    }
    raw = {
        name: _compare(each, rests[name])
        for name, each in groups.items()
        if len(each) >= FEWEST and len(rests[name]) >= FEWEST
    }
    fixed = holm([p for one in raw.values() for p in (one.p_faults, one.p_latency)])
    corrected = {name: (fixed[2 * at], fixed[2 * at + 1]) for at, name in enumerate(raw)}
    rows = [
        _row(name, each, rests[name], raw.get(name), corrected.get(name)) for name, each in groups.items()
    ]
    rows.sort(key=lambda row: (row.p, -row.fault_share, -row.latency_ratio, row.group))
    found = [_outlier(row, rests[row.group]) for row in rows]
    return Verdict(tuple(rows), tuple(one for one in found if one is not None))


def _others(requests: Sequence[Request], name: str) -> list[Request]:
    return [one for one in requests if one.group != name]


def _compare(group: Sequence[Request], rest: Sequence[Request]) -> _Raw:
    values, others = aligned(group, rest)
    p_latency, delta = larger(values, others)
    ratio = (
        float(np.median(values) / max(1e-9, float(np.median(others)))) if values.size and others.size else 1.0
    )
    return _Raw(more_hits(_tables(group, rest)), p_latency, delta, ratio)


def aligned(group: Sequence[Request], rest: Sequence[Request]) -> tuple[Array, Array]:
    """Durations of both as multiples of what is usual for the stratum; strata that only one has are left out.

    Usual is the median of the rest, or of both where the rest has few: then the ranks within the stratum
    still compare like with like.
    """
    mine, theirs = _by_stratum(group), _by_stratum(rest)
    usual = {
        name: max(1e-9, float(np.median(values if len(values) >= FEWEST else values + mine.get(name, []))))
        for name, values in theirs.items()
    }
    here = {one.stratum for one in group}
    first = [one.duration_s / usual[one.stratum] for one in group if one.stratum in usual]
    second = [one.duration_s / usual[one.stratum] for one in rest if one.stratum in here]
    return np.asarray(first), np.asarray(second)


def _by_stratum(requests: Sequence[Request]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for one in requests:
        found[one.stratum].append(one.duration_s)
    return found


def _tables(group: Sequence[Request], rest: Sequence[Request]) -> list[tuple[int, int, int, int]]:
    names = sorted({one.stratum for one in group})
    tables = []
    for name in names:
        mine = [one.fault for one in group if one.stratum == name]
        theirs = [one.fault for one in rest if one.stratum == name]
        tables.append((sum(mine), len(mine), sum(theirs), len(theirs)))
    return tables


def _row(
    name: str,
    group: Sequence[Request],
    rest: Sequence[Request],
    raw: _Raw | None,
    corrected: tuple[float, float] | None,
) -> GroupRow:
    durations = np.asarray([one.duration_s for one in group])
    faults = sum(one.fault for one in group)
    others = np.asarray([one.duration_s for one in rest])
    rest_share = sum(one.fault for one in rest) / max(1, len(rest))
    # With no fault in the rest the ratio has no bound; half a fault keeps it a number (Haldane's correction).
    fault_ratio = (faults / len(group)) / (rest_share or 0.5 / max(1, len(rest))) if faults else 0.0
    p95 = float(np.percentile(durations, 95))
    return GroupRow(
        group=name,
        requests=len(group),
        faults=faults,
        errors=sum(one.error for one in group),
        p50_s=float(np.median(durations)),
        p95_s=p95,
        fault_ratio=fault_ratio if faults or rest_share else 1.0,
        latency_ratio=raw.latency_ratio if raw else 1.0,
        tail_ratio=p95 / max(1e-9, float(np.percentile(others, 95))) if others.size else 1.0,
        delta=raw.delta if raw else 0.0,
        p_faults=corrected[0] if corrected else 1.0,
        p_latency=corrected[1] if corrected else 1.0,
        judged=raw is not None,
    )


def _outlier(row: GroupRow, rest: Sequence[Request]) -> Outlier | None:
    rest_faults = sum(one.fault for one in rest)
    metrics: list[Metric] = []
    more = row.fault_share - rest_faults / max(1, len(rest))
    if row.p_faults < ALPHA and row.fault_ratio >= MIN_RATIO and more >= MIN_MORE_FAULTS:
        metrics.append("faults")
    if (
        row.p_latency < ALPHA
        and row.delta >= MIN_DELTA
        and max(row.latency_ratio, row.tail_ratio) >= MIN_RATIO
    ):
        metrics.append("latency")
    if not metrics:
        return None
    durations = np.asarray([one.duration_s for one in rest])
    return Outlier(
        row,
        tuple(metrics),
        rest_faults,
        len(rest),
        float(np.median(durations)),
        float(np.percentile(durations, 95)),
    )
