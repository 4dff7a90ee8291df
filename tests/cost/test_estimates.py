"""`estimate_cost` through a client: to the cent where it can be known, said where it cannot."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from aiops_lab.billing.price_table import PriceTable, drawn_prices
from aiops_lab.instance_types import TYPES
from aiops_shared.clock import SystemClock
from aiops_shared.guardrails.models import (
    ActionName,
    BlastRadius,
    Caller,
    Facts,
    ObjectRef,
    Plan,
    Step,
    TargetChange,
    Verdict,
)
from aiops_shared.guardrails.plans import PlanStore
from aiops_shared.kube.quantities import amount
from aiops_shared.settings import StateSettings
from aiops_shared.state import Keys
from bench.tokens import tokens
from tests.cost.stage import Stage, billed
from tests.e2e.stage import Obj

HOURS = 730
GIB = 2**30
SPACE = "production"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Stage, Path]]:
    folder = tmp_path_factory.mktemp("estimates")
    with pytest.MonkeyPatch.context() as patch:
        async with billed(patch, folder, environment={"AIOPS_AWS_TIMEOUT_S": "4"}) as running:
            yield running, folder


@pytest.fixture
def stage(house: tuple[Stage, Path]) -> Stage:
    running, _ = house
    running.lab.aws_faults.clear()
    running.lab.faults.clear()
    running.lab.account.areas.pop(PriceTable, None)
    running.forget()
    return running


pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning"),
]


def dump(*objects: Obj) -> str:
    return yaml.safe_dump_all(objects)


def workload(kind: str = "Deployment", name: str = "shop-new", **spec: Any) -> Obj:
    replicas = spec.pop("replicas", 2)
    requests = {"cpu": spec.pop("cpu", "500m"), "memory": spec.pop("memory", "1Gi")}
    pod = {"containers": [{"name": "app", "image": "shop:1", "resources": {"requests": requests}}]}
    pod |= spec.pop("pod", {})
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {
            **({"replicas": replicas} if kind != "DaemonSet" else {}),
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
            **spec,
        },
    }


def claim(size: str = "100Gi", storage_class: str | None = None, name: str = "data") -> Obj:
    spec: Obj = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    spec |= {} if storage_class is None else {"storageClassName": storage_class}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": spec,
    }


def nodepool(name: str = "burst", limits: Obj | None = None, **requirements: list[str]) -> Obj:
    keys = {
        "family": "karpenter.k8s.aws/instance-family",
        "category": "karpenter.k8s.aws/instance-category",
        "type": "node.kubernetes.io/instance-type",
        "capacity": "karpenter.sh/capacity-type",
        "arch": "kubernetes.io/arch",
    }
    told = [{"key": keys[word], "operator": "In", "values": values} for word, values in requirements.items()]
    spec: Obj = {"template": {"spec": {"requirements": told}}} | ({"limits": limits} if limits else {})
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": name}, "spec": spec}


def lines(answer: Obj) -> dict[str, tuple[float | None, float | None, str]]:
    return {row[0]: (row[1], row[2], row[3]) for row in answer["lines"]["rows"]}


def cents(usd: Decimal) -> float:
    return float(usd.quantize(Decimal("0.01"), ROUND_HALF_EVEN))


def requested(pod: Obj) -> tuple[Decimal, Decimal]:
    """Cores and bytes of a pod of the lab: its containers', none of which start before the others."""
    found = [one.get("resources", {}).get("requests", {}) for one in pod["spec"]["containers"]]
    return (
        sum((amount(one.get("cpu", 0)) or Decimal(0) for one in found), Decimal(0)),
        sum((amount(one.get("memory", 0)) or Decimal(0) for one in found), Decimal(0)),
    )


def some(stage: Stage) -> Obj:
    """A workload of the common world that runs and requests room."""
    found: Obj = next(
        one
        for one in stage.lab.store.list("Deployment", SPACE)
        if one["spec"]["replicas"] and one["spec"]["template"]["spec"]["containers"][0].get("resources")
    )
    return found


