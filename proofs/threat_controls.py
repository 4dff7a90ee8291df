"""T1 to T16: the controls of each threat, and what takes each away."""

from proofs.argument_controls import ARGUMENT_CONTROLS
from proofs.caller_controls import CALLER_CONTROLS
from proofs.change_controls import CHANGE_CONTROLS
from proofs.data_controls import DATA_CONTROLS
from proofs.mutation import Mutation

THREAT_CONTROLS: tuple[Mutation, ...] = (
    *ARGUMENT_CONTROLS,
    *CALLER_CONTROLS,
    *DATA_CONTROLS,
    *CHANGE_CONTROLS,
)
