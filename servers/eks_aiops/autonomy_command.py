"""`eks-aiops autonomy`: what may happen without a person, and which SOPs earned auto in production."""

import sys
from collections.abc import Sequence

from aiops_shared.http.world_clock import make_clock
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore
from aiops_sop.clients.library import SopLibrary
from aiops_sop.clients.promotion import Standing, StorePromotion
from eks_aiops.guarding import guardrails

MEANS = {
    "observe": "a person approves every change",
    "propose": "people change as policy says, an agent's change waits for a person",
    "auto-safe": "as policy says",
}


async def show() -> int:
    """Print both tables."""
    settings = Settings()
    store, clock = StateStore(settings.state), make_clock(settings)
    try:
        async with guardrails(settings) as guard:
            judge = StorePromotion(store, clock, settings.sop, lambda: guard.policy_digest)
            found = [await judge.standing(sop) for sop in SopLibrary(settings).every()]
            drill = await judge.drill_missing()
    finally:
        store.close()
        await clock.aclose()
    sys.stdout.write("\n".join([*_environments(settings), "", *_sops(found), "", _drill(drill)]) + "\n")
    return 0


def _environments(settings: Settings) -> list[str]:
    policy = settings.policy
    levels = (
        ("prod", policy.autonomy_prod),
        ("staging", policy.autonomy_staging),
        ("dev", policy.autonomy_dev),
    )
    mode = f"policy is in mode {policy.mode}; writes are {'on' if settings.write else 'off (AIOPS_WRITE)'}"
    return [mode, *(f"{name:9} {level:10} {MEANS[level]}" for name, level in levels)]


def _sops(found: Sequence[Standing]) -> list[str]:
    if not found:
        return ["No SOP is loaded."]
    wide = max(len(one.sop) for one in found)
    head = f"{'SOP':{wide}}  version  supervised  succeeded  auto in prod"
    return [head, *(_row(one, wide) for one in found)]


def _row(one: Standing, wide: int) -> str:
    said = "yes" if one.promoted else f"no: {'; '.join(one.missing)}"
    return f"{one.sop:{wide}}  {one.version:7}  {one.supervised:10}  {one.succeeded:9}  {said}"


def _drill(missing: str) -> str:
    return f"Guardrail drill: {missing or 'passed, under the policy in force'}."
