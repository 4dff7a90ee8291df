"""The lab's OpenSearch: indices of the log groups, searches that really filter, unknown types refused."""

import json
from typing import Any

import httpx
import pytest

from aiops_lab.telemetry.log_groups import LogRecord
from tests.lab_fixture import running_lab

QUERIES: tuple[tuple[dict[str, Any], int], ...] = (
    ({"match_all": {}}, 5),
    ({"term": {"level.keyword": "ERROR"}}, 2),
    ({"term": {"level": "error"}}, 2),
    ({"terms": {"status": [200, 503]}}, 3),
    ({"match": {"msg": "pool timeout"}}, 2),
    ({"match_phrase": {"msg": "timed out"}}, 1),
    ({"prefix": {"route.keyword": "/p"}}, 2),
    ({"exists": {"field": "http.method"}}, 1),
    ({"range": {"status": {"gte": 500}}}, 2),
    ({"bool": {"must": [{"exists": {"field": "level"}}], "must_not": [{"term": {"level": "error"}}]}}, 2),
    ({"bool": {"should": [{"term": {"status": 200}}, {"term": {"status": 502}}]}}, 3),
    (
        {"query_string": {"query": "level:(ERROR OR WARN) AND status:[500 TO *]", "default_operator": "AND"}},
        2,
    ),
    ({"query_string": {"query": '"timed out" OR plain'}}, 2),
    ({"query_string": {"query": "level:ERROR -pool", "default_operator": "AND"}}, 1),
    ({"query_string": {"query": "time* NOT status:503", "default_operator": "AND"}}, 1),
)


def lines(now_s: float) -> list[LogRecord]:
    said: list[dict[str, Any]] = [
        {"level": "INFO", "status": 200, "route": "/pay", "msg": "served", "took": 10},
        {
            "level": "INFO",
            "status": 200,
            "route": "/cart",
            "msg": "served",
            "took": 30,
            "http": {"method": "GET"},
        },
        {"level": "ERROR", "status": 503, "route": "/pay", "msg": "call timed out, pool empty"},
        {"level": "ERROR", "status": 502, "route": "/cart", "msg": "upstream timeout"},
    ]
    found = [LogRecord(now_s - 600 + 60 * at, "app.x", json.dumps(one)) for at, one in enumerate(said)]
    return [*found, LogRecord(now_s - 60, "app.y", "plain words")]


async def test_searches_filter_count_and_refuse_what_is_not_played() -> None:
    async with running_lab() as lab:
        now_s = lab.clock.now().timestamp()
        lab.observatory.telemetry.logs.group("/aws/containerinsights/my-cluster/application").write(
            lines(now_s)
        )
        async with httpx.AsyncClient(base_url=f"{lab.observatory.url}/opensearch", trust_env=False) as client:
            listed = (await client.get("/_cat/indices?format=json")).json()
            assert [one["index"] for one in listed] == ["logs-application"]
            for query, count in QUERIES:
                answer = await client.post("/logs-application/_count", json={"query": query})
                assert answer.json() == {"count": count}, query
            await aggregations(client, now_s)
            refused: tuple[dict[str, Any], ...] = (
                {"query": {"script": {}}},
                {"query": {}},
                {"aggs": {"a": {"geo": {}}}},
                {"from": 3},
            )
            for body in refused:
                answer = await client.post("/logs-*/_search", json=body)
                assert answer.status_code == 400, body
                assert answer.json()["error"]["reason"]
            gone = await client.post("/logs-none/_search", json={})
            assert (gone.status_code, gone.json()["error"]["type"]) == (404, "index_not_found_exception")


async def aggregations(client: httpx.AsyncClient, now_s: float) -> None:
    body = {
        "query": {"range": {"@timestamp": {"gte": (now_s - 900) * 1000, "lt": now_s * 1000}}},
        "size": 1,
        "aggs": {
            "at": {
                "date_histogram": {"field": "@timestamp", "fixed_interval": "1h"},
                "aggs": {"route": {"terms": {"field": "route.keyword"}}},
            },
            "routes": {"cardinality": {"field": "route.keyword"}},
            "took": {"avg": {"field": "took"}},
        },
    }
    found = (await client.post("/logs-application/_search", json=body)).json()
    assert (found["hits"]["total"]["value"], len(found["hits"]["hits"])) == (5, 1)
    assert found["hits"]["hits"][0]["_source"]["message"] == "plain words"
    told = found["aggregations"]
    assert sum(one["doc_count"] for one in told["at"]["buckets"]) == 5
    assert (told["routes"]["value"], told["took"]["value"]) == (2, pytest.approx(20))
    stats = (await client.get("/logs-application/_stats/docs,store")).json()["_all"]["primaries"]
    assert stats["docs"]["count"] == 5
    assert stats["store"]["size_in_bytes"] > 300
