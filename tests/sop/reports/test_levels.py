"""What a level stands on, as a pure function: criteria, cumulation, many clusters in one answer."""

import json
from dataclasses import replace

import pytest

from aiops_sop.analysis.reports.figures import Ledger
from aiops_sop.analysis.reports.maturity import ClusterFacts, Drilled, maturity
from bench.tokens import tokens

pytestmark = pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")
FULL = ClusterFacts(
    name="shop",
    addons_working=("adot", "vpc-cni"),
    series=6,
    alarms=12,
    capabilities=(("Argo CD", "ACTIVE"), ("ACK", "ACTIVE")),
    owned=40,
    deployments=50,
    detectors=6,
    guru=True,
    forecasts=2,
    autonomy="auto-safe",
    supervised=10,
    drill=Drilled(passed=True, age_days=3, policy_in_force=True),
    connected=("forwarder",),
)


def level(facts: ClusterFacts) -> int:
    return maturity(Ledger(), facts).level


@pytest.mark.row("S79")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 4),
        ({"addons_working": ("vpc-cni",)}, 0),
        ({"addons_ill": ("adot DEGRADED",)}, 0),
        ({"series": 0}, 0),
        ({"series": None}, 0),
        ({"alarms": 0}, 0),
        ({"capabilities": (("Argo CD", "DEGRADED"), ("ACK", "ACTIVE"))}, 1),
        ({"capabilities": (("Argo CD", "installed"), ("KRO", "ACTIVE"))}, 4),
        ({"capabilities": (("Argo CD", "ACTIVE"),)}, 1),
        ({"owned": 24}, 1),
        ({"owned": 25}, 4),
        ({"deployments": None}, 1),
        ({"detectors": 0, "guru": False}, 2),
        ({"detectors": 0}, 4),
        ({"forecasts": 0}, 2),
        ({"autonomy": "propose"}, 3),
        ({"enforced": False}, 3),
        ({"supervised": 9}, 3),
        ({"drill": None}, 3),
        ({"drill": Drilled(passed=False, age_days=1, policy_in_force=True)}, 3),
        ({"drill": Drilled(passed=True, age_days=30.1, policy_in_force=True)}, 3),
        ({"drill": Drilled(passed=True, age_days=1, policy_in_force=False)}, 3),
        ({"connected": ()}, 3),
    ],
)
def test_one_missing_criterion_holds_a_cluster_below_its_level(
    change: dict[str, object], expected: int
) -> None:
    assert level(replace(FULL, **change)) == expected  # type: ignore[arg-type]  # one table for all fields


def test_eight_clusters_fit_an_answer() -> None:
    ledger = Ledger()
    told = [maturity(ledger, replace(FULL, name=f"shop-{n}", alarms=0), whole=False) for n in range(8)]
    text = json.dumps(
        [ledger.table().model_dump(), [[one.lines, [s.model_dump() for s in one.steps]] for one in told]]
    )
    assert tokens(text) < 2_000
    assert all(one.steps for one in told)
