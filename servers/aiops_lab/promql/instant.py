"""Functions of instant vectors, sample by sample (promql/functions.go of Prometheus 2.42)."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from aiops_lab.promql.values import Array

Each = Callable[[Array], Array]


def _date(part: Callable[[npt.NDArray[np.datetime64]], npt.NDArray[np.int64]]) -> Each:
    """A part of the UTC date of a number of seconds; NaN stays NaN."""

    def function(values: Array) -> Array:
        known = np.isfinite(values)
        seconds = np.where(known, values, 0.0).astype(np.int64).astype("datetime64[s]")
        return np.where(known, part(seconds).astype(np.float64), np.nan)

    return function


def _days(moments: npt.NDArray[np.datetime64], unit: str) -> npt.NDArray[np.int64]:
    """Days since the beginning of the month or year."""
    day = moments.astype("datetime64[D]")
    return np.asarray((day - moments.astype(f"datetime64[{unit}]").astype("datetime64[D]")).astype(np.int64))


def _month_length(moments: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    month = moments.astype("datetime64[M]")
    following = (month + np.timedelta64(1, "M")).astype("datetime64[D]")
    return np.asarray((following - month.astype("datetime64[D]")).astype(np.int64))


def _sign(values: Array) -> Array:
    return np.where(values < 0, -1.0, np.where(values > 0, 1.0, values))


DATES: dict[str, Each] = {
    "minute": _date(lambda at: at.astype("datetime64[m]").astype(np.int64) % 60),
    "hour": _date(lambda at: at.astype("datetime64[h]").astype(np.int64) % 24),
    "day_of_week": _date(lambda at: (at.astype("datetime64[D]").astype(np.int64) + 4) % 7),
    "day_of_month": _date(lambda at: _days(at, "M") + 1),
    "day_of_year": _date(lambda at: _days(at, "Y") + 1),
    "days_in_month": _date(_month_length),
    "month": _date(lambda at: at.astype("datetime64[M]").astype(np.int64) % 12 + 1),
    "year": _date(lambda at: at.astype("datetime64[Y]").astype(np.int64) + 1970),
}
EACH: dict[str, Each] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": np.degrees,
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "rad": np.radians,
    "sgn": _sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
    **DATES,
}


def rounded(values: Array, to: Array) -> Array:
    """round(v, to): half up, to the nearest multiple."""
    inverse = 1.0 / to
    return np.asarray(np.floor(values * inverse + 0.5) / inverse)
