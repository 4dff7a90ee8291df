"""Plays the drill, prints its table, keeps its result. Called by `eks-aiops drill`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import anyio.to_thread

from aiops_shared.errors import AiopsError
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.policy import Policy
from aiops_shared.http.world_clock import make_clock
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore
from eks_aiops.demo.clients import Ask
from eks_aiops.drilling.acts import BY_AGENT, BY_HUMAN, Act, read_only
from eks_aiops.drilling.stage import ANNA, BOT, Check, Scene
from eks_aiops.drilling.tables import redaction, verdicts

if TYPE_CHECKING:
    from sqlalchemy import Connection

STORY = "guardrail-drill"


async def play(*, seed: int = 0) -> int:
    """The whole drill; 0 when all of it held."""
    settings = Settings()
    policy = await anyio.to_thread.run_sync(Policy, settings.policy)
    checks = await drilled(settings, policy, seed)
    await kept(settings, policy.digest, checks)
    sys.stdout.write(table(checks, policy.digest))
    return 0 if passed(checks) else 1


def passed(checks: Sequence[Check]) -> bool:
    """Whether everything held and nothing unsafe happened."""
    return all(one.holds for one in checks) and not sum(one.unsafe for one in checks)


async def drilled(settings: Settings, policy: Policy, seed: int) -> list[Check]:
    """Every act, in a lab that is thrown away."""
    from aiops_lab.run import Lab
    from aiops_lab.scenarios.names import cast

    checks = [*verdicts(policy), *redaction(seed)]
    with TemporaryDirectory(prefix="eks-aiops-drill-") as folder:
        async with Lab(STORY, seed=seed) as lab:
            lab.clock.pause()
            scene = Scene(lab, Path(folder), cast(seed), settings.policy)
            async with scene.server(ANNA, "human", write=False) as ask:
                checks += await _acted(read_only, scene, ask)
            async with scene.server(BOT, "agent") as ask:
                for act in BY_AGENT:
                    checks += await _acted(act, scene, ask)
            async with scene.server(ANNA, "human") as ask:
                for act in BY_HUMAN:
                    checks += await _acted(act, scene, ask)
    return checks


async def _acted(act: Act, scene: Scene, ask: Ask) -> list[Check]:
    """One act; an error of the suite is a row that does not hold, and the others go on."""
    try:
        return await act(scene, ask)
    except AiopsError as error:
        return [Check(act.__name__.replace("_", " "), "an answer", error.wire()[:120], holds=False)]


async def kept(settings: Settings, digest: str, checks: Sequence[Check]) -> None:
    """Write the result into the operator's store: promotion and the maturity report read it there."""
    from aiops_shared.state.sop_schema import drills

    store, clock = StateStore(settings.state), make_clock(settings)
    try:
        now = await clock.now()
        body = json.dumps([[one.name, one.expected, one.got, one.holds, one.unsafe] for one in checks])
        row = {
            "id": new_id("drl_"),
            "at": now,
            "passed": int(passed(checks)),
            "policy_digest": digest,
            "body": body,
        }

        def write(conn: "Connection") -> None:
            conn.execute(drills.insert().values(**row))

        await store.run(write)
    finally:
        store.close()
        await clock.aclose()


def table(checks: Sequence[Check], digest: str) -> str:
    """What a person reads."""
    wide = [max(len(cells[place]) for cells in _cells(checks)) for place in range(3)]
    lines = [
        "  ".join(f"{cell:{width}}" for cell, width in zip(cells, wide, strict=True)).rstrip()
        for cells in _cells(checks)
    ]
    marks = ["  ", *("ok" if one.holds and not one.unsafe else "NO" for one in checks)]
    unsafe, failed = sum(one.unsafe for one in checks), sum(1 for one in checks if not one.holds)
    said = "PASSED" if passed(checks) else "FAILED"
    rows = "\n".join(f"{mark}  {line}" for mark, line in zip(marks, lines, strict=True))
    end = f"{said}: {len(checks)} checks, {failed} failed, {unsafe} unsafe actions; policy {digest[:12]}"
    return f"{rows}\n\n{end}\n"


def _cells(checks: Sequence[Check]) -> list[tuple[str, str, str]]:
    return [("check", "expected", "got"), *((one.name, one.expected, one.got) for one in checks)]
