"""`eks-aiops report KIND --out DIR`: a report of the sop server as Markdown and HTML files (D13)."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
from fastmcp import Client

from aiops_shared.errors import from_wire
from aiops_shared.settings import Settings
from aiops_sop.charts.report_page import page
from aiops_sop.server import make

Obj = Mapping[str, Any]
MEASURES = {
    "Time to detect": "time to detect",
    "Time to repair": "time to repair",
    "Alerts a day": "alerts a day",
    "Recurrence": "recurrence",
    "Cost": "paid in 30 days",
}
CLASSES = ("actionable", "duplicate", "flapping", "stale")


async def write(asked: Obj, out: Path) -> int:
    """Ask, draw, write two files, say where they are."""
    async with Client(make(Settings())) as client:
        wanted = {name: value for name, value in asked.items() if value}
        result = await client.call_tool("get_report", wanted, raise_on_error=False)
    text = "".join(getattr(block, "text", "") for block in result.content)
    if result.is_error:
        raise from_wire(text)
    report: Obj = {"evidence": (), **(result.structured_content or {})}
    folder = anyio.Path(out)
    await folder.mkdir(parents=True, exist_ok=True)
    files = {
        f"{asked['kind']}.md": str(report["text"]),
        f"{asked['kind']}.html": page(report, list(pictures(str(asked["kind"]), report))),
    }
    for name, content in files.items():
        await (folder / name).write_text(content, encoding="utf-8")
    sys.stdout.write(f"{report['summary']}\n")
    for warning in report.get("warnings", ()):
        sys.stdout.write(f"warning: {warning}\n")
    sys.stdout.write("".join(f"wrote {out / name}\n" for name in files))
    return 0


def pictures(kind: str, report: Obj) -> Iterator[tuple[str, bytes]]:
    """What of a report is worth a picture."""
    from aiops_sop.charts.reports import Pair, draw_counts, draw_levels, draw_pairs

    values = {str(row[1]): float(row[2]) for row in report["figures"]["rows"]}
    if kind == "maturity" and report.get("levels"):
        yield "level of each cluster", draw_levels("Maturity", report["levels"])
    if kind == "roi":
        pairs = [
            Pair(name, values[f"{key}, before"], values[f"{key}, after"], _both(values, key))
            for name, key in MEASURES.items()
            if f"{key}, before" in values and f"{key}, after" in values
        ]
        if any(one.before for one in pairs):
            yield "before and after", draw_pairs("Before and after", pairs)
    if kind == "noise":
        counts = {name: values[f"{name} firings"] for name in CLASSES if f"{name} firings" in values}
        if counts:
            yield "firings by class", draw_counts("Firings by class", "firings", counts)
    if kind == "ops":
        names = {"incidents": "incidents", "closed": "closed", "alerts": "alerts"}
        counts = {
            said: values[f"{key}, this period"]
            for said, key in names.items()
            if f"{key}, this period" in values
        }
        if any(counts.values()):
            yield "this period", draw_counts("This period", "count", counts)


def _both(values: Mapping[str, float], key: str) -> tuple[str, str]:
    before, after = (f"{values[f'{key}, {side}']:,.1f}".removesuffix(".0") for side in ("before", "after"))
    return before, after
