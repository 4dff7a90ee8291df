"""How durations are spread: shares of a lognormal distribution, for the buckets of histograms."""

from math import log, sqrt

import numpy as np

from aiops_lab.telemetry.signals import Array


def lognormal_share(bound: float, median: Array, spread: float) -> Array:
    """The share of a lognormal quantity that is at most `bound`; `spread` is the sigma of its logarithm."""
    if spread <= 0:
        return (median <= bound).astype(np.float64)
    z = (log(bound) - np.log(np.maximum(median, 1e-12))) / spread
    return _normal_cdf(z)


def _normal_cdf(z: Array) -> Array:
    """The standard normal distribution, to 1.5e-7 (Abramowitz and Stegun 7.1.26)."""
    x = np.abs(z) / sqrt(2.0)
    t = 1.0 / (1.0 + 0.3275911 * x)
    coefficients = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    polynomial = np.zeros_like(t)
    for each in coefficients:
        polynomial = (polynomial + each) * t
    upper = 0.5 * polynomial * np.exp(-x * x)
    return np.asarray(np.where(z >= 0, 1.0 - upper, upper), dtype=np.float64)
