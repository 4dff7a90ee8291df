"""Kubernetes quantities (`500m`, `128Mi`) as exact numbers."""

import re
from fractions import Fraction
from functools import lru_cache

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(m|n|u|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d{1,2})?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def parse_quantity(text: object) -> Fraction | None:
    """The number a quantity stands for; None where it is none."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    return _parsed(str(text))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Fraction | None:
    found = _QUANTITY.fullmatch(text)
    if found is None or len(text) > 64:
        return None
    number: Fraction = Fraction(found[1])
    suffix = found[2] or ""
    if suffix in _BINARY:
        return number * Fraction(1024 ** (_BINARY.index(suffix) + 1))
    if suffix in _DECIMAL:
        return number * Fraction(10) ** _DECIMAL[suffix]
    return number * Fraction(10) ** int(suffix[1:])
