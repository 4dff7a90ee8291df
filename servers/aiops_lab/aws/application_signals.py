"""Application Signals: services, dependencies, objectives and their budgets, computed from the world's
traces.

Off in the common world, as in an account that never enabled it (`stage.aws.area(Monitored)` turns it on); the
lists are empty then. Its metrics stand in CloudWatch: `application_metrics`.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from aiops_lab.aws.account import REGION, Account
from aiops_lab.aws.application_metrics import NAMESPACE, environment
from aiops_lab.aws.application_state import Monitored, Objective
from aiops_lab.aws.errors import AwsError, not_found
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.aws.xray_graph import counted
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.spans import Trace

Answer = Mapping[str, Any]
DAY_S = 86_400
PAGE = 100


def application_signals_operations(account: Account) -> Operations:
    """The operations of service `application-signals`, bound to one account."""
    served = {
        "ListServices": list_services,
        "GetService": get_service,
        "ListServiceDependencies": list_service_dependencies,
        "ListServiceDependents": list_service_dependents,
        "ListServiceLevelObjectives": list_objectives,
        "GetServiceLevelObjective": get_objective,
        "BatchGetServiceLevelObjectiveBudgetReport": budget_reports,
    }
    return {("application-signals", name): partial(act, account) for name, act in served.items()}


def invalid(message: str) -> AwsError:
    """ValidationException, as the service refuses."""
    return AwsError("ValidationException", message, 400)


def list_services(account: Account, call: Call) -> Answer:
    """The services that sent anything in the span."""
    nodes, _, _ = counted(_traces(account, call))
    rows = [_summary(account, name) for name in sorted(nodes)]
    return _span(call) | _page("ServiceSummaries", rows, call)


def get_service(account: Account, call: Call) -> Answer:
    """One service."""
    name = _named(account, call)
    nodes, _, _ = counted(_traces(account, call))
    if name not in nodes:
        raise invalid(f"Service {name} was not found in the time range")
    return _span(call) | {"Service": _summary(account, name), "LogGroupReferences": []}


def list_service_dependencies(account: Account, call: Call) -> Answer:
    """Whom a service calls."""
    name = _named(account, call)
    nodes, edges, _ = counted(_traces(account, call))
    rows = [
        {
            "OperationName": "AllOperations",
            "DependencyKeyAttributes": _attributes(account, callee, known=callee in nodes),
            "DependencyOperationName": "AllRemoteOperations",
            "MetricReferences": _references(account, caller, callee),
        }
        for caller, callee in sorted(edges)
        if caller == name
    ]
    return _span(call) | _page("ServiceDependencies", rows, call)


def list_service_dependents(account: Account, call: Call) -> Answer:
    """Who calls a service."""
    name = _named(account, call)
    _, edges, _ = counted(_traces(account, call))
    rows = [
        {
            "OperationName": "AllOperations",
            "DependentKeyAttributes": _attributes(account, caller, known=True),
            "DependentOperationName": "AllOperations",
            "MetricReferences": _references(account, caller, callee),
        }
        for caller, callee in sorted(edges)
        if callee == name
    ]
    return _span(call) | _page("ServiceDependents", rows, call)


def list_objectives(account: Account, call: Call) -> Answer:
    """The objectives, of one service where it is named."""
    wanted = (call.params.get("KeyAttributes") or {}).get("Name")
    found = [one for one in account.area(Monitored).objectives if wanted in (None, one.service)]
    rows = [
        {
            "Arn": one.arn,
            "Name": one.name,
            "KeyAttributes": _attributes(account, one.service, known=True),
            "CreatedTime": account.created_at,
            "EvaluationType": "RequestBased",
        }
        for one in found
    ]
    return _page("SloSummaries", rows, call)


def get_objective(account: Account, call: Call) -> Answer:
    """One objective."""
    one = _objective(account, str(call.params["Id"]))
    if one is None:
        raise not_found(f"SLO {call.params['Id']} does not exist")
    return {
        "Slo": {
            "Arn": one.arn,
            "Name": one.name,
            "CreatedTime": account.created_at,
            "LastUpdatedTime": account.created_at,
            "RequestBasedSli": _sli(account, one),
            "EvaluationType": "RequestBased",
            "Goal": _goal(one),
        }
    }


def budget_reports(account: Account, call: Call) -> Answer:
    """What is left of each objective's budget, by requests over its window up to the timestamp."""
    at_s, ids = _seconds(call.params["Timestamp"]), list(call.params["SloIds"])
    if len(ids) > 50:
        raise invalid("SloIds has at most 50 members")
    reports, errors = [], []
    for each in ids:
        one = _objective(account, each)
        if one is None:
            words = {"ErrorCode": "ResourceNotFoundException", "ErrorMessage": "SLO does not exist"}
            errors.append({"Name": each, "Arn": each, **words})
            continue
        reports.append(_report(account, one, at_s))
    return {"Timestamp": call.params["Timestamp"], "Reports": reports, "Errors": errors}


