"""A world is built without the garbage collector, which works again afterwards whatever happened."""

import gc

import pytest

from aiops_lab.world.building import uncollected


def test_the_collector_rests_inside_and_works_again_after_an_error() -> None:
    def broken() -> None:
        with uncollected():
            assert not gc.isenabled()
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
