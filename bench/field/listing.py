"""All pods of a large cluster, as each server lists them: seconds, tokens, memory of its processes."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.field.asking import answer, with_deadline, without_paths
from bench.field.questions import aws
from bench.field.servers import AWS_EKS, EKS, K8S_GO, K8S_NODE, Server
from bench.listing import crowded_lab
from bench.processes import family, peak_bytes
from bench.rows import told
from bench.talking import TalkError, talking
from bench.tokens import tokens

ASKED: Final[tuple[tuple[Server, str, tuple[str, dict[str, Any]]], ...]] = (
    (EKS, "those that are not well", ("list_resources", {"kind": "Pod", "unhealthy_only": True})),
    (EKS, "all, first page", ("list_resources", {"kind": "Pod"})),
    (K8S_GO, "all", ("pods_list", {})),
    (K8S_NODE, "all", ("kubectl_get", {"resourceType": "pods", "allNamespaces": True})),
    (AWS_EKS, "all", aws("list_k8s_resources", kind="Pod", api_version="v1")),
)


def long_lists(pods: int, base: Mapping[str, str]) -> list[dict[str, Any]]:
    """One entry a server and question; the same lab for all, the second of two calls is timed."""
    found: list[dict[str, Any]] = []
    with told(f"  lists of {pods:,} pods"), crowded_lab(pods, "owners", base) as (_, lab, cluster):
        plain = {name: value for name, value in lab.items() if name != "AIOPS_KUBE_CONTEXT"}
        for server, what, (tool, arguments) in ASKED:
            asks = {key: cluster if value == "<cluster>" else value for key, value in arguments.items()}
            about = {"pods": pods, "server": server.title, "asked": what}
            with told(f"    {server.title}, {what}"):
                found.append({**about, **_listed(server, tool, asks, plain, base)})
    return found


def _listed(
    server: Server, tool: str, asks: Mapping[str, Any], lab: Mapping[str, str], base: Mapping[str, str]
) -> dict[str, Any]:
    command = server.command(lab)
    if command is None:
        return {"error": "cannot be installed here"}
    try:
        with ExitStack() as closing:
            folder = closing.enter_context(TemporaryDirectory(ignore_cleanup_errors=True))
            child = closing.enter_context(talking(command, server.environment(lab, base, folder)))
            with_deadline(child, child.greet)
            took: list[float] = []
            for _ in range(2):
                began = time.perf_counter()
                text, failed = answer(child, tool, asks)
                took.append(round(time.perf_counter() - began, 3))
            peak = sum(peak_bytes(pid) for pid in family(child.pid))
    except (TalkError, OSError, ValueError) as error:  # somebody else's program, mostly
        return {"error": f"{type(error).__name__}: {without_paths(str(error))[:160]}"}
    if failed:
        return {"error": f"answers with an error: {without_paths(' '.join(text.split()))[:160]}"}
    return {"first_s": took[0], "seconds": took[1], "tokens": tokens(text), "peak_bytes": peak}
