"""The rights used equal the rights given (decision D24), both ways, by measurement, as `aiops-accountant`.

One walk of all five tools over the worlds that need each right; the lab gives this identity exactly the table
of `clients/rights.py`, so what is missing is a refusal there and a failure here. AWS is heard from botocore's
events, AMP's data plane from the lab's log. What no world of the lab can show stands in UNPLAYED with why.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from aiops_cost.clients.rights import RIGHTS
from aiops_lab.aws.compute_optimizer import ComputeOptimizer
from aiops_lab.aws.cost_files import CostFiles
from aiops_lab.aws.cost_optimization_hub import CostOptimizationHub
from aiops_lab.billing.budgets import Budget
from tests.cost.every_call import CLUSTER, HOME, Call, estimates, prices
from tests.cost.stage import Stage, billed
from tests.cost.test_allocation import files, uploaded, with_source
from tests.e2e.stage import Obj
from tests.eks.rights_walk import Use, Uses
from tests.rights_of_readers import Walk, lacking, table, wide

# IAM's name of an action, where it is not the operation's.
ACTION = {
    "budgets:DescribeBudgets": "budgets:ViewBudget",
    "s3:ListObjectsV2": "s3:ListBucket",  # Service Authorization Reference: Amazon S3
}
UNPLAYED: dict[Use, str] = {
    ("aws", "athena:StopQueryExecution"): "only a query that is not done in time is stopped",
    ("aws", "logs:StopQuery"): "only a query that is not done in time is stopped",
    # What Athena does with the caller's rights (Athena user guide, "Actions, resources, condition keys").
    ("aws", "glue:GetDatabase"): "asked by Athena itself",
    ("aws", "glue:GetPartitions"): "asked by Athena itself",
    ("aws", "glue:GetTable"): "asked by Athena itself",
    ("aws", "s3:GetBucketLocation"): "asked by Athena itself",
    (
        "kube",
        "list",
        "metrics.k8s.io",
        "pods",
        "",
    ): "only where no metrics backend is known; CloudWatch is here",
    (
        "aws",
        "ec2:DescribeSpotPriceHistory",
    ): "get_costs: of Spot nodes that no bill knows; this world has none",
    ("kube", "get", "apps", "daemonsets", ""): "recommend_savings asks for the owner of what it sizes",
}
# Found once by a process; here it was another tool's first call that did.
ONCE = {("aws", f"eks:{name}") for name in ("ListClusters", "DescribeCluster")}
ONCE |= {("aws", "aps:DescribeWorkspace")}


def live(stage: Stage) -> Iterator[str]:
    """A manifest of each kind that is held against its live version, as it is live where it is."""
    for kind in KINDS:
        held = stage.lab.store.list(kind)
        obj: Obj = held[0] if held else {"metadata": {"name": "walk", "namespace": HOME}, "spec": SPECS[kind]}
        version, name = VERSIONS.get(kind, "apps/v1"), obj["metadata"]["name"]
        where = {"namespace": obj["metadata"]["namespace"]} if "namespace" in obj["metadata"] else {}
        yield yaml.safe_dump(
            {"apiVersion": version, "kind": kind, "metadata": {"name": name, **where}, "spec": obj["spec"]}
        )


KINDS = (
    *("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "PersistentVolumeClaim", "Service"),
    *("Ingress", "NodePool"),
)
VERSIONS = {
    **dict.fromkeys(("Pod", "PersistentVolumeClaim", "Service"), "v1"),
    "Ingress": "networking.k8s.io/v1",
    "NodePool": "karpenter.sh/v1",
}
_BACKEND = {"service": {"name": "walk", "port": {"number": 80}}}
PLAIN_CLAIM: Obj = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "walk", "namespace": HOME},
    "spec": {"resources": {"requests": {"storage": "10Gi"}}},
}
SPECS: dict[str, Obj] = {
    "PersistentVolumeClaim": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
        "storageClassName": "gp3",
    },
    "StatefulSet": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "walk"}},
        "template": {
            "metadata": {"labels": {"app": "walk"}},
            "spec": {"containers": [{"name": "walk", "image": "walk:1"}]},
        },
    },
    "Ingress": {"ingressClassName": "alb", "defaultBackend": _BACKEND},
    "NodePool": {"template": {"spec": {"requirements": []}}},
}


def furnish(stage: Stage) -> None:
    """What makes AWS's own advisers and Budgets speak."""
    area = stage.lab.account.area
    area(ComputeOptimizer).enrolled = area(CostOptimizationHub).enrolled = True
    stage.ledger.budgets = (Budget("walk", "5000"),)


