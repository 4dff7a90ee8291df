"""T1 to T16: the controls of each threat, and what takes each away."""

from proofs.mutation import Mutation

THREAT_CONTROLS: tuple[Mutation, ...] = (
    Mutation(
        "T10",
        "After five calls without an answer the circuit opens.",
        "shared/aiops_shared/http/breaker.py",
        "        if self._failed >= self._most:\n",
        "        if self._failed >= 10 * self._most:\n",
        (
            "tests/shared/http/test_breaker.py::test_after_five_in_a_row_nobody_is_asked_and_the_error_says_for_how_long",
        ),
    ),
)
