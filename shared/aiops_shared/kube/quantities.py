"""Kubernetes quantities as numbers.

Called by whoever reads requests, limits, capacities and usage: diagnoses, costs, scans.
Source: apimachinery `pkg/api/resource/quantity.go`.
"""

import re
from decimal import Decimal

MI = 2**20
GI = 2**30
MOST = 2**63  # Kubernetes caps quantities there; more would only cost memory and time (T14)
_FORM = re.compile(r"([+-]?[0-9.]{1,40}(?:[eE][+-]?[0-9]{1,2})?)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)?")
_FACTORS = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def amount(text: object) -> Decimal | None:
    """The number a quantity stands for, or None when it is not one, or larger than one may be."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    if isinstance(text, int) and abs(text) > MOST:
        return None
    match = _FORM.fullmatch(str(text).strip())
    if match is None or match[1].count(".") > 1 or match[1] in {".", "+.", "-.", "+", "-"}:
        return None
    number = Decimal(match[1]) * _FACTORS[match[2] or ""]
    return number if abs(number) <= MOST else None


def whole_bytes(text: object) -> int | None:
    """A memory quantity in bytes."""
    number = amount(text)
    return None if number is None else int(number)


def millicores(text: object) -> int | None:
    """A CPU quantity in thousandths of a core."""
    number = amount(text)
    return None if number is None else int(number * 1000)
