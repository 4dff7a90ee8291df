"""The operations report (S47, F10g): incidents, procedures, changes, alarms, errors, cost.

An executive gets the figures of the period and of the one before; people on call get incidents and what is
open; developers get what programs wrote and what failed of theirs. All of them get the same numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiops_shared.results.wording import cut, quotable
from aiops_sop.analysis.reports.facts import IncidentRow, Paid, RunCounts
from aiops_sop.analysis.reports.figures import Figure, Ledger
from aiops_sop.analysis.reports.roi import Side, alerts_of, repeats
from aiops_sop.models.reports import Audience

MOST_ROWS: Final = 8
MOST_ADVICE, MOST_PATTERN, BAR = 4, 90, 12
Obj = Mapping[str, Any]
COUNTED: Final[Mapping[str, Callable[[Side], int]]] = {
    "incidents": lambda side: len(side.journal.incidents),
    "closed": lambda side: len(side.closed),
    "repeats of one fingerprint": lambda side: repeats(side.journal.incidents),
}


@dataclass(frozen=True, slots=True)
class Operations:
    """What was gathered; what could not be is absent, and said as a warning."""

    now: Side
    before: Side
    runs: RunCounts
    actions: Mapping[str, int]
    refusals: int
    alarms: Obj | None = None
    errors: Obj | None = None
    errors_query: str = ""


@dataclass(frozen=True, slots=True)
class OpsText:
    """The report's sections, and one sentence."""

    lines: list[str]
    headline: str
    untrusted: bool


def operations(ledger: Ledger, facts: Operations, audience: Audience) -> OpsText:
    """The report."""
    incidents, head = _incidents(ledger, facts)
    sections = {
        "incidents": ["## Incidents", *incidents],
        "open": _open(facts),
        "work": ["", "## Procedures and changes", *_work(ledger, facts)],
        "alarms": _alarms(ledger, facts),
        "errors": _errors(ledger, facts),
        "cost": _cost(ledger, facts),
    }
    wanted = {
        "executive": ("incidents", "cost", "work"),
        "ops": ("incidents", "open", "alarms", "work", "errors", "cost"),
        "dev": ("errors", "incidents", "open", "work"),
    }[audience]
    lines = [line for name in wanted for line in sections[name]]
    return OpsText(lines, head, untrusted="errors" in wanted and bool(sections["errors"]))


def _incidents(ledger: Ledger, facts: Operations) -> tuple[list[str], str]:
    numbers: list[tuple[str, Figure, Figure]] = []
    for name, count in COUNTED.items():
        now, then = (_count(ledger, side, name, count(side)) for side in (facts.now, facts.before))
        numbers.append((name, now, then))
    numbers.append(("alerts", alerts_of(ledger, facts.now), alerts_of(ledger, facts.before)))
    lines = ["| | This period | Before |", "|---|---:|---:|"]
    lines += [f"| {name} | {now.said} | {then.said} |" for name, now, then in numbers]
    return lines, f"{numbers[0][1].shown} incidents ({numbers[0][2].shown} before)"


def _count(ledger: Ledger, side: Side, name: str, number: int) -> Figure:
    source = ledger.source("incident journal", f"incidents detected in {side.window}", side.name)
    return ledger.given(f"{name}, {side.name}", number, "", source)


def _open(facts: Operations) -> list[str]:
    waiting = [one for one in facts.now.journal.incidents if not one.closed][:MOST_ROWS]
    if not waiting:
        return []
    return ["", "Open:", *(f"- `{one.id}` {_titled(one)}" for one in waiting)]


def _titled(one: IncidentRow) -> str:
    return one.confirmed or one.cause or quotable(one.title, "(no cause yet)")


