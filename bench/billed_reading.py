"""Reads one large bill as the cost server does: `python -m bench.billed_reading FIRST END`.

A process of its own. Accounts by services by days, more than any tool asks for at once. Each line on stdin is
one reading, answered by one line of JSON; what is kept stands in AIOPS_STATE_DIR.
"""

import json
import sys
import time
from datetime import date
from typing import Any

import anyio

from aiops_cost.models.bills import BillQuestion, Spent
from aiops_cost.server import Wiring
from aiops_shared.errors import AiopsError
from aiops_shared.settings import Settings


async def reading(parts: Wiring, question: BillQuestion) -> dict[str, Any]:
    """How long it took, what it cost and what it says."""
    spent, began = Spent(), time.perf_counter()
    try:
        bill = await parts.explorer().bill(question, spent)
    except AiopsError as error:
        return {"requests": spent.requests, "error": error.wire()}
    found = {"ms": 1000 * (time.perf_counter() - began), "requests": spent.requests, "error": ""}
    return {**found, "days": len(bill.days), "keys": len(bill.keys), "nano": bill.total}


async def main(first: date, end: date) -> None:
    """Serve until stdin closes."""
    parts = Wiring(Settings())
    question = BillQuestion(first, end, ("LINKED_ACCOUNT", "SERVICE"))
    while await anyio.to_thread.run_sync(sys.stdin.readline):
        sys.stdout.write(json.dumps(await reading(parts, question)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(main, date.fromisoformat(sys.argv[1]), date.fromisoformat(sys.argv[2]))
