"""Queries that hypothesis makes: well-typed by construction, of the functions and shapes that people write.

Left out on purpose: ties in topk and bottomk (any of the tied may win), and dates of NaN (Go's conversion of
NaN to an integer is the machine's own).
"""

from hypothesis import strategies as st

Query = st.SearchStrategy[str]

_LABELS = st.sampled_from(("pod", "node", "status", "route", "service", "x", "le", "nope"))
_SPANS = st.sampled_from(("2m", "5m", "7m30s", "10m", "30m"))
_NUMBERS = st.sampled_from(("0", "1", "2.5", "-3", "100", "1e3", "0.1", "300.5"))
_MODIFIERS = st.sampled_from(
    ("", "", "", " offset 7m", " offset -3m", " @ start()", " @ end()", " @ 1790003600.5")
)
_SELECTORS = st.sampled_from(
    (
        "http_requests_total",
        'http_requests_total{status="500"}',
        'http_requests_total{pod=~"p[12]", status!="500"}',
        "mem",
        'mem{node="n0"}',
        'mem{pod!~"p0|p1"}',
        "limit",
        "lat_bucket",
        'lat_bucket{le="+Inf"}',
        "sparse",
        "negative",
        "flat",
        "node_labels",
        "nothing_at_all",
        '{__name__=~"mem|limit"}',
    )
)
_OVER = st.sampled_from(
    ("rate", "increase", "delta", "irate", "idelta", "deriv", "changes", "resets", "sum_over_time",
     "avg_over_time", "min_over_time", "max_over_time", "count_over_time", "last_over_time",
     "present_over_time", "stddev_over_time", "absent_over_time")
)  # fmt: skip
_EACH = st.sampled_from(
    ("abs", "ceil", "floor", "round", "sgn", "sqrt", "exp", "ln", "sort", "absent", "timestamp")
)
_FOLDS = st.sampled_from(("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"))
_ARITHMETIC = st.sampled_from(("+", "-", "*", "/", "%", "^"))
_COMPARING = st.sampled_from((">", "<", ">=", "!=", "> bool", "<= bool"))
_SETS = st.sampled_from(("and", "or", "unless"))


@st.composite
def _selector(draw: st.DrawFn) -> str:
    return draw(_SELECTORS) + draw(_MODIFIERS)


@st.composite
def _ranged(draw: st.DrawFn, vectors: Query) -> str:
    if draw(st.integers(0, 3)):
        return f"{draw(_SELECTORS)}[{draw(_SPANS)}]{draw(_MODIFIERS)}"
    step = draw(st.sampled_from(("", "1m", "3m", "90s")))
    return f"({draw(vectors)})[{draw(_SPANS)}:{step}]{draw(_MODIFIERS)}"


@st.composite
def _grouping(draw: st.DrawFn) -> str:
    word = draw(st.sampled_from(("", "by", "without")))
    return f" {word} ({', '.join(draw(st.lists(_LABELS, max_size=3, unique=True)))}) " if word else ""


@st.composite
def _matching(draw: st.DrawFn, *, grouped: bool) -> str:
    word = draw(st.sampled_from(("", "on", "ignoring")))
    if not word:
        return ""
    found = f" {word}({', '.join(draw(st.lists(_LABELS, max_size=3, unique=True)))})"
    side = draw(st.sampled_from(("", "", " group_left", " group_right"))) if grouped else ""
    return found + (side + draw(st.sampled_from(("", "(zone)", "(node)"))) if side else "") + " "


def _scalar(vectors: Query) -> Query:
    return st.one_of(_NUMBERS, st.just("time()"), vectors.map(lambda inner: f"scalar({inner})"))


@st.composite
def _function(draw: st.DrawFn, vectors: Query) -> str:
    kind = draw(st.integers(0, 6))
    if kind <= 2:
        return f"{draw(_OVER)}({draw(_ranged(vectors))})"
    if kind == 3:
        q = draw(st.sampled_from(("0.5", "0.99", "-1", "2", "0.3")))
        return f"quantile_over_time({q}, {draw(_ranged(vectors))})"
    if kind == 4:
        q = draw(st.sampled_from(("0.5", "0.99", "0.01", "1", "1.2")))
        group = draw(st.sampled_from(("(le)", "(le, service)")))
        return f"histogram_quantile({q}, sum by {group} (rate(lat_bucket[{draw(_SPANS)}])))"
    if kind == 5:
        return f'label_replace({draw(vectors)}, "{draw(_LABELS)}", "v$1", "pod", "p(.)")'
    return f"{draw(_EACH)}({draw(vectors)})"


@st.composite
def _combined(draw: st.DrawFn, vectors: Query) -> str:
    kind = draw(st.integers(0, 6))
    left, right = draw(vectors), draw(vectors)
    if kind <= 1:
        return f"{draw(_FOLDS)}{draw(_grouping())}({left})"
    if kind == 2:
        return f"({left}) {draw(_ARITHMETIC)} {draw(_scalar(vectors))}"
    if kind == 3:
        return f"{draw(_NUMBERS)} {draw(st.one_of(_ARITHMETIC, _COMPARING))} ({left})"
    if kind == 4:
        operator = draw(st.one_of(_ARITHMETIC, _COMPARING))
        return f"({left}) {operator}{draw(_matching(grouped=True))} ({right})"
    if kind == 5:
        return f"({left}) {draw(_SETS)}{draw(_matching(grouped=False))} ({right})"
    return f"-({left})"


def queries() -> Query:
    """Expressions whose value is an instant vector."""
    return st.recursive(
        _selector(), lambda inner: st.one_of(_function(inner), _combined(inner)), max_leaves=6
    ).filter(lambda query: len(query) < 600)
