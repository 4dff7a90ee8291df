"""`python -m bench.sizing --write`: the table of docs/sizing.md, each number by a formula that it states.

The constants are measured rows (docs/benchmarks.md, docs/benchmarks-http.md) or assumptions about how people
work; the page says which is which. Whose people work otherwise changes `USE` and runs it again.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "sizing.md"
BEGIN, END = "<!-- made by python -m bench.sizing -->", "<!-- end -->"
ENGINEERS: Final = (10, 100, 1_000)
CLUSTERS: Final = (1, 20, 200)
MB: Final = 1_000_000


@dataclass(frozen=True)
class Kind:
    """One kind of call: its share of all, CPU of the server, requests to API servers, AWS calls."""

    share: float
    cpu_ms: float
    requests: float
    aws: float


@dataclass(frozen=True)
class Use:
    """How people work (assumed) and what a call costs (measured)."""

    calls_a_minute: float = 1.0
    hours_a_day: float = 8.0
    peak: float = 3.0  # an incident: so many times the usual rate
    busy: float = 0.6  # of a core at the peak, so that answers do not queue
    sensitive: float = 0.2  # calls that read logs or events: an audit record each
    events_an_hour: float = 10_000.0  # of a large estate; of a smaller one by its clusters, see `events_s`
    new_events: float = 0.1
    cheap: Kind = Kind(0.70, 6.6, 1, 0)
    lists: Kind = Kind(0.25, 200.0, 98, 0)
    diagnoses: Kind = Kind(0.05, 1_300.0, 156, 10)
    process_mb: float = 170.0  # one eks server after a diagnosis of 5,000 pods
    caller_kb: float = 0.5
    cluster_kb: float = 231.0
    journal_bytes: float = 344.0
    journal_days: float = 7.0
    audit_bytes: float = 983.0
    event_bytes: float = 1_372.0

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All of them."""
        return self.cheap, self.lists, self.diagnoses


USE: Final = Use()


@dataclass(frozen=True)
class Size:
    """What one estate wants."""

    engineers: int
    clusters: int
    use: Use = USE

    @property
    def calls_s(self) -> float:
        """Calls a second, in the usual hour."""
        return self.engineers * self.use.calls_a_minute / 60

    @property
    def cpu(self) -> float:
        """Cores that are busy in the usual hour."""
        return self.calls_s * sum(kind.share * kind.cpu_ms for kind in self.use.kinds) / 1000

    @property
    def replicas(self) -> int:
        """Processes of one core each that carry the peak; never fewer than two, so that one may restart."""
        return max(2, math.ceil(self.cpu * self.use.peak / self.use.busy))

    @property
    def memory_mb(self) -> float:
        """Of one replica."""
        use = self.use
        return use.process_mb + (self.engineers * use.caller_kb + self.clusters * use.cluster_kb) / 1000

    @property
    def events_s(self) -> float:
        """Events a second: 200 clusters make the 10,000 an hour, fewer make their share."""
        return self.use.events_an_hour / 3600 * self.clusters / CLUSTERS[-1]

    @property
    def journal_mb(self) -> float:
        """The call journal, which ends after a week."""
        calls = self.engineers * self.use.calls_a_minute * 60 * self.use.hours_a_day * self.use.journal_days
        return calls * self.use.journal_bytes / MB

    @property
    def growth_mb(self) -> float:
        """What a day adds for good: audit records and new events."""
        use = self.use
        sensitive = self.engineers * use.calls_a_minute * 60 * use.hours_a_day * use.sensitive
        events = self.events_s * 86_400 * use.new_events
        return (sensitive * use.audit_bytes + events * use.event_bytes) / MB

    @property
    def commits_s(self) -> float:
        """Commits a second at the peak: one a call, an audit record, an event; two an event that is new."""
        use = self.use
        return use.peak * (self.calls_s * (1 + use.sensitive) + self.events_s * (1 + use.new_events))

    @property
    def requests_s(self) -> float:
        """Requests a second that one API server gets at the peak, when all are asked alike."""
        each = sum(kind.share * kind.requests for kind in self.use.kinds)
        return self.use.peak * self.calls_s * each / self.clusters

    @property
    def aws_s(self) -> float:
        """AWS calls a second at the peak, over all accounts."""
        return self.use.peak * self.calls_s * sum(kind.share * kind.aws for kind in self.use.kinds)

    def row(self) -> str:
        """As the page has it."""
        cells = (
            f"{self.engineers:,}",
            f"{self.clusters}",
            _short(self.calls_s),
            f"{self.replicas}",
            f"{self.cpu:.2f}",
            f"{math.ceil(self.memory_mb / 10) * 10:.0f} MB",
            f"{self.journal_mb:,.0f} MB + {_short(self.growth_mb)} MB a day",
            _short(self.commits_s),
            _short(self.requests_s),
            _short(self.aws_s),
        )
        return f"| {' | '.join(cells)} |"


def _short(value: float) -> str:
    """Two digits that count, without an exponent."""
    return f"{float(f'{value:.2g}'):,.{0 if value >= 9.95 else 1 if value >= 0.995 else 2}f}"


def table() -> str:
    """The table."""
    head = (
        *("engineers", "clusters", "calls/s", "replicas", "cores busy", "memory of a replica"),
        *("PostgreSQL", "commits/s, peak", "requests/s to one API server, peak", "AWS calls/s, peak"),
    )
    rows = [Size(engineers, clusters).row() for engineers in ENGINEERS for clusters in CLUSTERS]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows])


def with_table(page: str) -> str:
    """The page with the table as it is computed now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Print it and, with --write, put it into the page."""
    sys.stdout.write(table() + "\n")
    if "--write" in sys.argv:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
