"""Log lines of one pod, a workload's pods or a selector's pods, merged by time.

Called by the log tool through `ports.Logs`. Everything that can be refused is refused before the first
request; the newest lines win when not all fit; the text is redacted before it is counted or cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import anyio

from aiops_eks.clients.fanout import Fanout
from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.instances import Instance, container_names, earlier, instance, unproven
from aiops_eks.clients.namespaces import require_namespace
from aiops_eks.clients.wording import brief, counted, cut
from aiops_eks.models.answers import LogAsk, PodLogs
from aiops_eks.models.fields import name_of, part, selector_text
from aiops_eks.models.health import Health, judge_object
from aiops_eks.models.log_lines import fitting, level_table, line_table, pattern_table
from aiops_eks.models.searching import Search, compiled
from aiops_eks.models.several import said_once
from aiops_eks.ports import Clusters, Kube, Obj, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.guardrails.key_lines import without_keys
from aiops_shared.kube.models import LogLine
from aiops_shared.params import since_to_datetime
from aiops_shared.results import Evidence, Table

MOST_PODS = 10
MOST_MATCHING = 500
READ_LINES = 1_000  # counted even when fewer are shown
MOST_LINES = 5_000
READ_BYTES, LEAST_BYTES = 1_000_000, 100_000
DEFAULT_TAIL = 100  # who asks for more lines wants a longer answer
STAMP_BYTES = 31  # the time before each line, which counts too
MOST_EVIDENCE = 3
BUDGET_CHARS = {"summary": 2_600, "full": 28_000}
LINE_CHARS = {"summary": 300, "full": 2_000}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Read:
    """One instance and its lines."""

    instance: Instance
    lines: Sequence[LogLine] = ()
    cluster: str = ""  # where several were asked

    def called(self, cluster: str) -> "_Read":
        """The same, with the cluster on every line."""
        lines = [line.model_copy(update={"cluster": cluster}) for line in self.lines]
        return replace(self, lines=lines, cluster=cluster)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to read, settled before the first request."""

    ask: LogAsk
    now: datetime
    since: datetime | None
    search: Search | None
    pods: int = 1
    clusters: int = 1

    @property
    def lines(self) -> int:
        """Lines to read of each pod: together at most MOST_LINES, so that the answer stays quick."""
        pods = max(1, self.pods * self.clusters)
        share = MOST_LINES // pods
        return share if self.search else max(min(self.ask.tail, share), READ_LINES // pods)

    @property
    def bytes(self) -> int:
        """Bytes to read of each pod at most."""
        return max(LEAST_BYTES, READ_BYTES // self.clusters)

    @property
    def most_pods(self) -> int:
        """Pods to read in a cluster."""
        return max(2, MOST_PODS // self.clusters)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one cluster's pods wrote."""

    cluster: str
    plan: _Plan
    pods: int
    reads: list[_Read]
    others: tuple[str, ...] = ()  # containers that were not read
    failed: tuple[AiopsError, ...] = ()


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
        if isinstance(ask.cluster, tuple):
            return await self._several(plan, ask.cluster)
        heard = await self._heard(plan, ask.cluster)
        return await anyio.to_thread.run_sync(partial(_answer, plan, [heard]))

    async def _several(self, plan: _Plan, words: tuple[str, ...]) -> PodLogs:
        """The lines of all clusters that the words mean; where that is one, as of one."""
        fanout = Fanout(self.known)
        choice = await fanout.choose(words)
        count = len(choice.clusters)
        plan = replace(plan, clusters=max(1, count))
        found = await fanout.each(choice, lambda word: self._heard(plan, word))
        parts = [replace(one.answer, cluster=one.label) for one in found.said]
        if count > 1:
            parts = [replace(one, reads=[read.called(one.cluster) for read in one.reads]) for one in parts]
        answer = await anyio.to_thread.run_sync(partial(_answer, plan, parts))
        return answer.model_copy(update={"warnings": (*found.gaps, *answer.warnings)})

    async def _heard(self, plan: _Plan, cluster: str | None) -> _Heard:
        kube, ask = await self.known.open(cluster), plan.ask
        pods = await _targets(kube, ask)
        if not pods:
            await require_namespace(kube, ask.namespace)
        chosen = _worst(pods, plan.now)[: plan.most_pods]
        plan = replace(plan, pods=len(chosen))
        results = await gathered([partial(self._pod, kube, plan, pod) for pod in chosen])
        failed = [each for each in results if isinstance(each, AiopsError)]
        if failed and len(failed) == len(results):
            raise failed[0]
        reads = [each for each in results if not isinstance(each, AiopsError)]
        read_from = {read.instance.container for read in reads}
        others = sorted({name for pod in pods for name in container_names(pod)} - read_from)
        return _Heard(kube.cluster, plan, len(pods), reads, tuple(others), tuple(failed))

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
                limit_bytes=plan.bytes,
            )
            if sum(len(line.text.encode()) + STAMP_BYTES for line in found) < plan.bytes * 0.9:
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


def _answer(plan: _Plan, parts: list[_Heard]) -> PodLogs:
    """Merge, filter, count and cut; runs in a thread, since thousands of lines take their time."""
    ask, reads = plan.ask, [read for part in parts for read in part.reads]
    every = sorted((line for read in reads for line in read.lines), key=lambda line: line.at or _LONG_AGO)
    lines, warnings = _filtered(every, plan.search)
    width = "full" if ask.tail > DEFAULT_TAIL else ask.detail
    shown = fitting(lines, ask.tail, BUDGET_CHARS[width], LINE_CHARS[width])
    each = [(part.cluster, _warnings(part)) for part in parts]
    warnings += said_once(each) if plan.clusters > 1 else each[0][1]
    if len(shown) < min(len(lines), ask.tail):
        warnings.append(f"the newest {len(shown)} of {len(lines)} lines fit; detail=full or grep for more")
    warnings += [f"not read: {error}" for part in parts for error in part.failed]
    pods = sum(part.pods for part in parts)
    return PodLogs(
        summary=_said(ask, pods, reads, lines, every),
        sources=_sources(reads),
        levels=level_table(lines),
        patterns=pattern_table(lines),
        lines=line_table(shown),
        evidence=tuple(_evidence(part) for part in parts[:MOST_EVIDENCE]),
        warnings=tuple(warnings),
        hint="" if shown else _empty(ask, pods, reads, len(every)),
        truncated=len(shown) < len(lines) or pods > len(reads),
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


def _warnings(part: _Heard) -> list[str]:
    said, plan, reads = [], part.plan, part.reads
    if part.pods > plan.most_pods:
        said.append(f"{plan.most_pods} of {part.pods} pods were read, the worst first")
    if any(len(read.lines) >= plan.lines for read in reads):
        said.append(f"only the newest {plan.lines} lines of each pod were read")
    if any(read.instance.ended == "OOMKilled" for read in reads):
        said.append("OOMKilled: the kernel ends the process at once, so the log stops without an error line")
    if part.others and not plan.ask.container:
        said.append(f"other containers not read: {brief(part.others)}")
    return said


def _sources(reads: list[_Read]) -> Table:
    named = any(read.cluster for read in reads)
    rows = []
    for read in reads:
        run = read.instance
        said = f"{run.state}: {run.message}" if run.message else run.state
        rows.append((*((read.cluster,) if named else ()), run.pod, run.container, said, len(read.lines)))
    columns = (*(("cluster",) if named else ()), "pod", "container", "instance", "lines")
    return Table(columns=columns, rows=tuple(rows))


def _said(ask: LogAsk, pods: int, reads: list[_Read], lines: list[LogLine], every: list[LogLine]) -> str:
    """No line of the log stands in the summary: what a log says is data, and marked so elsewhere."""
    if not pods or not reads:
        return f"No pods match in {ask.namespace}."
    counts = {str(row[0]): row[1] for row in level_table(lines).rows}
    grave = ", ".join(f"{counts[name]} {name}" for name in ("fatal", "error", "warn") if name in counts)
    number = counted(len(lines), "line")
    matched = f"{number} of {len(every)} matching" if ask.grep else number
    first = reads[0].instance
    one = f"{first.pod}/{first.container} ({first.state})"
    clusters = {read.cluster for read in reads}
    where = f" in {len(clusters)} clusters" if len(clusters) > 1 else ""
    whose = one if len(reads) == 1 else f"{len(reads)} pods{where}; worst {one}"
    return cut(f"{matched} from {whose}; {grave or 'no errors or warnings by level'}.")


def _empty(ask: LogAsk, pods: int, reads: list[_Read], every: int) -> str:
    if not pods:
        return f"No pods in {ask.namespace} for this target; list_resources(kind=Pod) shows what is there."
    if not all(read.instance.readable for read in reads):
        return "The container never started, so it has no log; get_resource or diagnose says why."
    if ask.grep and every:
        return f"None of {every} lines match; leave grep out to see them."
    return "The log is empty in this window; widen since, or try previous=yes."


def _evidence(part: _Heard) -> Evidence:
    ask, reads = part.plan.ask, part.reads
    first = reads[0].instance if reads else None
    what = f"{first.pod} -c {first.container}" if first else ask.selector or ask.workload
    previous = " --previous" if first and first.previous else ""
    window = f" --since-time={part.plan.since:%FT%TZ}" if part.plan.since else ""
    more = f" and {len(reads) - 1} more pods" if len(reads) > 1 else ""
    return Evidence(
        source=f"Kubernetes API of {part.cluster}",
        query=f"kubectl logs -n {ask.namespace} {what}{previous}{window}{more}",
        says=counted(sum(len(read.lines) for read in reads), "line"),
    )
