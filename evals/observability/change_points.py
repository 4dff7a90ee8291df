"""Change points counted: steps to the sample, ramps at their begin, and silence where nothing changes."""

import numpy as np

from aiops_observability.analysis.change_points import change_points
from evals.figures import Row
from evals.observability.series import Shift, shift

FIRST_SEED, EACH, NEAR = 1000, 60, 12
RAMP_S = 600.0


def nearest(one: Shift) -> float | None:
    """Rows between the told onset nearest to the true one and that; None where none is near."""
    off = [abs(point.onset - one.onset) for point in change_points(one.values, one.step_s)]
    return min(off) if off and min(off) <= NEAR else None


def thresholded(one: Shift) -> float | None:
    """The baseline: the first value beyond three spreads of the two days before."""
    begin = one.values[: 2 * 288]
    wide = 3.0 * 1.4826 * float(np.median(np.abs(begin - np.median(begin))))
    beyond = np.flatnonzero(np.abs(one.values - np.median(begin)) > wide)
    later = beyond[beyond >= 2 * 288]
    return float(abs(later[0] - one.onset)) if later.size else None


def false_ones(seed: int, *kinds: str) -> float:
    """Changes told of series that have none, a series and day."""
    every = [shift(kind, FIRST_SEED * seed + number) for kind in kinds for number in range(EACH)]
    told = sum(len(change_points(one.values, one.step_s)) for one in every)
    return told / (len(every) * 4)


def exactly(off: list[float | None]) -> float:
    """The share told within one sample."""
    return float(np.mean([each is not None and each <= 1 for each in off]))


def rows(seed: int) -> list[Row]:
    """The rows of the page."""
    steps = [shift("step", FIRST_SEED * seed + number) for number in range(EACH)]
    ramps = [shift("ramp", FIRST_SEED * seed + number) for number in range(EACH)]
    exact, plain = exactly([nearest(one) for one in steps]), exactly([thresholded(one) for one in steps])
    found = [nearest(one) for one in ramps]
    seconds = [off * 300.0 for off in found if off is not None]
    middle = float(np.median(seconds)) if seconds else float("inf")
    within = float(np.mean([off is not None and off * 300.0 <= RAMP_S for off in found]))
    false = false_ones(seed, "none", "spiky")
    return [
        Row(
            f"step onset to the sample, {EACH} series", ">= 95 %", f"{exact:.1%}", exact >= 0.95,
            f"3 spreads: {plain:.0%}",
        ),
        Row(
            f"ramp onset, median error, {EACH} series",
            "<= 10 min",
            f"{middle / 60:.0f} min",
            middle <= RAMP_S,
            "",
            f"Ramps of 45 to 145 min; {within:.0%} of the onsets lie within 10 min.",
        ),
        Row("false change points, a series and day", "<= 0.05", f"{false:.3f}", false <= 0.05),
    ]  # fmt: skip
