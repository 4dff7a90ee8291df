"""What there is to ask: metric names, labels, named questions, rules, alerts, and what makes a store large.

Called by the reader of metrics.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiops_observability.clients.metric_tables import moment, rounded, table_of
from aiops_observability.models.metrics import MetricAsk, MetricReport
from aiops_observability.ports import Metrics
from aiops_shared.errors import InvalidInputError, NotConfiguredError
from aiops_shared.metrics.inventory import Cardinality, MetricsInventory, MetricSize
from aiops_shared.metrics.ports import MetricsBackend
from aiops_shared.metrics.questions import QUESTIONS
from aiops_shared.results import Evidence, Table

BYTES, FULL_BYTES, SIZES_BYTES = 3000, 24_000, 900
NAMES, FULL_NAMES = 15, 200
TOP, GROUPS, LABELS = 15, 8, 8


@dataclass(frozen=True)
class MetricDiscovery:
    """Answers `search` and `show`."""

    metrics: Metrics

    async def found(self, ask: MetricAsk) -> MetricReport:
        """One answer. Raises NotConfiguredError where the backend cannot tell."""
        if ask.show == "questions":
            return _questions(ask)
        backend = await self.metrics.open(ask.cluster, ask.source)
        if ask.search is not None and not ask.show:
            return await _names(backend, ask)
        show: Mapping[
            str, Callable[[MetricsInventory, MetricsBackend, MetricAsk], Awaitable[MetricReport]]
        ] = {
            "labels": _labels,
            "rules": _rules,
            "alerts": _alerts,
            "cardinality": _cardinality,
        }
        if not isinstance(backend, MetricsInventory):
            raise NotConfiguredError(
                f"show={ask.show} of {backend.name}",
                "this backend cannot tell",
                "source=prometheus, or search=",
            )
        return await show[ask.show](backend, backend, ask)


def _questions(ask: MetricAsk) -> MetricReport:
    rows = [(name, one.says, one.unit, " ".join(one.kinds)) for name, one in QUESTIONS.items()]
    if ask.search:
        rows = [row for row in rows if ask.search.lower() in f"{row[0]} {row[1]}".lower()]
    slim = [(name, says, unit) for name, says, unit, _ in rows]
    columns = ("what", "says", "unit")
    whole = ask.full or len(rows) <= 10
    table, kept = (
        table_of((*columns, "kinds"), rows, FULL_BYTES) if whole else table_of(columns, slim, BYTES + 1200)
    )
    return MetricReport(
        summary=f"{len(rows)} named questions; ask what=<name> with namespace, kind and name of the object.",
        total=len(rows),
        found=table,
        truncated=kept < len(rows),
    )


async def _names(backend: MetricsBackend, ask: MetricAsk) -> MetricReport:
    words = ask.search or ""
    names = await backend.search(words, limit=FULL_NAMES if ask.full else NAMES)
    rows = [(one.name, one.kind, " ".join(one.labels), one.says) for one in names]
    table, kept = table_of(("metric", "kind", "labels", "says"), rows, FULL_BYTES if ask.full else BYTES)
    best = ", ".join(one.name for one in names[:3])
    return MetricReport(
        summary=(f"Nearest to {words[:80]!r}: {best}." if words else f"The first {kept} metric names.")
        if names
        else "There is no metric at all.",
        source=backend.name,
        total=len(names),
        found=table,
        evidence=(Evidence(source=backend.name, query=f"metric names like {words[:80]!r}"),),
        truncated=kept < len(rows),
        untrusted=("found",),
    )


async def _labels(inventory: MetricsInventory, backend: MetricsBackend, ask: MetricAsk) -> MetricReport:
    metric = ask.query.strip() or (ask.search or "").strip()
    if not metric:
        raise InvalidInputError(
            "query", "names the metric of which labels are shown", "query=http_requests_total"
        )
    labels = await inventory.labels(metric)
    rows = [(name, ", ".join(values)) for name, values in labels]
    table, kept = table_of(("label", "values"), rows, FULL_BYTES if ask.full else BYTES)
    return MetricReport(
        summary=f"{metric[:120]} has {len(labels)} labels: {', '.join(name for name, _ in labels)}"[:399]
        + ".",
        source=backend.name,
        total=len(labels),
        found=table,
        evidence=(Evidence(source=backend.name, query=f"labels of {metric[:200]}"),),
        truncated=kept < len(rows),
        untrusted=("found",),
    )


async def _rules(inventory: MetricsInventory, backend: MetricsBackend, ask: MetricAsk) -> MetricReport:
    rules = await inventory.rules()
    sick = [one for one in rules if one.health == "err"]
    ordered = sorted(
        rules, key=lambda one: (one.health != "err", one.state != "firing", one.state != "pending")
    )
    rows = [
        (
            one.name,
            one.group,
            "alert" if one.alerting else "record",
            one.state or one.health,
            one.query,
            one.error,
        )
        for one in ordered
        if not ask.search or ask.search.lower() in f"{one.name} {one.query}".lower()
    ]
    columns = ("name", "group", "kind", "state", "query", "error")
    table, kept = table_of(columns, rows, FULL_BYTES if ask.full else BYTES)
    alerting = sum(one.alerting for one in rules)
    return MetricReport(
        summary=(
            f"{alerting} alerting and {len(rules) - alerting} recording rules,"
            f" {sum(one.state == 'firing' for one in rules)} firing, {len(sick)} failing."
        ),
        source=backend.name,
        total=len(rows),
        found=table,
        evidence=(Evidence(source=backend.name, query="GET api/v1/rules"),),
        truncated=kept < len(rows),
        untrusted=("found",),
    )


async def _alerts(inventory: MetricsInventory, backend: MetricsBackend, ask: MetricAsk) -> MetricReport:
    alerts = sorted(await inventory.alerts(), key=lambda one: (one.state != "firing", one.since))
    rows = [
        (
            one.name,
            one.state,
            one.since[:19],
            rounded(one.value),
            " ".join(f"{name}={value}" for name, value in sorted(one.labels.items())),
            one.says,
        )
        for one in alerts
    ]
    columns = ("alert", "state", "since", "value", "labels", "says")
    table, kept = table_of(columns, rows, FULL_BYTES if ask.full else BYTES)
    return MetricReport(
        summary=(
            f"{sum(one.state == 'firing' for one in alerts)} alerts fire,"
            f" {sum(one.state == 'pending' for one in alerts)} are pending; list_alarms groups them."
        ),
        source=backend.name,
        total=len(alerts),
        found=table,
        evidence=(Evidence(source=backend.name, query="GET api/v1/alerts"),),
        truncated=kept < len(rows),
        untrusted=("found",),
    )


async def _cardinality(inventory: MetricsInventory, backend: MetricsBackend, ask: MetricAsk) -> MetricReport:
    found = await inventory.cardinality()
    told = sum(one.series for one in found.metrics)
    total = max(found.series, told)
    unasked = [one for one in found.metrics if one.asked == 0]
    most = len(found.metrics) if ask.full else TOP
    rows = [
        (one.name, one.series, _share(one.series, total), one.asked, one.in_rules)
        for one in found.metrics[:most]
    ]
    columns = ("metric", "series", "share %", "queries", "in rules")
    table, kept = table_of(columns, rows, FULL_BYTES if ask.full else BYTES - SIZES_BYTES)
    warnings = list(found.warnings)
    if told < found.series:
        warnings.append(f"the backend lists metrics of {told:,} of {found.series:,} series only")
    return MetricReport(
        summary=_sized(found, unasked, total)[:400],
        source=backend.name,
        total=len(found.metrics),
        found=table,
        sizes=_sizes(found, unasked, total),
        evidence=(Evidence(source=backend.name, query="GET api/v1/status/tsdb", says=f"{total:,} series"),),
        warnings=tuple(warnings),
        truncated=kept < len(found.metrics),
        untrusted=("found", "sizes"),
    )


def _sized(found: Cardinality, unasked: Sequence[MetricSize], total: int) -> str:
    top = ", ".join(f"{one.name} {one.series:,}" for one in found.metrics[:3])
    text = f"{total:,} active series in {len(found.metrics):,} metrics; largest: {top}."
    if not found.told:
        return f"{text} Which are never queried, this backend does not tell."
    series = sum(one.series for one in unasked)
    groups = ", ".join(f"{name} {size:,}" for name, size in _groups(unasked)[:2])
    since = f" since {moment(found.since_s, '%Y-%m-%d')}" if found.since_s else ""
    said = f" Never queried{since}: {series:,} series ({_share(series, total)} %) of {len(unasked)} metrics"
    return f"{text}{said}{f', most in {groups}' if groups else ''}."


def _sizes(found: Cardinality, unasked: Sequence[MetricSize], total: int) -> Table:
    """Groups by the first word of the name (an exporter's or a library's), and labels by their values."""
    never = dict(_groups(unasked))
    rows: list[tuple[str, str, int, float | None, int | None]] = [
        ("metrics", name, size, _share(size, total), never.get(name, 0) if found.told else None)
        for name, size in _groups(found.metrics)[:GROUPS]
    ]
    rows += [("label values", name, size, None, None) for name, size in found.labels[:LABELS]]
    return Table(columns=("of", "name", "count", "share %", "never queried"), rows=tuple(rows))


def _groups(sizes: Sequence[MetricSize]) -> list[tuple[str, int]]:
    summed: dict[str, int] = defaultdict(int)
    for one in sizes:
        head, line, _ = one.name.partition("_")
        summed[f"{head}_*" if line else one.name] += one.series
    return sorted(summed.items(), key=lambda one: (-one[1], one[0]))


def _share(part: int, total: int) -> float:
    return round(100 * part / total, 1) if total else 0.0
