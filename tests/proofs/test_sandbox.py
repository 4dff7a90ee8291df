"""A control is taken away in a copy: the copy is what runs, and the tree stays as it is."""

from pathlib import Path

import pytest

from proofs.judging import unproved, verdict
from proofs.mutation import ROOT, Edit
from proofs.sandbox import Sandbox

FILE = "shared/aiops_shared/kube/names.py"
TEST = "tests/shared/kube/test_bad_names.py::test_a_limit_out_of_range_is_refused[0]"
AWAY = Edit(FILE, "    if isinstance(value, bool) or not 1 <= value <= most:\n", "    if most < 0:\n")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_mutation_runs_in_the_copy_and_leaves_no_trace(tmp_path: Path) -> None:
    before = (ROOT / FILE).read_bytes()
    sandbox = Sandbox.of_tree(tmp_path)
    with sandbox.mutated([AWAY]):
        away = sandbox.play([TEST], keep_bytecode=False, limit_s=100)
        assert (ROOT / FILE).read_bytes() == before
    assert verdict(away, [TEST]).killed, away
    assert (tmp_path / FILE).read_bytes() == before
    there = sandbox.play([TEST], keep_bytecode=False, limit_s=100)
    assert unproved(there, [TEST]) == []
