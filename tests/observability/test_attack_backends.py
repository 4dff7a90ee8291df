"""Backends that answer with nonsense, and what every answer may cost: errors that say so, budgets that hold.

T14: an answer that is deep, huge, no JSON, an error under status 200 or a redirect costs neither the process
nor silence. A redirect is never followed. Budgets: tools.md rule 2, counted with o200k.
"""

from pathlib import Path

import pytest

from bench.tokens import tokens
from tests.e2e.stage import Obj
from tests.observability.stage import watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
DEEP = b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
HUGE = b'{"data":"' + b"a" * (34 * 1024 * 1024) + b'"}'
ILL: dict[str, tuple[int, bytes]] = {
    "deep": (200, DEEP),
    "huge": (200, HUGE),
    "an error under 200": (200, b'{"status":"error","errorType":"internal","error":"no","data":null}'),
    "a login page": (200, b"<html><form action=/login></form></html>"),
    "nothing": (200, b""),
    "a number": (200, b"7"),
    "a redirect": (302, b""),
}
ASKED: dict[str, tuple[str, Obj]] = {
    "prometheus": ("query_metrics", {"query": "kube_pod_info", "source": "prometheus"}),
    "alertmanager": ("list_alarms", {"source": ["alertmanager"]}),
    "jaeger": ("analyze_traces", {"service": "web-frontend", "source": "jaeger"}),
    "tempo": ("analyze_traces", {"service": "web-frontend", "source": "tempo"}),
    "opensearch": ("query_logs", {"query": "a", "source": "opensearch", "target": ["logs-application"]}),
}
CLEAR = {
    "upstream_error",
    "not_configured",
    "too_large",
    "unreachable",
    "query_invalid",
    "not_found",
    "timeout",
}
# Bodies that their own forms allow for "nothing found": docs/next.md.
OPEN = {("jaeger", "an error under 200"), ("tempo", "an error under 200")}
STORIES = ("memory-leak-slow", "memory-spike", "az-gray-failure", "active-alarms", "log-insights")


@pytest.mark.threat("T14")
@pytest.mark.fault("R21")
async def test_no_answer_of_a_backend_breaks_the_server_or_passes_for_an_empty_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = []
    async with watched(monkeypatch, tmp_path, "az-gray-failure") as stage:
        for room, (tool, arguments) in ASKED.items():
            for name, (status, body) in ILL.items():
                if (room, name) in OPEN:
                    continue
                stage.lab.observatory.fail(room, status=status, body=body)
                answer = await stage.ask(tool, **arguments)
                said = answer.code in CLEAR or bool(answer.data.get("warnings"))
                if not said or len(answer.text) > 6_000:
                    wrong.append(f"{room} {name}: {answer.text[:300]}")
            stage.lab.observatory.heal()
    assert not wrong, "\n".join(wrong)


async def test_every_answer_of_the_stories_is_within_its_budget(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong, answered = [], 0
    async with watched(monkeypatch, tmp_path) as stage:
        for story in STORIES:
            stage.play(story)
            one = {"namespace": "production", "kind": "Deployment", "name": stage.who.api}
            for tool, arguments in (
                ("query_metrics", {"what": "memory", "namespace": "production"}),
                ("query_metrics", {"query": "http_requests_total"}),
                ("list_alarms", {}),
                ("detect_anomalies", {**one, "since": "-6h"}),
                ("analyze_logs", {"mode": "patterns", "since": "-24h"}),
                ("query_logs", {"query": "fields @timestamp, @message", "since": "-6h"}),
                ("analyze_traces", {"service": "web-frontend", "since": "-15m"}),
                ("get_service_health", {"service": "web-frontend"}),
            ):
                for detail in ({}, {"detail": "full"}):
                    if detail and tool not in {"query_metrics", "query_logs", "analyze_logs"}:
                        continue
                    answer = await stage.ask(tool, **arguments, **detail)
                    answered += not answer.error
                    most = 12_000 if detail else 1_500
                    if tokens(answer.text) > most or len(answer.text.encode()) > 40_000:
                        wrong.append(f"{story} {tool} {detail}: {tokens(answer.text)} tokens")
    assert not wrong, "\n".join(wrong)
    assert answered >= 20
