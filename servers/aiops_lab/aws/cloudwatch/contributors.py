"""Contributor Insights: who writes most into some log groups (row S84).

Rules and reports as in "Contributor Insights rule syntax" and GetInsightRuleReport: JSON logs, keys and value
as `$.path`, filters by In, NotIn, StartsWith, IsPresent, GreaterThan, LessThan and EqualTo. Numbers are exact
here, where CloudWatch approximates. Rules on delimited (CLF) logs are refused.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from aiops_lab.aws.account import Account
from aiops_lab.aws.cloudwatch.alarms import moment, page
from aiops_lab.aws.cloudwatch.data import moment_s
from aiops_lab.aws.cloudwatch.stats import invalid
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.telemetry import Telemetry

SCHEMA = {"Name": "CloudWatchLogRule", "Version": 1}
PAGE, MOST_SHOWN, SHOWN = 100, 100, 10
METRICS = frozenset(
    {"UniqueContributors", "MaxContributorValue", "SampleCount", "Sum", "Minimum", "Maximum", "Average"}
)
Answer = Mapping[str, Any]
Record = Mapping[str, Any]


@dataclass(slots=True)
class Rules:
    """The account's rules: name -> definition, and whether it is on."""

    by_name: dict[str, tuple[dict[str, Any], str]] = field(default_factory=dict)


def contributor_operations(account: Account) -> Operations:
    """The operations, bound to one account."""
    served: dict[str, Callable[[Account, Call], Answer]] = {
        "PutInsightRule": put_insight_rule,
        "DescribeInsightRules": describe_insight_rules,
        "DeleteInsightRules": delete_insight_rules,
        "GetInsightRuleReport": get_insight_rule_report,
    }
    return {("cloudwatch", name): partial(act, account) for name, act in served.items()}


def put_insight_rule(account: Account, call: Call) -> Answer:
    """Create or replace a rule. Raises AwsError for a definition that the lab does not play."""
    try:
        rule = json.loads(str(call.params["RuleDefinition"]))
    except ValueError as error:
        raise AwsError("InvalidParameterValue", "The rule definition is no JSON.") from error
    contribution = rule.get("Contribution") or {}
    if rule.get("Schema") != SCHEMA or rule.get("LogFormat") != "JSON" or not contribution.get("Keys"):
        raise AwsError(
            "InvalidParameterValue", "A CloudWatchLogRule on JSON logs with Contribution.Keys is needed."
        )
    if rule.get("AggregateOn") not in {"Count", "Sum"}:
        raise AwsError("InvalidParameterValue", "AggregateOn must be Count or Sum.")
    if unknown := [one for each in contribution.get("Filters") or [] for one in each if one not in _TESTS]:
        raise AwsError("InvalidParameterValue", f"The filter {unknown[0]} is not played by the lab.")
    state = str(call.params.get("RuleState") or "ENABLED")
    rules = account.area(Rules)
    rules.by_name = rules.by_name | {str(call.params["RuleName"]): (rule, state)}
    return {}


def describe_insight_rules(account: Account, call: Call) -> Answer:
    """One page of rules by name."""
    found = [
        {
            "Name": name,
            "State": state,
            "Schema": json.dumps(SCHEMA),
            "Definition": json.dumps(rule),
            "ManagedRule": False,
        }
        for name, (rule, state) in sorted(account.area(Rules).by_name.items())
    ]
    shown, more = page(found, call.params.get("MaxResults"), call.params.get("NextToken"), PAGE)
    return {"InsightRules": shown, **more}


def delete_insight_rules(account: Account, call: Call) -> Answer:
    """Forget rules; those that do not exist are told."""
    rules, names = account.area(Rules), call.params.get("RuleNames") or []
    failed = [
        {"FailureResource": name, "ExceptionType": "ResourceNotFoundException", "FailureCode": "404"}
        for name in names
        if name not in rules.by_name
    ]
    rules.by_name = {name: one for name, one in rules.by_name.items() if name not in names}
    return {"Failures": failed}


