"""A real Prometheus for any test, holding samples that the test wrote down or a world's signals.

    from tests.prometheus_server import real_prometheus_of

    @pytest.fixture(scope="module")
    def real() -> Iterator[RealPrometheus]:
        with real_prometheus_of(STORAGE.series) as server:
            yield server

Needs `prometheus` and `promtool` (Debian's package `prometheus`); without them the test is skipped, which CI
counts as a failure. Backfill knows no staleness markers, and samples must be older than the real now.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from aiops_lab.observatory.real_prometheus import (
    RealPrometheus,
    missing_programs,
    open_metrics,
    real_prometheus,
)
from aiops_lab.promql.values import Samples


@contextmanager
def real_prometheus_of(series: Iterable[Samples], *, prefix: str = "") -> Iterator[RealPrometheus]:
    """A process on a free loopback port; skips where it is not installed."""
    if missing := missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    with real_prometheus(open_metrics(series), prefix=prefix) as server:
        yield server
