"""`python -m evals.sop.proofs [SOP…]`: plays every proof of the shipped SOPs and counts those that hold.

One lab, and for each proof a world, a store and servers of its own. The test of a few proofs uses it too.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fastmcp import Client

from aiops_lab.run import Lab
from aiops_shared.errors import AiopsError
from aiops_shared.settings import CallerSettings, PolicySettings
from aiops_sop.clients.library import shipped
from aiops_sop.models.documents import Proof, Sop
from aiops_sop.server import make
from eks_aiops.proving import Ask, Proved, Said, played
from eks_aiops.proving_stage import ANNA, TwoPeople
from eks_aiops.sop_pages import every_sop
from tests.e2e.stage import asked, lab_environment, settings_on
from tests.lab_fixture import running_lab
from tests.sop.stage import PREFIXES, START, in_this_process


@asynccontextmanager
async def serving(lab: Lab, folder: Path, proof: Proof) -> AsyncIterator[Ask]:
    """The suite in this process, with a store of its own."""
    levels = {f"autonomy_{env}": proof.autonomy for env in ("prod", "staging", "dev")}
    person = CallerSettings(name=ANNA, kind="human")
    settings = settings_on(lab, folder, policy=PolicySettings.model_validate(levels), caller=person)
    async with Client(make(settings, in_this_process(settings))) as client:

        async def ask(tool: str, **arguments: Any) -> Said:
            return await asked(client, tool, arguments)

        yield ask


def pointed_at(lab: Lab, patch: pytest.MonkeyPatch) -> None:
    """This process's clients see the lab and nothing else."""
    lab_environment(lab, patch)
    for name, value in lab.export().items():
        if name.startswith(PREFIXES):
            patch.setenv(name, value)


async def outcome(lab: Lab, sop: Sop, proof: Proof, seed: int) -> Proved:
    """Play one in a world and a store of its own."""
    lab.reset(proof.scenario, seed)
    with TemporaryDirectory() as name:
        async with serving(lab, Path(name), proof) as ask:
            return await played(ask, TwoPeople(Path(name)), sop, proof, seed)


async def main(names: Sequence[str], seeds: Sequence[int] = (0,)) -> int:
    """Play, print a line each; how many do not hold."""
    missed = tried = 0
    with pytest.MonkeyPatch.context() as patch:
        async with running_lab(start=START) as lab:
            pointed_at(lab, patch)
            for sop in every_sop(shipped()):
                for proof in sop.proofs if not names or sop.id in names else ():
                    for seed in seeds:
                        held, line = await _tried(lab, sop, proof, seed)
                        print("holds " if held else "MISSED", line, flush=True)
                        tried, missed = tried + 1, missed + (not held)
    print(f"{tried - missed} of {tried} proofs hold")
    return missed


async def _tried(lab: Lab, sop: Sop, proof: Proof, seed: int) -> tuple[bool, str]:
    try:
        result = await outcome(lab, sop, proof, seed)
    except AiopsError as error:
        return False, f"{sop.id} on {proof.scenario} (seed {seed}): {error.wire()}"
    return result.holds, result.line()[:400]


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main(sys.argv[1:])) else 0)