BILL: tuple[Call, ...] = (
    ("get_costs", {}),
    ("get_costs", {"group_by": "cluster"}),
    ("get_costs", {"group_by": "workload", "period": "7d"}),
    ("explain_cost_change", {"cluster": CLUSTER, "detail": "full"}),
)


async def worlds(walk: Walk[Stage]) -> None:
    """Bills, fleets, prices and estimates in the worlds that need each right."""
    stage = walk.stage
    for scenario, scope in (("disk-leftovers", "storage"), ("zone-traffic", "network")):
        stage.play(scenario)
        await walk.ask("recommend_savings", scope=scope)
    stage.play("cost-spike")
    await walk.ask("recommend_savings", scope="requests")
    pools = stage.lab.store.list("NodePool")[0]["metadata"]["name"]
    await walk.all(prices())
    await walk.all(estimates(pools, *live(stage), yaml.safe_dump(PLAIN_CLAIM)))
    stage.play("log-volume")
    furnish(stage)
    await walk.all(BILL)
    await walk.ask("recommend_savings")


async def sources(walk: Walk[Stage], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Allocations by each of the other sources, and metrics by each other backend."""
    stage, uses = walk.stage, walk.uses
    files(stage, folder / "cur")
    uploaded(folder / "cur", stage, stage.lab.export("lab-admin"))
    held = stage.lab.account.area(CostFiles)
    for place in (str(folder / "cur"), "s3://cost-exports/cur2/", f"athena:{held.database}.{held.table}"):
        stage.forget()
        async with with_source(stage, monkeypatch, folder, CUR=place) as other:
            await Walk(other, uses, ACTION).ask("get_costs", group_by="workload", period="7d")
    async with with_source(stage, monkeypatch, folder, OPENCOST_URL="{lab}/opencost") as other:
        await Walk(other, uses, ACTION).ask("get_costs", group_by="workload", period="7d")
    monkeypatch.delenv("AIOPS_METRICS_PROMETHEUS_URL")
    for _ in range(2):  # AMP, then CloudWatch and the cluster's own
        stage.forget()
        stage.ledger.lines = tuple(replace(line, tags={}) for line in stage.ledger.lines)
        async with with_source(stage, monkeypatch, folder) as other:
            walk = Walk(other, uses, ACTION)
            await walk.ask("get_costs", group_by="workload", period="7d")
            await walk.ask("explain_cost_change", detail="full")
            await walk.ask("recommend_savings", scope="compute")
        monkeypatch.delenv("AIOPS_METRICS_AMP_WORKSPACE", raising=False)


@pytest.mark.slow
@pytest.mark.timeout(170)
@pytest.mark.threat("T2")
@pytest.mark.row("S10")
async def test_the_rights_used_are_the_rights_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uses = Uses()
    uses.watch(monkeypatch)
    async with billed(monkeypatch, tmp_path) as stage:
        walk = Walk(stage, uses, ACTION)
        await worlds(walk)
        await sources(walk, monkeypatch, tmp_path)
        assert stage.lab.requests.writes() == []
    assert not walk.denied, "\n".join(walk.denied)
    assert not uses.refused, "\n".join(sorted(set(uses.refused)))
    missing = lacking(uses, RIGHTS)
    used = {tool: {wide(use) for use in book} for tool, book in uses.by_tool.items()}
    spare = sorted(
        f"{tool}: {' '.join(use)}"
        for tools, use in table(RIGHTS)
        for tool in tools
        if use not in used[tool] and use not in UNPLAYED.keys() | ONCE
    )
    assert not missing, f"used, and not in the table of that tool: {missing}"
    assert not spare, f"given, and used by nothing: {spare}"
