"""Log lines as programs of the lab's stories write them: JSON with one set of fields, one group for all.

Used by the stories about logs. Lines are put together by hand and not by a JSON writer: a story has tens of
thousands of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from aiops_lab.telemetry.log_groups import LogRecord

HOUR_S, DAY_S = 3600.0, 86_400.0


def application_group(cluster: str) -> str:
    """Where Container Insights puts what containers write."""
    return f"/aws/containerinsights/{cluster}/application"


@dataclass(frozen=True, slots=True)
class Writer:
    """One program. `replicas` pods of it share its lines."""

    service: str
    rng: Random
    replicas: int = 3

    def line(
        self, at_s: float, level: str, message: str, *, route: str = "", status: int = 0, customer: str = ""
    ) -> LogRecord:
        """One line; a background task has neither route nor status."""
        time = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        request = f'"route":"{route}","status":{status},' if route else ""
        who = f'"customer_id":"{customer}",' if customer else ""
        said = message.replace("\\", "\\\\").replace('"', '\\"')
        text = (
            f'{{"time":"{time}","level":"{level}","service":"{self.service}",{request}'
            f'"msg":"{said}",{who}"trace_id":"{self.rng.getrandbits(128):032x}"}}'
        )
        pod = f"{self.service}-{self.rng.randrange(self.replicas)}"
        return LogRecord(at_s, f"application.var.log.containers.{pod}", text)

    def served(
        self, count: int, since_s: float, until_s: float, routes: Sequence[str]
    ) -> Iterator[LogRecord]:
        """Requests that went well."""
        for at_s in moments(self.rng, count, since_s, until_s):
            took = round(self.rng.lognormvariate(3.4, 0.5))
            customer = f"c-{self.rng.randrange(100_000):05d}"
            route = self.rng.choice(routes)
            yield self.line(
                at_s, "INFO", f"request served in {took} ms", route=route, status=200, customer=customer
            )


def moments(rng: Random, count: int, since_s: float, until_s: float) -> list[float]:
    """So many moments of a span, whole milliseconds, in order."""
    return sorted(round(rng.uniform(since_s, until_s - 0.002), 3) for _ in range(count))


def spread(rng: Random, total: int, parts: int) -> list[int]:
    """A number cut into parts of about the same size."""
    cuts = [total // parts] * parts
    for at in rng.sample(range(parts), total % parts):
        cuts[at] += 1
    return cuts


def customers(rng: Random, prefix: str, events: int, distinct: int) -> list[str]:
    """Who is hit by each of so many events: exactly `distinct` of them, some several times."""
    known = [f"{prefix}-{at:04d}" for at in rng.sample(range(10_000), distinct)]
    hit = [*known, *(rng.choice(known) for _ in range(events - distinct))]
    rng.shuffle(hit)
    return hit
