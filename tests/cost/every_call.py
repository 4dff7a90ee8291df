"""Tools of the cost server in the ways they can be asked: what the walk of rights and the attacks go over."""

from collections.abc import Iterator
from typing import Any

Call = tuple[str, dict[str, Any]]

HOME = "production"
CLUSTER = "my-cluster"


def prices() -> Iterator[Call]:
    """list_prices."""
    yield "list_prices", {"what": "kinds"}
    yield "list_prices", {"what": "m5.*", "spot_days": 30, "limit": 100}
    yield "list_prices", {"min_vcpus": 8, "min_memory_gib": 32, "architecture": "arm64"}


def estimates(pools: str, *manifests: str) -> Iterator[Call]:
    """estimate_cost by everything but a plan."""
    yield "estimate_cost", {"instances": "-1 m5.large, 2 m5.xlarge spot"}
    yield "estimate_cost", {"nodepool": pools, "detail": "full"}
    yield "estimate_cost", {"nodepool": "no-such-pool"}
    for one in manifests:
        yield "estimate_cost", {"manifest": one, "detail": "full"}
