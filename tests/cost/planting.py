"""Foreign texts in every place that the cost server reads: bills, budgets, anomalies, objects, files.

Canaries (T6) and orders (T7) are planted alike; what they are is the caller's. Metrics, labels and logs are
planted as `tests.observability.planting` does.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import yaml

from aiops_lab.aws.compute_optimizer import ComputeOptimizer
from aiops_lab.aws.cost_optimization_hub import CostOptimizationHub
from aiops_lab.aws.vpc import Vpc
from aiops_lab.billing.anomalies import Anomaly, Cause, Monitor
from aiops_lab.billing.budgets import Budget
from aiops_lab.billing.fleets import Kit
from aiops_lab.billing.quantities import hours
from tests.cost.every_call import HOME
from tests.cost.stage import Stage
from tests.e2e.stage import Obj
from tests.observability.planting import Plant

MERGE = "merge"
MANY = 40  # of what a bill is made of
COSTS = ("cpuCost", "ramCost", "pvCost", "networkCost", "gpuCost", "sharedCost", "totalCost")


@dataclass(frozen=True)
class Bills:
    """Plants texts into the world that a stage plays."""

    stage: Stage

    def everywhere(self, texts: Sequence[str]) -> None:
        """Each text in each place."""
        Plant(self.stage.lab).logs(texts)
        Plant(self.stage.lab).metrics(texts)
        self.bill(texts)
        self.advisers(texts)
        self.objects(texts)

    def bill(self, texts: Sequence[str]) -> None:
        """As values of tags, names of services, usage types, operations and accounts, of budgets, monitors
        and root causes.
        """
        ledger = self.stage.ledger
        names, made, today = {}, [], self.stage.lab.clock.now().date()
        for number, text in enumerate(texts):
            account = f"{number + 1:012d}"
            names[account] = text
            line = Kit(text, account).nodes("m5.large", "0.096", hours(24 * (number + 3)))
            made += [
                replace(line, tags={"eks:cluster-name": text, "team": text}),
                replace(line, service=text, usage_type=text, operation=text, resource_id=text),
                replace(line, tags={"team": f"team-{text}"}, record_type=text[:60]),
            ]
        ledger.lines = (*ledger.lines, *made)
        ledger.account_names = names
        ledger.budgets = tuple(Budget(text, "10") for text in texts)
        ledger.monitors = (*ledger.monitors, *(Monitor(text) for text in texts))
        ledger.anomalies = tuple(self.anomaly(number, text, today) for number, text in enumerate(texts))

    @staticmethod
    def anomaly(number: int, text: str, today: date) -> Anomaly:
        """Its words everywhere."""
        cause = Cause(text, text, 50.0, account_name=text, region="us-east-1")
        first = today - timedelta(days=4)
        return Anomaly(f"id-{number}", first, text, 90.0, 10.0, causes=(cause,), monitor=text, feedback="")

    def advisers(self, texts: Sequence[str]) -> None:
        """As the names of the instances that AWS's own advisers speak of."""
        area = self.stage.lab.account.area
        area(ComputeOptimizer).enrolled = area(CostOptimizationHub).enrolled = True
        held = area(Vpc).instances
        area(ComputeOptimizer).use = {one.instance_type: (0.1, 0.1) for one in held.values()}
        for text, name in zip(texts, sorted(held), strict=False):
            held[name] = replace(held[name], name=text)

    def objects(self, texts: Sequence[str]) -> None:
        """As labels and annotations of what runs, and as the fields of objects that are free texts."""
        store = self.stage.lab.store
        for kind in ("Node", "Deployment", "Pod", "NodePool"):
            for number, one in enumerate(store.list(kind)[:MANY]):
                meta, patch = (
                    one["metadata"],
                    {"metadata": {"annotations": {"note": texts[number % len(texts)]}}},
                )
                store.patch(kind, meta.get("namespace"), meta["name"], patch, MERGE)


