"""The parsers under attack: each takes bytes and may raise nothing but our own errors.

A target is a function that raises `WrongError`, or anything that is no AiopsError, where the product is
wrong. Called by `fuzz.parsers.child` (atheris) and by `tests/fuzz/test_parsers.py` (hypothesis).
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from aiops_shared.errors import AiopsError

Target = Callable[[bytes], None]
NOW: Final = datetime(2026, 11, 22, 13, 40, 12, tzinfo=UTC)
QUESTION: Final = "0123456789ab"
MOST_CHARS: Final = 200_000  # of what comes out of a parser that was given 8 kB


class WrongError(Exception):
    """A property of the product does not hold."""


def require(held: bool, says: str) -> None:
    """Raises WrongError unless it holds."""
    if not held:
        raise WrongError(says)


def text_of(data: bytes) -> str:
    """As files and pipes are read."""
    return data.decode("utf-8", "replace")


def json_of(data: bytes) -> Any:
    """The JSON in the bytes, or the text itself as JSON's text."""
    try:
        found = json.loads(data)
        json.dumps(
            found, ensure_ascii=False
        ).encode()  # the door refuses halves of pairs before anybody reads
    except (ValueError, RecursionError):
        return text_of(data)
    return found


def sop(data: bytes) -> None:
    """A SOP's file: parser, linter, and what is made of a good one."""
    from aiops_sop.documents.checking import faults
    from aiops_sop.documents.exporting import kiro_files, prose, skill_files
    from aiops_sop.documents.parsing import parse, read
    from aiops_sop.documents.prompting import guides

    text = text_of(data)
    try:
        list(faults(read(text, "fuzz.sop.md")))
        found = parse(text, "fuzz.sop.md")
    except AiopsError as error:
        require(len(error.wire()) < 3_000, "a long error")
        return
    made = prose(found) + json.dumps([skill_files([found]), kiro_files([found])]) + str(guides([found]))
    require(len(made) < MOST_CHARS + 40 * len(text), "an export far longer than its SOP")
    require(parse(text, "fuzz.sop.md") == found, "one file, two readings")


def promql(data: bytes) -> None:
    """The guard of PromQL: what it lets through is bounded, and a label that is put in stands everywhere."""
    from aiops_shared.metrics.promql import checked, parsed, require_series, selectors, with_label
    from aiops_shared.metrics.promql_cost import probe_query
    from aiops_shared.metrics.promql_units import unit_of

    text = text_of(data)
    checked(text)
    tree = parsed(text)
    require_series(tree)
    unit_of(tree)
    found = selectors(tree)
    if found:
        parsed(probe_query(found))
    inside = with_label(text, "cluster", "mine")
    for one in selectors(parsed(inside)):
        require('cluster="mine"' in one.text, f"a selector without the label: {one.text[:200]}")
    require(with_label(inside, "cluster", "mine").count("mine") >= inside.count("mine"), "the label got lost")


CONTEXT: Final[Mapping[str, Any]] = {
    "params": {"name": "web", "count": 3, "list": [1, "a", None], "deep": {"a": {"b": [True]}}},
    "steps": {"look": {"result": {"rows": [{"a": 1}], "summary": "x"}, "ok": True, "state": "succeeded"}},
    "result": {"a": 1.5},
    "event": {"reason": "OOMKilled", "labels": {"a": "b"}},
    "item": "x",
    "index": 0,
}


def cel(data: bytes) -> None:
    """An expression of a SOP: compiled, evaluated, filled into a text."""
    from aiops_sop.documents.expressions import check, evaluate, expressions_in, filled, holds, items, used

    text = text_of(data)
    for act in (check, lambda one: check(one, condition=True)):
        _ours(lambda act=act: act(text))  # type: ignore[misc]
    list(used(text))
    list(expressions_in({"a": text}))
    for ask in (evaluate, holds, items):
        _ours(lambda ask=ask: ask(text, CONTEXT))  # type: ignore[misc]
    made = filled({"a": text, "b": [text]}, CONTEXT)
    require(len(json.dumps(made, default=str)) < 2_000_000, "a text grew beyond its bound")


def rules(data: bytes) -> None:
    """A file of an organisation's scan rules, and a scan by what it holds."""
    from aiops_eks.diagnosis.scanning.organisation import compile_rules

    book = compile_rules({"fuzz.yaml": text_of(data)})
    for program in book.programs:
        _ours(lambda program=program: program.truth({"object": {"kind": "Pod"}, "variables": {}}))  # type: ignore[misc]


