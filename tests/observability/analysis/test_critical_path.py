"""Where the time of a request goes."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_observability.analysis.critical_path import Part, explain, fault_origin, self_times
from aiops_observability.models.spans import Span, SpanKind, Trace, keyed, templated


def span(
    name: str, parent: str, start: float, end: float, kind: SpanKind = "server", who: str = "", **more: object
) -> Span:
    peer = str(more.pop("peer", ""))
    fault = bool(more.pop("fault", False))
    return Span(name, parent, who or name, name, start, end - start, kind, fault=fault, peer=peer)


def test_the_path_takes_the_child_that_ended_last_and_self_times_sum_to_the_whole() -> None:
    trace = Trace(
        "t",
        (
            span("web", "", 0.0, 1.0),
            span("c1", "web", 0.1, 0.5, "client", "web", peer="cache"),
            span("c2", "web", 0.2, 0.9, "client", "web", peer="api"),
            span("api", "c2", 0.25, 0.85),
            span("c3", "api", 0.3, 0.8, "client", "api", peer="db"),
        ),
    )
    found = self_times(trace, trace.spans[0])
    assert sum(found.values()) == pytest.approx(1.0)
    assert found[Part("api", "", "db", answered=False)] == pytest.approx(0.5)
    assert found[Part("web", "", "api")] == pytest.approx(0.1)  # network and queue of the call
    assert found[Part("web", "", "cache", answered=False)] == pytest.approx(
        0.1
    )  # hidden but for the first part
    assert found[Part("web", "")] == pytest.approx(0.2)


def test_a_failure_is_traced_to_the_deepest_part_that_failed() -> None:
    hung = Trace(
        "t",
        (
            span("web", "", 0, 30, fault=True),
            span("c1", "web", 0, 30, "client", "web", peer="api", fault=True),
            span("api", "c1", 0, 30, fault=True),
            span("c2", "api", 0, 29.9, "client", "api", peer="db", fault=True),
        ),
    )
    assert fault_origin(hung, hung.spans[0]) == Part("api", "", "db", answered=False)
    own = Trace("t", hung.spans[:3])
    assert fault_origin(own, own.spans[0]) == Part("web", "", "api")
    well = Trace("t", (span("web", "", 0, 1),))
    assert fault_origin(well, well.spans[0]) is None


def test_the_part_that_grew_explains_the_difference() -> None:
    def request(wait_s: float) -> tuple[Trace, Span]:
        spans = (
            span("web", "", 0.0, 0.02 + wait_s),
            span("pool", "web", 0.005, 0.005 + wait_s, "internal", "web"),
            span("c1", "web", 0.006 + wait_s, 0.015 + wait_s, "client", "web", peer="db"),
        )
        return Trace(str(wait_s), spans), spans[0]

    steps = explain([request(2.0 + at / 10) for at in range(5)], [request(0.0) for _ in range(5)])
    assert steps[0].part == Part("web", "pool")
    assert steps[0].explained == pytest.approx(1.0)
    assert sum(step.explained for step in steps) == pytest.approx(1.0)


@given(st.integers(0, 10_000))
@settings(max_examples=150, deadline=None)
def test_whatever_the_clocks_say_self_times_are_never_negative_and_sum_to_the_span(seed: int) -> None:
    rng = Random(seed)
    spans = [span("s0", "", 0.0, 1.0)]
    for at in range(1, rng.randint(1, 12)):
        start = rng.uniform(-0.5, 1.2)
        kind: SpanKind = rng.choice(("server", "client", "internal"))
        spans.append(
            span(
                f"s{at}",
                f"s{rng.randrange(at)}",
                start,
                start + rng.uniform(0, 1),
                kind,
                peer=rng.choice("xy"),
            )
        )
    trace = Trace("t", tuple(spans))
    found = self_times(trace, spans[0])
    assert sum(found.values()) == pytest.approx(1.0)
    assert all(seconds >= 0 for seconds in found.values())


def test_a_trace_whose_spans_are_their_own_parents_ends() -> None:
    ring = Trace("t", (span("a", "b", 0, 1), span("b", "a", 0, 1), span("c", "c", 0, 1)))
    assert sum(self_times(ring, ring.spans[0]).values()) <= 2.0
    assert sum(self_times(ring, ring.spans[2]).values()) == pytest.approx(1.0)


def test_paths_are_shown_without_ids_tokens_addresses_and_queries() -> None:
    assert templated("https://shop.example/users/42/orders?token=abc#x") == "/users/{id}/orders"
    assert templated("/reset/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9") == "/reset/{id}"
    assert templated("/by-mail/anna@example.org") == "/by-mail/{id}"
    assert templated("/orders/7f9c24e5-2f0a-4b1c-9d7e-1a2b3c4d5e6f") == "/orders/{id}"
    assert templated("/api/users") == "/api/users"
    attributes = keyed(
        [("http.url", "http://x/login/4111111111111111?pw=secret"), ("az", "a" * 999), ("n", [1])]
    )
    one = Span("1", "", "s", "", 0, 1, "server", attributes=attributes)
    assert one.facet("endpoint") == "/login/{id}"
    assert len(one.facet("az")) == 200
    assert "n" not in attributes
