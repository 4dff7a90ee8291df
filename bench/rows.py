"""The committed table's rows, and what `make bench` says while it works."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

Row = tuple[str, str, str, str]  # what, target, measured, met or missed


def met(value: float, target: float) -> str:
    """The verdict of an upper bound."""
    return "met" if value <= target else "MISSED"


def verdict(good: bool) -> str:
    """The verdict of a condition."""
    return "met" if good else "MISSED"


@contextmanager
def told(part: str) -> Iterator[None]:
    """Say on stderr what is measured now, and how long it took."""
    began = time.perf_counter()
    _say(f"{part} ...")
    yield
    _say(f"{part}: {time.perf_counter() - began:.0f} s")


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()
