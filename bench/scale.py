"""What grows with what: 150,000 pods on 5,000 nodes, 200 clusters, 1,000 callers, what they leave behind.

Called by `bench.__main__` (part `scale`). The figures are those that `docs/sizing.md` stands on. API servers
are made up (`scale_api`), so that what is measured is our server; memory is VmHWM of its process.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.processes import cpu_s
from bench.rows import Row, met, told, verdict
from bench.scale_callers import many_callers
from bench.scale_store import stores
from bench.talking import Child, TalkError, talking
from bench.tokens import tokens

NODES, NAMESPACES, PODS_EACH = 5_000, 60, 2_500
MOST_MB: Final = 512  # R20 of the safety page
MOST_PAGE: Final = 500
CLUSTERS: Final = 200
GROUPS: Final = tuple(f"c{number:02}*" for number in range(CLUSTERS // 10))  # ten clusters in a call
MB: Final = 1_000_000
_PARTIAL: Final = ("only the first", "more than", "no answer within", "not every", "too_large")


@dataclass(frozen=True)
class Question:
    """One call on the huge cluster, and how many objects a whole answer is about; 0: none says so."""

    title: str
    tool: str
    arguments: Mapping[str, Any]
    whole: int = 0


HUGE: Final = (
    Question("list_resources of pods", "list_resources", {"kind": "Pod"}, NAMESPACES * PODS_EACH),
    Question(
        "list_resources unhealthy_only",
        "list_resources",
        {"kind": "Pod", "unhealthy_only": True},
        NAMESPACES * PODS_EACH,
    ),
    Question("list_resources of nodes", "list_resources", {"kind": "Node"}, NODES),
    Question("describe_cluster(nodes)", "describe_cluster", {"include": ["nodes"]}),
    Question("diagnose", "diagnose", {}),
    Question("diagnose of a namespace", "diagnose", {"namespace": "ns-007"}),
)


def scale(base: Mapping[str, str]) -> list[Row]:
    """The rows of this part."""
    rows: list[Row] = []
    with told("  5,000 nodes and 150,000 pods"):
        rows += huge(base)
    with told(f"  {CLUSTERS} clusters"):
        rows += fleet(base)
    with told("  1,000 callers"):
        rows += many_callers(base)
    with told("  calls, audit records and events in SQLite and PostgreSQL"):
        rows += stores()
    return rows


@contextmanager
def apis(
    base: Mapping[str, str], clusters: int, nodes: int, namespaces: int, pods: int
) -> Iterator[tuple[Child, dict[str, str]]]:
    """Made-up API servers in a process of their own, and the environment of a server that asks them."""
    sizes = (str(one) for one in (clusters, nodes, namespaces, pods))
    with (
        TemporaryDirectory() as folder,
        talking([sys.executable, "-m", "bench.scale_api", folder, *sizes], base) as child,
    ):
        said = child.hear()
        where = (
            {"AIOPS_CLUSTERS_FILE": said["table"]} if clusters > 1 else {"AIOPS_KUBE_CONTEXT": said["first"]}
        )
        yield child, {**base, "KUBECONFIG": said["kubeconfig"], "AIOPS_SENSITIVE_READS": "true", **where}


@contextmanager
def serving(environment: Mapping[str, str]) -> Iterator[Child]:
    """Our eks server over stdio, greeted."""
    with (
        TemporaryDirectory() as state,
        talking(
            [sys.executable, "-m", "eks_aiops", "eks"], {**environment, "AIOPS_STATE_DIR": state}
        ) as server,
    ):
        server.greet()
        yield server


def seen(child: Child) -> dict[str, Any]:
    """What the APIs have seen since this was last asked."""
    child.say({})
    return child.hear()


def huge(base: Mapping[str, str]) -> list[Row]:
    """Fault R20: each question in a server of its own, so that its peak is its own."""
    rows: list[Row] = []
    with apis(base, 1, NODES, NAMESPACES, PODS_EACH) as (child, environment):
        for question in HUGE:
            with serving(environment) as server:
                seen(child)
                rows += _asked(question, server, child)
    return rows


def _asked(question: Question, server: Child, child: Child) -> list[Row]:
    what = f"5,000 nodes, 150,000 pods, {question.title}"
    began_mb, began_s = server.peak_bytes / MB, cpu_s(server.pid)
    try:
        answer = server.call(question.tool, **question.arguments)
    except TalkError as error:
        return [(f"{what}: answers", "yes", str(error)[:160], "MISSED")]
    took_s, peak = cpu_s(server.pid) - began_s, server.peak_bytes / MB
    there, data = seen(child), answer["structuredContent"]
    size = tokens(answer["content"][0]["text"])
    told_of = [*data.get("warnings", ()), *data.get("coverage_gaps", ())]
    partial = [one for one in told_of if any(word in one for word in _PARTIAL)]
    whole = bool(question.whole) and data.get("total") == question.whole and not partial
    says = f"{data['total']:,} of {question.whole:,} judged; " if question.whole else ""
    says += "whole" if whole or not partial else f"labelled: {partial[0].removeprefix('coverage_gap: ')[:90]}"
    honest = whole or bool(partial) or not question.whole
    return [
        (
            f"{what}: peak memory",
            f"< {MOST_MB} MB",
            f"{peak:.0f} MB (at rest {began_mb:.0f} MB; {took_s:.1f} s CPU, {size:,} tokens)",
            met(peak, MOST_MB),
        ),
        (
            f"{what}: pages",
            f"<= {MOST_PAGE} each",
            f"{there['requests']} requests, largest {there['most_page']}, {there['sent_bytes'] / MB:.0f} MB",
            met(there["most_page"], MOST_PAGE),
        ),
        (f"{what}: whole, or labelled as a part", "yes", says, verdict(honest)),
    ]


def fleet(base: Mapping[str, str]) -> list[Row]:
    """Two hundred clusters in one table, all asked by one process."""
    from aiops_shared.kube.open_clusters import MOST_CONNECTED

    with apis(base, CLUSTERS, 5, 4, 25) as (child, environment), serving(environment) as server:
        server.call("list_resources", kind="Pod", cluster="c000")
        one_mb, began_s = server.peak_bytes / MB, cpu_s(server.pid)
        listed = server.call("list_clusters")["structuredContent"]
        said = [
            server.call("list_resources", kind="Pod", unhealthy_only=True, cluster=group)["structuredContent"]
            for group in GROUPS
        ]
        after_mb, took_s, there = server.peak_bytes / MB, cpu_s(server.pid) - began_s, seen(child)
        server.call("diagnose", cluster="c00*")
        asked_mb = server.peak_bytes / MB
    answered = sum(one["unhealthy"] for one in said)
    late = sum(one.startswith("coverage_gap: cluster") for each in said for one in each.get("warnings", ()))
    what = f"{CLUSTERS} clusters"
    each_kb = 1000 * (after_mb - one_mb) / CLUSTERS
    return [
        (
            f"{what}: list_clusters, then the unhealthy pods of all in {len(GROUPS)} calls",
            "4 of each cluster",
            f"{answered} pods of {CLUSTERS * 4}, {late} clusters named as too late; {listed['summary'][:60]}",
            verdict(answered == CLUSTERS * 4),
        ),
        (
            f"{what}: clusters connected at once",
            f"<= {MOST_CONNECTED}",
            f"{there['most_clusters']} (with {there['most_open']} sockets at most)",
            met(there["most_clusters"], MOST_CONNECTED),
        ),
        (
            f"{what}: peak memory",
            "<= 300 MB",
            f"{after_mb:.0f} MB ({one_mb:.0f} MB after the first cluster: {each_kb:.0f} kB each)",
            met(after_mb, 300),
        ),
        (
            f"{what}: requests and CPU of a look at every cluster",
            "",
            f"{there['requests'] / CLUSTERS:.0f} requests and {1000 * took_s / CLUSTERS:.0f} ms each",
            "",
        ),
        (f"{what}: peak memory after diagnose of ten", "", f"{asked_mb:.0f} MB", ""),
    ]
