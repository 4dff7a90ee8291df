"""Asks more about the worst suspects of a diagnosis: their logs, the objects they refer to, their memory.

Called by `facts.py` once the lists are in; a healthy scope costs no request here. Everything goes out at the
same time within a deadline, a source that fails is a gap.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio

from aiops_eks.clients.gathering import gathered
from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.case import Case, broken_containers, is_stuck
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further.aws import SYSTEM, PluginLog, without_sandbox
from aiops_eks.diagnosis.objects import LogTail, Lookup, Ref, Usage
from aiops_eks.models.fields import name_of, part
from aiops_eks.ports import Kube, SensitiveReads
from aiops_shared.errors import AiopsError, KindUnknownError
from aiops_shared.kube.nearest import nearest

WITHIN_S = 20.0
WORST = 10
PER_OWNER = 2  # pods of one owner that died alike share what one of their logs says
MOST_LOOKUPS = 40
MOST_NAMES = 20_000
MOST_USAGE = 5_000
LOG_LINES = 200  # a usage text may follow the line that says why
LOG_BYTES = 64_000
METRICS = "pods.metrics.k8s.io"
PLUGIN, PLUGIN_LABEL = "aws-node", "k8s-app=aws-node"  # the Amazon VPC CNI; its agent is a DaemonSet
EVENTS_KEPT_S = 3600.0  # kube-apiserver --event-ttl
PLUGIN_NODES = 3  # nodes without addresses say the same
NO_LOGS = (
    "pod logs were not read (AIOPS_SENSITIVE_READS is off): they would say why a program ended by itself and "
    "which setting it asked for"
)


@dataclass
class _Found:
    """What came so far; late sources miss, the others stay."""

    lookups: list[Lookup] = field(default_factory=list)
    logs: list[LogTail] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)
    plugin: list[PluginLog] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    came: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Details:
    """One cluster's answers about suspects."""

    kube: Kube
    sensitive: SensitiveReads
    redact: Callable[[str], str]

    async def of(self, facts: Facts, target: Ref | None) -> Facts:
        """The facts with what the suspects' own sources say."""
        broken = _worst(broken_containers(facts, facts.pods), target)
        stuck = _worst([Case(facts, pod) for pod in facts.pods if is_stuck(facts, pod)], target)
        if not broken and not stuck:
            return facts
        found = _Found()
        asked: dict[str, Callable[[], Awaitable[None]]] = {
            "references": partial(self._lookups, [*broken, *stuck], found)
        }
        if (nodes := sorted({pod.node for pod in without_sandbox(facts)})) and self.sensitive.allowed:
            await self.sensitive.allow(f"logs of the network plugin on {len(nodes)} nodes")
            asked["logs of the network plugin"] = partial(self._plugin_logs, nodes[:PLUGIN_NODES], found)
        if silent := _outlived(facts):
            found.gaps.append(
                f"events: of {silent} pods that wait without a sandbox none is left, the API server keeps "
                "them an hour; list_events has older ones only where a copy is stored"
            )
        if hungry := sorted({case.pod.namespace for case in broken if _died_of_memory(case)}):
            asked["memory in use"] = partial(self._usage, hungry, found)
        if broken and self.sensitive.allowed:
            where = facts.namespace or "all namespaces"
            await self.sensitive.allow(f"logs of {len(broken)} failing containers in {where}")
            asked["pod logs"] = partial(self._logs, broken, found)
        elif broken:
            found.gaps.append(NO_LOGS)
        await _at_once(asked, found)
        return replace(
            facts,
            lookups=tuple(found.lookups),
            logs=tuple(found.logs),
            usage=tuple(found.usage),
            others={**facts.others, PluginLog: tuple(found.plugin)} if found.plugin else facts.others,
            gaps=(*facts.gaps, *found.gaps),
        )

    # logs

    async def _logs(self, broken: Sequence[Case], found: _Found) -> None:
        answers = await gathered([partial(self._log, case) for case in broken])
        failed = [each for each in answers if isinstance(each, AiopsError)]
        if failed:
            found.gaps.append(f"logs of {len(failed)} containers: {failed[0].wire()[:160]}")
        found.logs.extend(tail for tail in answers if isinstance(tail, LogTail))

    async def _log(self, case: Case) -> LogTail | None:
        """The log of the run that ended; of the present one where none ended yet."""
        container = case.container
        if container is None:
            return None
        previous = container.ended is None and container.last is not None
        if not previous and container.ended is None and container.running_since is None:
            return None  # it never ran: there is no log
        lines = await self.kube.logs(
            case.pod.namespace,
            case.pod.name,
            container=container.name,
            previous=previous,
            tail=LOG_LINES,
            limit_bytes=LOG_BYTES,
        )
        texts = tuple(self.redact(line.text) for line in lines)
        return LogTail(case.pod.ref, container.name, previous or container.ended is not None, texts)

    async def _plugin_logs(self, nodes: Sequence[str], found: _Found) -> None:
        """What the network plugin's agent says on these nodes; one that is not there says nothing."""
        answers = await gathered([partial(self._plugin_log, node) for node in nodes])
        failed = [each for each in answers if isinstance(each, AiopsError)]
        if failed:
            found.gaps.append(f"logs of {PLUGIN} on {len(failed)} nodes: {failed[0].wire()[:160]}")
        found.plugin.extend(each for each in answers if isinstance(each, PluginLog))

    async def _plugin_log(self, node: str) -> PluginLog | None:
        fields = f"spec.nodeName={node}"
        page = await self.kube.list("Pod", SYSTEM, selector=PLUGIN_LABEL, fields=fields, limit=5)
        if not page.items:
            return None
        name = name_of(page.items[0])
        lines = await self.kube.logs(SYSTEM, name, container=PLUGIN, tail=LOG_LINES, limit_bytes=LOG_BYTES)
        return PluginLog(Ref("Pod", SYSTEM, name), node, tuple(self.redact(line.text) for line in lines))

    # memory

    async def _usage(self, namespaces: Sequence[str], found: _Found) -> None:
        """What the containers of these namespaces use now; a cluster without metrics has no such kind."""
        await gathered([partial(self._usage_in, namespace, found) for namespace in namespaces])

    async def _usage_in(self, namespace: str, found: _Found) -> None:
        try:
            async for obj in self.kube.every(METRICS, namespace, at_most=MOST_USAGE):
                found.usage.extend(reading.usages(obj))
        except KindUnknownError:
            return
        except AiopsError as problem:
            found.gaps.append(f"{METRICS}: {problem.wire()[:160]}")

    # references

    async def _lookups(self, suspects: Sequence[Case], found: _Found) -> None:
        """Whether the ConfigMaps and Secrets that the suspects refer to exist."""
        wanted = dict.fromkeys(need.target for case in suspects for need in case.needs)
        for case in suspects:
            wanted |= dict.fromkeys(Ref("Secret", case.pod.namespace, name) for name in case.pod.pull_secrets)
        chosen = list(wanted)[:MOST_LOOKUPS]
        shelves = sorted({(ref.kind, ref.namespace) for ref in chosen})
        listed = await gathered([partial(self._names, kind, namespace) for kind, namespace in shelves])
        names: dict[tuple[str, str], tuple[str, ...]] = {}
        for shelf, answer in zip(shelves, listed, strict=True):
            if isinstance(answer, AiopsError):
                found.gaps.append(f"names of {shelf[0]}s in {shelf[1]}: {answer.wire()[:160]}")
            else:
                names[shelf] = answer
        answers = await gathered([partial(self._lookup, ref, names) for ref in chosen])
        found.lookups.extend(lookup for lookup in answers if isinstance(lookup, Lookup))

    async def _names(self, kind: str, namespace: str) -> tuple[str, ...]:
        """Names of a kind by Table: no value of a Secret or ConfigMap comes over the wire."""
        found: list[str] = []
        cursor = ""
        while len(found) < MOST_NAMES:
            page = await self.kube.table(kind, namespace, cursor=cursor)
            place = next((i for i, column in enumerate(page.columns) if column.lower() == "name"), 0)
            found.extend(str(row[place]) for row in page.rows)
            cursor = page.cursor
            if not cursor:
                break
        return tuple(found)

    async def _lookup(self, ref: Ref, names: Mapping[tuple[str, str], tuple[str, ...]]) -> Lookup | None:
        known = names.get((ref.kind, ref.namespace))
        if known is None:
            return None
        if ref.name not in known:
            return Lookup(ref, exists=False, nearest=nearest(ref.name, known)[:3])
        if ref.kind != "ConfigMap":
            return Lookup(ref, exists=True)
        obj = await self.kube.get("ConfigMap", ref.namespace, ref.name)
        return Lookup(ref, exists=True, keys=(*part(obj, "data"), *part(obj, "binaryData")))