def _work(ledger: Ledger, facts: Operations) -> list[str]:
    runs = ledger.source("store: runs", f"runs begun in {facts.now.window}")
    lines = ["| Procedure | Runs | Succeeded |", "|---|---:|---:|"]
    for sop, number in sorted(facts.runs.sops.items(), key=lambda item: (-item[1], item[0]))[:MOST_ROWS]:
        good = ledger.given(f"runs of {sop} that succeeded", facts.runs.succeeded.get(sop, 0), "", runs)
        lines.append(f"| `{sop}` | {ledger.given(f'runs of {sop}', number, '', runs).said} | {good.said} |")
    total = ledger.given("runs", facts.runs.total, "", runs)
    human = ledger.given("human inputs to runs", facts.runs.human_inputs, "", runs)
    source = ledger.source("store: actions", f"actions started in {facts.now.window}")
    done = [
        ledger.given(f"actions {state}", count, "", source) for state, count in sorted(facts.actions.items())
    ]
    audit = ledger.source("audit", f"refusals in {facts.now.window}")
    refused = ledger.given("changes refused", facts.refusals, "", audit)
    said = ", ".join(f"{one.said} {one.name.removeprefix('actions ')}" for one in done) or "none"
    return [
        *(lines if facts.runs.sops else []),
        f"Runs: {total.said}, with {human.said} human inputs. Changes: {said}. Refused: {refused.said}.",
    ]


def _alarms(ledger: Ledger, facts: Operations) -> list[str]:
    if facts.alarms is None:
        return []
    source = ledger.source("observability.list_alarms", "state=ALARM", "now")
    total = ledger.given("alarms now", int(facts.alarms.get("total", 0)), "", source)
    return ["", f"Alarms now: {total.said}."]


def _errors(ledger: Ledger, facts: Operations) -> list[str]:
    """Errors by type with who felt them (S43), and what the log server advises, in its words."""
    if facts.errors is None:
        return []
    table = facts.errors.get("patterns") or {}
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table.get("rows") or ()][:MOST_ROWS]
    found = ["", "## Errors in logs", "", f"> {facts.errors.get('summary', '')}"]
    if rows:
        found += ["", "| Service | Errors | Customers | | Type |", "|---|---:|---:|---|---|"]
        most = max(int(row.get("errors") or 0) for row in rows)
        found += [_error(ledger, facts, place, row, most) for place, row in enumerate(rows, 1)]
        found += ["", f"> {facts.errors.get('read', '')}"]
    found += [f"> - {text}" for text in (facts.errors.get("actions") or ())[:MOST_ADVICE]]
    return [*found, ""]


def _error(ledger: Ledger, facts: Operations, place: int, row: Obj, most: int) -> str:
    source = ledger.source("observability.analyze_logs", facts.errors_query)
    errors = ledger.given(f"errors, type {place}", int(row.get("errors") or 0), "", source)
    customers = row.get("customers")
    felt = (
        ledger.given(f"customers, type {place}", int(customers), "", source).said
        if customers is not None
        else ""
    )
    bar = "█" * max(1, round(BAR * int(row.get("errors") or 0) / most)) if most else ""
    service = quotable(str(row.get("service") or ""), "")
    return f"| {service} | {errors.said} | {felt} | {bar} | `{_code(str(row.get('pattern') or ''))}` |"


def _code(text: str) -> str:
    """Foreign text as a cell of code: short, without what would end the cell."""
    return cut(" ".join(text.split()), MOST_PATTERN).replace("`", "'").replace("|", "/")


def _cost(ledger: Ledger, facts: Operations) -> list[str]:
    now, then = facts.now.paid, facts.before.paid
    if now is None:
        return []
    paid = _paid(ledger, now, facts.now.name)
    text = f"Paid: {paid.said}"
    if then is not None and then.total:
        earlier = _paid(ledger, then, facts.before.name)
        change = ledger.made("cost, change", "change %", "{} / {} * 100 - 100", paid, earlier)
        text += f", {earlier.said} before ({change.said})"
    return ["", "## Cost", f"{text}."]


def _paid(ledger: Ledger, paid: Paid, name: str) -> Figure:
    source = ledger.source("cost.get_costs", paid.query, paid.method)
    return ledger.given(f"paid, {name}", paid.total, paid.currency, source)
