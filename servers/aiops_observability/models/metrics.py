"""What `query_metrics` is asked and answers."""

from typing import Literal

from aiops_shared.results import Answer, Frozen, Table

Source = Literal["auto", "prometheus", "amp", "cloudwatch", "datadog"]
Show = Literal["", "questions", "labels", "rules", "alerts", "cardinality"]


class MetricAsk(Frozen):
    """One call: a query, a named question about something, words to find, or a thing to show."""

    cluster: str | None = None
    source: Source = "auto"
    query: str = ""
    what: str = ""
    namespace: str = ""
    kind: str = ""
    name: str = ""
    since: str = "-1h"
    until: str | None = None
    step_s: int = 0
    search: str | None = None
    show: Show = ""
    by_hour_of_week: bool = False
    full: bool = False


class MetricReport(Answer):
    """Series in numbers and a few points, or what was found."""

    source: str = ""
    unit: str = ""
    step_s: int | None = None
    first_at: str = ""  # the first and the last moment that was measured
    last_at: str = ""
    total: int | None = None  # series or rows in all; the tables hold the largest
    series: Table | None = None  # statistics
    points: Table | None = None  # means over equal stretches, UTC
    by_hour_of_week: Table | None = None  # medians, UTC
    found: Table | None = None  # of search and show
    sizes: Table | None = None  # cardinality by group of metrics and by label
