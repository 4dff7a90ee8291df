"""The third server's part of the story: the bill rose by two fifths; why, and what to change.

Each question goes to `aiops-cost` as `mcp.json.example` starts it; names and numbers come from its answers.
"""

from pathlib import Path
from typing import Any

from eks_aiops.demo.clients import Person, connected
from eks_aiops.demo.questions import Heard, asking
from eks_aiops.demo.report import Report
from eks_aiops.demo.witness import Witness

STORY = "cost-spike"


async def pay(
    report: Report, environment: dict[str, str], witness: Witness, log: Path, seed: int, heard: Heard
) -> None:
    """The bill, what moved it, what to change; then the same question again, which costs nothing."""
    report.title("Act 4: why the bill rose, asked of the cost server")
    await witness.reset(STORY, seed)
    async with connected("aiops-cost", environment, Person(), log) as (_, plain):
        ask = asking(report, plain, heard)
        _moved(report, await ask("explain_cost_change", cluster="my-cluster"))
        _saved(report, await ask("recommend_savings", scope="compute"))
        bill = await ask("get_costs", group_by="service", period="7d")
        again = await ask("get_costs", group_by="service", period="7d")
        report.check(
            "the same question again asked AWS for nothing that is billed",
            bool(bill.get("billed_requests")) and again.get("billed_requests") == 0,
        )
    report.check("the simulator saw no write", not await witness.writes())


def _moved(report: Report, found: dict[str, Any]) -> None:
    """F8: a waterfall whose parts sum to the change, and its cause."""
    effects = found.get("effects", {"columns": [], "rows": []})
    report.table(effects["columns"], effects["rows"])
    amounts = {str(row[0]): float(row[1]) for row in effects["rows"]}
    parts = sum(amount for name, amount in amounts.items() if name not in {"baseline", "period"})
    whole = amounts.get("baseline", 0.0) + parts
    report.check("the parts sum to the change, to the cent", abs(whole - amounts.get("period", -1)) < 0.005)
    causes = found.get("causes") or [{}]
    report.check("cause: the wrong family of machines", causes[0].get("code") == "INSTANCE_FAMILY_MISMATCH")


def _saved(report: Report, found: dict[str, Any]) -> None:
    """The cheapest fleet that the pods fit on, with its arithmetic."""
    first = (found.get("recommendations") or [{}])[0]
    for line in first.get("arithmetic", ()):
        report.says(line)
    for line in str(first.get("patch", "")).splitlines():
        report.says(line)
    report.check("a fleet that costs less and holds every pod", float(first.get("monthly_usd") or 0) > 0)
