"""Threat T1: what is no Kubernetes name is refused by every method before any request."""

from collections.abc import Awaitable, Callable

import pytest

from aiops_shared.errors import ActionRefusedError, InvalidInputError
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.writing import Effect
from tests.shared.kube.fake_api import fake_api

pytestmark = pytest.mark.threat("T1")

HOSTILE = {
    "BI-001": "default; rm -rf /",
    "BI-003": "default\n--kubeconfig=/tmp/evil",
    "BI-005": "--token=abc",
    "BI-007": "../../../../api/v1/namespaces/kube-system/secrets/x",
    "BI-009": "web?fieldManager=x&dryRun=",
    "BI-011": "Default_NS",
    "BI-013": "kube\u2010system",
    "dot": ".",
    "dots": "..",
    "encoded dots": "%2e%2e",
    "slash": "a/b",
    "backslash": "a\\b",
    "NUL": "a\x00b",
    "newline at the end": "default\n",
    "full-width": "\uff44efault",
    "too long": "a" * 254,
    "blank": " ",
}
Call = Callable[[KubeApi, str], Awaitable[object]]


async def _every(api: KubeApi, bad: str) -> None:
    async for _ in api.every("pods", bad):
        pass


async def _watch(api: KubeApi, bad: str) -> None:
    async for _ in api.watch("pods", bad):
        pass


def _object(name: str, namespace: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}}


CALLS: dict[str, Call] = {
    "get namespace": lambda api, bad: api.get("pods", bad, "web"),
    "get name": lambda api, bad: api.get("pods", "shop", bad),
    "list": lambda api, bad: api.list("pods", bad),
    "every": _every,
    "table": lambda api, bad: api.table("pods", bad),
    "watch": _watch,
    "logs namespace": lambda api, bad: api.logs(bad, "web"),
    "logs pod": lambda api, bad: api.logs("shop", bad),
    "logs container": lambda api, bad: api.logs("shop", "web", container=bad),
    "can": lambda api, bad: api.can("get", "pods", bad),
    "can verb": lambda api, bad: api.can(bad, "pods"),
    "create": lambda api, bad: api.create(_object(bad, "shop"), dry_run=True),
    "replace": lambda api, bad: api.replace(_object("web", bad), dry_run=True),
    "apply": lambda api, bad: api.apply(_object(bad, "shop"), dry_run=True),
    "patch": lambda api, bad: api.patch("pods", "shop", bad, {}, effect=Effect(dry_run=True)),
    "delete namespace": lambda api, bad: api.delete("pods", bad, "web", uid="u", dry_run=True),
    "delete name": lambda api, bad: api.delete("pods", "shop", bad, uid="u", dry_run=True),
    "evict": lambda api, bad: api.evict("shop", bad, uid="u", dry_run=True),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_hostile_name_is_refused_before_any_request(call: Call) -> None:
    async with fake_api(lambda _: None) as (api, server):
        for bad in HOSTILE.values():
            with pytest.raises(InvalidInputError):
                await call(api, bad)
        assert server.seen == []


@pytest.mark.parametrize(
    "word",
    ["", "po ds", "pods;x", "../pods", "pods%2f..", "p\u043eds", "a/b/c/d", "-pods", "pods\n", "x" * 300],
)
async def test_a_hostile_kind_is_refused_before_any_request(word: str) -> None:
    async with fake_api(lambda _: None) as (api, server):
        with pytest.raises(InvalidInputError):
            await api.list(word)
        with pytest.raises(InvalidInputError):
            await api.get(word, "shop", "web")
        assert server.seen == []


@pytest.mark.parametrize("cursor", ["a b", "a&limit=0", "a\n", "%00", "x" * 9000])
async def test_a_hostile_cursor_is_refused_before_any_request(cursor: str) -> None:
    async with fake_api(lambda _: None) as (api, server):
        with pytest.raises(InvalidInputError):
            await api.list("pods", "shop", cursor=cursor)
        assert server.seen == []


@pytest.mark.parametrize(
    "selector", ["a=b;c", "a in (", "a=b,,c", "=x", "a==b==c", "app=\u0430", "a\n=b", "a=b&x=y"]
)
async def test_a_selector_that_is_none_is_refused_before_any_request(selector: str) -> None:
    async with fake_api(lambda _: None) as (api, server):
        with pytest.raises(InvalidInputError):
            await api.table("pods", "shop", selector=selector)
        assert server.seen == []


@pytest.mark.parametrize("limit", [-1, 0, 5001])
async def test_a_limit_out_of_range_is_refused(limit: int) -> None:
    async with fake_api(lambda _: None) as (api, server):
        with pytest.raises(InvalidInputError):
            await api.list("pods", "shop", limit=limit)
        assert server.seen == []


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_an_empty_name_never_becomes_a_delete_of_the_collection(name: str) -> None:
    async with fake_api(lambda _: None) as (api, server):
        with pytest.raises(InvalidInputError):
            await api.delete("pods", "shop", name, uid="u", dry_run=False, permit=object())
        assert server.seen == []


async def test_without_a_permit_no_change_is_sent() -> None:
    async with fake_api(lambda _: None) as (api, server):
        with pytest.raises(ActionRefusedError):
            await api.delete("pods", "shop", "web", uid="u", dry_run=False)
        with pytest.raises(ActionRefusedError):
            await api.evict("shop", "web", uid="u", dry_run=False)
        with pytest.raises(ActionRefusedError):
            await api.create(_object("web", "shop"), dry_run=False)
        assert [one.method for one in server.seen if one.method != "GET"] == []
