"""Commitments by hand, shares of Spot, patches that a CRD would refuse, platforms of images, totals."""

import json
from fractions import Fraction
from random import Random

import pytest
import yaml

from aiops_cost.analysis.commitments import Offer, committed, steady
from aiops_cost.analysis.fleet import Budget, Pod, Pool, Room
from aiops_cost.analysis.patches_nodepool import faults, machines, nodepool, requirements_with, yaml_of
from aiops_cost.analysis.pod_rules import PodRules
from aiops_cost.analysis.spot_risk import eligible, risk_of
from aiops_cost.clients.advice_graviton import platforms_have_arm
from aiops_cost.models.money import nano
from aiops_cost.models.prices import SpotSpan
from aiops_cost.models.savings import Recommendation, Risk, together


def test_the_steady_part_is_what_four_days_of_five_reach() -> None:
    rng = Random(7)
    for _ in range(100):
        days = [rng.randint(0, 10**12) for _ in range(rng.randint(30, 60))]
        level = steady(days)
        assert sum(day >= level * 24 for day in days) >= Fraction(4, 5) * len(days)
    assert steady([10**12] * 29) == 0


def test_a_plan_costs_its_rates_weighed_by_what_is_spent_on_each_type() -> None:
    offer = Offer("Compute", 1, {"a": nano("0.6"), "b": nano("0.7")})
    prices = {"a": nano("1"), "b": nano("1")}
    found = committed(offer, nano("10"), {"a": 3, "b": 1}, prices)
    assert found is not None
    assert found.pays_nano == nano("6.25")
    assert found.saves_nano == nano("3.75")
    assert found.break_even == pytest.approx(0.625)
    assert committed(offer, nano("10"), {"c": 1}, prices) is None


@pytest.mark.row("B22")
def test_the_share_of_spot_falls_with_the_risk() -> None:
    def span(low: int, high: int) -> SpotSpan:
        return SpotSpan("r5.2xlarge", "us-east-1a", 100, low, high, 100, 7.0, "2026-11-22", "spot history")

    assert risk_of(9, [span(95, 105)]).share == 0.70
    assert risk_of(6, [span(95, 105)]).share == 0.30
    assert risk_of(9, [span(70, 120)]).share == 0.30
    assert risk_of(2, []).share == 0.10
    assert risk_of(None, []).share == 0.30


def test_only_what_is_stateless_replicated_and_budgeted_may_be_interrupted() -> None:
    def pods(owner: str, kind: str = "Deployment", number: int = 2, **more: object) -> list[Pod]:
        base = {"labels": {"app": owner}} | more
        return [
            Pod("shop", f"{owner}-{at}", "n", kind, owner, Room(1, 1, 1), **base)  # type: ignore[arg-type]
            for at in range(number)
        ]

    every = [
        *pods("web"),
        *pods("single", number=1),
        *pods("db", "StatefulSet"),
        *pods("bare"),
        *pods("cache", rules=PodRules(local_storage=True)),
        *pods("disk", claims=("data",)),
        *pods("pinned", evictable=False),
    ]
    budgets = [
        Budget("shop", name, {"app": name}) for name in ("web", "single", "db", "cache", "disk", "pinned")
    ]
    assert eligible(every, budgets) == {("shop", "web-0"), ("shop", "web-1")}


def test_a_patch_keeps_what_it_does_not_change() -> None:
    held = {
        "karpenter.k8s.aws/instance-category": ("In", ("c",)),
        "kubernetes.io/arch": ("In", ("amd64",)),
        "karpenter.k8s.aws/instance-generation": ("Gt", ("4",)),
    }
    text = yaml_of(nodepool("p", requirements_with(Pool("p", "NodePool", held), *machines("r5", "2xlarge"))))
    told = yaml.safe_load(text)["spec"]["template"]["spec"]["requirements"]
    assert [one["key"].rpartition("-")[2] for one in told[:2]] == ["family", "size"]
    assert {one["key"] for one in told[2:]} == {
        "kubernetes.io/arch",
        "karpenter.k8s.aws/instance-generation",
    }


@pytest.mark.parametrize(
    "requirement",
    [("bad key!", "In", ("x",)), ("a/b", "Is", ("x",)), ("a/b", "In", ()), ("a/b", "Gt", ("many",))],
)
def test_a_patch_that_the_crd_would_refuse_is_never_written(
    requirement: tuple[str, str, tuple[str, ...]],
) -> None:
    patch = nodepool("p", [requirement])
    assert list(faults(patch))
    with pytest.raises(ValueError, match=r"."):
        yaml_of(patch)


def test_an_image_has_arm_only_where_its_list_says_so() -> None:
    def index(*platforms: str) -> str:
        made = [{"platform": {"os": "linux", "architecture": one}} for one in platforms]
        return json.dumps({"manifests": made})

    assert platforms_have_arm([index("amd64", "arm64")]) is True
    assert platforms_have_arm([index("amd64")]) is False
    assert platforms_have_arm([json.dumps({"config": {}, "layers": []})]) is None
    assert platforms_have_arm(["no json", None]) is None


def test_totals_never_count_one_dollar_twice() -> None:
    def one(
        key: str, usd: str, after: tuple[str, ...] = (), excludes: tuple[str, ...] = ()
    ) -> Recommendation:
        return Recommendation(
            key=key,
            code="NODES_IDLE",
            scope="compute",
            target="t",
            current="",
            proposed="",
            nano_usd=nano(usd),
            risk=Risk(level="low", why=""),
            after=after,
            excludes=excludes,
        )

    machine, spot = one("machine", "100"), one("spot", "30", after=("machine",))
    rival = one("rival", "110", excludes=("machine",))
    keys, saved = together([spot, rival, machine])
    assert (set(keys), saved) == ({"machine", "spot"}, nano("130"))
    assert together([rival, spot])[1] == nano("110")
