"""Watches and cursors on a real kube-apiserver: bookmarks, broken positions, history that was thrown away."""

import json
from typing import Any

import anyio
import httpx
import pytest

from aiops_shared.errors import ExpiredError
from aiops_shared.kube.models import WatchEvent
from aiops_shared.kube.statuses import error_for, read_status
from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.objects import config_map
from tests.cluster.product.stage import api_of

pytestmark = [pytest.mark.timeout(180)]
MAPS = "/api/v1/namespaces/{ns}/configmaps"


async def namespace_of(admin: httpx.AsyncClient, name: str) -> str:
    await admin.post("/api/v1/namespaces", json={"metadata": {"name": name}})
    return MAPS.replace("{ns}", name)


async def compact(plane: ControlPlane, revision: str) -> None:
    """Let etcd forget everything before a revision, as it does every five minutes."""
    async with httpx.AsyncClient(base_url=plane.etcd_url, trust_env=False) as etcd:
        answer = await etcd.post("/v3/kv/compaction", json={"revision": revision, "physical": True})
        assert answer.status_code == 200, answer.text


async def test_a_watch_tells_what_is_there_and_then_each_change_once(alone: ControlPlane) -> None:
    async with alone.client() as admin, api_of(alone) as api:
        maps = await namespace_of(admin, "watched")
        await admin.post(maps, json=config_map("a"))
        seen: list[tuple[str, str]] = []

        async def change() -> None:
            await admin.post(maps, json=config_map("b"))
            body = {"data": {"a": "two"}}
            await admin.patch(
                f"{maps}/a", json=body, headers={"content-type": "application/merge-patch+json"}
            )
            await admin.delete(f"{maps}/b")

        events = api.watch("configmaps", "watched", for_s=20)
        async with anyio.create_task_group() as tasks:
            async for event in events:
                seen.append((event.type, event.object["metadata"]["name"]))
                if len(seen) == 1:
                    tasks.start_soon(change)
                if len(seen) == 4:
                    break
        await events.aclose()
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


@pytest.mark.fault("R4")
async def test_a_cursor_that_the_server_forgot_gives_the_first_page_again_and_says_so(
    alone: ControlPlane,
) -> None:
    async with alone.client() as admin, api_of(alone) as api:
        maps = await namespace_of(admin, "paged")
        for number in range(6):
            await admin.post(maps, json=config_map(f"m{number}"))
        first = await api.list("configmaps", "paged", limit=2)
        table = await api.table("configmaps", "paged", limit=2)
        made = (await admin.post(maps, json=config_map("m6"))).json()
        await compact(alone, made["metadata"]["resourceVersion"])
        again = await api.list("configmaps", "paged", limit=2, cursor=first.cursor)
        assert again.relisted
        assert [one["metadata"]["name"] for one in again.items] == ["m0", "m1"]
        rows = await api.table("configmaps", "paged", limit=2, cursor=table.cursor)
        assert rows.relisted
        rest = await api.list("configmaps", "paged", limit=2, cursor=again.cursor)
        assert not rest.relisted
        assert [one["metadata"]["name"] for one in rest.items] == ["m2", "m3"]


@pytest.mark.fault("R4")
async def test_a_cursor_of_nonsense_is_begun_anew_and_a_foreign_field_selector_is_refused(
    alone: ControlPlane,
) -> None:
    async with alone.client() as admin, api_of(alone) as api:
        await namespace_of(admin, "paged-by-nonsense")
        page = await api.list("configmaps", "paged-by-nonsense", cursor="bm9uc2Vuc2U")
        assert page.relisted


@pytest.mark.fault("R4")
async def test_a_list_whose_history_is_thrown_away_half_way_comes_whole_and_without_duplicates(
    alone: ControlPlane,
) -> None:
    async with alone.client() as admin, api_of(alone) as api:
        maps = await namespace_of(admin, "compacted")
        for number in range(520):
            await admin.post(maps, json=config_map(f"m{number:03}"))
        found: list[str] = []
        async for one in api.every("configmaps", "compacted"):
            found.append(one["metadata"]["name"])
            if len(found) == 500:
                made = (await admin.post(maps, json=config_map("zz"))).json()
                await compact(alone, made["metadata"]["resourceVersion"])
    assert found == [*(f"m{number:03}" for number in range(520)), "zz"]


@pytest.mark.fault("R4")
async def test_a_watch_from_a_forgotten_position_relists_and_tells_only_the_difference(
    alone: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two rounds of the watch the history goes; each round is cut to a second."""
    monkeypatch.setattr("aiops_shared.kube.watching.ROUND_S", 1.0)
    async with alone.client() as admin, api_of(alone) as api:
        maps = await namespace_of(admin, "rewatched")
        for name in ("a", "b"):
            await admin.post(maps, json=config_map(name))
        seen: list[tuple[str, str]] = []
        events = api.watch("configmaps", "rewatched", for_s=25)
        async for event in events:
            seen.append((event.type, event.object["metadata"]["name"]))
            if len(seen) == 2:
                await change_and_forget(alone, admin, maps)
            if len(seen) == 4:
                break
        await events.aclose()
    assert sorted(seen[2:]) == [("ADDED", "c"), ("DELETED", "a")]


async def change_and_forget(plane: ControlPlane, admin: httpx.AsyncClient, maps: str) -> None:
    await admin.delete(f"{maps}/a")
    made: dict[str, Any] = (await admin.post(maps, json=config_map("c"))).json()
    await compact(plane, made["metadata"]["resourceVersion"])


async def test_a_watch_gets_bookmarks_and_goes_on_from_them(alone: ControlPlane) -> None:
    """The server ends a watch after its timeout with a bookmark; ours goes on and misses nothing."""
    async with alone.client() as admin, api_of(alone) as api:
        maps = await namespace_of(admin, "marked")
        events = api.watch("configmaps", "marked", for_s=6)
        found: list[WatchEvent] = []

        async def late() -> None:
            await anyio.sleep(3)
            await admin.post(maps, json=config_map("late"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(late)
            found = [event async for event in events]
    assert [(event.type, event.object["metadata"]["name"]) for event in found] == [("ADDED", "late")]


async def test_the_server_itself_answers_an_old_position_as_our_client_expects(alone: ControlPlane) -> None:
    """410 as an event of the stream (apiserver, storage/cacher), which our client must read as expired."""
    async with alone.client() as admin:
        maps = await namespace_of(admin, "too-old")
        old = (await admin.post(maps, json=config_map("a"))).json()["metadata"]["resourceVersion"]
        for number in range(3):
            made = (await admin.post(maps, json=config_map(f"m{number}"))).json()
        await compact(alone, made["metadata"]["resourceVersion"])
        params = {"watch": "true", "resourceVersion": "1", "timeoutSeconds": "5"}
        answer = await admin.get(maps, params=params)
        listed = await admin.get(maps, params={"resourceVersion": old, "resourceVersionMatch": "Exact"})
    event = json.loads(answer.text.splitlines()[0])
    assert event["type"] == "ERROR"
    assert isinstance(error_for("watch", read_status(event["object"]["code"], event["object"])), ExpiredError)
    assert isinstance(error_for("list", read_status(listed.status_code, listed.json())), ExpiredError)
