"""What an alarm's datapoints mean: M out of the last N, with what is missing treated as it says.

"Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data" in the user guide: an alarm
looks at a few more periods than it asks for, takes the newest N that have data, and treats the rest of the N
as its setting says. The tables of that page are the tests of this module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiops_lab.telemetry.alarms import ALARM, MISSING, OK
from aiops_lab.telemetry.signals import Array

MORE_PERIODS = 2  # how many more than N are looked at
HIGHER = "LessThanLowerOrGreaterThanUpperThreshold"
WORDS = {
    "GreaterThanThreshold": "greater than the threshold",
    "GreaterThanOrEqualToThreshold": "greater than or equal to the threshold",
    "LessThanThreshold": "less than the threshold",
    "LessThanOrEqualToThreshold": "less than or equal to the threshold",
    "GreaterThanUpperThreshold": "greater than the upper thresholds",
    "LessThanLowerThreshold": "less than the lower thresholds",
    HIGHER: "less than the lower thresholds or greater than the upper thresholds",
}
BANDS = frozenset({"GreaterThanUpperThreshold", "LessThanLowerThreshold", HIGHER})


@dataclass(frozen=True, slots=True)
class Rule:
    """How datapoints become a state. `needed` out of the last `asked`."""

    operator: str
    needed: int
    asked: int
    missing: str = "missing"

    @classmethod
    def of(cls, spec: Mapping[str, object]) -> "Rule":
        """The rule of an alarm's parameters."""
        asked = int(str(spec.get("EvaluationPeriods") or 1))
        needed = int(str(spec.get("DatapointsToAlarm") or asked))
        return cls(
            str(spec["ComparisonOperator"]), needed, asked, str(spec.get("TreatMissingData") or "missing")
        )

    def breaching(self, values: Array, upper: Array, lower: Array) -> Array:
        """1 where a value breaches, 0 where it does not, NaN where there is no value or no threshold."""
        with np.errstate(invalid="ignore"):
            found = {
                "GreaterThanThreshold": values > upper,
                "GreaterThanOrEqualToThreshold": values >= upper,
                "LessThanThreshold": values < lower,
                "LessThanOrEqualToThreshold": values <= lower,
                "GreaterThanUpperThreshold": values > upper,
                "LessThanLowerThreshold": values < lower,
                HIGHER: (values > upper) | (values < lower),
            }[self.operator]
        gaps = np.isnan(values) | np.isnan(upper) | np.isnan(lower)
        return np.where(gaps, np.nan, found.astype(np.float64))

    def states(self, breaching: Array, first: str = MISSING) -> list[str]:
        """The state after each period, where the first few only warm up; `first` is kept where it must be."""
        window = self.asked + MORE_PERIODS
        rows = breaching.tolist()
        found: list[str] = []
        for end in range(window, len(rows) + 1):
            found.append(self.state(rows[end - window : end], found[-1] if found else first))
        return found

    def state(self, looked_at: Sequence[float], present: str) -> str:
        """The state that some periods (oldest first) give."""
        real = [one for one in looked_at if one == one][-self.asked :]  # NaN is not itself
        breaches = round(sum(real))
        if self.missing in {"breaching", "notBreaching"}:
            filled = self.asked - len(real) if self.missing == "breaching" else 0
            return ALARM if breaches + filled >= self.needed else OK
        if not real:
            return present if self.missing == "ignore" else MISSING
        if self.missing == "ignore":
            if breaches >= self.needed:
                return ALARM
            return present if breaches == len(real) and len(real) < self.asked else OK
        return ALARM if breaches >= min(self.needed, len(real)) else OK
