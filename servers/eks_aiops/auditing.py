"""`eks-aiops audit verify|show|export`: reads the audit of the configured store."""

import sys
from pathlib import Path

import anyio

from aiops_shared.guardrails.audit import AuditRecord
from aiops_shared.guardrails.audit_chain import anchors_in
from eks_aiops.guarding import guardrails
from eks_aiops.terminal import spelled

_SHOWN = ("step", "target", "rule", "what", "tool", "code", "result", "decision", "state", "reason")


def line_of(record: AuditRecord) -> str:
    """One record as people read it."""
    says = "; ".join(f"{key} {record.says[key]}" for key in _SHOWN if record.says.get(key))
    text = f"{record.seq:5} {record.at[:19]} {record.event:14} {record.actor:10} {record.about}  {says}"
    return spelled(text)[:200].rstrip()


async def show(*, limit: int, as_json: bool) -> int:
    """The newest records, oldest of them first."""
    async with guardrails() as guard:
        for record in await guard.audit.show(limit):
            sys.stdout.write((record.model_dump_json() if as_json else line_of(record)) + "\n")
    return 0


async def export() -> int:
    """Every record with its mac, one JSON object a line."""
    async with guardrails() as guard:
        async for line in guard.audit.lines():
            sys.stdout.write(line + "\n")
    return 0


async def verify(log: Path | None = None) -> int:
    """Exit code 1 and the first bad record when the chain does not hold; `log` holds its exported heads."""
    lines = (await anyio.Path(log).read_text(encoding="utf-8")).splitlines() if log else []
    async with guardrails() as guard:
        report = await guard.audit.verify(anchors_in(lines))
    if not report.holds:
        sys.stdout.write(f"BROKEN at record {report.first_bad}: {report.reason}\n")
        return 1
    open_ends = (
        f"; {len(report.unknown)} intents without outcome: {list(report.unknown)}" if report.unknown else ""
    )
    sys.stdout.write(f"{report.records} records, the chain holds{open_ends}\n")
    return 0
