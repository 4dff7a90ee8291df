"""Contributor Insights as series: `CONTRIBUTORS('rule', 10)` is a rule's top contributors over the window.

Called by `cloudwatch` (row S84). GetInsightRuleReport gives at most 100 contributors with their datapoints; a
rule reads log groups and is billed by the events that match it, a report by nothing more.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.aws.listing import listed, required
from aiops_shared.errors import AiopsError, NotFoundError, QueryInvalidError
from aiops_shared.kube.nearest import nearest
from aiops_shared.metrics.cloudwatch_data import THING
from aiops_shared.metrics.series import MetricAnswer, Series, Window, gridded

MOST, SHOWN = 100, 10
_QUERY = re.compile(
    r"\s*CONTRIBUTORS\s*\(\s*(['\"])([^'\"]{1,128})\1\s*(?:,\s*(\d{1,3})\s*)?\)\s*$", re.IGNORECASE
)


def is_contributors(query: str) -> bool:
    """Whether a query asks for a rule's contributors."""
    return bool(re.match(r"\s*CONTRIBUTORS\s*\(", query, re.IGNORECASE))


async def contributors(eks: EksCluster, query: str, window: Window) -> MetricAnswer:
    """The top contributors of a rule, the largest first; points are stamped with their period's end.

    Raises QueryInvalidError for what does not parse, NotFoundError (the nearest named) for an unknown rule.
    """
    found = _QUERY.match(query)
    if found is None or not 1 <= int(found[3] or SHOWN) <= MOST:
        raise QueryInvalidError("query", "is no CONTRIBUTORS", f"CONTRIBUTORS('rule', 1..{MOST})")
    step = timedelta(seconds=window.step_s)
    try:
        report = await eks.call(
            "cloudwatch",
            "get_insight_rule_report",
            RuleName=found[2],
            StartTime=window.since - step,
            EndTime=window.until,
            Period=window.step_s,
            MaxContributorCount=int(found[3] or SHOWN),
        )
    except NotFoundError as error:
        raise await _unknown(eks, found[2]) from error
    names = [str(one).removeprefix("$.") for one in required(report, "KeyLabels", THING)]
    rows = required(report, "Contributors", THING)
    series = tuple(_series(one, names, window) for one in rows)
    unique = int(report.get("ApproximateUniqueCount") or 0)
    more = (
        (f"{unique} contributors in all; the {len(series)} largest are shown",)
        if unique > len(series)
        else ()
    )
    return MetricAnswer(
        series=series, source=f"CloudWatch in {eks.target}", query=query, unit="count", warnings=more
    )


def _series(one: Mapping[str, Any], names: list[str], window: Window) -> Series:
    labels = dict(zip(names, (str(key) for key in one.get("Keys") or []), strict=False))
    points = [
        (each["Timestamp"].timestamp(), float(each["ApproximateValue"]))
        for each in one.get("Datapoints") or []
    ]
    times = [at + window.step_s for at, _ in points]
    return Series(labels, window, gridded(window, times, [value for _, value in points]))


async def _unknown(eks: EksCluster, name: str) -> NotFoundError:
    try:
        rules = await listed(eks, "cloudwatch", "describe_insight_rules", "InsightRules", at_most=500)
    except AiopsError:  # the report's own refusal is what counts
        return NotFoundError(f"insight rule {name[:60]}", "does not exist", "see the rules in CloudWatch")
    near = nearest(name, [str(one.get("Name")) for one in rules.items])
    hint = f"nearest: {', '.join(near)}" if near else "no Contributor Insights rule is there"
    return NotFoundError(f"insight rule {name[:60]}", "does not exist", hint)
