"""Sensible memory sizes and durations as text; as numbers, see `aiops_shared.kube.quantities`.

Called by `reading.py` (limits, usage) and by the memory rules, whose next step proposes a size.
"""

import math

from aiops_shared.kube.quantities import GI as GI
from aiops_shared.kube.quantities import MI as MI
from aiops_shared.kube.quantities import amount as amount
from aiops_shared.kube.quantities import millicores as millicores
from aiops_shared.kube.quantities import whole_bytes as whole_bytes

_STEPS = ((GI, 32 * MI), (4 * GI, 128 * MI), (32 * GI, 512 * MI))  # below this size, round up to this step
RAISE_PERCENT = 150


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
