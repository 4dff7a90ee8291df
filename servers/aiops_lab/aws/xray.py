"""X-Ray: summaries found by filter expressions, whole traces, the service graph and its statistics.

moto answers GetServiceGraph with nothing and evaluates no filter. Here everything is computed from the
world's traces; segment documents have the shape of "X-Ray segment documents" (developer guide). A part of a
filter that the lab does not know is an InvalidRequestException, never passed over.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.aws.xray_documents import duration_of, root_status, segments, trace_id_of
from aiops_lab.aws.xray_filters import matching
from aiops_lab.aws.xray_graph import graph, statistics
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.spans import Trace

Answer = Mapping[str, Any]
PAGE = 100
LONGEST_S = 6 * 3600  # "TraceSummaries ... a time range of up to six hours": the API's reference
MOST_IDS = 5


def xray_operations(account: Account) -> Operations:
    """The operations of service `xray`, bound to one account."""
    served = {
        "GetTraceSummaries": get_trace_summaries,
        "BatchGetTraces": batch_get_traces,
        "GetServiceGraph": get_service_graph,
        "GetTimeSeriesServiceStatistics": get_time_series_service_statistics,
        "GetGroups": get_groups,
    }
    return {("xray", name): partial(act, account) for name, act in served.items()}


def invalid(message: str) -> AwsError:
    """InvalidRequestException, as X-Ray refuses."""
    return AwsError("InvalidRequestException", message, 400)


def get_trace_summaries(account: Account, call: Call) -> Answer:
    """One page of the traces of a span that a filter expression finds."""
    if call.params.get("SamplingStrategy") or call.params.get("Sampling"):
        raise invalid("Sampling strategies are not simulated")
    if call.params.get("TimeRangeType") not in (None, "TraceId", "Event"):
        raise invalid(f"TimeRangeType {call.params['TimeRangeType']} is not simulated")
    fits = matching(str(call.params.get("FilterExpression") or ""))
    every = traces(account, call)
    found = [one for one in every if fits(one)]
    start = _offset(call, len(found))
    answer: dict[str, Any] = {
        "TraceSummaries": [_summary(one) for one in found[start : start + PAGE]],
        "ApproximateTime": account.now(),
        "TracesProcessedCount": len(every),
    }
    return answer | ({"NextToken": str(start + PAGE)} if start + PAGE < len(found) else {})


def traces(account: Account, call: Call, longest_s: float = LONGEST_S) -> list[Trace]:
    """The traces of the call's span. Raises AwsError InvalidRequestException for a span X-Ray refuses."""
    since, until = _seconds(call.params["StartTime"]), _seconds(call.params["EndTime"])
    if since > until:
        raise invalid("The start time must be before the end time.")
    if until - since > longest_s:
        raise invalid(f"Time range cannot be longer than {longest_s / 3600:g} hours.")
    if call.region != REGION:
        return []
    return account.area(Telemetry).traces.between(since, min(until, account.now().timestamp()))


def batch_get_traces(account: Account, call: Call) -> Answer:
    """Up to five traces in full; ids that nobody knows are unprocessed."""
    ids = list(call.params["TraceIds"])
    if len(ids) > MOST_IDS:
        raise invalid(f"Too many trace ids: at most {MOST_IDS} may be asked for")
    kept, now = account.area(Telemetry).traces, account.now().timestamp()
    found = {key: kept.find("".join(key.split("-")[1:]), now) for key in ids}
    known = {key: trace for key, trace in found.items() if trace is not None}
    return {
        "Traces": [
            {
                "Id": key,
                "Duration": duration_of(known[key]),
                "LimitExceeded": False,
                "Segments": segments(known[key]),
            }
            for key in ids
            if key in known
        ],
        "UnprocessedTraceIds": [key for key in ids if key not in known],
    }


def get_service_graph(account: Account, call: Call) -> Answer:
    """Services and edges with their statistics, inferred ones included."""
    if call.params.get("GroupName") or call.params.get("GroupARN"):
        raise invalid("Groups other than Default are not simulated")
    found = traces(account, call)
    span = {"StartTime": call.params["StartTime"], "EndTime": call.params["EndTime"]}
    return {**span, "Services": graph(found), "ContainsOldGroupVersions": False}


def get_time_series_service_statistics(account: Account, call: Call) -> Answer:
    """Statistics of the services or edges that a selector names, in periods of a minute or five."""
    period = int(call.params.get("Period") or 60)
    if period not in (60, 300):
        raise invalid("Period must be 60 or 300 seconds")
    selector = str(call.params.get("EntitySelectorExpression") or "")
    series = statistics(traces(account, call), selector, period)
    return {
        "TimeSeriesServiceStatistics": [
            {"Timestamp": datetime.fromtimestamp(at, UTC), name: found} for at, (name, found) in series
        ],
        "ContainsOldGroupVersions": False,
    }


def get_groups(account: Account, call: Call) -> Answer:
    """The one group that every account has."""
    del call
    arn = f"arn:aws:xray:{REGION}:{ACCOUNT_ID}:group/Default"
    insights = {"InsightsEnabled": False, "NotificationsEnabled": False}
    del account
    return {"Groups": [{"GroupName": "Default", "GroupARN": arn, "InsightsConfiguration": insights}]}


def _summary(trace: Trace) -> dict[str, Any]:
    root = trace.spans[0]
    statuses = [one.status for one in trace.spans]
    notes: dict[str, list[dict[str, Any]]] = {}
    for name in ("cloud.availability_zone", "service.version", "http.route"):
        for value in sorted({str(one.attributes[name]) for one in trace.spans if name in one.attributes}):
            key = {"cloud.availability_zone": "az", "service.version": "version", "http.route": "route"}[name]
            notes.setdefault(key, []).append({"AnnotationValue": {"StringValue": value}})
    return {
        "Id": trace_id_of(trace),
        "StartTime": datetime.fromtimestamp(trace.start_s, UTC),
        "Duration": duration_of(trace),
        "ResponseTime": root.duration_s,
        "HasFault": any(one.fault for one in trace.spans),
        "HasError": any(400 <= status < 500 for status in statuses),
        "HasThrottle": 429 in statuses,
        "IsPartial": False,
        "Http": {"HttpStatus": root_status(trace), "HttpMethod": "GET"},
        "Annotations": notes,
        "ServiceIds": [
            {"Name": name, "Names": [name], "Type": "AWS::EKS::Container", "AccountId": ACCOUNT_ID}
            for name in sorted({one.service for one in trace.spans})
        ],
        "EntryPoint": {"Name": root.service, "Names": [root.service], "Type": "AWS::EKS::Container"},
    }


def _offset(call: Call, most: int) -> int:
    token = str(call.params.get("NextToken") or "0")
    if not token.isdecimal() or int(token) > most:
        raise invalid("The token is not valid.")
    return int(token)


def _seconds(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)