def manifests(texts: Sequence[str]) -> list[str]:
    """What a client may hand over: texts as names of parts, images, variables, classes and comments."""
    made = []
    for number, text in enumerate(texts):
        box = {
            "name": text,
            "image": text,
            "env": [{"name": "PLANTED", "value": text}],
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
        }
        pod = {
            "metadata": {"annotations": {"a": text}},
            "spec": {"containers": [box], "nodeSelector": {"a": text}},
        }
        meta: Obj = {"name": f"w{number}", "namespace": HOME, "labels": {"team": text}}
        spec: Obj = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": pod}
        claim = {"storageClassName": text, "resources": {"requests": {"storage": "1Gi"}}}
        documents = [
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec},
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": claim},
            {"apiVersion": "v1", "kind": text, "metadata": {"name": f"odd{number}"}},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    **meta,
                    "annotations": {"service.beta.kubernetes.io/aws-load-balancer-type": text},
                },
                "spec": {"type": "LoadBalancer", "loadBalancerClass": text},
            },
        ]
        said = "".join(f"# {line}\n" for line in text.splitlines())
        made += [said + yaml.safe_dump(one, allow_unicode=True) for one in documents]
    return made


def opencost(texts: Sequence[str]) -> bytes:
    """An answer of OpenCost with the texts as its names."""
    rows: Obj = {}
    for number, text in enumerate(texts):
        about = {"cluster": "", "namespace": text, "controllerKind": text, "controller": text}
        amounts = dict.fromkeys(COSTS, 2.0 + number)
        rows[text] = {"name": text, "properties": about, **amounts}
        rows[f"_{text}"] = {"name": text, "properties": {"cluster": ""}, **amounts}
    return json.dumps({"code": 200, "data": [rows]}).encode()


def cost_file(folder: Path, texts: Sequence[str], today: date) -> None:
    """A cost and usage file whose rows are about the texts."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, text in enumerate(texts):
        tags = {
            "aws_eks_cluster_name": "my-cluster",
            "aws_eks_namespace": text,
            "aws_eks_workload_type": text,
            "aws_eks_workload_name": text,
            "aws_eks_deployment": text,
        }
        for back in range(1, 9):
            day = today - timedelta(days=back)
            rows.append((str(day.replace(day=1)), str(day), text, text, 3.0 + number, 2.0, 1.0, tags))
    with duckdb.connect(":memory:") as engine:
        engine.execute(TABLE)
        for start, at, product, usage, cost, split, unused, tags in rows:
            money = [cost, cost, split, unused, split, unused]
            engine.execute(INSERT, [start, at, product, usage, *money, [*tags], [*tags.values()]])
        engine.execute(f"COPY cur TO '{folder}/one.parquet' (FORMAT parquet)")


INSERT = (
    "INSERT INTO cur VALUES (?, ?, 'Usage', ?, ?, '111122223333', 'i-1', 1, ?, ?, 0, 0, 'i-1', ?, ?, ?, ?,"
    " MAP(?, ?))"
)
TABLE = """CREATE TABLE cur (
 bill_billing_period_start_date TIMESTAMP, line_item_usage_start_date TIMESTAMP,
 line_item_line_item_type VARCHAR, line_item_product_code VARCHAR, line_item_usage_type VARCHAR,
 line_item_usage_account_id VARCHAR, line_item_resource_id VARCHAR, line_item_usage_amount DOUBLE,
 line_item_unblended_cost DOUBLE, line_item_net_unblended_cost DOUBLE,
 savings_plan_savings_plan_effective_cost DOUBLE, reservation_effective_cost DOUBLE,
 split_line_item_parent_resource_id VARCHAR, split_line_item_split_cost DOUBLE,
 split_line_item_unused_cost DOUBLE, split_line_item_net_split_cost DOUBLE,
 split_line_item_net_unused_cost DOUBLE, resource_tags MAP(VARCHAR, VARCHAR))"""
