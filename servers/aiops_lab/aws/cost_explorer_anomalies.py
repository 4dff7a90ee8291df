"""Cost Anomaly Detection as readers ask it: anomalies, monitors and subscriptions that stories put there.

An anomaly is seen from the day after its first on, and ends when its last day is over; `GetAnomalies` asks by
end date (API reference: "the returned anomaly object will have an AnomalyEndDate in the specified range").
"""

import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from aiops_lab.aws.account import Account
from aiops_lab.aws.cost_explorer import Act, asking
from aiops_lab.aws.cost_explorer_asking import Asker, day_of, invalid
from aiops_lab.aws.cost_explorer_paging import page
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Operations
from aiops_lab.billing.anomalies import PREFIX, Anomaly, Monitor, Subscription
from aiops_lab.places import ACCOUNT_ID

MOST = 100
_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    "EQUAL": operator.eq,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN_OR_EQUAL": operator.le,
    "GREATER_THAN": operator.gt,
    "LESS_THAN": operator.lt,
}
Answer = Mapping[str, Any]


def anomaly_operations(account: Account) -> Operations:
    """The operations of service `ce` about anomalies, bound to one account."""
    served: dict[str, Act] = {
        "GetAnomalies": get_anomalies,
        "GetAnomalyMonitors": get_anomaly_monitors,
        "GetAnomalySubscriptions": get_anomaly_subscriptions,
    }
    return {("ce", name): partial(asking, account, name, act) for name, act in served.items()}


def get_anomalies(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """Anomalies that end in the asked days, newest first."""
    asked = params["DateInterval"]
    first, end = day_of("StartDate", asked.get("StartDate")), asker.now.date()
    if asked.get("EndDate"):
        end = day_of("EndDate", asked["EndDate"])
    if first > end:
        raise invalid("Start date should be before end date")
    arns = {one.name: one.arn for one in asker.ledger.monitors}
    today = asker.now.date()
    found = [
        one
        for one in asker.ledger.anomalies
        if one.first < today
        and first <= min(one.last or today, today) <= end
        and params.get("MonitorArn") in (None, arns.get(one.monitor))
        and params.get("Feedback") in (None, one.feedback)
        and _big(one, params.get("TotalImpact"))
    ]
    found.sort(key=lambda one: (one.first, one.anomaly_id), reverse=True)
    rows, more = page(found, params, MOST)
    return {"Anomalies": [_anomaly(asker, one, arns.get(one.monitor, "")) for one in rows]} | more


def get_anomaly_monitors(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """Monitors. Raises AwsError UnknownMonitorException."""
    by_arn = {one.arn: one for one in asker.ledger.monitors}
    asked = list(params.get("MonitorArnList") or by_arn)
    if unknown := [one for one in asked if one not in by_arn]:
        raise AwsError("UnknownMonitorException", f"No anomaly monitor found for ARN: {unknown[0]}", 400)
    rows, more = page([by_arn[one] for one in asked], params, MOST)
    return {"AnomalyMonitors": [_monitor(asker, one) for one in rows]} | more


def get_anomaly_subscriptions(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """Subscriptions, all or of one monitor. Raises AwsError UnknownSubscriptionException."""
    by_arn = {one.arn: one for one in asker.ledger.subscriptions}
    asked = list(params.get("SubscriptionArnList") or by_arn)
    if unknown := [one for one in asked if one not in by_arn]:
        words = f"No anomaly subscription found for ARN: {unknown[0]}"
        raise AwsError("UnknownSubscriptionException", words, 400)
    made = [_subscription(by_arn[one]) for one in asked]
    monitor = params.get("MonitorArn")
    rows, more = page([one for one in made if not monitor or monitor in one["MonitorArnList"]], params, MOST)
    return {"AnomalySubscriptions": rows} | more


def _big(one: Anomaly, asked: Mapping[str, Any] | None) -> bool:
    if not asked:
        return True
    if asked["NumericOperator"] == "BETWEEN":
        return bool(asked["StartValue"] <= one.impact_usd <= asked.get("EndValue", one.impact_usd))
    return _COMPARED[asked["NumericOperator"]](one.impact_usd, float(asked["StartValue"]))


def _anomaly(asker: Asker, one: Anomaly, monitor: str) -> Answer:
    today = asker.now.date()
    percentage = one.impact_usd / one.expected_usd * 100 if one.expected_usd else 0.0
    made: dict[str, Any] = {
        "AnomalyId": one.anomaly_id,
        "AnomalyStartDate": f"{one.first.isoformat()}T00:00:00Z",
        "AnomalyEndDate": f"{min(one.last or today, today).isoformat()}T00:00:00Z",
        "DimensionValue": one.service,
        "RootCauses": [
            {
                "Service": cause.service,
                "Region": cause.region,
                "LinkedAccount": cause.account,
                "LinkedAccountName": cause.account_name,
                "UsageType": cause.usage_type,
                "Impact": {"Contribution": cause.share_usd},
            }
            for cause in one.causes
        ],
        "AnomalyScore": {"MaxScore": one.score, "CurrentScore": one.score},
        "Impact": {
            "MaxImpact": one.max_impact_usd or one.impact_usd,
            "TotalImpact": one.impact_usd,
            "TotalActualSpend": one.actual_usd,
            "TotalExpectedSpend": one.expected_usd,
            "TotalImpactPercentage": round(percentage, 2),
        },
        "MonitorArn": monitor or f"{PREFIX}:anomalymonitor/{one.monitor}",
    }
    return made | ({"Feedback": one.feedback} if one.feedback else {})


def _monitor(asker: Asker, one: Monitor) -> Answer:
    evaluated = f"{asker.now.date().isoformat()}T00:00:00Z"
    return {
        "MonitorArn": one.arn,
        "MonitorName": one.name,
        "CreationDate": f"{one.created.isoformat()}T00:00:00Z",
        "LastUpdatedDate": f"{one.created.isoformat()}T00:00:00Z",
        "LastEvaluatedDate": evaluated,
        "MonitorType": "DIMENSIONAL",
        "MonitorDimension": one.dimension,
        "DimensionalValueCount": len({line.service for line in asker.ledger.lines}),
    }


def _subscription(one: Subscription) -> dict[str, Any]:
    kind = "SNS" if one.address.startswith("arn:") else "EMAIL"
    return {
        "SubscriptionArn": one.arn,
        "AccountId": ACCOUNT_ID,
        "MonitorArnList": [f"{PREFIX}:anomalymonitor/{name}" for name in one.monitors],
        "Subscribers": [{"Address": one.address, "Type": kind, "Status": "CONFIRMED"}],
        "Threshold": one.threshold_usd,
        "Frequency": one.frequency,
        "SubscriptionName": one.name,
    }
