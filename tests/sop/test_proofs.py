"""The `proof` of a SOP holds: played in the lab it ends as its front matter says, so docs/sops.md is true.

Here a few are played, and all are asked whether they could be; `python -m evals.sop.proofs` plays them all,
and each SOP's own tests play its stories and look at what happened to the world.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aiops_sop.clients.library import SUFFIX, shipped
from aiops_sop.engine.arguments import arguments_of
from aiops_sop.models.documents import Proof, Sop
from eks_aiops.proving import params_of
from eks_aiops.sop_pages import every_sop
from evals.sop.proofs import outcome, pointed_at
from tests.lab_fixture import running_lab

FEW = (("oom-raise-limits", "oom-raise-limits-staging"), ("roi-review", ""))
SOPS = every_sop(shipped())


def proofs() -> Iterator[tuple[Sop, Proof]]:
    """All of them."""
    for sop in SOPS:
        for proof in sop.proofs:
            yield sop, proof


def test_every_shipped_sop_says_on_which_story_it_was_proved() -> None:
    assert [sop.id for sop in SOPS if not sop.proofs] == []
    assert len({sop.source for sop in SOPS}) == len(list(Path(shipped()).glob(f"*{SUFFIX}")))


@pytest.mark.parametrize("seed", range(5))
def test_the_parameters_of_every_proof_are_there_on_every_seed(seed: int) -> None:
    for sop, proof in proofs():
        found = arguments_of(sop, params_of(proof, seed))
        needed = [param.name for param in sop.params if param.required and param.default is None]
        assert all(found[name] not in (None, "") for name in needed), (sop.id, proof.scenario)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_sops_end_as_their_proofs_say(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_lab() as lab:
        pointed_at(lab, monkeypatch)
        for name, scenario in FEW:
            sop, proof = next((s, p) for s, p in proofs() if s.id == name and scenario in {"", p.scenario})
            result = await outcome(lab, sop, proof, 1)
            assert result.holds, result.line()
