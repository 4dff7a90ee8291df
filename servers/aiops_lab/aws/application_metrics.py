"""What Application Signals writes to CloudWatch: Latency, Fault and Error of services and of their calls.

Called by `cloudwatch.table`. Dimensions are those of "Standard application metrics collected": Service and
Environment, with RemoteService for a call; the unit of Latency is milliseconds, its SampleCount the requests.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aiops_lab.aws.account import Account
from aiops_lab.aws.application_state import Monitored
from aiops_lab.aws.xray_graph import counted
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.derived import MINUTE_S, Distribution
from aiops_lab.telemetry.signals import Array
from aiops_lab.telemetry.spans import Span

NAMESPACE = "ApplicationSignals"
BOUNDS_MS = (*(float(bound) for bound in np.geomspace(0.1, 120_000, 120)), float("inf"))


def environment(account: Account) -> str:
    """The environment of everything in the cluster's namespace of the stories."""
    return f"eks:{account.cluster}/production"


Adding = Callable[[tuple[str, str], str, Iterable[Mapping[str, str]], Distribution], None]


@dataclass(frozen=True, slots=True)
class Observed(Distribution):
    """One value for each of some spans, in the minute in which it began."""

    at_s: Array = field(default_factory=lambda: np.zeros(0), repr=False)
    values: Array = field(default_factory=lambda: np.zeros(0), repr=False)

    def read(self, minutes_s: Array, now_s: float) -> Array:
        """Counts, one column a bucket."""
        found = np.zeros((minutes_s.size, len(self.bounds)))
        row, inside = self._rows(minutes_s, now_s)
        column = np.searchsorted(np.asarray(self.bounds), self.values[inside])
        np.add.at(found, (row[inside], column), 1.0)
        return found

    def total(self, minutes_s: Array, now_s: float) -> Array:
        """The sum of what was observed in the minute."""
        found = np.zeros(minutes_s.size)
        row, inside = self._rows(minutes_s, now_s)
        np.add.at(found, row[inside], self.values[inside])
        return found

    def _rows(self, minutes_s: Array, now_s: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        row = np.searchsorted(minutes_s, self.at_s, side="right") - 1
        safe = np.clip(row, 0, max(0, minutes_s.size - 1))
        inside = (row >= 0) & (self.at_s < minutes_s[safe] + MINUTE_S) & (self.at_s <= now_s)
        return safe, inside


def observed(spans: Sequence[Span], values: Iterable[float], bounds: tuple[float, ...]) -> Observed:
    """The values of some spans."""
    at_s = np.array([one.start_s for one in spans])
    return Observed(bounds, (), (), at_s, np.array(list(values), dtype=np.float64))


def application_metrics(account: Account, add: Adding) -> None:
    """Tell every metric to `add`, where Application Signals is on."""
    if not account.area(Monitored).enabled:
        return
    nodes, edges, _ = counted(account.area(Telemetry).traces.between(0.0, account.now().timestamp()))
    where = {"Environment": environment(account)}
    rows = [(where | {"Service": name}, spans) for name, spans in nodes.items()]
    rows += [
        (where | {"Service": caller, "RemoteService": callee}, spans)
        for (caller, callee), spans in edges.items()
    ]
    for dimensions, spans in rows:
        latency = observed(spans, (1000 * one.duration_s for one in spans), BOUNDS_MS)
        add((NAMESPACE, "Latency"), "Milliseconds", [dimensions], latency)
        hits = (
            ("Fault", [one.fault for one in spans]),
            ("Error", [400 <= one.status < 500 for one in spans]),
        )
        for name, flags in hits:
            add(
                (NAMESPACE, name),
                "Count",
                [dimensions],
                observed(spans, map(float, flags), (0.5, float("inf"))),
            )
