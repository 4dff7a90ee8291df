"""One line of `eks-aiops doctor`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What was looked at, what it says, and the exact fix where something is missing."""

    state: Literal["ok", "note", "MISSING"]
    what: str
    says: str
    fix: str = ""
