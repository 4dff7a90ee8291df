"""Whatever a parser is given, nothing but our own errors leaves it, and what must hold of its answers holds.

The targets are those of `make fuzz`, which goes further with coverage as its guide; here hypothesis mixes the
same seeds for a few seconds, the same way each time.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.parsers.corpus import seeds
from fuzz.parsers.targets import TARGETS, attack

pytestmark = pytest.mark.timeout(120)
EXAMPLES = {"policy": 40, "sop": 80, "scan": 60, "redaction": 80}
SPICE = [
    b"",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"{",
    b"[",
    b'"',
    b"'",
    b"-",
    b"9" * 40,
    b"\n",
    b": ",
    b"&a *a",
    b"!!",
]


@st.composite
def inputs(draw: st.DrawFn, target: str) -> bytes:
    """A seed with pieces cut out, doubled, or of something else."""
    known = draw(st.sampled_from(seeds(target)))[:2_000]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(known)))
        gone = draw(st.integers(0, 8))
        piece = draw(st.sampled_from(SPICE) | st.binary(max_size=6) | st.just(known[at : at + 40]))
        known = known[:at] + piece + known[at + gone :]
    return known


@pytest.mark.threat("T14")
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_nothing_but_our_own_errors_leaves_a_parser(target: str) -> None:
    for seed in seeds(target)[:60]:
        attack(target, seed)

    @settings(
        max_examples=EXAMPLES.get(target, 120),
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=inputs(target) | st.binary(max_size=60))
    def every(data: bytes) -> None:
        attack(target, data)

    every()