def manifest(data: bytes) -> None:
    """A manifest: read with limits, and written so that it reads the same again."""
    from aiops_shared.kube.manifests import dump_manifests, load_some

    found, _ = load_some(text_of(data))
    if found:
        again, _ = load_some(dump_manifests(found))
        require(_same(found, again), "written and read again it is another object")


def scan(data: bytes) -> None:
    """A manifest under the scanner, whatever types its fields have; a fix of it reads again."""
    from aiops_eks.diagnosis.scanning.placing import sheet
    from aiops_eks.diagnosis.scanning.reporting import report

    for fix in (False, True):
        scanned = report(sheet(text_of(data)), "restricted", fix=fix)
        require(
            len(scanned.report.model_dump_json()) < MOST_CHARS + 40 * len(data), "a report beyond all reason"
        )


def collector(data: bytes) -> None:
    """A collector's file with other exporters."""
    from aiops_observability.telemetry.switching import switched

    for target in ("amp", "datadog"):
        switched(text_of(data), target)


def cursors(data: bytes) -> None:
    """Cursors of ours and of Kubernetes."""
    from aiops_eks.clients.paging import offsets_of
    from aiops_shared.kube.names import cursor
    from aiops_shared.results.cursors import offset_of

    text = text_of(data)
    found = _ours(lambda: offset_of(text, QUESTION))
    require(found is None or 0 <= found < 10**8, "an offset out of bounds")
    _ours(lambda: offsets_of(text, QUESTION, ("a", "b")))
    _ours(lambda: cursor(text))


def names(data: bytes) -> None:
    """Names, kinds, selectors and the paths made of them: what passes cannot leave its segment."""
    from aiops_shared.kube import names as checked

    text = text_of(data)
    _ours(lambda: checked.kind_word(text))  # group/version/kind: looked up, never a part of a path
    whole = (checked.namespace, checked.container, checked.subresource, checked.uid)
    for check in (*whole, checked.selector, checked.fields, lambda one: checked.object_name("pod", one)):
        value = _ours(lambda check=check: check(text))  # type: ignore[misc]
        if value is None or check in {checked.selector, checked.fields}:
            continue
        require(
            not set(value) & set("/\\%?#\n\r\0 ") and value not in {"", ".", ".."}, f"{value!r} is no segment"
        )
    path = _ours(lambda: checked.path("api", "v1", "namespaces", text))
    require(path is None or (path.count("/") == 4 and ".." not in path.split("/")), f"a path {path!r}")


def quantities(data: bytes) -> None:
    """Quantities, instances of an estimate, filters of bills, bounds of an autoscaler."""
    from aiops_cost.analysis.cost_filters import asked_for
    from aiops_cost.clients.estimate_reading import _parsed
    from aiops_eks.planning.autoscaling import bounds_of
    from aiops_shared.kube.quantities import amount, millicores, whole_bytes

    text = text_of(data)
    for read in (amount, millicores, whole_bytes):
        found = read(text)
        require(found is None or len(str(found)) < 200, f"a number of {len(str(found))} digits")
    _ours(lambda: _parsed(text))
    _ours(lambda: asked_for([text]))
    bounds_of("autoscale", text, others=False)


def times(data: bytes) -> None:
    """Moments, spans, periods and durations."""
    from aiops_cost.analysis.periods import period_of
    from aiops_observability.clients.log_spans import span_of
    from aiops_shared.params import since_to_datetime
    from aiops_sop.analysis.reports.windows import window_of
    from aiops_sop.documents.durations import duration_s

    text = text_of(data)
    moment = _ours(lambda: since_to_datetime(text, NOW))
    require(moment is None or moment.tzinfo is not None, "a moment without a zone")
    first, _, second = text.partition("/")
    span = _ours(lambda: span_of(first, second or None, NOW))
    require(span is None or span.since < span.until, "a span that ends before it begins")
    period = _ours(lambda: period_of(text, date(2026, 11, 22)))
    require(period is None or period.days > 0, "a period without a day")
    _ours(lambda: window_of(text, NOW))
    seconds = _ours(lambda: duration_s(text))
    require(seconds is None or 0 <= seconds < 10**9, "a duration out of bounds")


def insights(data: bytes) -> None:
    """Queries of logs: OpenSearch's bodies, names in SQL, patterns of a search in lines."""
    from aiops_eks.models.searching import compiled
    from aiops_observability.clients.log_opensearch_words import body_of
    from aiops_observability.clients.log_spans import span_of
    from aiops_observability.clients.log_targets import groups_in_sql

    text = text_of(data)
    span = span_of("-1h", None, NOW)
    body = _ours(lambda: body_of(text, span, 100))
    require(body is None or "script" not in _keys(body), "a script in a body that passes")
    _ours(lambda: groups_in_sql(text))
    _ours(lambda: compiled(text[:200]).among(["a" * 30 + "!", text[:300], "level=error x"], most_s=0.2))


