"""Numbers as Prometheus writes them."""

import math

import numpy as np


def shortest(value: float) -> str:
    """A sample's value in JSON (util/jsonutil, MarshalFloat): shortest form, exponents only far out."""
    if math.isfinite(value) and value != 0 and not 1e-6 <= abs(value) < 1e21:
        return _exponent(value)
    return plain(value)


def plain(value: float) -> str:
    """strconv's 'f' with -1 digits: what `count_values` makes a label of."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return np.format_float_positional(value, trim="-")


def _exponent(value: float) -> str:
    mantissa, _, power = f"{np.format_float_scientific(value, trim='-')}".partition("e")
    return f"{mantissa}e{power}"


def seconds(moment_ms: int) -> int | float:
    """A time in JSON."""
    return moment_ms // 1000 if moment_ms % 1000 == 0 else moment_ms / 1000
