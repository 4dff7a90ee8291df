"""Who writes how much of a cluster's logs: sums by log stream from samples spread over the period.

Called by the own allocation when the bill has log ingestion. Only sums of lengths are asked for, no line is
read; Logs Insights bills what it scans, so all samples together stay below `MOST_BYTES`, and sums are kept.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
import orjson

from aiops_cost.analysis.allocation import Owner, owner_of
from aiops_cost.analysis.fleet import Fleet
from aiops_shared.aws import EksCluster
from aiops_shared.errors import AiopsError, NotFoundError, UpstreamTimeoutError
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
    """Bytes by owner, as samples show it; empty where nobody could tell."""

    shares: Mapping[Owner, float]
    says: str
    scanned_bytes: int = 0
    evidence: tuple[Evidence, ...] = ()
    warnings: tuple[str, ...] = ()


class LogSharer:
    """Log Insights of a cluster's account, asked once a day for each period."""

    def __init__(self, kept: Answers) -> None:
        self._kept = kept

    async def read(
        self, eks: EksCluster, fleet: Fleet, window: tuple[datetime, datetime], now: datetime
    ) -> LogShares:
        """The shares over a window. Raises nothing of its own: what is missing is a warning."""
        group = f"/aws/containerinsights/{eks.name}/application"
        key = key_of(eks.full_name, group, *(moment.date().isoformat() for moment in window))
        held = await self._kept.get(key)
        if held is not None and now - held.made_at < KEEP:
            streams = Counter[str](orjson.loads(held.body))
            return LogShares(
                _owned(streams, fleet), f"samples of {group}, kept since {held.made_at:%Y-%m-%d %H:%M}"
            )
        try:
            return await self._sampled(eks, group, fleet, (window[0], min(window[1], now)), key)
        except AiopsError as error:
            if isinstance(error, NotFoundError):
                return LogShares(
                    {}, "", warnings=(f"log group {group} does not exist: who writes logs is open",)
                )
            return LogShares({}, "", warnings=(f"who writes logs is open: {error.wire()}"[:300],))

    async def _sampled(
        self, eks: EksCluster, group: str, fleet: Fleet, window: tuple[datetime, datetime], key: str
    ) -> LogShares:
        whole = await came_in(eks, group, window)
        spans = _slices(window, whole)
        with anyio.move_on_after(DEADLINE_S * 2):
            outcomes = await gather_outcomes(partial(_sums, eks, group), spans, at_once=3)
        good = [one for one in outcomes if isinstance(one, tuple)]
        failed = [one for one in outcomes if isinstance(one, AiopsError)]
        if not good:
            raise failed[0] if failed else UpstreamTimeoutError("Logs Insights", "no sample came in time")
        streams: Counter[str] = Counter()
        scanned = 0
        for sums, bytes_read in good:
            streams.update(sums)
            scanned += bytes_read
        await self._kept.put(key, orjson.dumps(dict(streams)))
        minutes = sum((until - since).total_seconds() for since, until in spans) / 60
        says = f"{len(good)} samples of {group}, {minutes:.0f} min together, {scanned / 1e9:.2f} GB scanned"
        return LogShares(
            _owned(streams, fleet),
            says,
            scanned,
            (Evidence(source="CloudWatch Logs Insights", query=f"{group}: {QUERY}", says=says),),
            tuple(f"a sample was not read: {one}"[:200] for one in failed),
        )


async def came_in(eks: EksCluster, group: str, window: tuple[datetime, datetime]) -> float:
    """Bytes a log group took in (CloudWatch's IncomingBytes); 0 where it has no figure."""
    period = 86_400
    metric = {
        "Namespace": "AWS/Logs",
        "MetricName": "IncomingBytes",
        "Dimensions": [{"Name": "LogGroupName", "Value": group}],
    }
    answer = await eks.call(
        "cloudwatch",
        "get_metric_data",
        MetricDataQueries=[
            {"Id": "bytes", "MetricStat": {"Metric": metric, "Period": period, "Stat": "Sum"}}
        ],
        StartTime=int(window[0].timestamp()) // period * period,
        EndTime=-(-int(window[1].timestamp()) // period) * period,
    )
    results = answer.get("MetricDataResults") or [{}]
    return float(sum(results[0].get("Values") or ()))


def _slices(window: tuple[datetime, datetime], whole_bytes: float) -> Sequence[tuple[datetime, datetime]]:
    """Samples spread evenly, together below the bound."""
    span_s = (window[1] - window[0]).total_seconds()
    rate = whole_bytes / span_s
    long_s = MOST_BYTES / rate / SLICES if rate else LONGEST_S
    long_s = max(LEAST_S, min(LONGEST_S, long_s, span_s / SLICES))
    step = (span_s - long_s) / (SLICES - 1)
    starts = [window[0] + timedelta(seconds=round(step * place)) for place in range(SLICES)]
    return [(start, start + timedelta(seconds=round(long_s))) for start in starts]


async def _sums(
    eks: EksCluster, group: str, span: tuple[datetime, datetime]
) -> tuple[Mapping[str, int], int]:
    """Bytes by stream of one sample, and what was scanned."""
    started = await eks.call(
        "logs",
        "start_query",
        logGroupName=group,
        queryString=QUERY,
        startTime=int(span[0].timestamp()),
        endTime=int(span[1].timestamp()) - 1,
        limit=10_000,
    )
    query_id = str(started.get("queryId") or "")
    answer: Any = {}
    done = False
    try:
        with anyio.move_on_after(DEADLINE_S):
            wait_s = 0.1
            while not done:
                answer = await eks.call("logs", "get_query_results", queryId=query_id)
                done = answer.get("status") not in {"Scheduled", "Running"}
                if not done:
                    await anyio.sleep(wait_s)
                    wait_s = min(2.0, 2 * wait_s)
    finally:
        if not done:
            with anyio.move_on_after(3, shield=True):
                await eks.call("logs", "stop_query", queryId=query_id)
    if answer.get("status") != "Complete":
        raise UpstreamTimeoutError("Logs Insights", f"a query ended {answer.get('status') or 'unfinished'}")
    rows = [{one.get("field"): one.get("value") for one in row} for row in answer.get("results") or ()]
    sums = {str(row.get("@logStream") or ""): int(float(row.get("bytes") or 0)) for row in rows}
    return sums, int((answer.get("statistics") or {}).get("bytesScanned") or 0)


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