def events(data: bytes) -> None:
    """Bodies of EventBridge, Alertmanager, SNS and our own senders."""
    from aiops_shared.http.answers import parse_json
    from aiops_sop.analysis.events import fingerprint, normalised, titled, words_of

    body = parse_json(data, "fuzz")
    for event in normalised(body)[:50]:
        mark = fingerprint(event)
        require(len(mark) == 32, "a fingerprint of another form")
        require(titled(event).isprintable(), f"a title that hides: {titled(event)!r}")
        require(len(words_of(event)) < 20_000, "words beyond all reason")


def bearer(data: bytes) -> None:
    """The Authorization header and the claims of a token before and after its signature was looked at."""
    from aiops_shared.remote.bearers import _token
    from aiops_shared.remote.claims import identity, scopes
    from aiops_shared.remote.tokens import BadTokenError, Tokens
    from aiops_shared.settings import Settings

    settings = Settings().auth.model_copy(update={"issuer": "https://login.example.com"})
    tokens = Tokens.of(settings, "https://aiops.example.com/mcp")
    for header in (data, b"Bearer " + data):
        with suppress(BadTokenError):
            tokens._kid(_token([header]))
    claims = json_of(data)
    if isinstance(claims, dict):
        found = identity(claims, settings)
        require(found is None or found.name.isprintable(), "a caller's name that hides")
        scopes(claims, "")
        for check in (tokens._check_source, tokens._check_times):
            with suppress(BadTokenError):
                check(claims)


def policy(data: bytes) -> None:
    """An operator's Cedar file: loaded, or refused with the file's name."""
    from aiops_shared.guardrails.policy import Policy
    from aiops_shared.settings import PolicySettings

    with TemporaryDirectory(prefix="fuzz-cedar-") as folder:
        (Path(folder) / "fuzz.cedar").write_bytes(data)
        Policy(PolicySettings(dir=Path(folder)))


def knowledge(data: bytes) -> None:
    """A team's knowledge file."""
    from aiops_sop.clients.knowledge import entries_of

    entries_of(text_of(data), "fuzz.yaml")


def log_lines(data: bytes) -> None:
    """Lines of logs: levels, numbers, JSON, shapes; text for a client without what hides or acts."""
    from aiops_shared.aws.log_lines import numbers, read
    from aiops_shared.aws.log_shape import shape_of
    from aiops_shared.guardrails.redacting import escape_untrusted

    text = text_of(data)
    line = read(text)
    require(line is not None, "no line")
    list(numbers(text))
    shape_of([text, *text.split("\n")])
    shown = escape_untrusted(text)
    require(escape_untrusted(shown) == shown, "escaped twice is another text")


def redaction(data: bytes) -> None:
    """A secret on a line of its own never survives, whatever stands around it; twice is once."""
    from aiops_shared.guardrails.redacting import redact, redact_tree
    from eks_aiops.drilling.secret_corpus import planted

    number = int.from_bytes(data[:2], "big")
    around = text_of(data[2:])
    half = len(around) // 2
    one = planted(number, number % 18 + 1)[-1]
    text = f"{around[:half]}\n{one.text}\n{around[half:]}"
    once = redact(text)
    require(one.secret not in once, f"{one.kind} survives")
    require(redact(once) == once, "redacted twice is another text")
    tree = redact_tree({"a": [around], around[:100]: one.text})
    require(one.secret not in json.dumps(tree, ensure_ascii=False), f"{one.kind} survives in a tree")


def _ours(act: Callable[[], Any]) -> Any:
    """What it gives; None where it refuses with an error of ours."""
    try:
        return act()
    except AiopsError:
        return None


def _same(one: Any, other: Any) -> bool:
    """Equal, and NaN is NaN."""
    return json.dumps(one, default=str, sort_keys=True) == json.dumps(other, default=str, sort_keys=True)


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(_keys(each) for each in value.values()))
    return set().union(*(_keys(each) for each in value)) if isinstance(value, list) else set()


TARGETS: Final[Mapping[str, Target]] = {
    one.__name__: one
    for one in (
        *(sop, promql, cel, rules, manifest, scan, collector, cursors, names, quantities, times, insights),
        *(events, bearer, policy, knowledge, log_lines, redaction),
    )
}


def attack(name: str, data: bytes) -> None:
    """One input to one target. Raises WrongError, and whatever else leaves a parser of ours."""
    try:
        TARGETS[name](data)
    except AiopsError as error:
        require(error.code != "internal", "an internal error")
        require("Traceback" not in error.wire(), "a traceback in an error")
