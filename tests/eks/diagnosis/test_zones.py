"""A workload in one zone: told of from the number on that neither chance nor the scheduler explains."""

from typing import Any

import pytest

from aiops_eks.diagnosis.objects import Ref
from tests.eks.diagnosis.worlds import NS, ago, deployment, diagnosed, node, pod, world

ZONE = "topology.kubernetes.io/zone"
CART = Ref("Deployment", NS, "cart")


def _zoned(name: str, zone: str) -> dict[str, Any]:
    made = node(name)
    made["metadata"]["labels"] = {ZONE: zone}
    return made


def _codes(pods: int, target: Ref | None = None) -> list[str]:
    stands = [
        pod(f"cart-7d4b9c6f5-{number:05}", ready=True, metadata={"creationTimestamp": ago(7200)})
        for number in range(pods)
    ]
    nodes = [_zoned("node-a", "zone-a"), _zoned("node-b", "zone-b"), _zoned("node-c", "zone-c")]
    facts = world(deployment(ready=pods, replicas=pods), *stands, *nodes)
    return [one.code for one in diagnosed(facts, target).findings]


@pytest.mark.parametrize(("pods", "told"), [(3, False), (4, False), (5, True)])
def test_in_a_look_at_all_few_pods_stand_together_by_chance(pods: int, told: bool) -> None:
    assert _codes(pods) == (["WORKLOAD_IN_ONE_ZONE"] if told else [])


@pytest.mark.parametrize(("pods", "told"), [(2, False), (3, True), (5, True)])
def test_of_a_workload_that_was_asked_about_fewer_are_told(pods: int, told: bool) -> None:
    assert _codes(pods, CART) == (["WORKLOAD_IN_ONE_ZONE"] if told else [])


def test_who_is_asked_about_changes_nothing_for_the_others() -> None:
    assert _codes(4, Ref("Deployment", NS, "other")) == []
