"""The summary of a cost answer: the amount first, then what makes it up, and what is not certain.

Called by `cost_reading`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.cost_rows import UNTAGGED, settled_mean
from aiops_cost.analysis.service_names import SHORT
from aiops_cost.clients.cost_asking import ACTIVATE, Asked
from aiops_cost.clients.cost_outlook import Anomaly
from aiops_cost.clients.cost_tables import Told
from aiops_cost.models.costs import Compared, CostAsk, MonthEnd
from aiops_cost.models.money import nano, worded
from aiops_shared.results.wording import counted, cut, quotable

MOST_NAMED = 3
MUCH_UNTAGGED = 0.5


@dataclass(frozen=True, slots=True)
class Words:
    """What a summary is made of."""

    ask: CostAsk
    asked: Asked
    bill: Bill
    rows: Told
    compared: Compared | None
    month: MonthEnd | None
    unsettled: int
    anomalies: Sequence[Anomaly]

    @property
    def untagged(self) -> float:
        """Share of the bill that no tag names, where it is grouped by one."""
        if self.ask.group_by not in {"tag", "cluster"} or not self.rows.total:
            return 0.0
        names = {"", UNTAGGED}
        return sum(row.amount for row in self.rows.rows if row.key[0] in names) / self.rows.total

    @property
    def hint(self) -> str:
        """What to do about costs without the tag; about an empty bill."""
        if self.untagged >= MUCH_UNTAGGED:
            tag = self.ask.tag if self.ask.group_by == "tag" else "that names its cluster"
            return f"most of it carries no tag {quotable(tag)}: {ACTIVATE}"
        if not self.rows.total and not self.rows.rows:
            return "nothing was billed in these days; another account's bill: AIOPS_COST_ACCOUNT"
        return ""


def summary(words: Words) -> str:
    """At most 400 characters."""
    bill, currency = words.bill, words.bill.currency
    first, last = words.asked.period.first, words.asked.period.end - timedelta(days=1)
    about = f" of cluster {quotable(words.asked.question.cluster)}" if words.asked.question.cluster else ""
    said = f"{worded(bill.total, currency)}{about} from {first} to {last}"
    mean = settled_mean(bill)
    if mean is not None:
        said += f", {worded(round(mean), currency)} a day"
    if words.compared is not None and words.compared.change_pct is not None:
        said += f" ({words.compared.change_pct:+.1f} % a day against {words.compared.period})"
    said += "."
    if top := _top(words):
        said += f" Most: {top}."
    if words.month is not None:
        end = worded(nano(repr(words.month.forecast)), currency)
        said += f" {words.asked.today:%B} ends near {end} ({words.month.by})."
    if words.unsettled:
        said += f" {counted(words.unsettled, 'day')} not settled."
    if words.anomalies:
        said += f" {counted(len(words.anomalies), 'anomaly', 'anomalies')} found by AWS."
    return cut(said)


def _top(words: Words) -> str:
    named = [row for row in words.rows.rows if row.amount][:MOST_NAMED]
    total = words.bill.total
    return ", ".join(
        f"{_name(row.key)} {worded(row.amount, words.bill.currency)}"
        + (f" ({row.amount / total:.0%})" if total > 0 and at == 0 else "")
        for at, row in enumerate(named)
    )


def _name(key: tuple[str, ...]) -> str:
    name = key[0] or UNTAGGED
    said = SHORT.get(name) or quotable(name, "(see rows)")
    return f"{said} in {key[1]}" if len(key) > 1 and key[1] else said
