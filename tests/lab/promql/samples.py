"""Three hours of made-up series with what makes PromQL hard: resets, gaps, late starts, NaN, infinities."""

from collections.abc import Sequence

import numpy as np

from aiops_lab.promql.storage import KeptStorage, kept

T0 = 1_790_000_000 // 7200 * 7200  # a block begins here; long before any run of the test
COUNT = 180
Series = tuple[Sequence[float], Sequence[float]]


def storage() -> KeptStorage:
    """The same every time."""
    rng = np.random.default_rng(5)
    return kept({**_requests(rng), **_memory(rng), **_histograms(rng), **_odd(rng)})


def _grid(step: int = 60, jitter: np.random.Generator | None = None) -> np.ndarray:
    late = jitter.uniform(0, 5, COUNT).round(3) if jitter is not None else 0.0
    return T0 + np.arange(0, COUNT * step, step) + late


def _requests(rng: np.random.Generator) -> dict[tuple[str, ...], Series]:
    """Counters: pod 1 has a gap and uneven scrapes, pod 2 was restarted twice, pod 3 came late and left."""
    found: dict[tuple[str, ...], Series] = {}
    for pod in range(4):
        for status in ("200", "500"):
            times = _grid(jitter=rng if pod % 2 else None)
            values = np.cumsum(rng.exponential(5, COUNT).round(2))
            there = np.ones(COUNT, dtype=np.bool_)
            if pod == 1:
                there[50:75] = False
            if pod == 2:
                values[70:] -= values[69]
                values[120:] -= values[120]
            if pod == 3:
                there[:30] = there[150:] = False
            labels = ("service=shop", f"route=/api/{pod % 2}", f"status={status}", f"pod=p{pod}")
            found["http_requests_total", *labels] = (times[there].tolist(), values[there].tolist())
    return found


def _memory(rng: np.random.Generator) -> dict[tuple[str, ...], Series]:
    found: dict[tuple[str, ...], Series] = {}
    for pod in range(4):
        values = (300 + 50 * np.sin(np.arange(COUNT) / 20) + rng.normal(0, 4, COUNT)).round(3)
        if pod == 3:
            values[100:110] = np.nan
        found["mem", f"pod=p{pod}", f"node=n{pod % 2}"] = (_grid().tolist(), values.tolist())
        found["limit", f"pod=p{pod}", "unit=byte"] = (_grid().tolist(), [512.0 + pod] * COUNT)
    for node in range(2):
        zone = f"zone=us-east-1{'ab'[node]}"
        found["node_labels", f"node=n{node}", zone] = (_grid().tolist(), [1.0] * COUNT)
    return found


def _histograms(rng: np.random.Generator) -> dict[tuple[str, ...], Series]:
    found: dict[tuple[str, ...], Series] = {}
    for service in ("a", "b"):
        base = np.cumsum(rng.exponential(3, COUNT))
        for bound, share in (("0.1", 0.2), ("0.5", 0.6), ("1", 0.9), ("+Inf", 1.0)):
            values = (base * share).round(3).tolist()
            found["lat_bucket", f"service={service}", f"le={bound}"] = (_grid().tolist(), values)
    return found


def _odd(rng: np.random.Generator) -> dict[tuple[str, ...], Series]:
    every_400_s = (T0 + np.arange(0, COUNT * 60, 400)).tolist()
    sometimes = np.where(np.arange(COUNT) % 7 == 0, np.inf, 1.0).tolist()
    return {
        ("sparse", "x=1"): (every_400_s, np.arange(len(every_400_s), dtype=np.float64).tolist()),
        ("negative", "x=1"): (_grid().tolist(), rng.normal(0, 3, COUNT).round(2).tolist()),
        ("inf", "x=1"): (_grid().tolist(), sometimes),
        ("flat", "x=1"): (_grid().tolist(), [7.0] * COUNT),
    }
