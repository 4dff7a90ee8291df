"""R1 to R23: the control of each fault, and what takes it away."""

from proofs.mutation import Mutation

FAULT_CONTROLS: tuple[Mutation, ...] = ()
