"""The rights used equal the rights given (decision D24), both ways, by measurement, as `aiops-observer`.

One walk of all ten tools over the worlds that need each right; the lab gives this identity exactly the table
of `clients/rights.py`, so what is missing is a refusal there and a failure here. AWS is heard from botocore's
events, AMP's data plane from the lab's log. What no world of the lab can show stands in UNPLAYED with why.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aiops_lab.aws.application_state import Monitored, Objective
from aiops_lab.scenarios import az_gray
from aiops_observability.clients.rights import AWS, RIGHTS
from aiops_shared.auth.rights import Role
from tests.e2e.stage import Obj
from tests.eks.rights_walk import Use, Uses
from tests.observability.every_call import HOME, calls
from tests.observability.planting import ORDERS, SERVICE, WORKLOAD, Plant
from tests.observability.stage import Stage, watched
from tests.rights_of_readers import Walk, lacking, table, wide

UNPLAYED: dict[Use, str] = {
    ("aws", "aps:DescribeAnomalyDetector"): "asked of a detector that is listed; this world has none",
    ("kube", "list", "", "nodes", ""): "where spans name nodes and no zones; test_traces_lab.py plays one",
    ("aws", "logs:StopQuery"): "only a query that is not done in time is stopped; test_logs.py plays one",
}


async def all_tools(walk: Walk[Stage]) -> None:
    """Every tool in every mode over a world that has everything."""
    stage = walk.stage
    stage.play("log-insights", 1)
    Plant(stage.lab).everywhere(ORDERS[:1])
    for tool, arguments in calls(WORKLOAD, SERVICE, pods=f"{HOME}/deployment/{stage.who.api}"):
        await walk.ask(tool, **arguments)
    for source in ("amp", "cloudwatch"):
        one = {"namespace": HOME, "kind": "Deployment", "name": WORKLOAD, "source": source}
        await walk.ask("detect_anomalies", what="memory", since="-1d", **one)
        await walk.ask("forecast_metric", what="memory", **one)
        await walk.ask("compare_windows", name=SERVICE, a="-2h/-1h", b="-1h/", source=source)
        await walk.ask("query_metrics", search="memory", source=source)
        for show in ("labels", "rules", "alerts", "cardinality"):
            await walk.ask("query_metrics", show=show, query="http_requests_total", source=source)
    contributors = "CONTRIBUTORS('rule', 5)"
    for tool in ("query_metrics", "detect_anomalies", "forecast_metric"):
        await walk.ask(tool, query=contributors, source="cloudwatch")
    one_pod = stage.lab.store.list("Pod", HOME)[0]["metadata"]["name"]
    for kind, name in (("pod", one_pod), *_workloads(stage)):
        await walk.ask("query_logs", source="pods", query="", target=[f"{HOME}/{kind}/{name}"], since="-1h")
        await walk.ask("analyze_logs", source="pods", target=[f"{HOME}/{kind}/{name}"], since="-1h")
    await walk.ask("query_logs", query="fields @message", target=["/aws/nothing/here"], since="-1h")
    await walk.ask("analyze_logs", target=["/aws/nothing/here"], since="-1h")


def _workloads(stage: Stage) -> Iterator[tuple[str, str]]:
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        held = stage.lab.store.list(kind, HOME)
        yield from ((kind.lower(), one["metadata"]["name"]) for one in held[:1])
        yield kind.lower(), "nothing-here"


async def services(walk: Walk[Stage]) -> None:
    """Traces and the map, with and without Application Signals."""
    stage = walk.stage
    stage.play("az-gray-failure")
    service = az_gray.frontend(stage.who)
    for enabled in (False, True):
        monitored = stage.lab.account.area(Monitored)
        monitored.enabled, monitored.objectives = enabled, (Objective("available", service),)
        await walk.ask("get_service_health", service=service)
        await walk.ask("analyze_traces", service=service, since="-15m", source="xray")
    stage.play("active-alarms")
    await walk.ask("list_alarms", history="-7d")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.threat("T2")
@pytest.mark.row("S10")
async def test_the_rights_used_are_the_rights_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uses = Uses()
    uses.watch(monkeypatch)
    async with watched(monkeypatch, tmp_path) as stage:
        walk = Walk(stage, uses)
        await all_tools(walk)
        await services(walk)
    assert not walk.denied, "\n".join(walk.denied)
    assert not uses.refused, "\n".join(sorted(set(uses.refused)))
    missing = lacking(uses, RIGHTS)
    assert not missing, f"used, and not in the table of that tool: {missing}"
    used = {wide(use) for book in uses.by_tool.values() for use in book}
    granted = {use for _, use in table(RIGHTS)}
    assert sorted(granted - used) == sorted(UNPLAYED), "given, and used by nothing"


@pytest.mark.threat("T6")
@pytest.mark.row("S10")
@pytest.mark.timeout(120)
async def test_texts_of_programs_are_refused_where_the_operator_does_not_allow_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "active-alarms", sensitive_reads=False) as stage:
        stage.lab.observatory.log.asked.clear()
        refused: tuple[tuple[str, Obj], ...] = (
            ("query_logs", {"query": "fields @message"}),
            ("query_logs", {"query": "", "source": "filter"}),
            ("query_logs", {"query": "a", "source": "opensearch", "target": ["logs-application"]}),
            ("query_logs", {"query": "", "source": "pods", "target": [f"{HOME}/deployment/{stage.who.api}"]}),
            *(("analyze_logs", {"mode": mode, "at": "-30m"}) for mode in MODES),
            *(("analyze_traces", {"service": "a", "source": each}) for each in ("xray", "jaeger", "tempo")),
        )
        for tool, arguments in refused:
            before = len(stage.lab.aws_requests()), stage.lab.requests.total
            answer = await stage.ask(tool, **arguments)
            assert answer.code == "refused", (tool, arguments, answer.text[:300])
            assert "AIOPS_SENSITIVE_READS" in answer.error
            assert (len(stage.lab.aws_requests()), stage.lab.requests.total) == before
        assert stage.lab.observatory.log.asked == []
        assert (await stage.got("list_alarms"))["total"] == 3
        assert not (await stage.ask("query_metrics", what="cpu")).error


MODES = ("patterns", "error_rate", "impact", "compare", "volume")


@pytest.mark.threat("T6")
async def test_a_role_that_only_reads_gets_no_text_of_a_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sensitive = {action for action, role, _ in AWS if role is Role.SENSITIVE}
    assert {"logs:StartQuery", "logs:FilterLogEvents", "xray:BatchGetTraces"} <= sensitive
    async with watched(monkeypatch, tmp_path, "az-gray-failure") as stage:
        for action in sensitive:
            service, _, operation = action.partition(":")
            stage.lab.fail_aws(service, operation, code="AccessDeniedException", status=403)
        logs = await stage.ask("query_logs", query="fields @message", target=["control_plane"])
        traces = await stage.ask("analyze_traces", service="web-frontend", since="-15m", source="xray")
        assert (logs.code, traces.code) == ("access_denied",) * 2, (logs.text, traces.text)
        assert "logs:StartQuery" in logs.error
        assert "xray:" in traces.error
        assert not (await stage.ask("list_alarms")).error
        assert not (await stage.ask("query_metrics", what="cpu")).error
        stage.lab.aws_faults.clear()
        assert not (await stage.ask("query_logs", query="fields @message", target=["control_plane"])).error
    audited = (tmp_path / "state" / "state.db").read_bytes()
    assert audited.count(b"sensitive") >= 1
