"""The lab's CloudWatch Logs reads what programs wrote: three query languages, filter patterns, groups."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.logs import Queries
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.log_groups import LogRecord
from tests.lab.aws.conftest import T0, RunningAws

GROUP = "/aws/containerinsights/my-cluster/application"
NOW_S = int(T0.timestamp())
TOOK = (10, 20, 30, 40, 5000)


def line(at_s: float, **fields: Any) -> LogRecord:
    return LogRecord(at_s, str(fields.pop("stream", "shop-1")), json.dumps(fields))


@pytest.fixture
def shop(aws: RunningAws) -> RunningAws:
    group = aws.account.area(Telemetry).logs.group(GROUP)
    group.retention_days = 30
    group.write(
        line(
            NOW_S - 600 + 60 * at,
            level="ERROR" if took > 100 else "INFO",
            route="/pay" if at % 2 else "/cart",
            status=504 if took > 100 else 200,
            msg=f"served user=u{at % 3} took {took} ms",
            took=took,
            http={"method": "GET"},
        )
        for at, took in enumerate(TOOK)
    )
    group.write([LogRecord(NOW_S - 30, "shop-2", 'plain "quoted words" 127.0.0.1 500')])
    return aws


def run(aws: RunningAws, query: str, language: str = "CWLI", **more: Any) -> list[dict[str, str]]:
    logs = aws.client("logs")
    aws.account.area(Queries).polls = 0
    where = {} if language == "SQL" else {"logGroupNames": [GROUP]}
    asked = {"startTime": NOW_S - 3600, "endTime": NOW_S, "queryString": query, "queryLanguage": language}
    query_id = logs.start_query(**where, **{**asked, **more})["queryId"]
    found = logs.get_query_results(queryId=query_id)
    return [{c["field"]: c["value"] for c in row if c["field"] != "@ptr"} for row in found["results"]]


COUNTS = (
    (
        "stats count(*) as n, sum(took) as s by route | sort n desc, route",
        [
            {"route": "/cart", "n": "3", "s": "5040"},
            {"route": "/pay", "n": "2", "s": "60"},
            {"n": "1", "s": "0"},
        ],
    ),
    (
        "filter status >= 500 | stats count(*) by bin(5m)",
        [{"bin(5m)": "2026-11-22 02:50:00.000", "count(*)": "1"}],
    ),
    (
        "filter ispresent(took) | stats pct(took, 50) as p, min(took) as a, max(took) as b, avg(took) as m",
        [{"p": "30", "a": "10", "b": "5000", "m": "1020"}],
    ),
    ('parse msg "user=* took * ms" as who, ms | filter who = "u0" | stats sum(ms) as s', [{"s": "50"}]),
    (
        "parse msg /took (?<ms>\\d+)/ | filter ms > 100 | fields ms, strlen(route) as n",
        [{"ms": "5000", "n": "5"}],
    ),
    ("parse @message 'user=* took' as who | stats count_distinct(who) as n", [{"n": "3"}]),
    (
        "filter http.method = 'GET' and route like /^.p/ and not (status in [504]) | stats count(*) as n",
        [{"n": "2"}],
    ),
    ("filter @message like /(?i)QUOTED/ | display @logStream", [{"@logStream": "shop-2"}]),
    (
        "fields route | filter ispresent(route) | dedup route | sort route asc",
        [{"route": "/cart"}, {"route": "/pay"}],
    ),
    ("fields took / 10 as t | filter took < 25 | sort t", [{"t": "1"}, {"t": "2"}]),
    ("stats sum(strlen(@message)) as b by level | sort b desc | limit 1", [{"b": "498", "level": "INFO"}]),
    ("# a comment\nfields route | sort @timestamp asc | limit 1", [{"route": "/cart"}]),
)


def test_insights_filters_parses_counts_and_sorts(shop: RunningAws) -> None:
    for query, rows in COUNTS:
        assert run(shop, query) == rows, query


def test_ppl_and_sql_give_the_same_numbers(shop: RunningAws) -> None:
    wanted = [{"route": "/cart", "n": "3"}, {"route": "/pay", "n": "2"}]
    ppl = "where isnotnull(route) | stats count() as n by route | sort - n"
    sql = (
        "SELECT route, COUNT(*) AS n FROM `/aws/containerinsights/my-cluster/application`"
        " WHERE route IS NOT NULL GROUP BY route ORDER BY n DESC"
    )
    assert run(shop, ppl, "PPL") == run(shop, sql, "SQL") == wanted
    assert run(shop, "fields `route`, took | where took > 100 | head 5", "PPL") == [
        {"route": "/cart", "took": "5000"}
    ]
    assert run(
        shop,
        "SELECT route FROM `/aws/containerinsights/my-cluster/application` WHERE msg LIKE '%u2%' LIMIT 1",
        "SQL",
    ) == [{"route": "/cart"}]


MALFORMED = (
    ("pattern @message", "CWLI"),
    ("fields a | filter b ~ 3", "CWLI"),
    ("stats nonsense(x)", "CWLI"),
    ("filter a like", "CWLI"),
    ("fields wrong(a)", "CWLI"),
    ("limit 20000", "CWLI"),
    ("join left", "PPL"),
    ("SELECT 1", "SQL"),
)


def test_what_no_language_says_is_malformed(shop: RunningAws) -> None:
    for query, language in MALFORMED:
        with pytest.raises(ClientError, match="MalformedQueryException"):
            run(shop, query, language)


def test_a_query_pays_for_the_bytes_of_its_span_and_shows_a_part_while_it_runs(shop: RunningAws) -> None:
    group = shop.account.area(Telemetry).logs.group(GROUP)
    group.ballast_bytes_per_day = 24 * 1e9
    shop.account.area(Queries).polls = 5
    logs = shop.client("logs")
    asked = {"startTime": NOW_S - 3600, "endTime": NOW_S, "queryString": "fields @message"}
    query_id = logs.start_query(logGroupName=GROUP, **asked)["queryId"]
    answers = [logs.get_query_results(queryId=query_id) for _ in range(6)]
    assert [one["status"] for one in answers] == ["Running"] * 5 + ["Complete"]
    scanned = [one["statistics"]["bytesScanned"] for one in answers]
    assert scanned == sorted(scanned)
    assert scanned[-1] == pytest.approx(1e9, rel=0.01)
    assert 0 < len(answers[4]["results"]) < len(answers[5]["results"]) == 6


def test_more_queries_than_may_run_are_refused(shop: RunningAws) -> None:
    queries = shop.account.area(Queries)
    queries.at_once, queries.polls = 1, 3
    logs = shop.client("logs")
    asked = {"startTime": 0, "endTime": NOW_S, "queryString": "fields @message", "logGroupName": GROUP}
    logs.start_query(**asked)
    with pytest.raises(logs.exceptions.LimitExceededException):
        logs.start_query(**asked)


PATTERNS = (
    ("", 6),
    ("ERROR", 1),
    ("error", 0),
    ("INFO pay", 2),
    ("?ERROR ?quoted", 2),
    ("took -ERROR", 4),
    ('"quoted words"', 1),
    ("%took [0-9]{4} ms%", 1),
    ('{ $.level = "ERROR" && $.status >= 500 }', 1),
    ('{ $.level = "INF*" }', 4),
    ('{ ($.route = "/pay" || $.took > 100) && $.http.method = "GET" }', 3),
    ("{ $.nothing NOT EXISTS }", 5),
    ("{ $.took IS NULL }", 0),
    ("{ $.status != 200 }", 1),
    ("[kind, quoted, ip, status = 5*]", 1),
    ("[..., status > 400]", 1),
    ("[a, b]", 0),
)


def test_filter_patterns_let_through_what_they_say(shop: RunningAws) -> None:
    logs = shop.client("logs")
    for pattern, found in PATTERNS:
        answer = logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern)
        assert len(answer["events"]) == found, pattern


def test_a_broken_pattern_is_refused(shop: RunningAws) -> None:
    logs = shop.client("logs")
    for pattern in ("a.b", "{ $.a = 1", "[a", "{ a = 1 }", "{ $.a IS 3 }", "%(%"):
        with pytest.raises(logs.exceptions.InvalidParameterException):
            logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern)


def test_events_come_oldest_first_in_pages_of_a_span(shop: RunningAws) -> None:
    logs = shop.client("logs")
    span = {"logGroupName": GROUP, "startTime": (NOW_S - 600) * 1000, "endTime": (NOW_S - 420) * 1000}
    first = logs.filter_log_events(**span, limit=3)
    rest = logs.filter_log_events(**span, limit=3, nextToken=first["nextToken"])
    times = [one["timestamp"] // 1000 - NOW_S for one in (*first["events"], *rest["events"])]
    assert (times, "nextToken" in rest) == ([-600, -540, -480, -420], False)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.filter_log_events(logGroupName="/none")


def test_groups_and_streams_say_what_there_is(shop: RunningAws) -> None:
    logs = shop.client("logs")
    names = [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]
    assert names == [GROUP, "/aws/eks/my-cluster/cluster"]
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/cont")["logGroups"]
    assert (group["retentionInDays"], group["storedBytes"]) == (30, 818)
    streams = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert [one["logStreamName"] for one in streams] == ["shop-1", "shop-2"]
    newest = logs.get_log_events(logGroupName=GROUP, logStreamName="shop-1", limit=1)["events"][0]
    assert json.loads(newest["message"])["took"] == 5000


def test_cloudwatch_knows_the_bytes_that_a_query_pays_for(shop: RunningAws) -> None:
    group = shop.account.area(Telemetry).logs.group(GROUP)
    group.ballast_bytes_per_day = 24 * 1e9
    metric = {
        "Namespace": "AWS/Logs",
        "MetricName": "IncomingBytes",
        "Dimensions": [{"Name": "LogGroupName", "Value": GROUP}],
    }
    answer = shop.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "b", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}],
        StartTime=NOW_S - 3600,
        EndTime=NOW_S,
    )
    told = sum(answer["MetricDataResults"][0]["Values"])
    assert told == pytest.approx(group.bytes_between(NOW_S - 3600, NOW_S), rel=0.01)
