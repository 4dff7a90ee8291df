"""What a log query would read, before it reads it: bytes estimated, capped, and what would be cheaper.

Logs Insights is billed by the bytes in the span of the groups, whatever the query filters, so the estimate
asks how many came in: `IncomingBytes` of namespace AWS/Logs over the span; where CloudWatch does not tell,
`storedBytes` spread over the group's age or retention. Nothing runs that is above AIOPS_LOGS_MAX_SCAN_BYTES.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from aiops_observability.clients.log_targets import described, missing
from aiops_shared.aws import EksCluster
from aiops_shared.aws.log_spans import Span
from aiops_shared.errors import AiopsError, NotFoundError, QueryInvalidError
from aiops_shared.kube.gathering import gather_outcomes

GIB = 1024**3
DAY_S = 86_400.0
_PERIODS = ((3 * 3600.0, 60), (15 * DAY_S, 300), (float("inf"), 3600))


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes of one run over a span, by log group; `rough` says why it may be far off."""

    by_group: tuple[tuple[str, float], ...]
    rough: tuple[str, ...] = ()

    @property
    def bytes(self) -> float:
        """All groups."""
        return sum(size for _, size in self.by_group)


@dataclass(frozen=True)
class Costs:
    """The estimate and the cap. `price`: per GB scanned, None where the operator gives none."""

    eks: EksCluster
    most_bytes: int
    now: datetime
    price: float | None = None

    async def estimate(self, groups: Sequence[str], span: Span) -> Estimate:
        """What one query over the span reads. Raises NotFoundError with the nearest names."""
        found: dict[str, tuple[float, str]] = {}
        for outcome in await gather_outcomes(partial(self._one, span=span, found=found), groups, at_once=8):
            if isinstance(outcome, AiopsError):
                raise outcome
        if absent := [name for name in groups if found[name][0] < 0]:
            raise await missing(self.eks, absent, NotFoundError("log group", "absent"))
        return Estimate(
            tuple((name, found[name][0]) for name in groups),
            tuple(dict.fromkeys(why for _, why in found.values() if why)),
        )

    async def _one(self, name: str, *, span: Span, found: dict[str, tuple[float, str]]) -> None:
        try:
            size = await self._came_in(name, span)
            if size is not None:
                found[name] = (size, "")
                return
            why = "estimated from stored bytes: CloudWatch has no IncomingBytes of this window"
        except AiopsError as error:
            why = f"estimated from stored bytes: {error}"
        try:
            found[name] = (await self._stored(name, span), why)
        except NotFoundError:
            found[name] = (-1.0, "")  # what costs an unknown sum is not run: other errors go through

    async def _came_in(self, name: str, span: Span) -> float | None:
        """`IncomingBytes`; None where CloudWatch has no figure. Whole periods that meet the span count by
        their share in it.
        """
        period = next(step for longest, step in _PERIODS if span.seconds <= longest)
        start = int(span.since.timestamp()) // period * period
        end = -(-int(span.until.timestamp()) // period) * period
        metric = {
            "Namespace": "AWS/Logs",
            "MetricName": "IncomingBytes",
            "Dimensions": [{"Name": "LogGroupName", "Value": name}],
        }
        answer = await self.eks.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=[
                {"Id": "bytes", "MetricStat": {"Metric": metric, "Period": period, "Stat": "Sum"}}
            ],
            StartTime=start,
            EndTime=end,
        )
        results = answer.get("MetricDataResults") or [{}]
        pairs = zip(results[0].get("Timestamps") or (), results[0].get("Values") or (), strict=False)
        shares = [float(value) * _share(at.timestamp(), period, span) for at, value in pairs]
        return sum(shares) if shares else None

    async def _stored(self, name: str, span: Span) -> float:
        """Stored bytes spread evenly over what is kept. Raises NotFoundError where there is no such group."""
        answer = await self.eks.call("logs", "describe_log_groups", logGroupNamePrefix=name)
        group = described(answer.get("logGroups") or (), name)
        if not group:
            raise NotFoundError(name, "no such log group")
        age_s = max(60.0, self.now.timestamp() - float(group.get("creationTime") or 0) / 1000)
        days = group.get("retentionInDays")
        kept_s = min(age_s, float(days) * DAY_S) if days else age_s
        inside_s = min(span.seconds, kept_s, max(0.0, kept_s - (self.now - span.until).total_seconds()))
        return float(group.get("storedBytes") or 0) * inside_s / kept_s

    def admit(self, estimate: Estimate, span: Span, *, runs: float = 1) -> float:
        """The bytes that so many runs will read. Raises QueryInvalidError above the cap."""
        wanted = estimate.bytes * runs
        if wanted <= self.most_bytes:
            return wanted
        fits_s = span.seconds * self.most_bytes / wanted
        largest = max(estimate.by_group, key=lambda each: each[1])
        others = "; or name fewer groups" if len(estimate.by_group) > 1 else ""
        raise QueryInvalidError(
            f"log query over {span.said}",
            f"would read about {size(wanted)}{self._money(wanted)}, above AIOPS_LOGS_MAX_SCAN_BYTES"
            f" ({size(self.most_bytes)}); most of it {largest[0]} ({size(largest[1] * runs)})",
            f"a window of {duration(fits_s)} fits (filters do not lower what Insights reads){others};"
            " or source=filter with a filter pattern, which is not billed by bytes;"
            " analyze_logs(mode=volume) says who writes so much",
        )

    def _money(self, wanted: float) -> str:
        return "" if self.price is None else f", {wanted / 1e9 * self.price:,.2f} at {self.price:g} per GB"


def _share(at_s: float, period: int, span: Span) -> float:
    """Which part of a period lies in the span."""
    first, last = max(at_s, span.since.timestamp()), min(at_s + period, span.until.timestamp())
    return max(0.0, last - first) / period


def size(count: float) -> str:
    """Bytes as a person reads them."""
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= one:
            return f"{count / one:,.3g} {unit}" if count < 1000 * one else f"{count / one:,.0f} {unit}"
    return f"{count:.0f} bytes"


def duration(seconds: float) -> str:
    """A window as `since` takes it."""
    for unit, one in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= one:
            return f"{int(seconds // one)}{unit}"
    return f"{max(1, int(seconds))}s"
