"""What a year of it is worth in money, by rates that the user gives (B37).

Nothing is assumed: a line whose rate is not given is not in the sum.

    engineer_hour_usd, engineers    people on an incident: saved repair hours x engineers x rate
    downtime_hour_usd               saved hours from onset to resolution x rate
    alert_minutes                   alerts that no longer come x minutes x engineer_hour_usd
    bill_share                      share (0 to 1) of the smaller bill that counts as its doing
    other_NAME_usd_year             an amount of the user's own
    programme_usd_year              what it costs
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from aiops_shared.errors import InvalidInputError
from aiops_sop.analysis.reports.figures import Figure, Ledger

KNOWN = (
    "engineer_hour_usd",
    "engineers",
    "downtime_hour_usd",
    "alert_minutes",
    "bill_share",
    "programme_usd_year",
)
OTHER = re.compile(r"other_([a-z0-9_]{1,40})_usd_year")
HINT = f"NAME=NUMBER with {', '.join(KNOWN)} or other_NAME_usd_year"
YEAR_DAYS = 365
MOST, LARGEST = 20, 10**12
_NUMBER = re.compile(r"\d{1,13}(?:\.\d{1,6})?", re.ASCII)
Pairs = Mapping[str, tuple[Figure, Figure]]


@dataclass(frozen=True, slots=True)
class Yearly:
    """What both windows hold, as a year."""

    pairs: Pairs
    closed: Figure  # incidents of the later window
    days: Figure  # of the later window


def rates_of(given: Sequence[str]) -> dict[str, Fraction]:
    """The rates by name. Raises InvalidInputError."""
    if len(given) > MOST:
        raise InvalidInputError("rates", f"takes at most {MOST}", HINT)
    found: dict[str, Fraction] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        value = value.replace(",", "").removeprefix("$")
        if not equals or not (name in KNOWN or OTHER.fullmatch(name)):
            raise InvalidInputError("rates", f"{text[:60]!a} is none", HINT)
        if not _NUMBER.fullmatch(value) or Fraction(value) > LARGEST:
            raise InvalidInputError("rates", f"{name} takes a number of at most 13 digits", HINT)
        if name in found:
            raise InvalidInputError("rates", f"{name} is given twice", HINT)
        found[name] = Fraction(value)
    return found


def money(ledger: Ledger, rates: Mapping[str, Fraction], year: Yearly | None) -> list[str]:
    """The formula with its numbers, as Markdown; empty without rates."""
    if not rates:
        return []
    source = ledger.source("asked", "rates")
    given = {name: ledger.given(name, value, _unit(name), source) for name, value in rates.items()}
    lines = [*(_measured(ledger, given, year) if year else ()), *_others(given)]
    if not lines:
        return ["", "## Money", "", "The rates given go with nothing that was measured, so there is no sum."]
    benefit = ledger.made(
        "yearly benefit", "USD", " + ".join(["{}"] * len(lines)), *(one for _, one in lines)
    )
    text = ["", "## Money", "", "| A year | Amount |", "|---|---:|"]
    text += [f"| {says} | {one.said} |" for says, one in lines]
    text += [f"| **Benefit** | {benefit.said} |"]
    return [*text, *_against(ledger, benefit, given.get("programme_usd_year"))]


def _against(ledger: Ledger, benefit: Figure, cost: Figure | None) -> list[str]:
    if cost is None or not cost.value:
        return ["", "Give `programme_usd_year` to see the return."]
    back = ledger.made("return on investment", "roi %", "({} - {}) / {} * 100", benefit, cost, cost)
    found = [f"| Cost | {cost.said} |", "", f"Return: (benefit - cost) / cost = **{back.said}**"]
    if benefit.value:
        paid = ledger.made("payback", "months", "{} / ({} / 12)", cost, benefit)
        found[-1] += f"; paid back in **{paid.said}** (cost / benefit of a month)"
    return [*found[:-1], f"{found[-1]}."]


def _unit(name: str) -> str:
    return "USD" if "usd" in name else ""


def _others(given: Mapping[str, Figure]) -> list[tuple[str, Figure]]:
    return [
        (f"{found[1].replace('_', ' ')}, as given", one)
        for name, one in given.items()
        if (found := OTHER.fullmatch(name))
    ]


def _measured(ledger: Ledger, given: Mapping[str, Figure], year: Yearly) -> list[tuple[str, Figure]]:
    found: list[tuple[str, Figure]] = []
    a_year = ledger.made("incidents a year", "", f"{{}} / {{}} * {YEAR_DAYS}", year.closed, year.days)
    hour, people = given.get("engineer_hour_usd"), given.get("engineers")
    if hour and people and (repair := year.pairs.get("repair")):
        parts = (*repair, a_year, people, hour)
        one = ledger.made("engineers' time", "USD", "({} - {}) / 60 * {} * {} * {}", *parts)
        found.append(("Engineers: repair hours saved x incidents x engineers x rate", one))
    down, detect, repair = given.get("downtime_hour_usd"), year.pairs.get("detect"), year.pairs.get("repair")
    if down and detect and repair:
        ends = (detect[0], repair[0], detect[1], repair[1], a_year, down)
        one = ledger.made("downtime", "USD", "({} + {} - {} - {}) / 60 * {} * {}", *ends)
        found.append(("Downtime: hours from onset to resolution saved x incidents x rate", one))
    minutes, alerts = given.get("alert_minutes"), year.pairs.get("alerts")
    if hour and minutes and alerts:
        one = ledger.made(
            "alerts", "USD", f"({{}} - {{}}) * {YEAR_DAYS} * {{}} / 60 * {{}}", *alerts, minutes, hour
        )
        found.append(("Alerts: fewer a year x minutes x rate", one))
    share, bill = given.get("bill_share"), year.pairs.get("cost")
    if share and bill:
        one = ledger.made("bill", "USD", f"({{}} - {{}}) / 30 * {YEAR_DAYS} * {{}}", *bill, share)
        found.append(("Bill: what is paid less x share", one))
    return found