def get_insight_rule_report(account: Account, call: Call) -> Answer:
    """The top contributors of a span and their datapoints, and what is asked of each period."""
    params = call.params
    found = account.area(Rules).by_name.get(str(params["RuleName"]))
    if found is None:
        raise AwsError("ResourceNotFoundException", f"Insight rule {params['RuleName']} does not exist")
    rule, period = found[0], int(params["Period"])
    since_s, until_s = moment_s(params["StartTime"]), moment_s(params["EndTime"])
    most = int(params.get("MaxContributorCount") or SHOWN)
    if period < 60 or period % 60 or since_s >= until_s or not 1 <= most <= MOST_SHOWN:
        raise invalid("Period, MaxContributorCount or the time range is invalid.")
    if unknown := set(params.get("Metrics") or []) - METRICS:
        raise invalid(f"Unknown metric {min(unknown)}")
    counted = _counted(account, rule, (since_s, min(until_s, account.now().timestamp())), period)
    totals = {key: sum(points.values()) for key, points in counted.items()}
    shown = sorted(totals, key=lambda key: (-totals[key], key))[:most]
    return {
        "KeyLabels": rule["Contribution"]["Keys"],
        "AggregationStatistic": "Sum" if rule["AggregateOn"] == "Sum" else "SampleCount",
        "AggregateValue": sum(totals.values()),
        "ApproximateUniqueCount": len(totals),
        "Contributors": [
            {
                "Keys": list(key),
                "ApproximateAggregateValue": totals[key],
                "Datapoints": [
                    {"Timestamp": moment(at), "ApproximateValue": value}
                    for at, value in sorted(counted[key].items())
                ],
            }
            for key in shown
        ],
        "MetricDatapoints": _told(counted, set(params.get("Metrics") or [])),
    }


Counted = dict[tuple[str, ...], dict[float, float]]


def _counted(account: Account, rule: Record, span: tuple[float, float], period: int) -> Counted:
    """Contributors -> period -> what they contributed."""
    contribution, found = rule["Contribution"], defaultdict[tuple[str, ...], dict[float, float]](dict)
    for at_s, record in _records(account, rule.get("LogGroupNames") or [], span):
        keys = [_at(record, path) for path in contribution["Keys"]]
        if any(key is None for key in keys) or not _passes(record, contribution.get("Filters") or []):
            continue
        value = _at(record, str(contribution.get("ValueOf"))) if rule["AggregateOn"] == "Sum" else 1
        if isinstance(value, int | float):
            start = at_s // period * period
            points = found[tuple(str(key) for key in keys)]
            points[start] = points.get(start, 0.0) + value
    return dict(found)


def _records(account: Account, names: list[str], span: tuple[float, float]) -> Iterator[tuple[float, Record]]:
    for name, group in account.area(Telemetry).logs.by_name.items():
        for line in group.between(*span) if any(fnmatchcase(name, one) for one in names) else ():
            try:
                record = json.loads(line.message)
            except ValueError:
                continue  # what is no JSON contributes nothing
            if isinstance(record, dict) and line.at_s < span[1]:
                yield line.at_s, record


def _at(record: Any, path: str) -> Any:
    for part in path.removeprefix("$.").split("."):
        record = record.get(part) if isinstance(record, Mapping) else None
    return record


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "In": lambda held, wanted: str(held) in [str(one) for one in wanted],
    "NotIn": lambda held, wanted: str(held) not in [str(one) for one in wanted],
    "StartsWith": lambda held, wanted: any(str(held).startswith(str(one)) for one in wanted),
    "IsPresent": lambda held, wanted: (held is not None) is bool(wanted),
    "GreaterThan": lambda held, wanted: isinstance(held, int | float) and held > wanted,
    "LessThan": lambda held, wanted: isinstance(held, int | float) and held < wanted,
    "EqualTo": lambda held, wanted: held == wanted,
    "Match": lambda held, wanted: held is not None,
}


def _passes(record: Record, filters: list[Record]) -> bool:
    """Every filter: `{"Match": "$.path", "In": [...]}`."""
    for each in filters:
        held = _at(record, str(each.get("Match")))
        if not all(_TESTS[name](held, wanted) for name, wanted in each.items() if name != "Match"):
            return False
    return True


def _told(counted: Counted, asked: set[str]) -> list[dict[str, Any]]:
    """What is asked of each period."""
    by_period: dict[float, list[float]] = defaultdict(list)
    for points in counted.values():
        for at_s, value in points.items():
            by_period[at_s].append(value)
    found = []
    for at_s, values in sorted(by_period.items()) if asked else ():
        told = {
            "UniqueContributors": float(len(values)),
            "MaxContributorValue": max(values),
            "SampleCount": float(len(values)),
            "Sum": sum(values),
            "Minimum": min(values),
            "Maximum": max(values),
            "Average": sum(values) / len(values),
        }
        found.append({"Timestamp": moment(at_s), **{name: told[name] for name in told if name in asked}})
    return found