class Rooms:
    """What the lab's nodes have left, and what a new one would have: worked out from the objects alone."""

    def __init__(self, stage: Stage) -> None:
        pods = [
            one for one in stage.lab.store.list("Pod") if one["status"]["phase"] in {"Running", "Pending"}
        ]
        self.free: list[list[Decimal]] = []
        self.new = (Decimal(0), Decimal(0), 0)
        for node in stage.lab.store.list("Node"):
            name, has = node["metadata"]["name"], node["status"]["allocatable"]
            here = [one for one in pods if one["spec"].get("nodeName") == name]
            cores, memory = amount(has["cpu"]) or Decimal(0), amount(has["memory"]) or Decimal(0)
            count = int(has["pods"])
            taken = [requested(one) for one in here]
            self.free.append(
                [
                    cores - sum(one for one, _ in taken),
                    memory - sum(one for _, one in taken),
                    Decimal(count - len(here)),
                ]
            )
            daemons = [
                requested(one) for one in here if one["metadata"]["ownerReferences"][0]["kind"] == "DaemonSet"
            ]
            whole, all_memory = (amount(node["status"]["capacity"][one]) for one in ("cpu", "memory"))
            assert whole == 4
            assert all_memory is not None
            # EKS's image keeps 6 % of the first core, 1 % of the second, 0.5 % of the next two; 255 MiB, 11
            # for each pod, 100 before it evicts.
            kept = (255 + 11 * count + 100) * 2**20
            self.new = (
                min(cores, whole - Decimal("0.08")) - sum(one for one, _ in daemons),
                min(memory, all_memory - kept) - sum(one for _, one in daemons),
                count - len(daemons),
            )

    @staticmethod
    def holds(room: tuple[Decimal, Decimal, Any], cores: Decimal, memory: Decimal) -> int:
        """How many pods of one size fit."""
        return max(0, min(int(room[0] // cores), int(room[1] // memory), int(room[2])))


async def test_the_fleet_of_f8_is_worked_out_line_by_line(stage: Stage) -> None:
    found = await stage.got("estimate_cost", instances="-8 c5.4xlarge, 7 r5.2xlarge, 1 r5.2xlarge spot")
    assert (found["now_usd"], found["room_usd"]) == (-1211.80, -1211.80)
    assert lines(found) == {
        "-8 c5.4xlarge on demand": (-3971.20, -3971.20, "-8 x $0.68 x 730 h"),
        "+7 r5.2xlarge on demand": (2575.44, 2575.44, "7 x $0.504 x 730 h"),
        "+1 r5.2xlarge Spot": (183.96, 183.96, "1 x $0.252 x 730 h"),
    }
    assert found["summary"].startswith("-$1,211.80 a month")
    assert (found["region"], found["as_of"]) == ("us-east-1", "2026-11-22")


@pytest.mark.parametrize("first", range(0, 100, 10))
async def test_pods_and_prices_drawn_at_random_cost_what_an_independent_computation_says(
    stage: Stage, first: int
) -> None:
    """100 times: identical pods fit on a node as often as divisions say, so that both sums are known."""
    rooms = Rooms(stage)
    for seed in range(first, first + 10):
        draw = random.Random(seed)
        stage.forget()
        stage.lab.account.areas[PriceTable] = table = drawn_prices(seed)
        hour = table.hour("m5.xlarge")
        milli, mib, replicas = draw.randint(50, 1800), draw.randint(64, 6000), draw.randint(1, 40)
        cores, memory = Decimal(milli) / 1000, Decimal(mib * 2**20)
        found = await stage.got(
            "estimate_cost", manifest=dump(workload(replicas=replicas, cpu=f"{milli}m", memory=f"{mib}Mi"))
        )
        placed = sum(Rooms.holds((one[0], one[1], one[2]), cores, memory) for one in rooms.free)
        left = max(0, replicas - placed)
        nodes = ceil(left / Rooms.holds(rooms.new, cores, memory)) if left else 0
        assert found["now_usd"] == cents(nodes * hour * HOURS), (seed, found)
        weight = 9 * rooms.new[0] + rooms.new[1] / GIB
        share = hour / weight * (9 * cores + memory / GIB) * replicas * HOURS
        assert found["room_usd"] == pytest.approx(float(share), abs=0.01), (seed, found)


async def test_free_room_and_new_nodes_are_both_said(stage: Stage) -> None:
    small = await stage.got("estimate_cost", manifest=dump(workload(replicas=2)))
    assert small["now_usd"] == 0.0 < small["room_usd"]
    assert "all 2 pods fit on the room that is there" in small["summary"]
    large = await stage.got("estimate_cost", manifest=dump(workload(replicas=60)))
    (new,) = [row for name, row in lines(large).items() if name.startswith("new nodes:")]
    assert new[0] == large["now_usd"] == 4 * cents(Decimal("0.192") * HOURS)
    assert "of 60 pods fit on free room" in large["summary"]
    assert tokens(str(large)) <= 1_500
    nowhere = await stage.got("estimate_cost", manifest=dump(workload(cpu="64")))
    assert nowhere["unpriced"] == [
        "pods: no pool of this cluster takes them, or none of its types has a price"
    ]
    assert not nowhere.get("lines")
    bound = workload(pod={"nodeSelector": {"disk": "ssd"}})
    bound["spec"]["template"]["spec"]["containers"][0]["resources"] = {}
    said = await stage.got("estimate_cost", manifest=dump(bound))
    assert "requests no CPU and memory" in said["warnings"][0]
    many = await stage.ask("estimate_cost", manifest=dump(workload(replicas=501)))
    assert many.code == "invalid_input"


async def test_a_manifest_is_held_against_what_is_live(stage: Stage) -> None:
    live = some(stage)
    name = live["metadata"]["name"]
    same = {key: live[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    unchanged = await stage.got("estimate_cost", manifest=dump(same))
    assert (unchanged["now_usd"], unchanged["room_usd"]) == (0.0, 0.0)
    replicas = live["spec"]["replicas"]
    twice = {**same, "spec": {**live["spec"], "replicas": 2 * replicas}}
    more = await stage.got("estimate_cost", manifest=dump(twice))
    assert more["room_usd"] > 0
    assert f"Deployment {SPACE}/{name}: {replicas} -> {2 * replicas} pods" in lines(more)
    none = {**same, "spec": {**live["spec"], "replicas": 0}}
    less = await stage.got("estimate_cost", manifest=dump(none))
    assert less["room_usd"] == pytest.approx(-more["room_usd"], abs=0.011)


async def test_volumes_cost_what_their_class_says(stage: Stage) -> None:
    classes = {
        "fast": {"type": "gp3", "iops": "6000", "throughput": "381"},
        "old": {"type": "gp2"},
        "hot": {"type": "io2", "iopsPerGB": "10"},
    }
    for name, parameters in classes.items():
        made = {"provisioner": "ebs.csi.aws.com", "parameters": parameters}
        head = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
        if stage.lab.store.get("StorageClass", None, name) is None:
            stage.lab.store.create(head | made)
    efs = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "shared"}}
    if stage.lab.store.get("StorageClass", None, "shared") is None:
        stage.lab.store.create(efs | {"provisioner": "efs.csi.aws.com"})
    found = await stage.got(
        "estimate_cost",
        manifest=dump(
            claim("100Gi", name="plain"),
            claim("100.5Gi", "fast", name="fast"),
            claim("50Gi", "old", name="old"),
            claim("20Gi", "hot", name="hot"),
            claim("10Gi", "shared", name="shared"),
            claim("10Gi", "gp33", name="wrong"),
            claim("10Gi", "", name="bound"),
        ),
    )
    told = {name.split("/")[1].split(":")[0]: row[0] for name, row in lines(found).items()}
    # 101 GiB, 3,000 IOPS and 256 MiB/s beyond what is free; 20 GiB with 200 IOPS.
    fast = Decimal("8.08") + 3000 * Decimal("0.005") + Decimal("40.96") / 4
    assert told == {"plain": 8.0, "fast": cents(fast), "old": 5.0, "hot": 15.5}
    assert found["now_usd"] == found["room_usd"] == cents(Decimal(8) + fast + 5 + Decimal("15.5"))
    said = " ".join(found["unpriced"])
    assert "billed by what is stored" in said
    assert "no storage class gp33" in said
    assert "gp3" in said
    assert "a volume that exists already" in said
    template = {"metadata": {"name": "data"}, "spec": claim("20Gi")["spec"]}
    several = await stage.got(
        "estimate_cost", manifest=dump(workload("StatefulSet", replicas=3, volumeClaimTemplates=[template]))
    )
    (volume,) = [row for name, row in lines(several).items() if "volume" in name]
    assert (volume[0], volume[2]) == (4.8, "3 x 20 GiB x $0.08 (gp3)")


async def test_balancers_cost_their_hours_and_what_depends_on_traffic_is_said(stage: Stage) -> None:
    def service(**more: Any) -> Obj:
        head = {"name": f"door-{len(str(more))}", "namespace": SPACE, "annotations": more.pop("notes", {})}
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}], **more}
        return {"apiVersion": "v1", "kind": "Service", "metadata": head, "spec": spec}

    kind = "service.beta.kubernetes.io/aws-load-balancer-type"
    nlb, classic = service(notes={kind: "external"}), service()
    inside = service(type="ClusterIP")
    found = await stage.got("estimate_cost", manifest=dump(nlb, classic, inside))
    assert [row[0] for row in found["lines"]["rows"]][:2] == [
        f"Service {SPACE}/{nlb['metadata']['name']}: a Network Load Balancer",
        f"Service {SPACE}/{classic['metadata']['name']}: a Classic Load Balancer",
    ]
    assert found["now_usd"] == cents((Decimal("0.0225") + Decimal("0.025")) * HOURS)
    assert any("$0.006 per LCU-Hrs" in one for one in found["warnings"])


