"""What the gate costs a call: policy, limits, freezes and the permit, without the durable commit (D15)."""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from aiops_shared.clock import SystemClock
from aiops_shared.guardrails import Caller, Effects, Facts, Request
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.settings import PolicySettings, Settings, StateSettings

CALLS = 500
_CALLER = Caller(name="bench")


async def _nowhere(cluster: str) -> Effects:
    raise RuntimeError(cluster)


def _request(index: int) -> Request:
    facts = Facts(
        env="prod", replicas_before=4, replicas_after=5, total_pods=4, pdb_headroom=True, reversible="full"
    )
    return Request(
        action="scale",
        kind="Deployment",
        namespace="production",
        name=f"web-{index % 7}",
        cluster="bench",
        caller=_CALLER,
        facts=facts,
    )


async def gate_ms() -> tuple[float, float]:
    """p50 and p95 of one judgement, in milliseconds, on a warm SQLite store."""
    with TemporaryDirectory() as folder:
        settings = Settings(write=True, state=StateSettings(dir=Path(folder)), policy=PolicySettings())
        guard = Guardrails.open(settings, SystemClock(), _nowhere, _CALLER)
        taken = []
        try:
            for index in range(CALLS + 20):
                began = time.perf_counter()
                await guard.judge(_request(index))
                taken.append(1000 * (time.perf_counter() - began))
        finally:
            guard.close()
    found = sorted(taken[20:])
    return statistics.median(found), found[int(0.95 * len(found))]


async def decide_ms() -> float:
    """p50 of the policy alone."""
    from aiops_shared.guardrails.policy import Policy

    policy = Policy(PolicySettings())
    taken = []
    for index in range(CALLS):
        began = time.perf_counter()
        policy.decide(_request(index))
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)
