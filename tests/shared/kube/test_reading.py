"""Reads against the lab's API server: lists, Tables, pages, logs, rights, and better names after a miss."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from aiops_lab.run import Lab
from aiops_shared.errors import (
    AccessDeniedError,
    AnswerTooLargeError,
    InvalidInputError,
    KindUnknownError,
    NotFoundError,
)
from aiops_shared.kube.api import KubeApi
from tests.lab_fixture import running_lab
from tests.shared.kube.lab_api import lab_api

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    """One lab for all: these tests only read, which the first of them proves."""
    async with running_lab("healthy") as lab:
        yield lab


@pytest_asyncio.fixture(loop_scope="module")
async def api(lab: Lab) -> AsyncIterator[KubeApi]:
    async with lab_api(lab) as api:
        yield api


async def test_reads_leave_no_write_in_the_servers_own_log(lab: Lab, api: KubeApi) -> None:
    first = (await api.list("pods")).items[0]["metadata"]
    await api.get("pod", first["namespace"], first["name"])
    await api.table("pods")
    await api.logs(first["namespace"], first["name"])
    assert await api.can("delete", "pods", first["namespace"])
    assert lab.requests.total > 0
    assert lab.requests.writes() == []


async def test_a_table_over_all_namespaces_says_the_namespace_of_every_row(api: KubeApi) -> None:
    page = await api.table("pods")
    pods = {(pod["metadata"]["namespace"], pod["metadata"]["name"]) async for pod in api.every("pods")}
    assert page.columns[:2] == ("Namespace", "Name")
    assert {(row[0], row[1]) for row in page.rows} == pods
    assert page.cursor == ""


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_pages_over_all_namespaces_join_to_the_whole_list_without_gap_or_duplicate(
    limit: int, api: KubeApi
) -> None:
    whole = await api.table("configmaps")
    rows, cursor = [], ""
    while True:
        page = await api.table("configmaps", limit=limit, cursor=cursor)
        assert len(page.rows) <= limit
        rows += list(page.rows)
        cursor = page.cursor
        if not cursor:
            break
    assert rows == list(whole.rows)
    assert len({row[0] for row in rows}) > 1


@pytest.mark.parametrize("cursor", ["eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0", "n1.e30=", "n1.WyJhIl0="])
async def test_a_foreign_cursor_over_all_namespaces_gives_the_first_page_and_says_so(
    cursor: str, api: KubeApi
) -> None:
    page = await api.table("pods", limit=3, cursor=cursor)
    assert page.relisted
    assert page.rows == (await api.table("pods", limit=3)).rows


async def test_a_table_of_one_namespace_and_of_a_cluster_kind_needs_no_such_column(api: KubeApi) -> None:
    assert (await api.table("pods", "production")).columns[0] == "Name"
    assert (await api.table("nodes")).columns[0] == "Name"
    assert (await api.table("nodes", "production")).rows == (await api.table("nodes")).rows


async def test_pages_of_objects_follow_the_servers_cursor(api: KubeApi) -> None:
    first = await api.list("pods", limit=2)
    second = await api.list("pods", limit=2, cursor=first.cursor)
    names = [item["metadata"]["name"] for item in (*first.items, *second.items)]
    assert len(set(names)) == 4
    assert not second.relisted


async def test_every_list_item_knows_its_kind(api: KubeApi) -> None:
    items = (await api.list("deploy", "production")).items
    assert {(item["apiVersion"], item["kind"]) for item in items} == {("apps/v1", "Deployment")}


async def test_a_selector_is_kept_by_the_server(api: KubeApi) -> None:
    one = (await api.list("pods", "production")).items[0]["metadata"]
    key, value = next(iter(one["labels"].items()))
    found = (await api.list("pods", selector=f"{key}={value}")).items
    assert one["name"] in {item["metadata"]["name"] for item in found}
    assert all(item["metadata"]["labels"][key] == value for item in found)


async def test_more_objects_than_asked_for_is_said_and_not_cut_in_silence(api: KubeApi) -> None:
    pods = api.every("pods", at_most=2)
    assert [(await anext(pods))["kind"], (await anext(pods))["kind"]] == ["Pod", "Pod"]
    with pytest.raises(AnswerTooLargeError):
        await anext(pods)


@pytest.mark.row("S48")
async def test_a_misspelt_name_gets_the_right_one_among_the_nearest(api: KubeApi) -> None:
    name = (await api.list("deployments", "production")).items[0]["metadata"]["name"]
    with pytest.raises(NotFoundError) as caught:
        await api.get("deployment", "production", name[:-1] + "q")
    assert name in caught.value.hint


@pytest.mark.row("S48")
async def test_a_misspelt_namespace_gets_the_right_one_for_lists_and_objects(api: KubeApi) -> None:
    for ask in (
        api.table("pods", "prodution"),
        api.list("pods", "prodution"),
        api.get("pod", "prodution", "x"),
    ):
        with pytest.raises(NotFoundError) as caught:
            await ask
        assert "production" in caught.value.hint


@pytest.mark.row("S48")
@pytest.mark.parametrize(
    ("word", "right"), [("podz", "pods"), ("deploymnet", "deployment"), ("Inngress", "ingress")]
)
async def test_a_misspelt_kind_gets_the_right_one(word: str, right: str, api: KubeApi) -> None:
    with pytest.raises(KindUnknownError) as caught:
        await api.table(word)
    assert right in caught.value.hint


@pytest.mark.parametrize(
    "word",
    [
        "Deployment",
        "deployments",
        "deploy",
        "deployments.apps",
        "deployments.v1.apps",
        "apps/v1/Deployment",
        "apps/deploy",
    ],
)
async def test_a_kind_is_found_in_every_way_that_kubectl_says_it(word: str, api: KubeApi) -> None:
    assert (await api.kind(word)).api_version == "apps/v1"


@pytest.mark.parametrize("word", ["secret", "Secrets", "core/v1/Secret", "v1/secrets", "secrets.v1"])
async def test_an_alias_of_the_core_group_finds_the_same_kind(word: str, api: KubeApi) -> None:
    found = await api.kind(word)
    assert (found.group, found.plural) == ("", "secrets")


async def test_an_empty_namespace_that_exists_is_an_empty_list(api: KubeApi) -> None:
    assert (await api.list("pods", "default")).items == ()


async def test_a_namespace_that_was_there_is_not_looked_at_for_every_empty_list(
    lab: Lab, api: KubeApi
) -> None:
    lab.requests.clear()
    for _ in range(3):
        await api.list("pods", "default")
    looked = [entry for entry in lab.requests.entries if entry.path == "/api/v1/namespaces/default"]
    assert len(looked) == 1


async def test_a_namespaced_object_needs_its_namespace(api: KubeApi) -> None:
    with pytest.raises(InvalidInputError, match="namespace"):
        await api.get("pod", "", "web")


async def test_logs_come_oldest_first_with_time_and_are_bounded(lab: Lab, api: KubeApi) -> None:
    pod = (await api.list("pods", "production")).items[0]["metadata"]["name"]
    lines = await api.logs("production", pod, tail=5)
    times = [line.at for line in lines if line.at]
    assert 0 < len(lines) <= 5
    assert times == sorted(times)
    assert len(times) == len(lines)
    since = lab.clock.now() - timedelta(seconds=20)
    recent = await api.logs("production", pod, since=since)
    assert all(line.at and line.at >= since.replace(microsecond=0) for line in recent)
    assert sum(len(line.text) for line in await api.logs("production", pod, limit_bytes=100)) <= 100


async def test_an_unknown_container_is_answered_with_those_there_are(api: KubeApi) -> None:
    pod = (await api.list("pods", "production")).items[0]
    name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]
    with pytest.raises(NotFoundError, match=container):
        await api.logs("production", name, container="nope")


async def test_rights_are_those_of_the_identity(lab: Lab) -> None:
    async with lab_api(lab, "aiops-reader") as reader:
        assert await reader.can("list", "pods", "production")
        assert not await reader.can("delete", "pods", "production")
    assert lab.requests.writes() == []


async def test_a_refusal_names_who_may_not_do_what(lab: Lab) -> None:
    async with lab_api(lab, "aiops-reader") as reader:
        with pytest.raises(AccessDeniedError) as caught:
            await reader.delete("configmaps", "production", "x", uid="u", dry_run=True)
    assert "aiops-reader" in caught.value.reason
    assert "delete configmaps" in caught.value.reason
    assert "Role" in caught.value.hint
