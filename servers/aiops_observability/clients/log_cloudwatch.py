"""The logs of CloudWatch for the analyses: Insights counts, and gives the lines that are mined."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiops_observability.clients.log_cost import Costs
from aiops_observability.clients.log_spans import hours
from aiops_observability.clients.log_store import MOST_LINES, Count, Counts, Lines, Spent, Told, Which
from aiops_shared.aws import EksCluster
from aiops_shared.aws.log_insights import MOST_ROWS, Found, Insights
from aiops_shared.aws.log_lines import read
from aiops_shared.aws.log_shape import Shape, shape_of
from aiops_shared.aws.log_spans import Span, Until
from aiops_shared.errors import InvalidInputError
from aiops_shared.results import Evidence

SAMPLE = 200
_STAMP = "%Y-%m-%d %H:%M:%S.%f"
_STATUS_CLASS = "class"


@dataclass
class CloudWatchLogs:
    """Fulfils `LogStore`."""

    eks: EksCluster
    groups: tuple[str, ...]
    costs: Costs
    until: Until
    spent: Spent = field(default_factory=Spent)
    _shape: Shape | None = None

    @property
    def what(self) -> str:
        """The log groups."""
        return ", ".join(self.groups)

    async def admit(self, spans: Sequence[Span]) -> None:
        """One run over each of the spans. Raises QueryInvalidError, NotFoundError."""
        whole = Span(min(one.since for one in spans), max(one.until for one in spans))
        estimate = await self.costs.estimate(self.groups, whole)
        self.spent.warn(*estimate.rough)
        runs = sum(one.seconds for one in spans) / max(1.0, whole.seconds)
        self.costs.admit(estimate, whole, runs=runs)

    async def shape(self, span: Span) -> Shape:
        """How the lines are written, by a few of the newest."""
        if self._shape is None:
            self._shape = shape_of(await self._sample(span))
        return self._shape

    async def _sample(self, span: Span) -> list[str]:
        found: list[str] = []
        spans = [Span(max(span.since, span.until - hours(part)), span.until) for part in (0.25, 6)]
        for each in (*spans, span):
            for group in self.groups:
                answer = await self.eks.call(
                    "logs",
                    "filter_log_events",
                    logGroupName=group,
                    startTime=int(each.since.timestamp() * 1000),
                    endTime=int(each.until.timestamp() * 1000),
                    limit=SAMPLE,
                )
                found += [str(one.get("message") or "") for one in answer.get("events") or ()]
            if len(found) >= SAMPLE // 10:
                break
        return found

    async def lines(self, span: Span, which: Which, service: str = "", most: int = MOST_LINES) -> Lines:
        """The newest lines of a span; how many matched is Insights' own count."""
        shape = await self.shape(span)
        query = self._query(shape, which, service, ("level", "status"))
        query += ["fields @timestamp, @message, @logStream", "sort @timestamp desc", f"limit {most}"]
        found = await self._run(query, span, most)
        lines = tuple(
            Told(_moment(row.get("@timestamp", "")), read(row.get("@message", "")), row.get("@logStream", ""))
            for row in found.rows
        )
        full = len(lines) >= min(most, MOST_ROWS)
        warned = () if not found.cut or full else (found.cut,)
        return Lines(lines, max(found.matched, len(lines)), warned)

    async def counts(
        self, span: Span, by: Sequence[str], *, step_s: int | None = None, service: str = ""
    ) -> Counts:
        """`stats count(*)` by facts and bucket: the backend counts every line."""
        shape = await self.shape(span)
        known = tuple(fact for fact in by if shape.knows("status" if fact == _STATUS_CLASS else fact))
        query = self._query(
            shape, "all", service, ("status" if one == _STATUS_CLASS else one for one in known)
        )
        if _STATUS_CLASS in known:
            query.append(f"fields floor({shape.field('status')} / 100) as class")
        names = [("class" if fact == _STATUS_CLASS else shape.field(fact)) for fact in known]
        bucket = f"bin({step_s // 60}m)" if step_s else ""
        groups = [*([bucket] if bucket else []), *names]
        query.append("stats count(*) as n" + (f" by {', '.join(groups)}" if groups else ""))
        found = await self._run(query, span, MOST_ROWS)
        counts = tuple(_count(row, bucket, dict(zip(known, names, strict=True))) for row in found.rows)
        return Counts(counts, known, (found.cut,) if found.cut else ())

    async def bytes_by(self, span: Span, service: str = "") -> list[tuple[str, str, int]]:
        """(service, level, bytes of messages) of a span, as the backend sums them."""
        shape = await self.shape(span)
        known = [fact for fact in ("service", "level") if shape.knows(fact)]
        query = self._query(shape, "all", service, known)
        names = {fact: shape.field(fact) for fact in known}
        by = f" by {', '.join(names.values())}" if names else ""
        query.append(f"stats sum(strlen(@message)) as bytes{by}")
        found = await self._run(query, span, MOST_ROWS)
        self.spent.warn(found.cut)

        def said(row: Mapping[str, str], fact: str) -> str:
            return row.get(names.get(fact, "").strip("`"), "")

        return [
            (said(row, "service"), said(row, "level"), int(float(row.get("bytes") or 0)))
            for row in found.rows
        ]

    def _query(self, shape: Shape, which: Which, service: str, facts: Iterable[str]) -> list[str]:
        query = shape.prelude(dict.fromkeys([*facts, "level", *(["service"] if service else [])]))
        if service:
            query.append(_of_service(shape, service))
        if which != "all":
            query.append(f"filter {shape.errors() if which == 'errors' else shape.trouble()}")
        return query

    async def _run(self, commands: Sequence[str], span: Span, limit: int) -> Found:
        query = "\n| ".join(commands)
        found = await Insights(self.eks, self.until).run(query, self.groups, span, limit=limit, open_end=True)
        self.spent.scanned_bytes += found.scanned_bytes
        self.spent.evidence.append(
            Evidence(
                source=f"CloudWatch Logs Insights {self.what}",
                query=f"{span.said}: {query}",
                says=f"{len(found.rows)} rows of {found.scanned_records:,} lines",
            )
        )
        return found


def _of_service(shape: Shape, service: str) -> str:
    """Only one service's lines: by its field, else by the stream's name (it names the pod)."""
    word = "".join(letter for letter in service if letter.isalnum() or letter in "-_./")
    if word != service or not word:
        raise InvalidInputError("service", "holds what no service name holds", "letters, digits and -_./")
    if shape.knows("service"):
        return f'filter {shape.field("service")} = "{word}"'
    return f'filter @logStream like "{word}"'


def _count(row: Mapping[str, str], bucket: str, names: Mapping[str, str]) -> Count:
    facts = {fact: row.get(name.strip("`"), "") for fact, name in names.items()}
    return Count(_moment(row[bucket]) if row.get(bucket) else None, facts, int(float(row.get("n") or 0)))


def _moment(text: str) -> float:
    """Unix seconds of a time as Insights writes it; 0 for what is none."""
    try:
        return datetime.strptime(text, _STAMP).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
