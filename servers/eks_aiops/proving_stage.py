"""Where `eks-aiops sops test` plays: a lab here, the sop server as a child, a store that is thrown away.

Nothing of the operator's environment is used: no credentials, no kubeconfig, no state.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from aiops_lab.run import Lab
from aiops_shared.errors import ApprovalInvalidError, InvalidInputError
from aiops_shared.guardrails import Caller
from aiops_shared.settings import CallerSettings, Settings, StateSettings, inherited
from aiops_sop.clients.library import SopLibrary
from aiops_sop.documents.parsing import parse
from aiops_sop.models.documents import Proof, Sop
from eks_aiops.answering import questions
from eks_aiops.demo.clients import Ask, Person, connected
from eks_aiops.guarding import guardrails
from eks_aiops.proving import Proved, played

KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
ANNA, BEN = "lab-anna", "lab-ben"  # two people, made up: the requester, and another where policy wants one


@dataclass(frozen=True)
class TwoPeople:
    """Fulfils `proving.People`: at the same store, one after the other."""

    folder: Path

    async def approve(self, approval_id: str) -> None:
        """The requester says yes; where that does not count, the other does."""
        try:
            await self._approved(ANNA, approval_id)
        except ApprovalInvalidError:
            await self._approved(BEN, approval_id)

    async def answer(self, ask_id: str, said: str) -> None:
        """Answer a run's question."""
        settings = self._settings(ANNA)
        async with guardrails(settings) as guard, questions(settings, guard) as asks:
            person = Caller(name=ANNA, kind="human")
            await asks.decide(ask_id, person, "yes" if said == "yes" else "no", "terminal")

    async def _approved(self, name: str, approval_id: str) -> None:
        async with guardrails(self._settings(name)) as guard:
            await guard.approve(approval_id, Caller(name=name, kind="human"), "terminal")

    def _settings(self, name: str) -> Settings:
        return Settings(
            write=True,
            time_source="system",
            state=StateSettings(dir=self.folder / "state", url="", key_file=None),
            caller=CallerSettings(name=name, kind="human"),
        )


@asynccontextmanager
async def serving(lab: Lab, folder: Path, proof: Proof) -> AsyncIterator[Ask]:
    """The sop server on this lab, for a person, with the autonomy that the proof is about."""
    given = lab.export()
    del given["KUBECONFIG"]  # the cluster is found through AWS, as in an account
    autonomy = {f"AIOPS_POLICY_AUTONOMY_{env}": proof.autonomy for env in ("PROD", "STAGING", "DEV")}
    environment = {
        **inherited(*KEPT),
        **given,
        **autonomy,
        "HOME": str(folder),
        "AIOPS_STATE_DIR": str(folder / "state"),
        "AIOPS_SOP_DIRS": str(folder / "sops"),
        "AIOPS_CALLER_NAME": ANNA,
        "AIOPS_CALLER_KIND": "human",
        "AIOPS_SENSITIVE_READS": "true",
        "AIOPS_WRITE": "true",
    }
    async with connected("aiops-sop", environment, Person(says_yes=False), folder / "server.log") as (_, ask):
        yield ask


async def proved(sop: Sop, proof: Proof, seed: int) -> Proved:
    """Play one proof in a lab of its own."""
    with TemporaryDirectory(prefix="eks-aiops-sop-") as name:
        folder = Path(name)
        own = folder / "sops"
        own.mkdir()
        (own / f"{sop.id}.sop.md").write_bytes(sop.text.encode("utf-8"))
        async with Lab(proof.scenario, seed=seed) as lab:
            lab.clock.pause()
            async with serving(lab, folder, proof) as ask:
                return await played(ask, TwoPeople(folder), sop, proof, seed)


def read_sop(file: Path) -> Sop:
    """The SOP of a file, or the loaded one of that name. Raises SopInvalidError, SopNotFoundError."""
    if file.exists():
        return parse(file.read_bytes().decode("utf-8"), file.name)
    return SopLibrary(Settings()).get(str(file))


async def play_sop(file: Path, scenario: str, seeds: Sequence[int]) -> int:
    """Play each proof of a SOP, or those on one story; 1 when one ends otherwise than it says."""
    sop = read_sop(file)
    chosen = [proof for proof in sop.proofs if scenario in {"", proof.scenario}]
    if not chosen:
        known = ", ".join(proof.scenario for proof in sop.proofs) or "none"
        raise InvalidInputError("--scenario", f"{sop.id} has no proof on it", f"its front matter has {known}")
    held = True
    for proof in chosen:
        for seed in seeds:
            result = await proved(sop, proof, seed)
            held = held and result.holds
            print(result.line())
    return 0 if held else 1
