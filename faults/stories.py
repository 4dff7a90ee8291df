"""The three SOPs that are killed at every step, each on the worlds of its own proofs."""

from dataclasses import replace

from aiops_shared.settings import Settings
from aiops_sop.clients.library import SopLibrary
from eks_aiops.proving import params_of
from faults.playing import Story

SOPS = ("disk-pressure", "memory-spike-rollback", "traffic-surge-preprovision")
TAKEN_BACK = frozenset({"disk-pressure-logs", "memory-spike", "traffic-surge"})  # where most changes


def stories_of(sop: str, seed: int = 0) -> list[Story]:
    """A SOP's own proofs, with the names of their worlds filled in; one of them also taken back."""
    proofs = SopLibrary(Settings()).get(sop).proofs
    found = [
        Story(sop, proof.scenario, seed, params_of(proof, seed), proof.ends, proof.mode) for proof in proofs
    ]
    back = [replace(one, ends="undone", back=True) for one in found if one.scenario in TAKEN_BACK]
    return [*found, *back]


def every_story() -> list[Story]:
    """Of all three."""
    return [story for sop in SOPS for story in stories_of(sop)]
