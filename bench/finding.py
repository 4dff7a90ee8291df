"""The rows that say which of sixty planted faults are named in one call, ours and the peers'."""

from collections.abc import Mapping, Sequence
from functools import partial
from tempfile import TemporaryDirectory

import anyio
from fastmcp.exceptions import FastMCPError
from mcp.shared.exceptions import MCPError

from bench.listing import crowded_lab, standing
from bench.peers import AWSLABS_EKS, KUBERNETES_MCP, command_of
from bench.planted import Truth
from bench.recall import Outcome, awslabs, ours
from bench.recall import kubernetes_mcp_server as ask_kubernetes_mcp_server
from bench.rows import Row, told, verdict

PODS = 5_000
BUDGET, DIAGNOSIS = 1_500, 4_000
_LAYOUTS = {"owners": "replicas fail alike", "scattered": "60 different workloads"}


def found_faults(server: Sequence[str], base: Mapping[str, str]) -> list[Row]:
    """Both layouts for ours; the peers on the first."""
    rows: list[Row] = []
    for layout in _LAYOUTS:
        with crowded_lab(PODS, layout, base) as (_, environment, cluster):
            truths = standing(PODS, layout).truths
            with told(f"  ours, {_LAYOUTS[layout]}"):
                rows += _ours(server, environment, truths, layout)
            if layout == "owners":
                with told("  the peers"):
                    rows += _peers(environment, truths, cluster)
    return rows


def _ours(
    server: Sequence[str], environment: Mapping[str, str], truths: Sequence[Truth], layout: str
) -> list[Row]:
    rows: list[Row] = []
    for reads, title in (("true", "sensitive reads on"), ("false", "as installed, without events")):
        with TemporaryDirectory() as state:
            more = {"AIOPS_STATE_DIR": state, "AIOPS_SENSITIVE_READS": reads}
            outcomes = anyio.run(ours, server, {**environment, **more}, truths)
        for outcome in outcomes:
            budget = BUDGET if outcome.title == "one call" else DIAGNOSIS
            aimed = reads == "true" and (
                outcome.title.startswith("diagnose") or (layout == "owners" and outcome.title == "one call")
            )
            good = outcome.named.both == outcome.named.planted and outcome.tokens <= budget
            what = f"60 faults of 5,060 pods, {_LAYOUTS[layout]}: ours, {title}, {outcome.title}"
            target = f"60 in one call, <= {budget:,} tokens" if aimed else ""
            rows.append((what, target, _says(outcome), verdict(good) if aimed else ""))
    return rows


def _peers(environment: Mapping[str, str], truths: Sequence[Truth], cluster: str) -> list[Row]:
    plain = {name: value for name, value in environment.items() if not name.startswith("AIOPS_")}
    ways = (
        (KUBERNETES_MCP, command_of(KUBERNETES_MCP), ask_kubernetes_mcp_server),
        (AWSLABS_EKS, command_of(AWSLABS_EKS), partial(awslabs, cluster=cluster)),
    )
    rows: list[Row] = []
    for package, command, ask in ways:
        peer = package.named
        if command is None:
            rows.append(_unmeasured(peer, "cannot be installed here"))
            continue
        try:
            rows += _rows(peer, anyio.run(ask, command, plain, truths))
        except (FastMCPError, MCPError, OSError, TimeoutError) as error:  # somebody else's program
            rows.append(_unmeasured(peer, f"{type(error).__name__} {str(error)[:100]}"))
    return rows


def _rows(peer: str, outcomes: Sequence[Outcome]) -> list[Row]:
    title = "60 faults of 5,060 pods, replicas fail alike"
    return [(f"{title}: {peer}, {outcome.title}", "", _says(outcome), "") for outcome in outcomes]


def _unmeasured(peer: str, why: str) -> Row:
    return (f"60 faults of 5,060 pods: {peer}", "", f"not measured: {why}", "")


def _says(outcome: Outcome) -> str:
    calls = "1 call" if outcome.calls == 1 else f"{outcome.calls} calls"
    return f"{outcome.named}; {calls}, {outcome.tokens:,} tokens"
