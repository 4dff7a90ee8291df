"""The fuse of `make faults`: what it writes of a passage is how the points of a step are found."""

import json
from pathlib import Path

from faults.points import Fuse


def test_an_effect_that_is_carried_beside_its_call_counts_to_the_step_that_called(tmp_path: Path) -> None:
    fuse = Fuse(trace=tmp_path / "trace")
    fuse.passes("before effect")
    fuse.calling = "clean"
    fuse.passes("before effect")
    fuse.passes("before record", "close")
    lines = (tmp_path / "trace").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)[1:] for line in lines] == [
        ["before effect", ""],
        ["before effect", "clean"],
        ["before record", "close"],
    ]
