"""What log groups take in, and which service and level writes it: bytes from CloudWatch, shares from samples.

Reading all lines would cost as much as a part of what is to be saved, so a few short spans are read, spread
over a week, and what that costs is said. Called by the adviser of observability.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from aiops_cost.clients.month_bill import DAYS
from aiops_shared.aws import EksCluster
from aiops_shared.aws.log_insights import Insights
from aiops_shared.aws.log_lines import level_named
from aiops_shared.aws.log_shape import Shape, shape_of
from aiops_shared.aws.log_spans import Span, Until
from aiops_shared.errors import AiopsError, UpstreamTimeoutError
from aiops_shared.kube.gathering import gather_outcomes

SLICES: Final = 6
PROBED: Final = 3  # every third sample is asked for probes too
LEAST_S, LONGEST_S = 120.0, 1800.0
MOST_BYTES: Final = 4e9  # of one group's samples: 0.02 USD at 0.005 a GB
SAMPLED: Final = timedelta(days=7)
WITHIN_S: Final = 20.0
MOST_GROUPS: Final = 100
SAMPLE: Final = 100
DAY_S: Final = 86_400
PROBES: Final = r"/\/(healthz|readyz|livez|health|ready|ping|metrics)\b/"


@dataclass(frozen=True, slots=True)
class Group:
    """One log group. `came_in_bytes`: over the last thirty days. `retention_days` None: kept for ever."""

    name: str
    kind: str
    came_in_bytes: float
    stored_bytes: float
    retention_days: int | None
    age_days: float
    metric_filters: int
    own: bool = True  # its name holds the cluster's


@dataclass(slots=True)
class Talk:
    """Who writes a group: bytes of the samples by (service, level), and those of probes by service."""

    sizes: Counter[tuple[str, str]] = field(default_factory=Counter)
    probes: Counter[str] = field(default_factory=Counter)
    probed: int = 0  # bytes of the samples in which probes were looked for
    scanned_bytes: int = 0
    minutes: float = 0.0
    gaps: list[str] = field(default_factory=list)


async def groups(eks: EksCluster, now: datetime) -> tuple[Group, ...]:
    """The region's log groups, those that take in most first."""
    found = await eks.every("logs", "describe_log_groups", "logGroups", at_most=1000)
    largest = sorted(found.items, key=lambda row: -float(row.get("storedBytes") or 0))[:MOST_GROUPS]
    sizes = await _came_in(eks, [str(row["logGroupName"]) for row in largest], now)
    made = [replace(one, own=eks.name in one.name) for one in (_group(row, sizes, now) for row in largest)]
    return tuple(sorted(made, key=lambda one: (-one.came_in_bytes, one.name)))


def _group(row: Mapping[str, Any], sizes: Mapping[str, float], now: datetime) -> Group:
    name = str(row["logGroupName"])
    born_s = float(row.get("creationTime") or 0) / 1000
    days = row.get("retentionInDays")
    return Group(
        name=name,
        kind=str(row.get("logGroupClass") or "STANDARD"),
        came_in_bytes=sizes.get(name, 0.0),
        stored_bytes=float(row.get("storedBytes") or 0),
        retention_days=int(days) if days else None,
        age_days=max(0.0, now.timestamp() - born_s) / DAY_S,
        metric_filters=int(row.get("metricFilterCount") or 0),
    )


async def _came_in(eks: EksCluster, names: Sequence[str], now: datetime) -> dict[str, float]:
    """`IncomingBytes` of each group over the last thirty days."""
    if not names:
        return {}
    queries = [
        {
            "Id": f"g{place}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Logs",
                    "MetricName": "IncomingBytes",
                    "Dimensions": [{"Name": "LogGroupName", "Value": name}],
                },
                "Period": 3600,
                "Stat": "Sum",
            },
        }
        for place, name in enumerate(names)
    ]
    end = int(now.timestamp()) // 3600 * 3600
    found: dict[str, float] = {}
    token: str | None = None
    while True:
        more = {"NextToken": token} if token else {}
        answer = await eks.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=queries,
            StartTime=end - DAYS * DAY_S,
            EndTime=end,
            **more,
        )
        for one in answer.get("MetricDataResults") or ():
            name = names[int(str(one["Id"])[1:])]
            found[name] = found.get(name, 0.0) + float(sum(one.get("Values") or ()))
        token = answer.get("NextToken")
        if not token:
            return found


