"""The three SOPs that are killed at every step, each on the world of its own proof."""

from aiops_shared.settings import Settings
from aiops_sop.clients.library import SopLibrary
from eks_aiops.proving import params_of
from faults.playing import Story

SOPS = ("disk-pressure", "memory-spike-rollback", "traffic-surge-preprovision")


def stories_of(sop: str, seed: int = 0) -> list[Story]:
    """A SOP's own proofs, with the names of their worlds filled in."""
    proofs = SopLibrary(Settings()).get(sop).proofs
    return [Story(sop, proof.scenario, seed, params_of(proof, seed), proof.ends) for proof in proofs]
