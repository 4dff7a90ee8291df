"""Which requests of a service are worse and where their time goes: reads traces, judges, and says it.

Called by the trace tool through `ports.Traces`. Groups are judged by `trace_groups`, time is shared out by
`analysis.critical_path`, `trace_wording` writes the answer.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import anyio
import numpy as np

from aiops_observability.analysis.critical_path import Step, explain
from aiops_observability.analysis.outliers import FEWEST
from aiops_observability.clients.trace_backend import TraceBackend, TraceSample, TraceSearch
from aiops_observability.clients.trace_groups import (
    FACETS,
    Judged,
    Served,
    against_past,
    best_of,
    edges,
    grouped,
    measurements,
    narrower,
    served,
)
from aiops_observability.clients.trace_making import TraceStores
from aiops_observability.clients.trace_places import Places
from aiops_observability.clients.trace_wording import Read, Story, answer_of, nothing_found
from aiops_observability.models.spans import Trace
from aiops_observability.models.traces import TraceAnalysis, TraceAsk
from aiops_observability.ports import SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    UpstreamError,
)
from aiops_shared.kube.nearest import nearest
from aiops_shared.params import since_to_datetime

SLOWEST = 90  # percentile of duration from which a request counts as slow where none failed


@dataclass(frozen=True)
class TraceReader:
    """Fulfils `ports.Traces`."""

    stores: TraceStores
    places: Places
    clock: Clock
    sensitive: SensitiveReads

    async def analyze(self, ask: TraceAsk) -> TraceAnalysis:
        """One analysis. Raises ActionRefusedError, InvalidInputError, NotFoundError, NotConfiguredError."""
        now = await self.clock.now()
        since = since_to_datetime(ask.since, now)
        until = since_to_datetime(ask.until, now) if ask.until else now
        if since >= until:
            raise InvalidInputError("time", "the window ends before it begins", "give since before until")
        await self.sensitive.allow(f"traces of {ask.service}")
        read = await self._first(ask, since, until)
        return await anyio.to_thread.run_sync(partial(_told, ask, read))

    async def _first(self, ask: TraceAsk, since: datetime, until: datetime) -> Read:
        """What the usual store has; where it fails and no store was named, what another has."""
        failed: AiopsError | None = None
        said: list[str] = []
        for name in self.stores.order(ask.source):
            try:
                read = await self._read(await self.stores.open(ask.cluster, name), ask, since, until)
            except (UpstreamError, AccessDeniedError, NotConfiguredError, NotFoundError) as error:
                if failed is None and isinstance(error, NotFoundError):
                    raise
                failed = failed or error
                said.append(f"{name} gave nothing: {error.wire()}"[:300])
                continue
            if failed is None or read.sample.traces:
                return replace(read, warnings=(*said[:1], *read.warnings))
        if failed is None:
            raise NotConfiguredError("traces", "no store is configured", "set AIOPS_TRACES_SOURCE")
        raise failed

    async def _read(self, backend: TraceBackend, ask: TraceAsk, since: datetime, until: datetime) -> Read:
        search = TraceSearch(ask.service, since, until, ask.at_most)
        sample = await backend.find(search)
        if not sample.traces:
            await self._unknown(backend, ask.service, since, until)
        past, warnings = await self._past(backend, ask, search)
        cluster = await self.places.cluster_name(ask.cluster) if backend.name == "xray" else ""
        requests = served(sample.traces, ask.service, ask.endpoint, cluster)
        before = served(past, ask.service, ask.endpoint, cluster)
        if ask.endpoint and sample.traces and not requests:
            _unknown_endpoint(sample, ask)
        if requests and not any(one.span.facet("az") for one in requests):
            requests, said = await self.places.zoned(ask.cluster, requests)
            warnings += said
        return Read(backend.name, backend.samples, sample, requests, before, (since, until), tuple(warnings))

    async def _past(
        self, backend: TraceBackend, ask: TraceAsk, search: TraceSearch
    ) -> tuple[tuple[Trace, ...], list[str]]:
        """The traces of the equally long window before, where they are what a group is compared with."""
        if ask.group_by not in ("edge", "endpoint"):
            return (), []
        earlier = replace(search, since=search.since - (search.until - search.since), until=search.since)
        try:
            return (await backend.find(earlier)).traces, []
        except AiopsError as error:
            return (), [f"the window before was not read, so changes of latency are not judged: {error}"]

    async def _unknown(self, backend: TraceBackend, service: str, since: datetime, until: datetime) -> None:
        """Raises NotFoundError when the store knows services but not this one."""
        try:
            names = await backend.services(since, until)
        except AiopsError:
            return
        if names and service not in names:
            near = nearest(service, names) or tuple(sorted(names)[:5])
            raise NotFoundError(
                f"service {service}", f"{backend.name} has no trace of it", f"nearest: {', '.join(near)}"
            )


def _unknown_endpoint(sample: TraceSample, ask: TraceAsk) -> None:
    known = {one.span.facet("endpoint") for one in served(sample.traces, ask.service)} - {""}
    near = nearest(ask.endpoint, known) or tuple(sorted(known)[:5])
    raise NotFoundError(
        f"endpoint {ask.endpoint}",
        f"no request of {ask.service}",
        f"nearest: {', '.join(near) or 'none said'}",
    )


def _told(ask: TraceAsk, read: Read) -> TraceAnalysis:
    """Judge and say; runs in a thread, since thousands of spans take their time."""
    if not read.requests:
        return nothing_found(ask, read)
    judged = _judged(ask, read)
    chosen = best_of(judged) if ask.group_by == "auto" else judged[0]
    shown = chosen or judged[0]
    story = Story(shown, tuple(judged))
    outlier = shown.best
    if outlier is None or shown.by == "edge":
        looked_at, others, why = _worst(read.requests)
        return answer_of(ask, read, replace(story, looked_at=why, steps=_steps(looked_at, others)))
    group = [one for one in read.requests if one.facet(shown.by) == outlier.row.group]
    rest = [one for one in read.requests if one.facet(shown.by) != outlier.row.group]
    bad = [one for one in group if one.span.fault] if "faults" in outlier.metrics else group
    why = "failed requests of the outlier" if "faults" in outlier.metrics else "requests of the outlier"
    well = [one for one in rest if not one.span.fault]
    inside = [row for by in FACETS if by not in (shown.by, "node") for row in narrower(group, rest, by)]
    counts = Counter(row.by for row in inside)
    inside = [row for row in inside if counts[row.by] > 1]  # one alone says nothing more
    guilty = [row for row in inside if row.by == "endpoint" and row.differs]
    if guilty:
        group = [one for one in group if one.facet("endpoint") == guilty[0].group]
        rest = [one for one in rest if one.facet("endpoint") == guilty[0].group]
    return answer_of(
        ask,
        read,
        replace(
            story,
            looked_at=why,
            steps=_steps(bad, well),
            narrower=tuple(inside),
            measured=tuple(measurements(group, rest)),
            exemplars=tuple(_exemplars(bad)),
        ),
    )


def _judged(ask: TraceAsk, read: Read) -> list[Judged]:
    if ask.group_by == "auto":
        return [grouped(read.requests, by) for by in FACETS if by != "endpoint"]
    if ask.group_by == "edge":
        return [edges(read.requests, read.before)]
    if ask.group_by == "endpoint" and len(read.before) >= FEWEST:
        return [against_past(read.requests, read.before, "endpoint")]
    return [grouped(read.requests, ask.group_by)]


def _worst(requests: Sequence[Served]) -> tuple[list[Served], list[Served], str]:
    """The requests that failed, else the slowest, and the others."""
    failed = [one for one in requests if one.span.fault]
    if len(failed) >= FEWEST:
        return failed, [one for one in requests if not one.span.fault], "failed requests"
    bound = float(np.percentile([one.span.duration_s for one in requests], SLOWEST))
    slow = [one for one in requests if one.span.duration_s >= bound]
    return slow, [one for one in requests if one.span.duration_s < bound], "slowest tenth"


def _steps(looked_at: Sequence[Served], others: Sequence[Served]) -> tuple[Step, ...]:
    return explain([(one.trace, one.span) for one in looked_at], [(one.trace, one.span) for one in others])


def _exemplars(requests: Sequence[Served]) -> list[str]:
    """The slowest, one in the middle, and the newest."""
    ordered = sorted(requests, key=lambda one: -one.span.duration_s)
    chosen = [ordered[0], ordered[len(ordered) // 2], max(ordered, key=lambda one: one.span.start_s)]
    return list(dict.fromkeys(one.trace.trace_id for one in chosen))
