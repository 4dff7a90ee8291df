"""Anomaly detectors: put, describe, delete. What they exclude is not learned from by the bands (`bands`).

A detector is TRAINED once its metric has three hours of values; parameters as in CloudWatch's API reference.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from aiops_lab.aws.account import Account
from aiops_lab.aws.cloudwatch.alarms import alarms_of, page
from aiops_lab.aws.cloudwatch.bands import LEAST_S
from aiops_lab.aws.cloudwatch.data import moment_s
from aiops_lab.aws.cloudwatch.reading import Grounds, dimensions_of, metric_key
from aiops_lab.aws.cloudwatch.stats import Span, require_stat, values_of
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.telemetry.alarms import StoredDetector

PAGE = 100
DAY_S = 86_400
Answer = Mapping[str, Any]
_SINGLE = ("Namespace", "MetricName", "Dimensions", "Stat")


def detector_operations(account: Account) -> Operations:
    """The operations, bound to one account."""
    served: dict[str, Callable[[Account, Call], Answer]] = {
        "PutAnomalyDetector": put_anomaly_detector,
        "DescribeAnomalyDetectors": describe_anomaly_detectors,
        "DeleteAnomalyDetector": delete_anomaly_detector,
    }
    return {("cloudwatch", name): partial(act, account) for name, act in served.items()}


def put_anomaly_detector(account: Account, call: Call) -> Answer:
    """Create or replace the detector of one metric or of one expression."""
    spec = _spec(call.params)
    configuration = call.params.get("Configuration") or {}
    excluded = tuple(
        (moment_s(one["StartTime"]), moment_s(one["EndTime"]))
        for one in configuration.get("ExcludedTimeRanges") or []
    )
    key, store = _key(spec), alarms_of(account)
    kept = spec | ({"Configuration": configuration} if configuration else {})
    old = store.detectors.get(key)
    created = old.created_s if old else account.now().timestamp()
    store.detectors = store.detectors | {key: StoredDetector(key, kept, created, excluded)}
    return {"AnomalyDetectorId": key}


def _spec(params: Mapping[str, Any]) -> dict[str, Any]:
    """What a detector is of. Raises AwsError for none, or for two at once."""
    single, math = params.get("SingleMetricAnomalyDetector"), params.get("MetricMathAnomalyDetector")
    flat = {name: params[name] for name in _SINGLE if params.get(name)}
    if sum(1 for one in (single, math, flat) if one) != 1:
        raise AwsError("InvalidParameterCombination", "Give either a single metric or metric math.")
    if math:
        return {"MetricMathAnomalyDetector": math}
    told = single or flat
    if not (told.get("Namespace") and told.get("MetricName") and told.get("Stat")):
        raise AwsError("MissingParameter", "Namespace, MetricName and Stat are required")
    require_stat(str(told["Stat"]))
    return {"SingleMetricAnomalyDetector": {name: told[name] for name in _SINGLE if told.get(name)}}


def _key(spec: Mapping[str, Any]) -> str:
    single = spec.get("SingleMetricAnomalyDetector")
    named = metric_key(single, str(single["Stat"])) if single else spec["MetricMathAnomalyDetector"]
    return str(uuid5(NAMESPACE_URL, repr(named)))


def describe_anomaly_detectors(account: Account, call: Call) -> Answer:
    """One page of detectors; of single metrics unless asked otherwise."""
    params, grounds = call.params, Grounds.of(account)
    types = params.get("AnomalyDetectorTypes") or ["SINGLE_METRIC"]
    wanted = dimensions_of(params.get("Dimensions"))
    found = []
    asked = params.get("AnomalyDetectorIds")
    for one in alarms_of(account).detectors.values():
        told = one.spec.get("SingleMetricAnomalyDetector") or {}
        if (
            ("SINGLE_METRIC" if told else "METRIC_MATH") in types
            and all(params.get(name) in {None, told.get(name)} for name in ("Namespace", "MetricName"))
            and (not wanted or wanted == dimensions_of(told.get("Dimensions")))
            and (not asked or one.detector_id in asked)
        ):
            found.append(_described(one, grounds))
    shown, more = page(found, params.get("MaxResults"), params.get("NextToken"), PAGE)
    return {"AnomalyDetectors": shown, **more}


def _described(one: StoredDetector, grounds: Grounds) -> dict[str, Any]:
    single = one.spec.get("SingleMetricAnomalyDetector")
    state = _state(single, grounds) if single else "PENDING_TRAINING"
    return {"AnomalyDetectorId": one.detector_id, "StateValue": state, **one.spec, **(single or {})}


def _state(single: Mapping[str, Any], grounds: Grounds) -> str:
    """Whether there is enough to learn from."""
    metric = grounds.book.find(
        str(single["Namespace"]), str(single["MetricName"]), dimensions_of(single.get("Dimensions"))
    )
    if metric is None:
        return "TRAINED_INSUFFICIENT_DATA"
    now_s = grounds.now_s // 300 * 300
    values = values_of(metric, str(single["Stat"]), Span(now_s - DAY_S, now_s, 300, grounds.now_s))
    known = int(np.count_nonzero(~np.isnan(values))) * 300
    return "TRAINED" if known >= LEAST_S else "TRAINED_INSUFFICIENT_DATA"


def delete_anomaly_detector(account: Account, call: Call) -> Answer:
    """Forget a detector. Raises AwsError ResourceNotFoundException for one that does not exist."""
    store = alarms_of(account)
    key = str(call.params.get("AnomalyDetectorId") or _key(_spec(call.params)))
    if key not in store.detectors:
        raise AwsError("ResourceNotFoundException", "Anomaly detector does not exist")
    store.detectors = {one: each for one, each in store.detectors.items() if one != key}
    return {}
