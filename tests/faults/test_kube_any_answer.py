"""Threat T14: whatever JSON an API server answers with, a call ends in data or an error of ours, no bug."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiops_shared.errors import AiopsError
from aiops_shared.kube.api import KubeApi
from tests.faults.kube_scripts import CONFIG_MAP, PERMIT, RecordedPace
from tests.shared.http.wire_server import Reply, Seen
from tests.shared.kube.fake_api import DISCOVERY, fake_api, pod

pytestmark = [pytest.mark.threat("T14"), pytest.mark.timeout(60)]

WORDS = st.sampled_from(
    ["", "a", "v1", "Pod", "Table", "Status", "APIGroupDiscoveryList", "../x", "é\u202e", "x" * 300]
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | WORDS
KEYS = st.sampled_from(
    [
        *(
            "kind",
            "apiVersion",
            "metadata",
            "items",
            "rows",
            "cells",
            "columnDefinitions",
            "name",
            "uid",
            "groups",
        ),
        *("continue", "resourceVersion", "remainingItemCount", "resources", "versions", "version", "verbs"),
        *(
            "shortNames",
            "responseKind",
            "subresources",
            "freshness",
            "status",
            "details",
            "causes",
            "message",
        ),
        *("code", "reason", "type", "object", "spec", "containers", "allowed", "preferredVersion", "plural"),
    ]
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)
CODES = st.sampled_from([200, 200, 200, 201, 204, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503])


async def every(api: KubeApi) -> object:
    return [one async for one in api.every("pods", "shop")]


async def watched(api: KubeApi) -> object:
    return [one async for one in api.watch("pods", "shop", for_s=0.1)]


CALLS: dict[str, Callable[[KubeApi], Awaitable[Any]]] = {
    "kinds": lambda api: api.kinds(),
    "version": lambda api: api.version(),
    "get": lambda api: api.get("pods", "shop", "a"),
    "list": lambda api: api.list("pods", "shop"),
    "every": every,
    "table": lambda api: api.table("pods", "shop"),
    "table of all namespaces": lambda api: api.table("pods"),
    "logs": lambda api: api.logs("shop", "a"),
    "can": lambda api: api.can("get", "pods", "shop"),
    "watch": watched,
    "apply": lambda api: api.apply(CONFIG_MAP, dry_run=False, permit=PERMIT),
    "evict": lambda api: api.evict("shop", "a", uid="u", dry_run=True),
}


@pytest.mark.parametrize("discovery", [True, False], ids=["sane discovery", "any discovery"])
@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(st.tuples(ANY_JSON, CODES), min_size=1, max_size=3))
async def test_any_json_is_data_or_an_error_of_ours(
    name: str, discovery: bool, answers: list[tuple[Any, int]]
) -> None:
    def answer(seen: Seen) -> Reply | None:
        if discovery and seen.path in DISCOVERY:
            return None
        value, code = answers[len(server.seen) % len(answers)]
        return Reply(orjson.dumps(value), code)

    async with fake_api(answer, timeout_s=2, pace=RecordedPace()) as (api, server):
        with suppress(AiopsError):
            await CALLS[name](api)


async def test_a_named_container_costs_one_request() -> None:
    def answer(seen: Seen) -> Reply | None:
        return Reply(b"hello\n", content_type="text/plain") if seen.path.endswith("/a/log") else None

    async with fake_api(answer) as (api, server):
        assert [line.text for line in await api.logs("shop", "a", container="app")] == ["hello"]
    assert [one.path for one in server.seen] == ["/api/v1/namespaces/shop/pods/a/log"]


@pytest.mark.parametrize(
    ("pods", "asked", "says"),
    [
        (["a"], ("a", "ap"), "it has no container ap; it has app"),
        (["web-1", "web-2"], ("web-3", "app"), "nearest: web-1, web-2"),
    ],
)
async def test_a_misspelt_container_or_pod_is_answered_with_those_that_there_are(
    pods: list[str], asked: tuple[str, str], says: str
) -> None:
    def answer(seen: Seen) -> Reply | None:
        name = seen.path.removeprefix("/api/v1/namespaces/shop/pods").strip("/")
        if name.endswith("/log"):
            body = {"kind": "Status", "message": "container ap is not valid for pod a"}
            return Reply(orjson.dumps(body), 400 if name.removesuffix("/log") in pods else 404)
        if name in pods:
            return Reply(orjson.dumps(pod(name)))
        if seen.path == "/api/v1/namespaces/shop/pods":
            rows = [{"cells": [each]} for each in pods]
            table = {"kind": "Table", "columnDefinitions": [{"name": "Name"}], "rows": rows}
            return Reply(orjson.dumps(table))
        return None

    async with fake_api(answer) as (api, _):
        with pytest.raises(AiopsError, match=says) as caught:
            await api.logs("shop", asked[0], container=asked[1])
    assert caught.value.code == "not_found"
