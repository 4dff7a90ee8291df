"""Looks at the world until it is as it should be: `verify`, `gate` and `wait … until`.

World time, so that a lab may advance. A source that does not answer proves nothing: it neither meets a check
nor fails it, and when it is still away at the end the run waits for it (F17l).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiops_shared.errors import AiopsError, InvalidInputError, UnauthenticatedError, UpstreamError
from aiops_sop.documents.expressions import filled, holds
from aiops_sop.engine.outcomes import BLOCKED, Pause, PausedError, failed, stopped
from aiops_sop.engine.work import Work
from aiops_sop.models.documents import Check, SopStep

Json = Any


@dataclass(frozen=True, slots=True)
class Seen:
    """How a check ended."""

    met: bool
    looks: int
    result: Json
    says: str


async def until_met(work: Work, step: SopStep, path: str, check: Check, more: Mapping[str, Json]) -> Seen:
    """Poll until it holds or its time is over. Raises PausedError when its source is away at the end,
    StepFailedError when the call itself is wrong.
    """
    began = await work.now()
    end, looks, last = began + timedelta(seconds=check.within_s), 0, Seen(False, 0, None, "")
    while True:
        work.check()
        now = await work.now()
        looks += 1
        last, away = await _look(work, step, path, check, {**more, "now": now}, looks)
        if last.met or now >= end:
            break
        left = (end - now).total_seconds()
        await work.pause(max(0.0, min(check.every_s, left)))
    work.spend("verify", began, await work.now())
    if away is not None and not last.met:
        raise PausedError(Pause("evidence", f"{BLOCKED}: {path} cannot be verified: {away}"[:400]))
    return last


async def _look(
    work: Work, step: SopStep, path: str, check: Check, more: Mapping[str, Json], looks: int
) -> tuple[Seen, AiopsError | None]:
    context = work.context(**more)
    try:
        result = await work.call(step, path, check.call, filled(check.args, context))
    except UpstreamError as error:
        return Seen(False, looks, None, str(error)[:300]), error
    except UnauthenticatedError as error:
        raise stopped(error) from error
    except AiopsError as error:
        if error.retryable:
            return Seen(False, looks, None, str(error)[:300]), error
        raise failed(error) from error
    try:
        met = holds(check.until, {**context, "result": result})
    except InvalidInputError as error:  # a value that is not there yet
        return Seen(False, looks, result, f"not yet: {error.reason}"[:300]), None
    says = f"{check.until} {'holds' if met else 'does not hold'}"
    return Seen(met, looks, result, f"{says}; {result.get('summary', '')}"[:400]), None
