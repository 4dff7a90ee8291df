"""What a PromQL query would read, before it is read: series by one cheap query, samples by arithmetic.

Called by the drivers of Prometheus APIs. Samples are counted as Prometheus counts `totalQueryableSamples`
(Prometheus, "Query statistics"): every step reads one sample of each series, and a range reads its whole
window again at each step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiops_shared.errors import QueryInvalidError
from aiops_shared.metrics.ports import Cost
from aiops_shared.metrics.promql import Selector, duration, quoted
from aiops_shared.metrics.series import MAX_POINTS, Window

DEFAULT_SUBQUERY_S = 60.0  # global.evaluation_interval of Prometheus's configuration
DEFAULT_SCRAPE_S = 60.0
LONGEST_S = 400 * 86_400.0  # back beyond it nobody keeps metrics raw
PROBES, PROBE_WINDOW_S = 8, 600
_NICE_S = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)


@dataclass(frozen=True, slots=True)
class Probe:
    """What a cheap query found of one selector: series alive at a time, and seconds between its samples."""

    series: float
    interval_s: float = DEFAULT_SCRAPE_S


def refuse_unbounded(found: Sequence[Selector], window: Window) -> None:
    """Before anything is asked. Raises QueryInvalidError for too many points and for endless ranges."""
    if window.points > MAX_POINTS:
        step = nice_step(window.span_s / 500)
        raise QueryInvalidError(
            "query",
            f"asks for {window.points:,} points a series; {MAX_POINTS:,} is the most",
            f"step={step}s",
        )
    for one in found:
        back_s = one.range_s + abs(one.offset_s) + sum(loop for loop, _ in one.loops)
        if back_s > LONGEST_S:
            raise QueryInvalidError(
                "query",
                f"looks {back_s / 86_400:,.0f} days back in {one.text[:80]}",
                f"at most {LONGEST_S / 86_400:.0f} days: a shorter range, or since= with a longer step",
            )


def nameless(found: Sequence[Selector]) -> Selector | None:
    """The first selector that names neither a metric nor a value of any label, so reads every series."""
    return next((one for one in found if not one.exact), None)


def probe_query(found: Sequence[Selector]) -> str:
    """One query that counts the series of each selector (`c<i>`) and samples in a short window (`w<i>`)."""
    parts: list[str] = []
    for index, text in enumerate(distinct(found)):
        parts.append(_named(f"count({text})", f"c{index}"))
        if any(one.text == text and (one.range_s or one.loops) for one in found):
            parts.append(_named(f"sum(count_over_time({text}[{PROBE_WINDOW_S}s]))", f"w{index}"))
    return " or ".join(parts)


def distinct(found: Sequence[Selector]) -> tuple[str, ...]:
    """The selectors' texts, each once."""
    return tuple(dict.fromkeys(one.text for one in found))


def _named(expression: str, name: str) -> str:
    return f'label_replace({expression}, "aiops", {quoted(name)}, "", "")'


def probes(found: Sequence[Selector], counts: Mapping[str, float]) -> dict[str, Probe]:
    """What `probe_query` answered, by selector: `counts` maps `c<i>` and `w<i>` to their means."""
    made: dict[str, Probe] = {}
    for index, text in enumerate(distinct(found)):
        series, samples = counts.get(f"c{index}", 0.0), counts.get(f"w{index}", 0.0)
        interval_s = PROBE_WINDOW_S * series / samples if series and samples else DEFAULT_SCRAPE_S
        made[text] = Probe(series, interval_s)
    return made


def estimated(found: Sequence[Selector], known: Mapping[str, Probe], window: Window) -> Cost:
    """The cost of the query over a window."""
    samples = sum(_samples(one, known.get(one.text, Probe(0.0)), window) for one in found)
    series = sum(known[text].series for text in distinct(found) if text in known)
    return Cost(series=round(series), samples=round(samples))


def _samples(one: Selector, probe: Probe, window: Window) -> float:
    points: float = window.points
    total, span_s = 0.0, window.span_s
    for range_s, step_s in one.loops:
        step = step_s or DEFAULT_SUBQUERY_S
        total += points * max(1.0, range_s / step)  # the windows over what the inner query gave
        span_s += range_s
        points = span_s / step + 1  # the inner query is evaluated once, over everything
    total += points * max(1.0, one.range_s / max(probe.interval_s, 1.0)) if one.range_s else points
    return total * probe.series


def refuse_dear(cost: Cost, most: int, found: Sequence[Selector], window: Window) -> None:
    """Raises QueryInvalidError with the estimate and a cheaper form when the query would read too much."""
    if cost.samples > most:
        raise QueryInvalidError(
            "query",
            f"reads about {cost.samples:,} samples of {cost.series:,} series at {window.points:,} points;"
            f" {most:,} is the most (AIOPS_METRICS_MAX_SAMPLES)",
            _cheaper(cost, most, found, window),
        )


def _cheaper(cost: Cost, most: int, found: Sequence[Selector], window: Window) -> str:
    step = nice_step(window.step_s * cost.samples / most)
    widest = max(found, key=lambda one: one.range_s, default=None)
    advice = []
    if window.points > 1 and step <= window.span_s:
        advice.append(f"step={step}s (reads about {cost.samples * window.step_s // step:,})")
    if widest is not None and widest.range_s > 4 * window.step_s and window.points > 1:
        advice.append(f"a range of [{duration_of(window.step_s)}] instead of [{duration_of(widest.range_s)}]")
    advice.append("more labels, as namespace and pod, or a recording rule")
    return "cheaper: " + "; or ".join(advice)


def duration_of(seconds: float) -> str:
    """Seconds as PromQL writes them."""
    from datetime import timedelta

    return duration(timedelta(seconds=seconds))


def nice_step(seconds: float) -> int:
    """The next step that people use."""
    return next((step for step in _NICE_S if step >= seconds), -(-round(seconds) // 86_400) * 86_400)
