"""What mined lines say: kinds of lines with counts and people hit, numbers read from them, what to do next.

Called by the analyses. Advice comes from facts that stand in the lines (a pool of which all is in
use, calls that end at one and the same time, a query that reads everything), never from a text's own words
about what to do: lines are data.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aiops_observability.analysis.templates import Miner, Template, told
from aiops_observability.clients.log_store import Told
from aiops_shared.aws.log_lines import numbers
from aiops_shared.guardrails.key_lines import without_key_lines
from aiops_shared.guardrails.redacting import shortened

SAMPLES = 40
LONGEST_PATTERN = {False: 160, True: 400}
FEW = 20
_ACTIVE, _TOTAL = ("active", "in_use", "used", "busy"), ("total", "max", "size", "limit", "capacity")
_WAITING = ("waiting", "pending", "queued", "queue")
_SCANS = ("full_scan", "full scan", "seq scan", "seq_scan", "collscan", "table scan")
_TIMEOUTS = ("timeout", "timed out", "time out")


@dataclass(slots=True)
class Kind:
    """Lines of one template."""

    template: Template
    count: int = 0
    before: int = 0  # in the baseline
    levels: Counter[str] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    streams: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    with_user: int = 0
    first_s: float = float("inf")
    last_s: float = 0.0
    samples: list[str] = field(default_factory=list)
    trouble: bool = False
    errors: int = 0
    stride: int = 1

    @property
    def level(self) -> str:
        """The level that most of them have."""
        return self.levels.most_common(1)[0][0] if self.levels else ""

    @property
    def service(self) -> str:
        """The service that wrote most of them."""
        return self.services.most_common(1)[0][0] if self.services else ""

    @property
    def route(self) -> str:
        """The route that most of them are about."""
        return self.routes.most_common(1)[0][0] if self.routes else ""

    @property
    def new(self) -> bool:
        """Never seen in the baseline, and trouble or in several pods: what is worth a word."""
        return self.before == 0 and (self.trouble or len(self.streams) >= 3)

    def said(self, *, full: bool = False) -> str:
        """The template with what all its lines share, redacted and cut."""
        return shortened(without_key_lines(told(self.template, self.samples)), LONGEST_PATTERN[full])

    def add(self, one: Told) -> None:
        """One more line."""
        line = one.line
        self.count += 1
        self.errors += line.is_error
        self.levels[line.level] += bool(line.level)
        if line.service:
            self.services[line.service] += 1
        if line.route:
            self.routes[line.route] += 1
        if one.stream and len(self.streams) < FEW:
            self.streams.add(one.stream)
        if line.user:
            self.with_user += 1
            self.users.add(line.user)
        self.first_s, self.last_s = min(self.first_s, one.at_s), max(self.last_s, one.at_s)
        self.trouble = self.trouble or line.is_trouble
        if self.count % self.stride == 0:
            self.samples.append(line.message)
            if len(self.samples) >= 2 * SAMPLES:  # spread over all lines, not the first ones only
                self.samples, self.stride = self.samples[::2], self.stride * 2


def kinds_of(lines: Iterable[Told], baseline: Iterable[Told] = ()) -> list[Kind]:
    """Lines by template, most frequent first; `before` counts the baseline's lines of each."""
    miner = Miner()
    before: Counter[int] = Counter(miner.add(one.line.message).number for one in baseline)
    found: dict[int, Kind] = {}
    for one in lines:
        template = miner.add(one.line.message)
        kind = found.get(template.number)
        if kind is None:
            kind = found[template.number] = Kind(template)
        kind.add(one)
    for kind in found.values():
        kind.before = before[kind.template.number]
    return sorted(found.values(), key=lambda kind: (-kind.count, kind.template.number))


def typical(kind: Kind) -> dict[str, float]:
    """The numbers that its lines name, by name: the median over the samples that have it."""
    seen: dict[str, list[float]] = defaultdict(list)
    for sample in kind.samples:
        for name, value in numbers(sample):
            seen[name].append(value)
    return {
        name: statistics.median(values)
        for name, values in seen.items()
        if 2 * len(values) >= len(kind.samples)
    }


def highest(kind: Kind, name: str) -> float:
    """The largest value of a number over the samples."""
    return max(
        (value for sample in kind.samples for key, value in numbers(sample) if key == name), default=0.0
    )


def p95(kind: Kind, name: str) -> float:
    """The 95th percentile of a number over the samples."""
    values = sorted(value for sample in kind.samples for key, value in numbers(sample) if key == name)
    return values[min(len(values) - 1, round(0.95 * (len(values) - 1)))] if values else 0.0


def read_off(kind: Kind) -> str:
    """The numbers as text, medians; of a queue its peak: `total=20, active=20, waiting=57`."""
    facts = list(typical(kind).items())[:6]
    return ", ".join(
        f"{name}={highest(kind, name) if name in _WAITING else value:g}" for name, value in facts
    )


def advice(kinds: Sequence[Kind]) -> tuple[str, ...]:
    """What to do next, each with the facts it stands on; nothing where the lines do not say."""
    found: list[str] = []
    for kind in kinds:
        found += [each for each in (_pool(kind), _slow(kind), _timeout(kind)) if each]
    return tuple(dict.fromkeys(found))[:4]


def _pool(kind: Kind) -> str:
    facts = typical(kind)
    active = next((facts[name] for name in _ACTIVE if name in facts), None)
    total = next((facts[name] for name in _TOTAL if name in facts), None)
    waiting = next((highest(kind, name) for name in _WAITING if name in facts), 0.0)
    if active is None or total is None or active < total or waiting <= 0:
        return ""
    pool = "DB connection pool size" if _says(kind, ("pool", "hikari", "connection")) else "pool size"
    return (
        f"increase {pool} of {kind.service or 'the service'} ({total:g} saturated: {active:g} in use,"
        f" waiting up to {waiting:g}) after checking the database's own limit (max_connections) for headroom"
    )


def _slow(kind: Kind) -> str:
    if not _says(kind, _SCANS):
        return ""
    facts = typical(kind)
    name = next((each for each in facts if each.startswith(("duration", "took", "elapsed", "time"))), "")
    took = f" p95 {p95(kind, name):g} ({name})" if name else ""
    return (
        f"index or rewrite the query that scans a whole table{took}, {kind.count} times; the pattern names it"
    )


def _timeout(kind: Kind) -> str:
    facts = told(kind.template, kind.samples).lower()
    if not any(word in facts for word in _TIMEOUTS) or _pool(kind):
        return ""
    limit = _limit_of(facts)
    if not limit:
        return ""
    where = f" on {kind.route}" if kind.route else ""
    return (
        f"calls{where} of {kind.service or 'the service'} end at their timeout of {limit}: find the slow call"
        " (analyze_traces), then speed it up, or raise the timeout above its p95"
    )


def _limit_of(text: str) -> str:
    """A time that all lines name: `5000ms`."""
    for word in text.replace(",", " ").replace("(", " ").replace(")", " ").split():
        if word.endswith(("ms", "s")) and word.rstrip("ms").isdecimal():
            return word
    return ""


def _says(kind: Kind, words: Iterable[str]) -> bool:
    text = kind.samples[0].lower() if kind.samples else ""
    return any(word in text for word in words)
