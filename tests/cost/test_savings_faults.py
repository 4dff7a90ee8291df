"""recommend_savings: images for Graviton, a fleet with nothing to save, metrics that fail or are slow."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio

from aiops_cost.clients import fleet_reading, node_use, savings_reading
from aiops_lab.aws.ecr import Registry
from aiops_lab.billing.price_table import PriceTable
from aiops_lab.instance_types import TYPES
from aiops_lab.observatory.faults import Illness
from tests.cost.stage import Stage, billed
from tests.e2e.stage import Obj

TOOL = "recommend_savings"
BOTH: tuple[str, ...] = ("amd64", "arm64")
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage_of_module(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        async with billed(patch, tmp_path_factory.mktemp("faults"), "healthy") as running:
            yield running


@pytest.fixture
def stage(stage_of_module: Stage) -> Stage:
    stage_of_module.lab.aws_faults.clear()
    stage_of_module.lab.observatory.ill.clear()
    stage_of_module.lab.account.area(Registry).built.clear()
    stage_of_module.forget()
    return stage_of_module


def images(stage: Stage) -> list[str]:
    """The images of the world's pods that an ECR registry has, without the registry: `shop/web:1`."""
    every = {one["image"] for pod in stage.lab.store.list("Pod") for one in pod["spec"]["containers"]}
    return sorted(name.partition("/")[2] for name in every if ".dkr.ecr." in name)


def graviton(answer: Obj) -> Obj | None:
    return next(
        (one for one in answer.get("recommendations", ()) if one["code"] == "GRAVITON_ELIGIBLE"), None
    )


@pytest.mark.row("B22")
async def test_one_image_without_arm64_ends_it_and_says_which(stage: Stage) -> None:
    names = images(stage)
    stage.lab.account.area(Registry).built = dict.fromkeys(names, BOTH) | {names[0]: ("amd64", "s390x")}
    answer = await stage.got(TOOL, scope="graviton")
    assert graviton(answer) is None
    assert f"no arm64 in {names[0].rpartition('/')[2]}" in answer["good"][0]


@pytest.mark.row("B22")
async def test_images_known_for_arm64_count_and_unknown_ones_are_named(
    stage: Stage,
) -> None:
    unknown = await stage.got(TOOL, scope="graviton")
    stage.lab.account.area(Registry).built = dict.fromkeys(images(stage), BOTH)
    known = await stage.got(TOOL, scope="graviton")
    before, after = graviton(unknown), graviton(known)
    assert before is not None
    assert after is not None
    assert before["risk"]["level"] == "high"
    assert "unknown: check" in before["risk"]["why"]
    assert unknown["monthly_usd"] == 0
    assert before["key"] in unknown["not_counted"]
    assert "(arm64)" in after["proposed"]
    others = sum(".dkr.ecr." not in one for one in every_image(stage))
    if others:  # of other registries nothing is known without pulling
        assert f"{others} image" in after["risk"]["why"]
    else:
        assert after["risk"]["level"] == "medium"
        assert known["monthly_usd"] == after["monthly_usd"]


def every_image(stage: Stage) -> set[str]:
    return {one["image"] for pod in stage.lab.store.list("Pod") for one in pod["spec"]["containers"]}


async def test_a_registry_that_may_not_be_asked_is_a_gap_and_its_images_unknown(stage: Stage) -> None:
    stage.lab.fail_aws("ecr", "BatchGetImage", code="AccessDeniedException")
    answer = await stage.got(TOOL, scope="graviton")
    assert any("ecr:BatchGetImage" in one for one in answer["warnings"])
    found = graviton(answer)
    assert found is not None
    assert found["risk"]["level"] == "high"


async def test_half_broken_metrics_are_said_and_raise_the_risk(stage: Stage) -> None:
    stage.lab.observatory.ill["prometheus"] = Illness(500)  # another backend still knows the pods
    answer = await stage.got(TOOL, scope="compute")
    assert "coverage_gap: use of nodes" in answer["warnings"][0]
    (found,) = answer["recommendations"]
    assert found["risk"]["level"] == "high"
    assert "pods only" in found["assumptions"][0]


async def test_without_metrics_nothing_is_proposed_and_their_lack_is_named(stage: Stage) -> None:
    stage.lab.observatory.ill |= {
        room: Illness(500) for room in ("prometheus", "amp", "datadog", "cloudwatch")
    }
    stage.lab.fail_aws("cloudwatch", "*", code="InternalServiceFault", status=500)
    stage.lab.fail_aws("amp", "*", code="InternalServerException", status=500)
    answer = await stage.got(TOOL, scope="compute")
    assert {one["code"] for one in answer.get("recommendations", ())} <= {
        "SPOT_ELIGIBLE"
    }  # the same machines
    assert any("of this moment only" in one for one in answer["good"])
    assert any("coverage_gap" in one for one in answer["warnings"])


async def test_an_adviser_that_is_too_slow_is_named_and_the_others_stand(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(savings_reading, "WITHIN_S", 3)
    monkeypatch.setattr(fleet_reading, "USAGE_WITHIN_S", 0.3)
    monkeypatch.setattr(node_use, "WITHIN_S", 0.3)
    stage.lab.observatory.ill["prometheus"] = Illness(0, delay_s=9)
    answer = await stage.got(TOOL, scope="all")
    assert any(one == "coverage_gap: requests: no answer within 3 s" for one in answer["warnings"])
    assert any(one.startswith("storage: ") for one in answer["good"])
    assert any(one["code"] == "COMMITMENT_GAP" for one in answer["recommendations"])
    assert any("use of nodes: no answer within" in one for one in answer["warnings"])


async def test_a_world_that_is_well_sized_proposes_nothing_and_says_what_was_looked_at(stage: Stage) -> None:
    stage.lab.account.area(PriceTable).hours["us-east-1"] |= {name: Decimal(99) for name in TYPES} | {
        "m5.xlarge": Decimal("0.0001")
    }
    answer = await stage.got(TOOL, scope="all")
    machines = {"compute", "spot", "graviton", "requests"}
    changed = [one["code"] for one in answer.get("recommendations", ()) if one["scope"] in machines]
    assert set(changed) <= {"NODES_IDLE"}
    good = " ".join(answer["good"])
    for part in ("spot:", "graviton:", "storage:", "hpa:"):
        assert part in good