async def talk(eks: EksCluster, group: Group, now: datetime) -> Talk:
    """Who writes a group. Raises what CloudWatch Logs raises."""
    made, until = Talk(), Until.within(WITHIN_S)
    spans = _spans(group, now)
    made.minutes = sum(span.seconds for span in spans) / 60
    shape = await _shape(eks, group.name, now)
    insights = Insights(eks, until)
    outcomes = await gather_outcomes(
        partial(_sampled, insights, group.name, shape, made), list(enumerate(spans)), at_once=3
    )
    made.gaps += [f"a sample was not read: {one.wire()}" for one in outcomes if isinstance(one, AiopsError)]
    first = next((one for one in outcomes if isinstance(one, AiopsError)), None)
    if first is not None and not made.sizes:
        raise first
    return made


def _spans(group: Group, now: datetime) -> list[Span]:
    """Short spans, spread evenly over the last week, together within the bound."""
    rate = group.came_in_bytes / (DAYS * DAY_S)
    reads = SLICES * (1 + 1 / PROBED)
    fits_s = MOST_BYTES / rate / reads if rate else LONGEST_S
    long = timedelta(seconds=round(max(LEAST_S, min(LONGEST_S, fits_s))))
    first, step = now - SAMPLED, (SAMPLED - long) / (SLICES - 1)
    return [Span(first + step * place, first + step * place + long) for place in range(SLICES)]


async def _shape(eks: EksCluster, name: str, now: datetime) -> Shape:
    """How its lines are written, by a few of the newest."""
    for hours in (1, 24):
        answer = await eks.call(
            "logs",
            "filter_log_events",
            logGroupName=name,
            startTime=int((now - timedelta(hours=hours)).timestamp() * 1000),
            endTime=int(now.timestamp() * 1000),
            limit=SAMPLE,
        )
        if events := answer.get("events"):
            return shape_of(str(one.get("message") or "") for one in events)
    return shape_of(())


async def _sampled(insights: Insights, name: str, shape: Shape, made: Talk, turn: tuple[int, Span]) -> None:
    place, span = turn
    facts = [fact for fact in ("service", "level") if shape.knows(fact)]
    names = {fact: shape.field(fact) for fact in facts}
    by = f" by {', '.join(names.values())}" if names else ""
    size = f"stats sum(strlen(@message)) as bytes{by}"
    rows = await _rows(insights, (*shape.prelude(facts), size), name, span, made)
    for row in rows:
        level = row.get(names.get("level", "").strip("`"), "")
        service = row.get(names.get("service", "").strip("`"), "")
        made.sizes[service, level_named(level) or level.lower()] += int(float(row.get("bytes") or 0))
    if place % PROBED:
        return
    made.probed += sum(int(float(row.get("bytes") or 0)) for row in rows)
    probes = (*shape.prelude(facts), f"filter @message like {PROBES}", size)
    for row in await _rows(insights, probes, name, span, made):
        service = row.get(names.get("service", "").strip("`"), "")
        made.probes[service] += int(float(row.get("bytes") or 0))


async def _rows(
    insights: Insights, commands: Sequence[str], name: str, span: Span, made: Talk
) -> Sequence[Mapping[str, str]]:
    """The rows of one query; a part of them is none, since shares of a part are wrong."""
    found = await insights.run("\n| ".join(commands), [name], span, open_end=True)
    made.scanned_bytes += found.scanned_bytes
    if found.cut:
        raise UpstreamTimeoutError(f"samples of {name}", found.cut)
    return found.rows
