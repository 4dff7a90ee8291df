"""Who writes how much of a cluster's logs: sums by log stream from samples spread over the period.

Called by the own allocation when the bill has log ingestion. Only sums of lengths are asked for, no line is
read; Logs Insights bills what it scans, so all samples together stay below `MOST_BYTES`, and sums are kept.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson

from aiops_cost.analysis.allocation import Owner, owner_of
from aiops_cost.analysis.fleet import Fleet
from aiops_cost.clients.kept_answers import kept, recalled
from aiops_shared.aws import EksCluster
from aiops_shared.aws.log_insights import Insights
from aiops_shared.aws.log_spans import Span, Until
from aiops_shared.errors import AiopsError, UpstreamTimeoutError
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.results import Evidence
from aiops_shared.state.answers import Answers, key_of

MOST_BYTES = 2 * 1024**3  # of all samples together: about a cent
SLICES, LEAST_S, LONGEST_S = 6, 60, 3600
KEEP = timedelta(hours=24)
DEADLINE_S = 12.0
QUERY = "stats sum(strlen(@message)) as bytes by @logStream"
# Fluent Bit names a container's stream after its file: <pod>_<namespace>_<container>-<id>.log.
_FILE = re.compile(r"(?:.*containers\.)?(?P<pod>[^_]+)(?:_(?P<namespace>[^_]+)_.*)?")


@dataclass(frozen=True, slots=True)
class LogShares:
    """The cluster's part of the account's logs and who wrote it, in bytes; nothing where nobody could tell.

    `shares` sum to `cluster_bytes`; an owner without a name is what could not be told apart.
    """

    shares: Mapping[Owner, float] = field(default_factory=dict)
    cluster_bytes: int = 0
    account_bytes: int = 0
    says: str = ""
    evidence: tuple[Evidence, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was measured: bytes of the groups, and of the samples by stream."""

    application: int
    cluster: int
    account: int
    streams: Mapping[str, int]
    says: str


class LogSharer:
    """Log Insights and metrics of a cluster's account, asked once a day for each period."""

    def __init__(self, answers: Answers) -> None:
        self._kept = answers

    async def read(
        self, eks: EksCluster, fleet: Fleet, window: tuple[datetime, datetime], now: datetime
    ) -> LogShares:
        """The shares over a window. Raises nothing of AWS's: what is missing is a warning."""
        key = key_of(eks.full_name, *(moment.date().isoformat() for moment in window))
        held = await recalled(self._kept, key, _heard, KEEP)
        if held.value is not None:
            says = f"{held.value.says}, kept since {held.made_at:%Y-%m-%d %H:%M}"
            return _shared(replace(held.value, says=says), fleet)
        try:
            sizes = await _sizes(eks, window)
        except AiopsError as error:
            return LogShares(warnings=(f"how much the cluster logs is open: {error.wire()}"[:300],))
        group, warnings = groups_of(eks.name)[0], [held.note] if held.note else []
        cluster, account = sum(sizes[one] for one in groups_of(eks.name)), sizes[""]
        told = _Heard(sizes[group], cluster, max(cluster, account), {}, "no samples")
        if sizes[group]:
            try:
                told = await _sampled(eks, told, window)
            except AiopsError as error:
                warnings.append(f"who writes logs is open: {error.wire()}"[:300])
            else:
                warnings += filter(None, [await kept(self._kept, key, orjson.dumps(asdict(told)))])
        return _shared(told, fleet, warnings)


def _heard(body: bytes) -> _Heard:
    return _Heard(**orjson.loads(body))


def groups_of(cluster: str) -> tuple[str, ...]:
    """The log groups that EKS and Container Insights make for a cluster; what its containers write first."""
    insights = f"/aws/containerinsights/{cluster}"
    ends = ("application", "dataplane", "host", "performance")
    return (*(f"{insights}/{end}" for end in ends), f"/aws/eks/{cluster}/cluster")


def _shared(told: _Heard, fleet: Fleet, warnings: Sequence[str] = ()) -> LogShares:
    owned = _owned(told.streams, fleet)
    whole = sum(owned.values())
    shares = {owner: told.application * count / whole for owner, count in owned.items()} if whole else {}
    unknown = ("", "", "")
    shares[unknown] = shares.get(unknown, 0.0) + told.cluster - (told.application if whole else 0)
    query = Evidence(source="CloudWatch Logs Insights", query=QUERY, says=told.says)
    return LogShares(
        shares, told.cluster, told.account, told.says, (query,) if told.streams else (), tuple(warnings)
    )


