"""Log lines of one pod, a workload's pods or a selector's pods, merged by time.

Called by the log tool through `ports.Logs`. Everything that can be refused is refused before the first
request; the newest lines win when not all fit; the text is redacted before it is counted or cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import anyio

from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.instances import Instance, container_names, earlier, instance, unproven
from aiops_eks.clients.namespaces import require_namespace
from aiops_eks.clients.wording import brief, counted, cut
from aiops_eks.models.answers import LogAsk, PodLogs
from aiops_eks.models.fields import name_of, part, selector_text
from aiops_eks.models.health import Health, judge_object
from aiops_eks.models.log_lines import fitting, level_table, line_table, pattern_table, without_keys
from aiops_eks.models.searching import Search, compiled
from aiops_eks.ports import Clusters, Kube, Obj, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.kube.models import LogLine
from aiops_shared.params import since_to_datetime
from aiops_shared.results import Evidence, Table

MOST_PODS = 10
MOST_MATCHING = 500
READ_LINES = 1_000  # counted even when fewer are shown
MOST_LINES = 5_000
READ_BYTES = 1_000_000
DEFAULT_TAIL = 100  # who asks for more lines wants a longer answer
STAMP_BYTES = 31  # the time before each line, which counts too
BUDGET_CHARS = {"summary": 2_600, "full": 28_000}
LINE_CHARS = {"summary": 300, "full": 2_000}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Read:
    """One instance and its lines."""

    instance: Instance
    lines: Sequence[LogLine] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to read, settled before the first request."""

    ask: LogAsk
    now: datetime
    since: datetime | None
    search: Search | None
    pods: int = 1

    @property
    def lines(self) -> int:
        """Lines to read of each pod: together at most MOST_LINES, so that the answer stays quick."""
        share = MOST_LINES // max(1, self.pods)
        return share if self.search else max(min(self.ask.tail, share), READ_LINES // max(1, self.pods))


@dataclass(frozen=True)
class LogReader:
    """Fulfils `ports.Logs`."""

    known: Clusters
    clock: Clock
    sensitive: SensitiveReads
    redact: Callable[[str], str]

    async def read(self, ask: LogAsk) -> PodLogs:
        """Lines of all matching pods. Raises InvalidInputError, ActionRefusedError before any request."""
        plan = await self._planned(ask)
        await self.sensitive.allow(f"logs in {ask.namespace}")
        kube = await self.known.open(ask.cluster)
        pods = await _targets(kube, ask)
        if not pods:
            await require_namespace(kube, ask.namespace)
        chosen = _worst(pods, plan.now)[:MOST_PODS]
        plan = replace(plan, pods=len(chosen))
        results = await gathered([partial(self._pod, kube, plan, pod) for pod in chosen])
        failed = [each for each in results if isinstance(each, AiopsError)]
        if failed and len(failed) == len(results):
            raise failed[0]
        reads = [each for each in results if not isinstance(each, AiopsError)]
        answer = await anyio.to_thread.run_sync(partial(_answer, kube, plan, pods, reads))
        more = tuple(f"not read: {error}" for error in failed)
        return answer.model_copy(update={"warnings": (*answer.warnings, *more)}) if more else answer

    async def _planned(self, ask: LogAsk) -> _Plan:
        if [bool(ask.pod), bool(ask.workload), bool(ask.selector)].count(True) != 1:
            raise InvalidInputError("target", "give exactly one of pod, workload, selector")
        now = await self.clock.now()
        since = since_to_datetime(ask.since, now) if ask.since else None
        return _Plan(ask, now, since, compiled(ask.grep) if ask.grep else None)

    async def _pod(self, kube: Kube, plan: _Plan, pod: Obj) -> _Read:
        chosen = instance(pod, plan.ask.container, plan.ask.previous, plan.now)
        if not chosen.readable:
            return _Read(chosen)
        lines = await self._lines(kube, plan, chosen)
        if chosen.fallback and (not lines or unproven(pod, chosen.container, plan.now)):
            before = earlier(pod, chosen, plan.now)
            older = await self._lines(kube, plan, before)
            return _Read(before, [*older, *lines]) if older else _Read(chosen, lines)
        return _Read(chosen, lines)

    async def _lines(self, kube: Kube, plan: _Plan, chosen: Instance) -> list[LogLine]:
        found: Sequence[LogLine] = ()
        # The kubelet stops at the byte limit and drops the newest lines, so long lines need a shorter tail.
        for tail in (plan.lines, plan.lines // 10 + 1, plan.lines // 100 + 1):
            found = await kube.logs(
                plan.ask.namespace,
                chosen.pod,
                container=chosen.container,
                previous=chosen.previous,
                tail=tail,
                since=plan.since,
                limit_bytes=READ_BYTES,
            )
            if sum(len(line.text.encode()) + STAMP_BYTES for line in found) < READ_BYTES * 0.9:
                break
        return await anyio.to_thread.run_sync(partial(self._clean, found))

    def _clean(self, found: Sequence[LogLine]) -> list[LogLine]:
        """Redacted before anything is searched or counted: a count would tell what a secret holds."""
        clean = [self.redact(each) for each in without_keys(line.text for line in found)]
        return [line.model_copy(update={"text": each}) for line, each in zip(found, clean, strict=True)]


async def _targets(kube: Kube, ask: LogAsk) -> list[Obj]:
    if ask.pod:
        return [await kube.get("Pod", ask.namespace, ask.pod)]
    selector = ask.selector or await _selector_of(kube, ask)
    return [pod async for pod in kube.every("Pod", ask.namespace, selector=selector, at_most=MOST_MATCHING)]


async def _selector_of(kube: Kube, ask: LogAsk) -> str:
    kind, _, name = ask.workload.partition("/")
    owner = await kube.get(kind, ask.namespace, name)
    if owner.get("kind") == "Pod":
        raise InvalidInputError("workload", "is a pod", f"use pod={name}")
    selector = selector_text(part(owner, "spec", "selector"))
    if not selector:
        raise InvalidInputError("workload", f"a {kind} selects no pods of its own", "give pod or selector")
    return selector


def _worst(pods: list[Obj], now: datetime) -> list[Obj]:
    def order(pod: Obj) -> tuple[int, int, str]:
        health = judge_object("Pod", pod, now) or Health(0, "")
        return -health.badness, -health.restarts, name_of(pod)

    return sorted(pods, key=order)


def _answer(kube: Kube, plan: _Plan, pods: list[Obj], reads: list[_Read]) -> PodLogs:
    """Merge, filter, count and cut; runs in a thread, since thousands of lines take their time."""
    ask = plan.ask
    every = sorted((line for read in reads for line in read.lines), key=lambda line: line.at or _LONG_AGO)
    lines, warnings = _filtered(every, plan.search)
    width = "full" if ask.tail > DEFAULT_TAIL else ask.detail
    shown = fitting(lines, ask.tail, BUDGET_CHARS[width], LINE_CHARS[width])
    warnings += _warnings(plan, pods, reads)
    if len(shown) < min(len(lines), ask.tail):
        warnings.append(f"the newest {len(shown)} of {len(lines)} lines fit; detail=full or grep for more")
    return PodLogs(
        summary=_said(ask, pods, reads, lines, every),
        sources=_sources(reads),
        levels=level_table(lines),
        patterns=pattern_table(lines),
        lines=line_table(shown),
        evidence=(_evidence(kube, plan, reads),),
        warnings=tuple(warnings),
        hint="" if shown else _empty(ask, pods, reads, len(every)),
        truncated=len(shown) < len(lines) or len(pods) > len(reads),
        untrusted=("lines", "patterns", "sources"),
    )


def _filtered(lines: list[LogLine], search: Search | None) -> tuple[list[LogLine], list[str]]:
    if search is None:
        return lines, []
    found = search.among([line.text for line in lines])
    kept = [line for at, line in enumerate(lines) if at in found.matching]
    if found.searched == len(lines):
        return kept, []
    return kept, [f"only the newest {found.searched} of {len(lines)} lines were searched in time"]


def _warnings(plan: _Plan, pods: list[Obj], reads: list[_Read]) -> list[str]:
    said, ask = [], plan.ask
    if len(pods) > MOST_PODS:
        said.append(f"{MOST_PODS} of {len(pods)} pods were read, the worst first")
    if any(len(read.lines) >= plan.lines for read in reads):
        said.append(f"only the newest {plan.lines} lines of each pod were read")
    if any(read.instance.ended == "OOMKilled" for read in reads):
        said.append("OOMKilled: the kernel ends the process at once, so the log stops without an error line")
    read_from = {read.instance.container for read in reads}
    others = sorted({name for pod in pods for name in container_names(pod)} - read_from)
    if others and not ask.container:
        said.append(f"other containers not read: {brief(others)}")
    return said


def _sources(reads: list[_Read]) -> Table:
    rows = []
    for read in reads:
        run = read.instance
        said = f"{run.state}: {run.message}" if run.message else run.state
        rows.append((run.pod, run.container, said, len(read.lines)))
    return Table(columns=("pod", "container", "instance", "lines"), rows=tuple(rows))


def _said(
    ask: LogAsk, pods: list[Obj], reads: list[_Read], lines: list[LogLine], every: list[LogLine]
) -> str:
    """No line of the log stands in the summary: what a log says is data, and marked so elsewhere."""
    if not pods:
        return f"No pods match in {ask.namespace}."
    counts = {str(row[0]): row[1] for row in level_table(lines).rows}
    grave = ", ".join(f"{counts[name]} {name}" for name in ("fatal", "error", "warn") if name in counts)
    number = counted(len(lines), "line")
    matched = f"{number} of {len(every)} matching" if ask.grep else number
    first = reads[0].instance
    one = f"{first.pod}/{first.container} ({first.state})"
    whose = one if len(reads) == 1 else f"{len(reads)} pods; worst {one}"
    return cut(f"{matched} from {whose}; {grave or 'no errors or warnings by level'}.")


def _empty(ask: LogAsk, pods: list[Obj], reads: list[_Read], every: int) -> str:
    if not pods:
        return f"No pods in {ask.namespace} for this target; list_resources(kind=Pod) shows what is there."
    if not all(read.instance.readable for read in reads):
        return "The container never started, so it has no log; get_resource or diagnose says why."
    if ask.grep and every:
        return f"None of {every} lines match; leave grep out to see them."
    return "The log is empty in this window; widen since, or try previous=yes."


def _evidence(kube: Kube, plan: _Plan, reads: list[_Read]) -> Evidence:
    ask = plan.ask
    first = reads[0].instance if reads else None
    what = f"{first.pod} -c {first.container}" if first else ask.selector or ask.workload
    previous = " --previous" if first and first.previous else ""
    window = f" --since-time={plan.since:%FT%TZ}" if plan.since else ""
    more = f" and {len(reads) - 1} more pods" if len(reads) > 1 else ""
    return Evidence(
        source=f"Kubernetes API of {kube.cluster}",
        query=f"kubectl logs -n {ask.namespace} {what}{previous}{window}{more}",
        says=counted(sum(len(read.lines) for read in reads), "line"),
    )
