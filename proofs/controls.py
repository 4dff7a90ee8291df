"""All mutations, threats first, in the order of the safety page."""

from proofs.fault_controls import FAULT_CONTROLS
from proofs.mutation import Mutation
from proofs.threat_controls import THREAT_CONTROLS


def _place(mutation: Mutation) -> tuple[bool, int]:
    return mutation.id.startswith("R"), int(mutation.id[1:])


CONTROLS: tuple[Mutation, ...] = tuple(sorted((*THREAT_CONTROLS, *FAULT_CONTROLS), key=_place))
