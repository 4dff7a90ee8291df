"""What the suite counts of itself: calls, durations, requests to upstreams, redactions.

OpenTelemetry's API alone: without an exporter (`aiops_shared.app.telemetry`) every count goes nowhere and
costs a call. Called by the door (`app`), by `AwsClients` and by the HTTP clients; it stands this low because
all of them need it. The API loads with the first count, never at start (decision D31).

Labels are words of our own code: a server, a tool, an error's code, a rule's name, a kind of upstream. Names
of people, clusters, objects and arguments never are: they would be without number, and they are private.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, Meter

OK = "ok"
# A cached answer, a list of a large cluster, a diagnosis, the deadline of a call (50 s).
DURATION_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 50.0)


@dataclass(frozen=True, slots=True)
class Instruments:
    """The four instruments; Prometheus names them `aiops_tool_calls_total`, `…_duration_seconds`, …"""

    calls: "Counter"
    duration: "Histogram"
    upstream: "Counter"
    redactions: "Counter"

    @classmethod
    def of(cls, meter: "Meter") -> "Instruments":
        """Made on a meter."""
        return cls(
            calls=meter.create_counter("aiops.tool.calls", "{call}", "Calls of tools by outcome"),
            duration=meter.create_histogram(
                "aiops.tool.duration",
                "s",
                "How long a call of a tool took",
                explicit_bucket_boundaries_advisory=DURATION_BOUNDS_S,
            ),
            upstream=meter.create_counter(
                "aiops.upstream.requests", "{request}", "Requests to what the servers ask, by outcome"
            ),
            redactions=meter.create_counter(
                "aiops.redactions", "{secret}", "Secrets taken out of answers, by rule"
            ),
        )


@cache
def instruments() -> Instruments:
    """Those of this process. Counts made before an exporter is set are lost, later ones are not."""
    from opentelemetry.metrics import get_meter

    return Instruments.of(get_meter("aiops"))


def count_call(server: str, tool: str, outcome: str, seconds: float) -> None:
    """A call of a tool ended. `outcome`: ok, or the code of the refusal or error."""
    found = instruments()
    found.calls.add(1, {"server": server, "tool": tool, "outcome": outcome})
    found.duration.record(seconds, {"server": server, "tool": tool})


def count_upstream(upstream: str, outcome: str = OK) -> None:
    """A request to an upstream ended. `upstream`: what kind of thing was asked, never which one."""
    instruments().upstream.add(1, {"upstream": upstream, "outcome": outcome})


def count_redactions(by_rule: Mapping[str, int]) -> None:
    """Secrets were taken out of an answer."""
    for rule, count in by_rule.items():
        instruments().redactions.add(count, {"rule": rule})
