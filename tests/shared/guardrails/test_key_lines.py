"""A private key that lies over log lines is taken out, also where the window of lines cuts it (T6)."""

import base64
import random

import pytest

from aiops_shared.guardrails.key_lines import MASK, without_key_lines, without_keys

pytestmark = pytest.mark.threat("T6")

BODY = [base64.b64encode(random.Random(line).randbytes(48)).decode() for line in range(5)]
BEGIN, END = (f"-----{edge} " + "PRIVATE KEY-----" for edge in ("BEGIN", "END"))
KEY = [BEGIN, *BODY, "c2hvcnQgbGFzdCBsaW5lIG9m==", END]
WINDOWS = [(first, last) for first in range(len(KEY)) for last in range(first, len(KEY))]
CALM = ["info: request served", "GET /api/orders/1234", ""]


@pytest.mark.parametrize("prefix", ["", "tls: ", '{"line": "'])
def test_of_every_window_over_a_key_no_whole_line_of_it_is_left(prefix: str) -> None:
    for first, last in WINDOWS:
        shown = without_keys([*CALM, *(f"{prefix}{line}" for line in KEY[first : last + 1]), *CALM])
        assert not any(line in text for line in BODY for text in shown), (first, last)
        assert shown[: len(CALM)] == CALM, (first, last)
        assert len(shown) == 2 * len(CALM) + last - first + 1


def test_where_an_edge_of_the_key_is_in_the_window_its_short_last_line_goes_too() -> None:
    for first, last in WINDOWS:
        if first == 0 or last == len(KEY) - 1:
            assert not any("c2hvcnQg" in text for text in without_keys(KEY[first : last + 1])), (first, last)


def test_lines_after_a_key_are_lines_again_and_each_line_has_its_place() -> None:
    shown = without_keys([*KEY, "after", *KEY, "again"])
    assert shown == [*[MASK] * len(KEY), "after", *[MASK] * len(KEY), "again"]


def test_a_lone_end_masks_what_came_before_it_and_not_what_came_before_an_earlier_key() -> None:
    earlier = f"calm {'a' * 30}"
    shown = without_keys([earlier, *KEY, "between", f"part {'b' * 30}", END])
    assert shown[0] == earlier
    assert shown[1 + len(KEY) :] == ["between", f"part {MASK}", MASK]


@pytest.mark.parametrize("digest", ["a1b2c3d4" * 8, "A1B2C3D4" * 8, "0" * 64, "Ab1" * 21, "/usr/lib/" * 8])
def test_digests_and_other_lengths_stay(digest: str) -> None:
    assert without_key_lines(f"image {digest} pulled") == f"image {digest} pulled"
