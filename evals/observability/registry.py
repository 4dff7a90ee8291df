"""What a row of the page is, and which parts measure rows. One line for each part."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what is measured, what it should be, what it is, and what a plain rule reaches."""

    what: str
    target: str
    measured: str
    met: bool
    baseline: str = ""  # what a static threshold or the seasonal naive reaches on the same data
    note: str = ""


# Module of this package with `rows(seed: int) -> list[Row]` -> the heading of its table.
PARTS: Mapping[str, str] = {
    "anomalies": "Anomalies",
    "leaks": "Leaks",
    "change_points": "Change points",
    "forecasts": "Forecasts: four weeks of hours, the week after",
    "templates": "Log templates: five systems, one configuration",
    "alerts": "Alert grouping: forty weeks of storms on a service graph",
}
