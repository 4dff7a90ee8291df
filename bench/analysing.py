"""How long a verdict over four weeks takes, and how much memory: one tool call over stdio on a real
Prometheus.

`detect_anomalies` over 8,064 points (four weeks of five minutes), `forecast_metric` over 672 hours. The data
is backfilled by promtool, so what is timed is the query, the analysis and the answer, as a client waits for
them.
"""

import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from aiops_lab.observatory.real_prometheus import missing_programs, real_prometheus
from bench.rows import Row, met
from bench.talking import Child, talking
from bench.tokens import tokens

WEEKS, STEP_S, ROUNDS = 5, 300, 7
MB = 1_000_000
QUERY = 'shop_requests_per_second{service="shop"}'


def _samples(now_s: float) -> Iterator[str]:
    """Five weeks of business hours with noise, growth, and one hour that is ten times too busy."""
    times = np.arange(now_s - WEEKS * 604_800, now_s - 60, STEP_S)
    rng = np.random.default_rng(5)
    hour, day = times % 86_400 / 3600, times // 86_400 % 7
    level = 100 * (1 + np.exp(-0.5 * ((hour - 13) / 3) ** 2)) * np.where(day >= 5, 0.6, 1.0)
    level *= np.exp(rng.normal(0, 0.05, times.size)) * 1.01 ** ((times - times[0]) / 604_800)
    level[-600:-588] *= 10
    for moment, value in zip(times, level, strict=True):
        yield f'shop_requests_per_second{{service="shop"}} {value:.4f} {moment:.0f}\n'
    yield "# EOF\n"


def analyses(base: Mapping[str, str]) -> list[Row]:
    """Rows of both tools."""
    if missing := missing_programs():
        return [("verdicts over four weeks", "", f"not measured: {', '.join(missing)} missing", "")]
    with real_prometheus(_samples(time.time())) as prometheus, TemporaryDirectory() as state:
        environment = {
            **base,
            "AIOPS_STATE_DIR": state,
            "AIOPS_METRICS_PROMETHEUS_URL": prometheus.url,
            "AWS_REGION": "us-east-1",
        }
        rows: list[Row] = []
        for title, tool, arguments in (
            ("detect_anomalies, 8,064 points", "detect_anomalies", {"query": QUERY, "since": "-4w"}),
            ("forecast_metric, 672 hours and more", "forecast_metric", {"query": QUERY}),
        ):
            with talking([sys.executable, "-m", "eks_aiops", "observability"], environment) as server:
                rows += _measured(title, tool, arguments, server)
        return rows


def _measured(title: str, tool: str, arguments: Mapping[str, Any], server: Child) -> list[Row]:
    server.greet()
    first_ms, answer = _timed(server, tool, arguments)
    warm_ms = statistics.median(_timed(server, tool, arguments)[0] for _ in range(ROUNDS))
    peak, size = server.peak_bytes / MB, tokens(answer["content"][0]["text"])
    return [
        (
            f"{title}: warm",
            "<= 1,000 ms",
            f"{warm_ms:.0f} ms (first call {first_ms:.0f} ms)",
            met(warm_ms, 1000),
        ),
        (f"{title}: peak memory", "<= 300 MB", f"{peak:.0f} MB", met(peak, 300)),
        (f"{title}: tokens", "<= 1,500 tokens", f"{size} tokens", met(size, 1500)),
    ]


def _timed(server: Child, tool: str, arguments: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    answer = server.call(tool, **arguments)
    return 1000 * (time.perf_counter() - began), answer
