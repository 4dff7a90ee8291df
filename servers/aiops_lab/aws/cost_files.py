"""Cost and usage data 2.0 with split cost allocation, as Parquet files: lines and pods.

    written = write(account, folder, date(2026, 10, 23), date(2026, 11, 22))

DuckDB writes them below `BILLING_PERIOD=YYYY-MM/`, as Data Exports lays them out: a row for each day of a
line, and for each pod, resource and day. Columns and keys of `resource_tags` are the guide's; lines of the
ledger that stand for several instances stay one row. Split rows are those of `billing.splits`; what nobody
holds is the pods' unused cost in proportion to what they hold, as AWS divides it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson

from aiops_lab.aws.account import Account
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import EC2, EC2_OTHER, EKS, Line
from aiops_lab.billing.splits import Held, Machine, held, machines
from aiops_lab.places import ACCOUNT_ID, REGION

CORE_WEIGHT, GIB_WEIGHT = 9, 1  # "Example of split cost allocation data", step 1
PRODUCTS: Mapping[str, str] = {
    EC2: "AmazonEC2",
    EC2_OTHER: "AmazonEC2",
    EKS: "AmazonEKS",
    "Amazon Elastic Load Balancing": "AWSELB",
}
COLUMNS: Mapping[str, str] = {
    "bill_billing_period_start_date": "TIMESTAMP",
    "line_item_usage_start_date": "TIMESTAMP",
    "line_item_line_item_type": "VARCHAR",
    "line_item_product_code": "VARCHAR",
    "line_item_usage_type": "VARCHAR",
    "line_item_usage_account_id": "VARCHAR",
    "line_item_resource_id": "VARCHAR",
    "line_item_usage_amount": "DOUBLE",
    "line_item_unblended_cost": "DOUBLE",
    "line_item_net_unblended_cost": "DOUBLE",
    "savings_plan_savings_plan_effective_cost": "DOUBLE",
    "reservation_effective_cost": "DOUBLE",
    "split_line_item_parent_resource_id": "VARCHAR",
    "split_line_item_split_cost": "DOUBLE",
    "split_line_item_unused_cost": "DOUBLE",
    "split_line_item_net_split_cost": "DOUBLE",
    "split_line_item_net_unused_cost": "DOUBLE",
}
TAGS = (
    *("aws_eks_cluster_name", "user_eks_cluster_name", "aws_eks_namespace", "aws_eks_workload_type"),
    *("aws_eks_workload_name", "aws_eks_deployment", "aws_eks_node"),
)
_MAP = "MAP(VARCHAR, VARCHAR)"
Row = dict[str, Any]


@dataclass(slots=True)
class CostFiles:
    """Where the account's export lies, and the table that Athena knows it as."""

    folder: Path | None = None
    database: str = "cost_data"
    table: str = "cur2"
    fails: str = ""  # Athena ends its queries so
    slow: bool = False  # its queries never end
    asked: list[str] = field(default_factory=list)


def write(
    account: Account, folder: Path, first: date, end: date, *, split_until: date | None = None
) -> list[Path]:
    """Write the days; split rows only up to `split_until`, as they come late. Called in the lab's loop."""
    found = list(machines(account.objects("Node")))
    pods = list(held(account.objects("Pod"), found))
    lines = [line for line in account.area(Ledger).lines if line.record_type == "Usage"]
    written = []
    for month in _months(first, end):
        days = [day for day in _days(first, end) if day.replace(day=1) == month]
        rows = [*_lines(account, lines, days), *_pods(account, lines, found, pods, days, split_until or end)]
        place = folder / f"BILLING_PERIOD={month:%Y-%m}"
        place.mkdir(parents=True, exist_ok=True)
        written.append(place / "cur2-00001.snappy.parquet")
        _write(rows, written[-1])
    account.area(CostFiles).folder = folder
    return written


def _lines(account: Account, lines: Sequence[Line], days: Sequence[date]) -> Iterator[Row]:
    for line in lines:
        named = line.resource_id
        if named.startswith("/aws/"):
            named = f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{named}"
        cluster = line.tags.get("eks:cluster-name")
        for day in days:
            cost = float(line.amount(day))
            yield {
                "bill_billing_period_start_date": _moment(day.replace(day=1)),
                "line_item_usage_start_date": _moment(day),
                "line_item_line_item_type": "Usage",
                "line_item_product_code": PRODUCTS.get(line.service, line.service),
                "line_item_usage_type": line.usage_type,
                "line_item_usage_account_id": line.account,
                "line_item_resource_id": named,
                "line_item_usage_amount": float(line.quantity(day)),
                "line_item_unblended_cost": cost,
                "line_item_net_unblended_cost": cost,
                "user_eks_cluster_name": cluster,
            }


