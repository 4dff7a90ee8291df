"""Application Signals of the lab, with real botocore clients."""

from datetime import timedelta
from random import Random

import pytest

from aiops_lab.aws.application_state import Monitored, Objective
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.request_paths import CALM, Hop, Mix, Place, Twist, played
from tests.lab.aws.conftest import T0, RunningAws

_PATH = Hop("web", "/", calls=(Hop("api", "/orders", calls=(Hop("orders-db", "query", silent=True),)),))
SPAN = {"StartTime": T0 - timedelta(hours=1), "EndTime": T0}
ENVIRONMENT = "eks:my-cluster/production"


def _twist(hop: Hop, place: Place, at_s: float, rng: Random) -> Twist:
    del place, at_s
    return Twist(fault=True) if hop.service == "api" and rng.random() < 0.1 else CALM


@pytest.fixture
def told(aws: RunningAws) -> RunningAws:
    found = played(
        Mix([(1.0, _PATH)], twist=_twist),
        count=300,
        since_s=T0.timestamp() - 3600,
        until_s=T0.timestamp() - 60,
        seed="s",
    )
    aws.account.area(Telemetry).traces.add(found)
    aws.account.area(Monitored).enabled = True
    aws.account.area(Monitored).objectives = (
        Objective("api-ok", "api", 99.0),
        Objective("web-ok", "web", 50.0),
    )
    return aws


def key(name: str) -> dict[str, str]:
    return {"Type": "Service", "Name": name, "Environment": ENVIRONMENT}


def test_an_account_without_it_has_no_services(aws: RunningAws) -> None:
    assert aws.client("application-signals").list_services(**SPAN)["ServiceSummaries"] == []


def test_services_dependencies_and_dependents_follow_the_calls(told: RunningAws) -> None:
    signals = told.client("application-signals")
    services = signals.list_services(**SPAN)["ServiceSummaries"]
    assert [one["KeyAttributes"]["Name"] for one in services] == ["api", "web"]
    [down] = signals.list_service_dependencies(KeyAttributes=key("api"), **SPAN)["ServiceDependencies"]
    assert down["DependencyKeyAttributes"] == {"Type": "RemoteService", "Name": "orders-db"}
    [up] = signals.list_service_dependents(KeyAttributes=key("api"), **SPAN)["ServiceDependents"]
    assert up["DependentKeyAttributes"]["Name"] == "web"
    assert signals.get_service(KeyAttributes=key("api"), **SPAN)["Service"]["MetricReferences"]
    for wrong in ({"Type": "Service", "Name": "api"}, {"Type": "Resource", "Name": "api"}):
        with pytest.raises(signals.exceptions.ValidationException):
            signals.list_service_dependencies(KeyAttributes=wrong, **SPAN)
    with pytest.raises(signals.exceptions.ValidationException):
        signals.get_service(KeyAttributes=key("nobody"), **SPAN)


def test_its_metrics_count_every_request_once(told: RunningAws) -> None:
    [reference] = [
        one
        for one in told.client("application-signals").list_services(**SPAN)["ServiceSummaries"][0][
            "MetricReferences"
        ]
        if one["MetricType"] == "LATENCY"
    ]
    metric = {name: reference[name] for name in ("Namespace", "MetricName", "Dimensions")}
    wanted = [
        {"Id": "n", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "SampleCount"}},
        {"Id": "p", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "p50"}},
        {"Id": "f", "MetricStat": {"Metric": metric | {"MetricName": "Fault"}, "Period": 300, "Stat": "Sum"}},
    ]
    found = told.client("cloudwatch").get_metric_data(MetricDataQueries=wanted, **SPAN)["MetricDataResults"]
    values = {one["Id"]: one["Values"] for one in found}
    traces = told.account.area(Telemetry).traces.between(0, T0.timestamp())
    spans = [
        span for trace in traces for span in trace.spans if (span.service, span.kind) == ("api", "server")
    ]
    assert sum(values["n"]) == len(spans) == 300
    assert sum(values["f"]) == sum(span.fault for span in spans)
    assert all(1 < value < 20 for value in values["p"])  # milliseconds


def test_budgets_are_counted_by_requests(told: RunningAws) -> None:
    signals = told.client("application-signals")
    slos = signals.list_service_level_objectives(KeyAttributes=key("api"))["SloSummaries"]
    assert [one["Name"] for one in slos] == ["api-ok"]
    answer = signals.batch_get_service_level_objective_budget_report(
        Timestamp=T0, SloIds=["api-ok", "web-ok", "nobody"]
    )
    reports = {one["Name"]: one for one in answer["Reports"]}
    assert reports["api-ok"]["BudgetStatus"] == "BREACHED"
    assert reports["api-ok"]["TotalBudgetRequests"] == 3
    assert reports["api-ok"]["BudgetRequestsRemaining"] < 0
    assert reports["web-ok"]["BudgetStatus"] == "OK"
    assert [one["ErrorCode"] for one in answer["Errors"]] == ["ResourceNotFoundException"]
    assert signals.get_service_level_objective(Id="api-ok")["Slo"]["Goal"]["AttainmentGoal"] == 99.0
    with pytest.raises(signals.exceptions.ResourceNotFoundException):
        signals.get_service_level_objective(Id="nobody")
