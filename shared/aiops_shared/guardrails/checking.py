"""Waits until what must hold after a step holds, steadily, or is certain not to. World time (D19)."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from aiops_shared.clock import Clock
from aiops_shared.errors import UpstreamError
from aiops_shared.guardrails.models import GateCheck, GateResult, ObjectRef
from aiops_shared.guardrails.ports import Effects

Pause = Callable[[float], Awaitable[None]]


async def hold(effects: Effects, ref: ObjectRef, check: GateCheck, clock: Clock, pause: Pause) -> GateResult:
    """Look every `every_s` until met for `steady_s`; failed when not met within `within_s`.

    An unreachable API is no verdict: it is looked at again until the time is over. `pause` waits in world
    time and may raise to end the wait.
    """
    end = await clock.now() + timedelta(seconds=check.within_s)
    met_at: datetime | None = None
    while True:
        result = await _look(effects, ref, check)
        now = await clock.now()
        if result.state == "failed":
            return result
        met_at = (met_at or now) if result.state == "met" else None
        if met_at is not None and now - met_at >= timedelta(seconds=check.steady_s):
            return result
        if met_at is None and now >= end:
            says = f"not met within {check.within_s:g} s: {result.says}"
            return GateResult(state="failed", says=says)
        await pause(check.every_s)


async def _look(effects: Effects, ref: ObjectRef, check: GateCheck) -> GateResult:
    try:
        return await effects.look(ref, check)
    except UpstreamError as error:
        return GateResult(state="waiting", says=str(error))