def _pods(
    account: Account,
    lines: Sequence[Line],
    found: Sequence[Machine],
    pods: Sequence[Held],
    days: Sequence[date],
    split_until: date,
) -> Iterator[Row]:
    for day in days:
        if day >= split_until:
            return
        since = datetime.combine(day, time(), UTC)
        until = min(since + timedelta(days=1), account.now())
        for machine in found:
            hours = machine.hours(since, until)
            cost = _price(lines, machine, day) * hours
            mine = [(pod, pod.hours(since, until)) for pod in pods if pod.machine is machine]
            yield from _machine(account, machine, cost, hours, mine, day)


def _price(lines: Sequence[Line], machine: Machine, day: date) -> float:
    kind = f"{'SpotUsage' if machine.spot else 'BoxUsage'}:{machine.kind}"
    for line in lines:
        if line.usage_type.endswith(kind):
            price = line.price_usd(day) if callable(line.price_usd) else line.price_usd
            return float(price)
    return 0.0


def _machine(
    account: Account,
    machine: Machine,
    cost: float,
    hours: float,
    pods: Sequence[tuple[Held, float]],
    day: date,
) -> Iterator[Row]:
    """Both resources of one instance's day, by pod."""
    whole = CORE_WEIGHT * machine.cores + GIB_WEIGHT * machine.memory_gib
    for usage, weight, room in (
        ("EKS-EC2-vCPU-Hours", CORE_WEIGHT * machine.cores, machine.cores),
        ("EKS-EC2-GB-Hours", GIB_WEIGHT * machine.memory_gib, machine.memory_gib),
    ):
        part = cost * weight / whole
        by_cpu = "vCPU" in usage
        asks = [(pod.cores if by_cpu else pod.memory_bytes / 2**30) * lived for pod, lived in pods]
        if not hours or not sum(asks):
            continue
        scale = max(sum(asks), room * hours)
        unused = part * (1 - sum(asks) / scale)
        for (pod, _), ask in zip(pods, asks, strict=True):
            if ask:
                yield _split(account, pod, usage, part * ask / scale, unused * ask / sum(asks), day)


def _split(account: Account, pod: Held, usage: str, split: float, unused: float, day: date) -> Row:
    arn = f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:pod/{account.cluster}/{pod.namespace}/{pod.name}/{pod.uid}"
    return {
        "bill_billing_period_start_date": _moment(day.replace(day=1)),
        "line_item_usage_start_date": _moment(day),
        "line_item_line_item_type": "Usage",
        "line_item_product_code": "AmazonEKS",
        "line_item_usage_type": f"USE1-{usage}",
        "line_item_usage_account_id": ACCOUNT_ID,
        "line_item_resource_id": arn,
        "line_item_usage_amount": 0.0,
        "line_item_unblended_cost": 0.0,
        "line_item_net_unblended_cost": 0.0,
        "split_line_item_parent_resource_id": pod.machine.instance,
        "split_line_item_split_cost": split,
        "split_line_item_unused_cost": unused,
        "split_line_item_net_split_cost": split,
        "split_line_item_net_unused_cost": unused,
        "aws_eks_cluster_name": account.cluster,
        "aws_eks_namespace": pod.namespace,
        "aws_eks_workload_type": pod.owner_kind or None,
        "aws_eks_workload_name": pod.owner or None,
        "aws_eks_deployment": pod.deployment or None,
        "aws_eks_node": pod.machine.name,
    }


def _write(rows: Sequence[Row], path: Path) -> None:
    """By way of JSON, which DuckDB reads a hundred times faster than bound values."""
    import duckdb  # only worlds whose files are asked for need it

    lines = (
        {name: row[name] for name in COLUMNS if name in row}
        | {"resource_tags": {tag: row[tag] for tag in TAGS if row.get(tag)}}
        for row in rows
    )
    plain = path.with_suffix(".json")
    plain.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    kinds = ", ".join(f"{name}: '{kind}'" for name, kind in {**COLUMNS, "resource_tags": _MAP}.items())
    source = f"read_json('{plain}', format = 'newline_delimited', columns = {{{kinds}}})"
    connection = duckdb.connect(":memory:")
    try:
        # The path is the lab's own, the rest are constants of this module.
        connection.execute(f"COPY (FROM {source}) TO '{path}' (FORMAT parquet, COMPRESSION snappy)")
    finally:
        connection.close()
        plain.unlink()


def _moment(day: date) -> datetime:
    return datetime.combine(day, time())


def _days(first: date, end: date) -> Iterator[date]:
    for place in range((end - first).days):
        yield first + timedelta(days=place)


def _months(first: date, end: date) -> list[date]:
    return sorted({day.replace(day=1) for day in _days(first, end)})
