"""`eks-aiops freeze on|off|status` behind the command line.

Anybody may stop everything; only a person at a terminal may let it go on (decision D5). Both are audited.
"""

import sys

from aiops_shared.errors import ActionRefusedError
from aiops_shared.guardrails.facade import Guardrails
from eks_aiops.guarding import guardrails
from eks_aiops.terminal import no_person, spelled


async def _note(guard: Guardrails, event: str, scope: str, reason: str = "") -> None:
    says = {"what": f"freeze {event}", "scope": scope, "reason": reason}
    await guard.audit.run(
        lambda conn: guard.audit.note_in(conn, guard.caller, scope, f"freeze_{event}", says)
    )


async def freeze(reason: str) -> int:
    """Stop every write from the next step on."""
    async with guardrails() as guard:
        await guard.freeze_on(guard.caller.name, reason)
        await _note(guard, "on", "all", reason)
    sys.stdout.write("frozen: nothing is written until `eks-aiops freeze off`\n")
    return 0


async def lift(scope: str) -> int:
    """Allow writes again."""
    async with guardrails() as guard:
        if why := no_person(sys.stdin, sys.stdout):
            await _note(guard, "off_refused", scope, why)
            raise ActionRefusedError("freeze off", why, "a person lifts it in a terminal of their own")
        await _note(guard, "off", scope)
        lifted = await guard.freeze_off(guard.caller.name, scope)
    sys.stdout.write("lifted\n" if lifted else f"nothing was frozen in {spelled(scope)}\n")
    return 0


async def show() -> int:
    """What holds now."""
    async with guardrails() as guard:
        held = await guard.freeze_status()
    for one in held:
        sys.stdout.write(f"frozen: {spelled(str(one))} (scope {spelled(one.scope)})\n")
    if not held:
        sys.stdout.write("nothing is frozen\n")
    return 0
