"""What Cost Explorer is asked, and what asking cost. Whoever reads a bill uses it; loads nothing heavy."""

from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

REQUEST_USD: Final = 0.01  # of one Cost Explorer request, a page counts as one (AWS pricing page)
Metric = Literal["unblended", "amortized", "net_unblended", "net_amortized"]
# Dimension or `TAG:<key>`, and the values that are meant. No values of a tag: what does not carry it.
Terms = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class BillQuestion:
    """One bill: the days from `first` up to, not including, `end`, added up by at most two `dims`.

    `dims`: SERVICE, USAGE_TYPE, INSTANCE_TYPE, LINKED_ACCOUNT, REGION, AZ, RECORD_TYPE, PURCHASE_TYPE,
    OPERATION or `TAG:<key>` (`''` is the value of what has no such tag). `cluster`: only what carries one of
    the cluster tags with that value. `only`: all of these; `without`: none of these.
    """

    first: date
    end: date
    dims: tuple[str, ...] = ()
    cluster: str = ""
    only: Terms = ()
    without: Terms = ()
    metric: Metric = "unblended"


@dataclass(slots=True)
class Spent:
    """Billed requests of one call of a tool. Make one for each call and pass it on.

    `until`: when its paging stops, by the loop's clock: set with the first request, no call may outlast 50 s.
    `notes`: what the answer must say as warnings (another currency, a kept answer that could not be read).
    """

    requests: int = 0
    until: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def usd(self) -> float:
        """What they cost."""
        return round(self.requests * REQUEST_USD, 2)

    def note(self, text: str) -> None:
        """Say it once."""
        if text and text not in self.notes:
            self.notes.append(text)
