"""What a pod should ask for, from what it used: margins, rounding and how sizes are written.

CPU request = 95th percentile times 1.15; memory request = 99th percentile times 1.15, its limit the request
times 1.2 and at least the highest value seen times 1.1. The margin of 15 % and the floor of 25 m are the VPA
recommender's (kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender: recommendation-margin-fraction,
pod-recommendation-min-cpu-millicores). Called by the savings advice of the cost server and by the generated
configuration of the sop server, so that both say the same.
"""

from math import ceil

from aiops_shared.kube.quantities import GI, MI

MARGIN = 1.15
LIMIT_OVER_REQUEST, LIMIT_OVER_MOST = 1.2, 1.1
CPU_FLOOR, MEMORY_FLOOR = 0.025, 64 * MI  # of a pod: cores, bytes


def limit_over(request: float, most: float) -> float:
    """The memory limit over a request, bytes; `most` is the highest value seen."""
    return up_bytes(max(request * LIMIT_OVER_REQUEST, most * LIMIT_OVER_MOST))


def up_cores(value: float) -> float:
    """Rounded up to 10 m."""
    return ceil(value * 100 - 1e-9) / 100


def up_bytes(value: float) -> float:
    """Rounded up to 32 MiB, 64 MiB from 2 GiB on, 256 MiB from 8 GiB on."""
    grain = 32 * MI if value <= 2 * GI else 64 * MI if value <= 8 * GI else 256 * MI
    return float(ceil(value / grain - 1e-9) * grain)


def cores(value: float) -> str:
    """A CPU quantity: `170m`, `2`."""
    milli = round(value * 1000)
    return str(milli // 1000) if milli % 1000 == 0 and milli else f"{milli}m"


def mebibytes(value: float) -> str:
    """A memory quantity: `576Mi`, `4Gi`."""
    whole = ceil(value / MI - 1e-6)
    return f"{whole // 1024}Gi" if whole % 1024 == 0 and whole else f"{whole}Mi"