def _report(account: Account, one: Objective, at_s: float) -> dict[str, Any]:
    kept = account.area(Telemetry).traces.between(
        at_s - one.days * DAY_S, min(at_s, account.now().timestamp())
    )
    spans = counted(kept)[0].get(one.service, [])
    slow_s = (one.latency_ms or 0.0) / 1000
    bad = sum(span.duration_s > slow_s if one.latency_ms else span.fault for span in spans)
    allowed = round(len(spans) * (1 - one.goal / 100))
    status = "INSUFFICIENT_DATA" if not spans else "BREACHED" if bad > allowed else "OK"
    return {
        "Arn": one.arn,
        "Name": one.name,
        "EvaluationType": "RequestBased",
        "BudgetStatus": status,
        **({"Attainment": 100 * (1 - bad / len(spans))} if spans else {}),
        "TotalBudgetRequests": allowed,
        "BudgetRequestsRemaining": allowed - bad,
        "RequestBasedSli": _sli(account, one),
        "Goal": _goal(one),
    }


def _sli(account: Account, one: Objective) -> dict[str, Any]:
    metric: dict[str, Any] = {
        "KeyAttributes": _attributes(account, one.service, known=True),
        "MetricType": "LATENCY" if one.latency_ms else "AVAILABILITY",
        "TotalRequestCountMetric": [],
        "MonitoredRequestCountMetric": {"BadCountMetric": []},
    }
    bound = {"MetricThreshold": one.latency_ms, "ComparisonOperator": "LessThanOrEqualTo"}
    return {"RequestBasedSliMetric": metric, **(bound if one.latency_ms else {})}


def _goal(one: Objective) -> dict[str, Any]:
    rolling = {"RollingInterval": {"DurationUnit": "DAY", "Duration": one.days}}
    return {"Interval": rolling, "AttainmentGoal": one.goal, "WarningThreshold": 50.0}


def _objective(account: Account, wanted: str) -> Objective | None:
    return next((one for one in account.area(Monitored).objectives if wanted in (one.arn, one.name)), None)


def _traces(account: Account, call: Call) -> list[Trace]:
    since, until = _seconds(call.params["StartTime"]), _seconds(call.params["EndTime"])
    if since >= until:
        raise invalid("StartTime must be before EndTime")
    if call.region != REGION or not account.area(Monitored).enabled:
        return []
    return account.area(Telemetry).traces.between(since, min(until, account.now().timestamp()))


def _named(account: Account, call: Call) -> str:
    given = call.params["KeyAttributes"]
    if given.get("Type") != "Service" or given.get("Environment") != environment(account):
        raise invalid("KeyAttributes must name a known service by Type, Name and Environment")
    return str(given.get("Name"))


def _attributes(account: Account, name: str, *, known: bool) -> dict[str, str]:
    if not known:
        return {"Type": "RemoteService", "Name": name}
    return {"Type": "Service", "Name": name, "Environment": environment(account)}


def _summary(account: Account, name: str) -> dict[str, Any]:
    platform = {"PlatformType": "AWS::EKS", "EKS.Cluster": account.cluster}
    return {
        "KeyAttributes": _attributes(account, name, known=True),
        "AttributeMaps": [platform],
        "MetricReferences": _references(account, name, ""),
    }


def _references(account: Account, service: str, remote: str) -> list[dict[str, Any]]:
    dimensions = [("Environment", environment(account)), ("Service", service)]
    dimensions += [("RemoteService", remote)] if remote else []
    where = [{"Name": name, "Value": value} for name, value in dimensions]
    kinds = (("LATENCY", "Latency"), ("FAULT", "Fault"), ("ERROR", "Error"))
    return [
        {"Namespace": NAMESPACE, "MetricType": kind, "Dimensions": where, "MetricName": name}
        for kind, name in kinds
    ]


def _span(call: Call) -> dict[str, Any]:
    return {"StartTime": call.params["StartTime"], "EndTime": call.params["EndTime"]}


def _page(key: str, rows: list[dict[str, Any]], call: Call) -> dict[str, Any]:
    token = str(call.params.get("NextToken") or "0")
    if not token.isdecimal() or int(token) > len(rows):
        raise invalid("NextToken is not valid")
    start, size = int(token), min(int(call.params.get("MaxResults") or 50), PAGE)
    more = {"NextToken": str(start + size)} if start + size < len(rows) else {}
    return {key: rows[start : start + size], **more}


def _seconds(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)
