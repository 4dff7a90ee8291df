"""The last thirty settled days of the bill by service and usage type: what traffic, logs and metrics cost.

Read once a call, by one question: each request is billed. Rows that carry no tag are the account's, not
the cluster's, and say so. Called by the advisers whose amounts come from the bill.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from aiops_cost.clients.savings_scene import Scene
from aiops_cost.models.bills import BillQuestion

if TYPE_CHECKING:
    from aiops_cost.analysis.bill import Bill

DAYS: Final = 30
MARGIN_DAYS: Final = 5  # what may still be unsettled


@dataclass(frozen=True, slots=True)
class Spend:
    """What was billed for some usage types over `days`: billionths and the quantity."""

    nano_usd: int = 0
    quantity: float = 0.0
    days: int = 0
    whole_account: bool = False

    @property
    def said(self) -> str:
        """Whose and of which days."""
        whose = "the account's, nothing of it carries the cluster's tag" if self.whole_account else "tagged"
        return f"bill of {self.days} settled days ({whose})"


async def spend(scene: Scene, usage: str, service: str = "") -> Spend:
    """What usage types that end so cost: of the cluster's tag, else of the whole account.

    `service`: only services whose name holds it. Raises what Cost Explorer raises.
    """
    tagged = await month(scene, (await scene.eks()).name)
    found = _spend(tagged, usage, service)
    if found.nano_usd:
        return found
    whole = _spend(await month(scene, ""), usage, service)
    return Spend(whole.nano_usd, whole.quantity, whole.days, whole_account=True)


async def month(scene: Scene, cluster: str) -> "Bill":
    """The bill of the cluster's tag, or of everything for no cluster."""
    return await scene.once(f"month-bill/{cluster}", lambda: _month(scene, cluster))


async def _month(scene: Scene, cluster: str) -> "Bill":
    today = scene.now.date()
    first = today - timedelta(days=DAYS + MARGIN_DAYS)
    question = BillQuestion(
        first,
        today,
        ("SERVICE", "USAGE_TYPE"),
        cluster=cluster,
        without=(("RECORD_TYPE", ("Credit", "Refund", "Tax")),),
    )
    bill = await scene.bill(question)
    settled = [day for day, open_ in zip(bill.days, bill.unsettled, strict=True) if not open_]
    last = settled[-1] + timedelta(days=1) if settled else today
    return bill.between(last - timedelta(days=DAYS), last)


def _spend(bill: "Bill", usage: str, service: str) -> Spend:
    found = bill.where(lambda key: key[1].endswith(usage) and service in key[0])
    quantity = float(found.quantities.sum()) if found.keys else 0.0
    return Spend(found.total, quantity, len(bill.days))
