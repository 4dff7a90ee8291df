"""What the plan of a drain costs in a small and a large cluster: it should depend on the node alone.

The crowd's nodes hold more pods in the larger cluster, so time is compared per pod of the node.
"""

import statistics
import sys
import time
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from bench.gathered import Crowd
from bench.listing import MB, Environment, crowded_lab, standing
from bench.rows import Row, met, told
from bench.talking import talking
from bench.tokens import tokens

SMALL, LARGE = 5_000, 20_000
ROUNDS = 5
TIMES, PEAK_MB, TOKENS = 1.5, 150, 1_500
ROUND_REQUESTS = 20  # pools, cordoned nodes, namespaces and budgets


@dataclass(frozen=True)
class Planned:
    """What one cluster's plans cost."""

    took_ms: float
    requests: int
    peak_bytes: int
    tokens: int
    pods: int


def busiest(found: Crowd) -> tuple[str, int]:
    """The node with the most pods, and how many."""
    names = [str(pod["spec"].get("nodeName") or "") for pod in found.pods]
    nodes = {each["metadata"]["name"] for each in found.around if each["kind"] == "Node"}
    name = max(sorted(nodes), key=names.count)
    return name, names.count(name)


def _measured(pods: int, base: Environment) -> Planned:
    node, here = busiest(standing(pods, "owners"))
    with crowded_lab(pods, "owners", base) as (lab, environment, _), TemporaryDirectory() as state:
        own = {**environment, "AIOPS_STATE_DIR": state}
        with talking([sys.executable, "-m", "eks_aiops", "eks"], own) as server:
            server.greet()
            took: list[float] = []
            for _ in range(ROUNDS + 1):
                lab.say({})
                lab.hear()
                began = time.perf_counter()
                answer = server.call("plan_node_change", action="drain", names=[node])
                took.append(1000 * (time.perf_counter() - began))
            lab.say({})
            requests = int(lab.hear()["requests"])
            return Planned(
                took_ms=statistics.median(took[1:]),
                requests=requests,
                peak_bytes=server.peak_bytes,
                tokens=tokens(answer["content"][0]["text"]),
                pods=here,
            )


def drains(base: Environment) -> list[Row]:
    """The rows of the table."""
    with told(f"  plan of a drain at {SMALL:,} and {LARGE:,} simulated pods"):
        small, large = _measured(SMALL, base), _measured(LARGE, base)
    ratio = (large.took_ms / large.pods) / (small.took_ms / small.pods)
    peak, most = large.peak_bytes / MB, ROUND_REQUESTS + 2 * large.pods
    what = f"plan a drain, {LARGE:,} simulated pods"
    says = (
        f"{ratio:.2f} x ({large.took_ms:.0f} ms for a node of {large.pods} pods,"
        f" {small.took_ms:.0f} ms for one of {small.pods})"
    )
    asked = f"{large.requests} for {large.pods} pods ({small.requests} for {small.pods})"
    return [
        (f"{what}: time a pod of the node", f"<= {TIMES:g} x that at {SMALL:,}", says, met(ratio, TIMES)),
        (f"{what}: requests", "<= 20 and 2 a pod of the node", asked, met(large.requests, most)),
        (f"{what}: peak memory", f"<= {PEAK_MB} MB", f"{peak:.1f} MB", met(peak, PEAK_MB)),
        (f"{what}: tokens", f"<= {TOKENS:,} tokens", f"{large.tokens} tokens", met(large.tokens, TOKENS)),
    ]
