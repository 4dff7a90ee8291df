"""`eks-aiops freeze on|off|status` behind the command line."""

import sys

from eks_aiops.guarding import guardrails


async def freeze(reason: str) -> int:
    """Stop every write from the next step on."""
    with guardrails() as guard:
        await guard.freeze_on(guard.caller.name, reason)
    sys.stdout.write("frozen: nothing is written until `eks-aiops freeze off`\n")
    return 0


async def lift() -> int:
    """Allow writes again."""
    with guardrails() as guard:
        lifted = await guard.freeze_off(guard.caller.name)
    sys.stdout.write("lifted\n" if lifted else "nothing was frozen\n")
    return 0


async def show() -> int:
    """What holds now."""
    with guardrails() as guard:
        held = await guard.freeze_status()
    for one in held:
        sys.stdout.write(f"frozen: {one}\n")
    if not held:
        sys.stdout.write("nothing is frozen\n")
    return 0
