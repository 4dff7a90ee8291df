"""Lines of pods' logs for the log tools: the newest of each pod of a target, merged by time.

A target is `namespace/pod/<name>` or `namespace/<kind>/<name>` for a workload's pods. Pod logs cost nothing
but the API server's patience, so they are bounded by pods, lines and bytes. The eks server's get_pod_logs is
the closer look (previous instances, grep); this one is for counting.
"""

from collections.abc import Sequence
from functools import partial

from aiops_observability.clients.log_store import Lines, Told
from aiops_shared.aws.log_lines import read
from aiops_shared.aws.log_spans import Span
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.kube import names
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.kube.models import LogLine

MOST_PODS = 10
MOST_PODS_LISTED = 200
LINES_EACH = 5_000
BYTES_EACH = 2_000_000
KINDS = ("deployment", "statefulset", "daemonset")


async def pod_lines(kube: KubeApi, target: Sequence[str], span: Span) -> Lines:
    """The lines of a span, newest first. Raises InvalidInputError, NotFoundError and other AiopsErrors."""
    if len(target) != 1:
        raise InvalidInputError(
            "target", "names no pod", "give one namespace/kind/name or namespace/pod/name"
        )
    namespace, kind, name = _parts(target[0])
    pods = await _pods(kube, namespace, kind, name)
    chosen = pods[:MOST_PODS]
    outcomes = await gather_outcomes(partial(_of_pod, kube, namespace, since=span), chosen, at_once=4)
    failed = [one for one in outcomes if isinstance(one, AiopsError)]
    if failed and len(failed) == len(chosen):
        raise failed[0]
    read_lines = [line for one in outcomes if isinstance(one, list) for line in one]
    found = [
        Told(line.at.timestamp(), read(line.text), line.pod)
        for line in read_lines
        if line.at is not None and span.since <= line.at < span.until
    ]
    found.sort(key=lambda one: one.at_s, reverse=True)
    return Lines(tuple(found), len(found), tuple(_warnings(pods, outcomes, failed)))


def _warnings(pods: Sequence[str], outcomes: Sequence[object], failed: Sequence[AiopsError]) -> list[str]:
    said = [f"not read: {error}" for error in failed]
    if len(pods) > MOST_PODS:
        said.append(f"{MOST_PODS} of {len(pods)} pods were read")
    if any(isinstance(one, list) and len(one) >= LINES_EACH for one in outcomes):
        said.append(f"only the newest {LINES_EACH:,} lines of each pod were read")
    return said


def _parts(target: str) -> tuple[str, str, str]:
    parts = target.split("/")
    if len(parts) != 3:
        raise InvalidInputError(
            "target", "names no pod", "give namespace/kind/name, as production/deployment/api"
        )
    namespace, kind, name = parts
    return names.namespace(namespace), names.kind_word(kind).lower(), names.object_name("pods", name)


async def _pods(kube: KubeApi, namespace: str, kind: str, name: str) -> list[str]:
    if kind in {"pod", "pods", "po"}:
        await kube.get("pods", namespace, name)
        return [name]
    owner = await kube.get(kind, namespace, name)
    labels = ((owner.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    if not labels:
        raise InvalidInputError(
            "target", f"a {kind} without labels selects no pods", f"one of {', '.join(KINDS)}"
        )
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    found = kube.every("pods", namespace, selector=selector, at_most=MOST_PODS_LISTED)
    return [str(pod["metadata"]["name"]) async for pod in found]


async def _of_pod(kube: KubeApi, namespace: str, pod: str, *, since: Span) -> list[LogLine]:
    return list(await kube.logs(namespace, pod, tail=LINES_EACH, since=since.since, limit_bytes=BYTES_EACH))
