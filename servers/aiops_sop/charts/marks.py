"""One thing that happened, as pictures and pages of incidents have it. The page needs no matplotlib."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """`link`: its number in the causal chain, 0 for what is beside it."""

    at: datetime
    lane: str
    what: str
    link: int = 0
