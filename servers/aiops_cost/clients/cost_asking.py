"""A `CostAsk` as questions to Cost Explorer: which days, which groups, which filter; and names that fit.

Called by `cost_reading`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from aiops_cost.analysis.cost_filters import dim_of_tag, word_of
from aiops_cost.analysis.periods import Period, earliest, period_of
from aiops_cost.analysis.service_names import SHORT
from aiops_cost.clients.cost_explorer import CostExplorer
from aiops_cost.models.bills import BillQuestion, Spent, Terms
from aiops_cost.models.costs import CostAsk
from aiops_shared.errors import NotFoundError
from aiops_shared.kube.nearest import nearest
from aiops_shared.results.wording import quotable

RECORDS: Final = "RECORD_TYPE"
GROUPS: Final = {
    "service": "SERVICE",
    "usage_type": "USAGE_TYPE",
    "instance_type": "INSTANCE_TYPE",
    "account": "LINKED_ACCOUNT",
    "region": "REGION",
}
ACTIVATE: Final = (
    "activate it as a cost allocation tag in the payer's console (Billing > Cost allocation tags): costs"
    " carry it from then on, earlier months by a backfill request"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of Cost Explorer: `question` covers the period, the one before and this month."""

    period: Period
    before: Period | None
    question: BillQuestion
    today: date
    current: bool  # the period reaches the present

    @property
    def filtered(self) -> bool:
        """Whether it is about a part of the bill."""
        return bool(self.question.cluster or self.question.only or self.question.without)


def asked_of(ask: CostAsk, today: date) -> Asked:
    """Raises InvalidInputError before anything is asked."""
    period = period_of(ask.period, today)
    before: Period | None = period.before()
    if before is not None and before.first < earliest(today):
        before = None
    current = period.end >= today
    firsts = [period.first, *([before.first] if before else []), *([today.replace(day=1)] if current else [])]
    cluster, account = _cluster(ask.cluster or "")
    only: Terms = (*ask.only, *((("LINKED_ACCOUNT", (account,)),) if account else ()))
    question = BillQuestion(
        first=min(firsts),
        end=max(period.end, today + timedelta(days=1)) if current else period.end,
        dims=_dims(ask),
        cluster=cluster,
        only=only,
        without=ask.without,
        metric=ask.metric,
    )
    return Asked(period, before, question, today, current)


def _dims(ask: CostAsk) -> tuple[str, ...]:
    if ask.group_by == "record_type":
        return (RECORDS,)
    if ask.group_by == "tag":
        return dim_of_tag(ask.tag), RECORDS
    if ask.group_by == "cluster":
        return ()
    return GROUPS[ask.group_by], RECORDS


def _cluster(word: str) -> tuple[str, str]:
    """Name and account of a cluster given by its name, `account/region/name`, or its ARN."""
    parts = word.split("/")
    if word.startswith("arn:"):
        account = word.split(":")[4] if word.count(":") >= 5 else ""
        return parts[-1], account
    if len(parts) == 3:
        return parts[2], parts[0]
    return parts[-1], ""


async def refuse_unknown(explorer: CostExplorer, asked: Asked, tags: Sequence[str], counted: Spent) -> None:
    """For a bill without any amount: raises NotFoundError with the nearest names that were billed, if a name
    is the reason.
    """
    question = asked.question
    if question.cluster:
        names = await _billed_as(explorer, asked, [f"TAG:{tag}" for tag in tags], counted)
        if not names:
            raise NotFoundError(
                f"costs of cluster {question.cluster}",
                f"no cost of these days carries the tag {' or '.join(tags)}",
                ACTIVATE,
            )
        if question.cluster not in names:
            raise _unknown("cluster", question.cluster, names)
    for dim, values in question.only:
        names = await _billed_as(explorer, asked, [dim], counted)
        for value in values:
            if value not in names:
                raise _unknown(word_of(dim), value, names)


async def _billed_as(explorer: CostExplorer, asked: Asked, dims: Sequence[str], counted: Spent) -> set[str]:
    found: set[str] = set()
    for dim in dims:
        question = BillQuestion(
            asked.question.first, asked.question.end, (dim,), metric=asked.question.metric
        )
        for bill in await explorer.bills(question, counted):
            found |= {key[0] for key in bill.keys if key[0]}
    return found


def _quoted(name: str) -> str:
    return name if name in SHORT else quotable(name, "(one with a longer name)")


def _unknown(what: str, value: str, names: set[str]) -> NotFoundError:
    near = [_quoted(name) for name in nearest(value, names) or sorted(names)[:5]]
    hint = f"nearest: {', '.join(near)}" if near else "group by it to see what was billed"
    return NotFoundError(
        f"{what} {quotable(value)}", "nothing was billed under that name in these days", hint
    )
