"""Builds a world without the garbage collector, which is a quarter of the time that it takes."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the collector rest: nearly all that a month of a world makes is kept, and it would look through it
    again and again. What is not kept goes by its reference count."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