async def _at_once(asked: Mapping[str, Callable[[], Awaitable[None]]], found: _Found) -> None:
    """Every source at the same time; those that do not answer in time are gaps."""

    async def run(what: str) -> None:
        await asked[what]()
        found.came.append(what)

    with anyio.move_on_after(WITHIN_S):
        await gathered([partial(run, what) for what in asked])
    late = [what for what in asked if what not in found.came]
    found.gaps.extend(f"{what}: no answer within {WITHIN_S:.0f} s" for what in late)


def _outlived(facts: Facts) -> int:
    """How many pods have waited for longer than their events are kept, and have none."""
    waiting = without_sandbox(facts)
    old = [pod for pod in waiting if facts.age_s(pod.created_at) > EVENTS_KEPT_S]
    return sum(1 for pod in old if not facts.events_about(pod.ref, pod.uid))


def _died_of_memory(case: Case) -> bool:
    death = case.container.death if case.container else None
    return death is not None and death.reason == "OOMKilled"


def _worst(found: Sequence[Case], target: Ref | None) -> list[Case]:
    """The ten worst, at most two per owner; those asked about come first."""
    first = sorted(found, key=lambda case: target not in {case.pod.ref, case.pod.owner, case.pod.parent})
    seen: dict[tuple[Ref, str], int] = {}
    chosen: list[Case] = []
    for case in first:
        key = (case.subject, case.container.name if case.container else "")
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= PER_OWNER and len(chosen) < WORST:
            chosen.append(case)
    return chosen
