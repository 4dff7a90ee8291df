"""What CloudWatch knows of log groups by itself: `AWS/Logs` `IncomingBytes` and `IncomingLogEvents`.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html.
The same bytes that a query over the span is charged for, ballast too. Read by `cloudwatch.table`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.log_groups import OVERHEAD_BYTES, LogGroup
from aiops_lab.telemetry.signals import Array

NAMESPACE = "AWS/Logs"
MINUTE_S, DAY_S = 60.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Ingested:
    """One value a minute: bytes, or events, that a group took in; fulfils `telemetry.derived.Stream`."""

    group: LogGroup
    events: bool = False

    def read(self, minutes_s: Array, now_s: float) -> Array:
        """What came in the minutes that begin at these moments; NaN where they are not over."""
        times = np.array([one.at_s for one in self.group.records], dtype=np.float64)
        sizes = [1 if self.events else len(one.message) + OVERHEAD_BYTES for one in self.group.records]
        sums = np.concatenate(([0.0], np.cumsum(np.array(sizes, dtype=np.float64))))
        first, last = np.searchsorted(times, minutes_s), np.searchsorted(times, minutes_s + MINUTE_S)
        ballast = 0.0 if self.events else self.group.ballast_bytes_per_day * MINUTE_S / DAY_S
        found = sums[last] - sums[first] + np.where(minutes_s >= self.group.created_s, ballast, 0.0)
        return np.where((minutes_s + MINUTE_S <= now_s) & (found > 0), found, np.nan)

    def alive(self, since_s: float, until_s: float) -> bool:
        """Whether the group took something in at some time of a span."""
        return bool(self.group.between(since_s, until_s)) or self.group.ballast_bytes_per_day > 0


def log_metrics(telemetry: Telemetry) -> Iterator[tuple[str, str, str, Ingested]]:
    """(metric, unit, log group, stream) of every group."""
    for name, group in telemetry.logs.by_name.items():
        yield "IncomingBytes", "Bytes", name, Ingested(group)
        yield "IncomingLogEvents", "None", name, Ingested(group, events=True)
