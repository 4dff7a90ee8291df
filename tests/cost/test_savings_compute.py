"""`recommend_savings` through a client: F8 to the cent on five seeds, a fleet that is right, faults."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from math import ceil

import pytest
import pytest_asyncio
import yaml

from aiops_lab.aws.compute_optimizer import ComputeOptimizer
from aiops_lab.aws.cost_optimization_hub import CostOptimizationHub
from aiops_lab.billing.price_table import PriceTable
from aiops_lab.instance_types import TYPES
from aiops_lab.scenarios.bills_fleet import Crowd, crowd
from aiops_shared.kube.quantities import amount
from bench.tokens import tokens
from tests.cost.stage import Stage, billed
from tests.e2e.stage import Obj

MONTH = 730
GIB = 2**30
CPU_TARGET, MEMORY_TARGET = Decimal("0.5"), Decimal("0.65")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage_of_module(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        async with billed(patch, tmp_path_factory.mktemp("savings"), "cost-spike") as running:
            yield running


@pytest.fixture
def stage(stage_of_module: Stage) -> Stage:
    stage_of_module.lab.aws_faults.clear()
    stage_of_module.forget()
    return stage_of_module


pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning"),
]


def at_the_page(stage: Stage) -> None:
    """F8 as the page has it; what the last test left of it is played again only where it must be."""
    if (stage.lab.scenario, stage.lab.seed) != ("cost-spike", 0):
        stage.play("cost-spike", 0)


def cents(amount_usd: Decimal) -> float:
    return float(amount_usd.quantize(Decimal("0.01")))


def by_use(told: Crowd, prices: PriceTable) -> tuple[str, int, Decimal]:
    """The test's own search over the page's rule: type, nodes, USD an hour of all."""
    cores = Decimal(repr(told.cpu * told.machine.cores * told.nodes)) / CPU_TARGET
    gib = Decimal(repr(told.memory * told.machine.gib * told.nodes)) / MEMORY_TARGET
    generation = told.machine.kind.partition(".")[0][1:]
    found = []
    for kind in TYPES.values():
        if kind.family not in {letter + generation for letter in "cmr"}:
            continue
        near = Decimal("0.995")  # half a hundredth buys no node
        nodes = max(ceil(cores * near / kind.cpus), ceil(gib * near / Decimal(kind.memory_gib)), 3)
        if nodes <= 2 * told.nodes:
            found.append((nodes * prices.hour(kind.name), abs(nodes - told.nodes), nodes, kind.name))
    hour, _, nodes, name = min(found)
    return name, nodes, hour


def by_scope(answer: Obj) -> dict[str, Obj]:
    return {one["scope"]: one for one in answer["recommendations"]}


def fits(stage: Stage, name: str, nodes: int) -> bool:
    """A simulation of the test's own: every pod of the world's pool on that many nodes, largest first."""
    kind = TYPES[name]
    max_pods = kind.interfaces * (kind.addresses - 1) + 2
    reserved = 255 + 11 * max_pods + 100
    cores, memory, moving = kind.cpus * 0.98 - 0.08, kind.memory_gib * GIB - reserved * 2**20, []
    for pod in stage.lab.store.list("Pod"):
        if pod["status"].get("phase") in {"Succeeded", "Failed"}:
            continue
        asked = [one.get("resources", {}).get("requests", {}) for one in pod["spec"]["containers"]]
        size = [sum(float(amount(one.get(word, "0")) or 0) for one in asked) for word in ("cpu", "memory")]
        owners = {one["kind"] for one in pod["metadata"].get("ownerReferences", [])}
        moving.append((size[1], size[0], "DaemonSet" in owners))
    left = [[memory, cores, max_pods] for _ in range(nodes)]
    daemons = [one for one in moving if one[2]]
    share = max(1, len(daemons) // crowd(stage.who).nodes)
    for free in left:
        for one in sorted(daemons, reverse=True)[:share]:
            free[0], free[1], free[2] = free[0] - one[0], free[1] - one[1], free[2] - 1
    for wants_memory, wants_cores, daemon in sorted(moving, reverse=True):
        if daemon:
            continue
        for free in left:
            if free[0] >= wants_memory and free[1] >= wants_cores and free[2] >= 1:
                free[0], free[1], free[2] = free[0] - wants_memory, free[1] - wants_cores, free[2] - 1
                break
        else:
            return False
    return True


@pytest.mark.row("S38", "B22")
@pytest.mark.parametrize("seed", [4, 3, 2, 1, 0])
async def test_the_fleet_and_its_saving_are_those_of_the_page(stage: Stage, seed: int) -> None:
    stage.play("cost-spike", seed)
    answer = await stage.got("recommend_savings", scope="compute", cluster="my-cluster")
    told, prices = crowd(stage.who), stage.lab.account.area(PriceTable)
    name, nodes, hour = by_use(told, prices)
    now = told.nodes * prices.hour(told.machine.kind)
    found = by_scope(answer)
    compute = found["compute"]
    assert compute["code"] == "INSTANCE_FAMILY_MISMATCH"
    assert compute["proposed"] == f"{nodes} x {name}"
    assert compute["monthly_usd"] == cents((now - hour) * MONTH)
    assert fits(stage, name, nodes)
    spot = 0
    if "spot" in found:
        spot = int(found["spot"]["proposed"].split(" + ")[1].split()[0])
    after = (nodes - spot) * prices.hour(name) + spot * prices.spot_mean(name)
    assert answer["monthly_usd"] == cents((now - after) * MONTH)
    assert answer["percent"] == pytest.approx(float(100 * (now - after) / now), abs=0.051)
    patch = yaml.safe_load(compute["patch"])
    wanted = {one["key"]: one["values"] for one in patch["spec"]["template"]["spec"]["requirements"]}
    assert patch["metadata"]["name"] == told.pool
    assert wanted["karpenter.k8s.aws/instance-family"] == [name.partition(".")[0]]
    assert answer["billed_requests"] == 0
    assert tokens(str(answer)) < 2000
    if seed == 0:
        assert (answer["monthly_usd"], answer["percent"]) == (1211.80, 30.5)
        lines = "\n".join(line for one in answer["recommendations"] for line in one["arithmetic"])
        for part in ("8 x c5.4xlarge x $0.68 x 730 h = $3,971.20", "= 338.5 GiB <= 512 GiB", "$2,943.36"):
            assert part in lines
        assert "(7 x $0.504 + 1 x $0.252) x 730 h = $2,759.40" in lines
        assert "$3,971.20 - $2,759.40 = $1,211.80 (30.5 %)" in lines
        whole = await stage.got("recommend_savings", scope="compute", detail="full")
        table = {row[0]: (row[1], row[4]) for row in by_scope(whole)["compute"]["alternatives"]["rows"]}
        assert table["m5.4xlarge"] == (6, 3363.84)
        assert table["m5.2xlarge"] == (11, 3083.52)
        assert table["m5.xlarge"] == (22, 3083.52)


@pytest.mark.row("B22")
async def test_a_plan_covers_the_lowest_fifth_of_the_days(stage: Stage) -> None:
    at_the_page(stage)
    answer = await stage.got("recommend_savings", scope="commitments")
    (found,) = answer["recommendations"]
    assert found["code"] == "COMMITMENT_GAP"
    rows = {(row[0], row[1]): row for row in found["alternatives"]["rows"]}
    assert rows["Compute Savings Plan", 1][4] == 72
    assert found["monthly_usd"] == rows["Compute Savings Plan", 1][3]
    assert answer["billed_requests"] == 1
    again = await stage.got("recommend_savings", scope="commitments")
    assert again["billed_requests"] == 0


async def test_the_advisers_of_aws_are_heard_and_counted_in_nothing(stage: Stage) -> None:
    at_the_page(stage)
    silent = await stage.got("recommend_savings", scope="compute")
    assert {row[0] for row in silent["voices"]["rows"]} == {"Compute Optimizer", "Cost Optimization Hub"}
    assert all("not enrolled" in row[1] for row in silent["voices"]["rows"])
    area = stage.lab.account.area(ComputeOptimizer)
    area.enrolled, area.use = True, {"c5.4xlarge": (0.3, 0.9)}
    stage.lab.account.area(CostOptimizationHub).enrolled = True
    heard = await stage.got("recommend_savings", scope="compute")
    assert any("c5.4xlarge: " in row[1] for row in heard["voices"]["rows"])
    assert heard["monthly_usd"] == silent["monthly_usd"]
    area.enrolled, stage.lab.account.area(CostOptimizationHub).enrolled = False, False


@pytest.mark.parametrize(
    ("service", "operation", "code", "said"),
    [
        ("pricing", "GetProducts", "AccessDeniedException", "pricing"),
        ("ec2", "DescribeInstanceTypes", "UnauthorizedOperation", "DescribeInstanceTypes"),
        ("pricing", "GetProducts", "ThrottlingException", "throttled"),
    ],
)
async def test_without_prices_or_shapes_nothing_is_proposed_and_the_lack_is_named(
    stage: Stage, service: str, operation: str, code: str, said: str
) -> None:
    at_the_page(stage)
    stage.lab.fail_aws(service, operation, code=code)
    answer = await stage.got("recommend_savings", scope="compute")
    assert not answer.get("recommendations")
    assert answer["monthly_usd"] == 0
    assert any(said in warning for warning in answer["warnings"])
    assert answer["summary"].startswith("Not known")


async def test_a_silent_voice_and_no_placement_score_cost_no_answer(stage: Stage) -> None:
    at_the_page(stage)
    stage.lab.fail_aws("compute-optimizer", "*", code="AccessDeniedException")
    stage.lab.fail_aws("ec2", "GetSpotPlacementScores", code="UnauthorizedOperation")
    answer = await stage.got("recommend_savings", scope="compute")
    assert answer["monthly_usd"] == 1211.80
    said = " ".join(answer["warnings"])
    assert "Compute Optimizer" in said
    assert "ec2:GetSpotPlacementScores" in said


async def test_a_fleet_that_is_right_is_left_alone(stage: Stage) -> None:
    stage.play("healthy", 0)
    stage.lab.account.area(PriceTable).hours["us-east-1"] |= {
        name: Decimal(9)
        for name in TYPES
        if name.partition(".")[0] in {"c5", "m5", "r5"} and name != "m5.xlarge"
    }
    answer = await stage.got("recommend_savings", scope="compute")
    proposed = [one for one in answer.get("recommendations", []) if one["code"] != "NODES_IDLE"]
    assert not [one for one in proposed if one["scope"] == "compute"]


async def test_an_unknown_cluster_gets_the_nearest_names(stage: Stage) -> None:
    answer = await stage.ask("recommend_savings", cluster="my-clutser")
    assert "cluster_not_found" in answer.error
    assert "my-cluster" in answer.error


@pytest.mark.row("S38")
async def test_all_scopes_at_once_show_machines_spot_and_autoscaler_in_a_summary(stage: Stage) -> None:
    stage.play("cost-spike", 3)
    answer = await stage.got("recommend_savings", cluster="my-cluster")
    shown = [(one["code"], one["risk"]["level"]) for one in answer["recommendations"]]
    assert [code for code, _ in shown] == ["INSTANCE_FAMILY_MISMATCH", "SPOT_ELIGIBLE", "HPA_METRIC_MISMATCH"]
    assert answer["monthly_usd"] == sum(one.get("monthly_usd", 0) for one in answer["recommendations"])
    for one in answer["recommendations"]:
        assert 2 <= len(one["arithmetic"]) <= 4
        assert "patch" not in one
    assert "detail=full" in answer["hint"]
    assert answer["more"]["rows"]
    assert tokens(json.dumps(answer)) <= 1500