async def _sizes(eks: EksCluster, window: tuple[datetime, datetime]) -> dict[str, int]:
    """Bytes that each group of the cluster took in, and under '' the whole account's region (CloudWatch's
    IncomingBytes).
    """
    period, names = 86_400, (*groups_of(eks.name), "")
    asked = [
        {
            "Id": f"bytes{place}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Logs",
                    "MetricName": "IncomingBytes",
                    "Dimensions": [{"Name": "LogGroupName", "Value": name}] if name else [],
                },
                "Period": period,
                "Stat": "Sum",
            },
        }
        for place, name in enumerate(names)
    ]
    answer = await eks.call(
        "cloudwatch",
        "get_metric_data",
        MetricDataQueries=asked,
        StartTime=int(window[0].timestamp()) // period * period,
        EndTime=-(-int(window[1].timestamp()) // period) * period,
    )
    found = dict.fromkeys(names, 0)
    for result in answer.get("MetricDataResults") or ():
        place = str(result.get("Id") or "").removeprefix("bytes")
        if place.isdigit() and int(place) < len(names):
            found[names[int(place)]] += round(sum(result.get("Values") or ()))
    return found


async def _sampled(eks: EksCluster, told: _Heard, window: tuple[datetime, datetime]) -> _Heard:
    group = groups_of(eks.name)[0]
    spans = _slices(window, told.application)
    until = Until.within(DEADLINE_S)
    outcomes = await gather_outcomes(partial(_sums, Insights(eks, until), group), spans, at_once=3)
    good = [one for one in outcomes if isinstance(one, tuple)]
    failed = [one for one in outcomes if isinstance(one, AiopsError)]
    if not good:
        raise failed[0] if failed else UpstreamTimeoutError("Logs Insights", "no sample came in time")
    streams: Counter[str] = Counter()
    for sums, _ in good:
        streams.update(sums)
    scanned = sum(count for _, count in good)
    minutes = sum(one.seconds for one in spans) / 60
    says = f"{len(good)} of {len(spans)} samples, {minutes:.0f} min together, {scanned / 1e9:.2f} GB scanned"
    return replace(told, streams=dict(streams), says=says)


def _slices(window: tuple[datetime, datetime], whole_bytes: float) -> list[Span]:
    """Samples spread evenly, together below the bound."""
    span_s = (window[1] - window[0]).total_seconds()
    rate = whole_bytes / span_s
    long_s = MOST_BYTES / rate / SLICES if rate else LONGEST_S
    long_s = max(LEAST_S, min(LONGEST_S, long_s, span_s / SLICES))
    step = (span_s - long_s) / (SLICES - 1)
    starts = [window[0] + timedelta(seconds=round(step * place)) for place in range(SLICES)]
    return [Span(start, start + timedelta(seconds=round(long_s))) for start in starts]


async def _sums(insights: Insights, group: str, span: Span) -> tuple[Mapping[str, int], int]:
    """Bytes by stream of one sample, and what was scanned."""
    found = await insights.run(QUERY, (group,), span, open_end=True)
    sums = {row.get("@logStream", ""): int(float(row.get("bytes") or 0)) for row in found.rows}
    return sums, found.scanned_bytes


def _owned(streams: Mapping[str, int], fleet: Fleet) -> dict[Owner, float]:
    """Bytes by owner: a stream is named after its pod, sometimes after its workload and a number."""
    pods = {pod.name: pod for pod in (*fleet.pods, *fleet.finished, *fleet.gone)}
    workloads = {pod.owner_name: pod for pod in fleet.pods}
    found: Counter[Owner] = Counter()
    for stream, count in streams.items():
        match = _FILE.fullmatch(stream)
        name = match["pod"] if match else stream
        pod = pods.get(name) or _by_workload(name, workloads)
        if pod is not None and match and match["namespace"] and pod.namespace != match["namespace"]:
            pod = None
        found[owner_of(pod) if pod is not None else ("", "", "")] += count
    return dict(found)


def _by_workload(name: str, workloads: Mapping[str, Any]) -> Any:
    parts = name.split("-")
    for dropped in range(3):
        found = workloads.get("-".join(parts[: len(parts) - dropped]))
        if found is not None:
            return found
    return None