async def test_a_nodepool_has_a_range_up_to_its_limits(stage: Stage) -> None:
    pool = nodepool(limits={"cpu": "20", "memory": "100Gi"}, family=["m5", "c5"], capacity=["on-demand"])
    found = await stage.got("estimate_cost", manifest=dump(pool))
    told = [dict(zip(found["types"]["columns"], row, strict=True)) for row in found["types"]["rows"]]
    table = PriceTable()
    fits = sorted(
        (table.hour(one.name), one.name)
        for one in TYPES.values()
        if one.name.startswith(("m5.", "c5.")) and one.cpus <= 20 and one.memory_gib <= 100
    )
    assert [row["type"] for row in told] == [fits[0][1], fits[(len(fits) - 1) // 2][1], fits[-1][1]]
    cheapest = told[0]
    assert (cheapest["type"], cheapest["hour_usd"], cheapest["most_nodes"]) == ("c5.large", 0.085, 10)
    assert cheapest["at_limit_usd"] == cents(10 * Decimal("0.085") * HOURS)
    assert told[-1]["most_nodes"] == 1, "what alone is larger than the limits is never bought"
    assert "costs nothing until pods need its nodes" in " ".join(found["assumptions"])
    spot = nodepool(type=["r5.2xlarge"], capacity=["spot", "on-demand"])
    by_spot = await stage.got("estimate_cost", manifest=dump(spot))
    assert by_spot["types"]["rows"][0][4] == 0.252
    assert "it has no limit" in by_spot["summary"]
    nothing = await stage.got("estimate_cost", manifest=dump(nodepool(family=["m5"], arch=["arm64"])))
    assert nothing["unpriced"] == ["NodePool burst: no instance type meets its requirements"]
    # A pool that exists is where its pods' room is bought: on Spot, where it takes it, and on amd64.
    live = nodepool("default", category=["c", "m", "r"], capacity=["spot", "on-demand"])
    live["spec"]["template"]["spec"]["nodeClassRef"] = {"group": "g", "kind": "EC2NodeClass", "name": "n"}
    stage.lab.store.create(live)
    named = await stage.got("estimate_cost", nodepool="default")
    assert "as Spot" in named["summary"]
    room = await stage.got("estimate_cost", manifest=dump(workload(replicas=2, cpu="20")))
    (new,) = [row for name, row in lines(room).items() if name.startswith("new nodes:")]
    spots = {one.name: table.spot_mean(one.name) for one in TYPES.values() if one.cpus >= 48 and not one.arm}
    (chosen,) = [name for name in spots if f" {name} " in str(room["lines"])]
    assert new[0] == cents(spots[chosen] * HOURS)
    stage.lab.store.delete("NodePool", None, "default")
    absent = await stage.ask("estimate_cost", nodepool="burst")
    assert absent.code == "not_found"


async def test_what_cannot_be_priced_is_said_by_document(stage: Stage) -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {}}
    odd = {"apiVersion": "x/v1", "kind": "Gadget", "metadata": {"name": "g"}}
    free = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    found = await stage.got("estimate_cost", manifest=dump(free, job, odd))
    assert found["unpriced"] == [
        "document 2: Job once: it ends; what it costs depends on how long it runs",
        "document 3: Gadget g: this kind is not known to cost anything or to be free",
    ]
    assert found.get("now_usd") is None


async def test_bad_input_is_refused_before_anything_is_asked(stage: Stage) -> None:
    before = len(stage.lab.aws_requests()), len(stage.lab.requests.entries)
    bad: tuple[dict[str, Any], ...] = (
        {},
        {"instances": "3 m5.xlarge", "nodepool": "x"},
        {"instances": "many m5.xlarge"},
        {"instances": "0 m5.xlarge"},
        {"instances": "3 m5.xlarge; 4"},
        {"instances": "99999 m5.xlarge"},
        {"manifest": "a: ["},
        {"manifest": "!!python/object:os.system x"},
        {"manifest": "kind: Deployment"},
        {"manifest": dump({"kind": "Deployment", "metadata": {"name": "a/../b"}})},
        {"manifest": dump(*[workload(name=f"w{one}") for one in range(51)])},
        {"plan_id": "../x"},
    )
    for one in bad:
        answer = await stage.ask("estimate_cost", **one)
        assert answer.code == "invalid_input", (one, answer.error or answer.data)
    assert (len(stage.lab.aws_requests()), len(stage.lab.requests.entries)) == before
    unknown = await stage.ask("estimate_cost", instances="2 m5.xlrge")
    assert unknown.code == "not_found"
    assert "m5.xlarge" in unknown.error


def planned(stage: Stage, expires_in_s: float, values: dict[str, Any], action: ActionName = "scale") -> Plan:
    now = datetime.now(UTC)  # noqa: TID251  # plans live by safety time, which is this machine's
    live = some(stage)
    account = stage.lab.account
    cluster = f"111122223333/us-east-1/{account.cluster}"
    ref = ObjectRef(
        cluster=cluster,
        api_version="apps/v1",
        kind="Deployment",
        namespace=SPACE,
        name=live["metadata"]["name"],
    )
    target = TargetChange(
        ref=ref,
        uid=live["metadata"]["uid"],
        paths=tuple(values),
        digest="0",
        steps=(Step(name="write", verb="write", values=values),),
    )
    return Plan(
        plan_id=f"plan-{abs(hash((expires_in_s, str(values), action))):x}",
        action=action,
        cluster=cluster,
        confirm="yes",
        targets=(target,),
        requester=Caller(name="anna"),
        created_at=now,
        expires_at=now + timedelta(seconds=expires_in_s),
        reversible="full",
        blast_radius=BlastRadius(),
        facts=Facts(),
        verdict=Verdict(decision="allow", rule="test"),
        policy_digest="0",
    )


async def test_a_stored_plan_is_priced_and_an_old_or_unknown_one_refused(
    stage: Stage, house: tuple[Stage, Path]
) -> None:
    state = StateSettings(dir=house[1] / "state")
    plans = PlanStore(stage.store, Keys(state), SystemClock())
    live = some(stage)
    replicas = live["spec"]["replicas"]
    plan = await plans.save(planned(stage, 600, {"spec.replicas": replicas + 3}))
    found = await stage.got("estimate_cost", plan_id=plan.plan_id)
    assert f"Deployment {SPACE}/{live['metadata']['name']}: {replicas} -> {replicas + 3} pods" in lines(found)
    assert found["room_usd"] > 0
    restart = await plans.save(
        planned(stage, 600, {'spec.template.metadata.annotations."restarted"': "1"}, "restart")
    )
    nothing = await stage.got("estimate_cost", plan_id=restart.plan_id)
    assert nothing["unpriced"] == ["restart changes nothing that AWS bills by itself"]
    expired = await plans.save(planned(stage, -1, {"spec.replicas": replicas + 3}))
    assert (await stage.ask("estimate_cost", plan_id=expired.plan_id)).code == "plan_expired"
    assert (await stage.ask("estimate_cost", plan_id="nobody-made-it")).code == "plan_not_found"


async def test_sources_that_do_not_answer_are_said(stage: Stage) -> None:
    stage.lab.fail_aws("pricing", "GetProducts", code="AccessDeniedException")
    denied = await stage.ask("estimate_cost", manifest=dump(workload()))
    assert denied.code == "access_denied"
    assert "pricing:GetProducts" in denied.error
    stage.lab.aws_faults.clear()
    await stage.got("estimate_cost", manifest=dump(workload()))
    stage.lab.fail_aws("pricing", "GetProducts", code="ServiceUnavailable", status=503)
    stage.lab.fail_aws("ec2", "*", code="ServiceUnavailable", status=503)
    kept = await stage.got("estimate_cost", manifest=dump(workload(replicas=3)))
    assert kept["room_usd"] > 0, "what was read today needs no asking"
