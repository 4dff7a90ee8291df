"""Whether a confidence means what it says: of answers of like confidence, how many were right."""

from itertools import pairwise

from evals.figures import Row
from evals.sop.answers import answered

BINS = (0.5, 0.7, 0.8, 0.9, 1.0)
GAP = 0.15  # between a bin's mean and its share of right answers, where the bin is large enough
ENOUGH = 10
ERROR = 0.15


def rows(seed: int) -> list[Row]:
    """One row for each bin, and the expected calibration error."""
    found = [one for one in answered(seed) if one.found]
    made, weighted = [], 0.0
    for low, high in pairwise(BINS):
        mine = [
            one for one in found if low <= one.confidence < high or (high == 1.0 and one.confidence == 1.0)
        ]
        if not mine:
            continue
        mean = sum(one.confidence for one in mine) / len(mine)
        share = sum(one.is_right for one in mine) / len(mine)
        weighted += len(mine) * abs(share - mean)
        # Too sure is the fault; surer than it says is only modest.
        well = len(mine) < ENOUGH or mean - share <= GAP
        what = f"confidence {low:.1f} to {high:.1f}: right of {len(mine)}"
        made.append(Row(what, f">= {mean - GAP:.2f}", f"{share:.2f} at a mean of {mean:.2f}", well))
    error = weighted / len(found) if found else 0.0
    made.append(Row("expected calibration error", f"<= {ERROR}", f"{error:.3f}", error <= ERROR))
    return made
