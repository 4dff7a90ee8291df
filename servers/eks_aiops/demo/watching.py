"""The second server's part of the story: three alarms, a leak that no threshold sees yet, next week's surge.

Each question goes to `aiops-observability` as `mcp.json.example` starts it; names come from its own answers.
"""

from pathlib import Path

from eks_aiops.demo.clients import Person, connected
from eks_aiops.demo.questions import Ask, Heard, asking
from eks_aiops.demo.report import Report
from eks_aiops.demo.witness import Witness


async def watch(
    report: Report, environment: dict[str, str], witness: Witness, log: Path, seed: int, heard: Heard
) -> None:
    """Alarms, a leak and a forecast, each in a world of its own."""
    report.title("Act 3: what the metrics say, asked of the observability server")
    async with connected("aiops-observability", environment, Person(), log) as (_, plain):
        asked, wrote = _Asking(report, asking(report, plain, heard)), False
        for scenario, question in (
            ("active-alarms", asked.alarms),
            ("memory-leak-slow", asked.leak),
            ("traffic-surge", asked.surge),
        ):
            await witness.reset(scenario, seed)
            await question()
            wrote = wrote or bool(await witness.writes())
    report.check("the simulator saw no write in any of the three worlds", not wrote)


class _Asking:
    """The three questions."""

    def __init__(self, report: Report, ask: Ask) -> None:
        self._report, self._ask = report, ask

    async def alarms(self) -> None:
        """F9."""
        found = await self._ask("list_alarms", state="ALARM")
        table = found.get("alarms", {"columns": [], "rows": []})
        self._report.table(table["columns"][:8], [row[:8] for row in table["rows"]])
        self._report.check("three alarms fire, in two groups", found.get("states", {}).get("ALARM") == 3)

    async def leak(self) -> None:
        """F3."""
        usage = await self._ask("query_metrics", what="memory", kind="Namespace", namespace="production")
        pods = [str(row[0]) for row in usage.get("series", {}).get("rows", []) if row[0] != "all"]
        name = pods[0].rsplit("-", 2)[0] if pods else ""
        found = await self._ask("detect_anomalies", kind="Deployment", namespace="production", name=name)
        growth = found.get("growth") or {}
        self._report.check("a leak is suspected before any threshold", growth.get("grade") == "suspected")
        limit_h, rule_h = (float(growth.get(key) or 0) / 3600 for key in ("limit_eta_s", "static_rule_in_s"))
        self._report.says(f"limit reached in {limit_h:.1f} h; a rule at 80 % would speak in {rule_h:.1f} h")

    async def surge(self) -> None:
        """F6."""
        busy = await self._ask("query_metrics", query="sum by (service) (rate(http_requests_total[5m]))")
        services = [str(row[0]) for row in busy.get("series", {}).get("rows", []) if row[0] != "all"]
        service = services[0] if services else ""
        found = await self._ask(
            "forecast_metric", what="requests_total", kind="Service", name=service, capacity_per_pod=100
        )
        days = found.get("forecast", {"columns": [], "rows": []})
        self._report.table(days["columns"], days["rows"])
        ratio = float((found.get("next_peak") or {}).get("ratio_to_before") or 0)
        self._report.check("next week's surge is seen coming, 2.5 x the hour before", 2.3 <= ratio <= 2.7)
        self._report.check("and sized", (found.get("sizing") or {}).get("replicas", 0) > 1)
