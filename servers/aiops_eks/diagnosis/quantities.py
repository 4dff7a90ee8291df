"""Kubernetes quantities as numbers, and sensible memory sizes back as text.

Called by `reading.py` (limits, usage) and by the memory rules, whose next step proposes a size.
Source: apimachinery `pkg/api/resource/quantity.go`.
"""

import math
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
_STEPS = ((GI, 32 * MI), (4 * GI, 128 * MI), (32 * GI, 512 * MI))  # below this size, round up to this step
RAISE_PERCENT = 150


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


def raised_memory_bytes(limit_bytes: int) -> int:
    """One and a half times a memory limit, rounded up to a size that people write: 256Mi gives 384Mi."""
    wanted = -(-limit_bytes * RAISE_PERCENT // 100)
    step = next((step for below, step in _STEPS if wanted < below), GI)
    return -(-wanted // step) * step


def memory_text(size_bytes: int) -> str:
    """Bytes as Kubernetes writes them: Gi where that is whole, else Mi, else Ki."""
    if size_bytes and size_bytes % GI == 0:
        return f"{size_bytes // GI}Gi"
    if size_bytes >= MI:
        return f"{round(size_bytes / MI)}Mi"
    return f"{round(size_bytes / 1024)}Ki"


def duration_text(seconds: float) -> str:
    """Seconds as people say them: 70 s, 12 min, 5 h, 3 d; a moment that nobody told is infinitely far."""
    if not math.isfinite(seconds):
        return "an unknown time"
    for unit_s, word, until_s in ((1, "s", 120), (60, "min", 7200), (3600, "h", 172_800)):
        if seconds < until_s:
            return f"{round(seconds / unit_s)} {word}"
    return f"{round(seconds / 86_400)} d"
