"""The one question about cost and usage data 2.0, for DuckDB and for Athena: one group for each workload.

Values are bound, never written into the text; tag keys and names of tables come from settings and are checked
here. Column names: AWS Data Exports guide, "Cost and Usage Report (CUR) 2.0"; keys of `resource_tags` are the
tags in lower case with everything else than letters and digits as `_`, the user's with `user_` before.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date

from aiops_cost.models.bills import Metric
from aiops_shared.errors import NotConfiguredError

SPLIT = "split_line_item_split_cost"
NEEDED = frozenset(
    {
        *("line_item_product_code", "line_item_usage_type", "line_item_usage_start_date"),
        *("line_item_unblended_cost", "resource_tags", SPLIT, "split_line_item_unused_cost"),
    }
)
HOW = "export CUR 2.0 with INCLUDE_SPLIT_COST_ALLOCATION_DATA and INCLUDE_RESOURCES (docs/allocation.md)"
_LABELS = ("aws_eks_namespace", "aws_eks_workload_type", "aws_eks_workload_name", "aws_eks_deployment")
_ODD = re.compile(r"[^a-z0-9]+")
_AMORTIZED = (
    ("SavingsPlanCoveredUsage", "savings_plan_savings_plan_effective_cost"),
    ("DiscountedUsage", "reservation_effective_cost"),
)
_NETS = {"line_item_unblended_cost": "line_item_net_unblended_cost", SPLIT: "split_line_item_net_split_cost"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine reads a key of a map."""

    tag: Callable[[str], str]


DUCKDB = Dialect(lambda key: f"map_extract_value(resource_tags, '{key}')")
ATHENA = Dialect(lambda key: f"element_at(resource_tags, '{key}')")


@dataclass(frozen=True, slots=True)
class Question:
    """One cluster's costs over days; `columns` are those there are, None: all of CUR 2.0."""

    cluster: str
    first: date
    end: date
    tags: Sequence[str]
    metric: Metric
    columns: Collection[str] | None = None

    def has(self, column: str) -> bool:
        """Whether the data has a column."""
        return self.columns is None or column in self.columns


def tag_key(tag: str) -> str:
    """`aws:eks:cluster-name` -> aws_eks_cluster_name, `eks:cluster-name` -> user_eks_cluster_name."""
    word = _ODD.sub("_", tag.lower()).strip("_")
    return word if tag.startswith("aws:") else f"user_{word}"


def query(asked: Question, dialect: Dialect, table: str) -> tuple[str, list[str]]:
    """SQL with `?` and its values, all texts. Raises NotConfiguredError for data without what it needs."""
    if asked.columns is not None and (missing := NEEDED - set(asked.columns)):
        raise NotConfiguredError("cost and usage data", f"it has no column {', '.join(sorted(missing))}", HOW)
    labels = ", ".join(dialect.tag(key) for key in _LABELS)
    mine = [f"{dialect.tag(key)} = ?" for key in dict.fromkeys(tag_key(tag) for tag in asked.tags)]
    values = [asked.cluster] * len(mine)
    if asked.has("line_item_resource_id"):  # log groups carry no tag; their name has the cluster's in it
        logs = (
            f":log-group:/aws/containerinsights/{asked.cluster}/",
            f":log-group:/aws/eks/{asked.cluster}/",
        )
        mine += ["(strpos(line_item_resource_id, ?) > 0)"] * len(logs)
        values += logs
    sums = ", ".join(
        f"SUM(CAST({one} AS DECIMAL(38, 12)))" for one in (_cost(asked), _split(asked), _unused(asked))
    )
    text = (  # names are checked above and in settings; values are bound
        f"SELECT line_item_product_code, line_item_usage_type, {labels}, {sums} FROM {table}"  # noqa: S608
        " WHERE line_item_usage_start_date >= CAST(? AS TIMESTAMP)"
        " AND line_item_usage_start_date < CAST(? AS TIMESTAMP)"
        f" AND ({' OR '.join(mine)}) GROUP BY 1, 2, 3, 4, 5, 6"
    )
    return text, [f"{asked.first} 00:00:00", f"{asked.end} 00:00:00", *values]


def _net(asked: Question, column: str) -> str:
    wanted = _NETS.get(column, column.replace("split_line_item_", "split_line_item_net_"))
    return wanted if asked.metric.startswith("net_") and asked.has(wanted) else column


def _cost(asked: Question) -> str:
    plain = _net(asked, "line_item_unblended_cost")
    if "amortized" not in asked.metric or not asked.has("line_item_line_item_type"):
        return plain
    cases = "".join(f" WHEN '{kind}' THEN {column}" for kind, column in _AMORTIZED if asked.has(column))
    fees = " WHEN 'SavingsPlanNegation' THEN 0 WHEN 'SavingsPlanRecurringFee' THEN 0"
    return f"CASE line_item_line_item_type{cases}{fees} ELSE {plain} END" if cases else plain


def _split(asked: Question) -> str:
    return _net(asked, SPLIT)


def _unused(asked: Question) -> str:
    return _net(asked, "split_line_item_unused_cost")
