"""Whoever hears of a change, controllers too, gets the stored object itself: none may write into it."""

import orjson
import pytest

from aiops_lab.kube.wire import Obj
from tests.lab.world.stage import load


@pytest.mark.parametrize(
    "scenario", ["guardrail-drill", "disk-pressure", "subnet-ip-exhaustion", "memory-growing"]
)
def test_a_stored_object_changes_by_a_write_alone(scenario: str) -> None:
    world = load("healthy", 1)
    stored: list[tuple[Obj, bytes]] = []
    world.store.subscribe(lambda _, obj: stored.append((obj, orjson.dumps(obj))))
    world.load(scenario, 1)
    world.clock.advance(3600)
    assert len(stored) > 100
    assert [obj for obj, before in stored if orjson.dumps(obj) != before] == []
