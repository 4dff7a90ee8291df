"""Fault R4 at the Kubernetes API: 410 Gone half way through a list or a watch.

A list is begun anew once: no duplicates, no silent gap, and no list that never ends.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from aiops_shared.errors import ExpiredError, UpstreamError
from aiops_shared.kube.api import KubeApi
from tests.faults.kube_scripts import PODS, sent
from tests.shared.http.wire_server import Reply, Seen, as_json, status
from tests.shared.kube.fake_api import fake_api, pod, pod_list

pytestmark = pytest.mark.fault("R4")
GONE = status(410, "Expired", "The provided continue parameter is too old")
FOREIGN = status(400, "BadRequest", "continue key is not valid: encoded start key empty")
ALL_PODS = "/api/v1/pods"


def rows(*names: str, cursor: str = "") -> Reply:
    """A Table of pods."""
    about = {"resourceVersion": "1"} | ({"continue": cursor} if cursor else {})
    columns = [{"name": "Name", "type": "string"}]
    cells = [{"cells": [name]} for name in names]
    return as_json({"kind": "Table", "metadata": about, "columnDefinitions": columns, "rows": cells})


class Pages:
    """Two pages of pods; the second is forgotten so many times. What is there may change in between."""

    def __init__(self, forgets: int, reply: Reply = GONE) -> None:
        self.forgets = forgets
        self.reply = reply
        self.relisted = False

    def __call__(self, seen: Seen) -> Reply | None:
        if seen.path != PODS:
            return None
        tabular = "as=Table" in seen.headers["accept"]
        if not seen.query.get("continue"):
            first = ("a", "b")
            return rows(*first, cursor="c2") if tabular else as_json(pod_list(*map(pod, first), cursor="c2"))
        if self.forgets > 0:
            self.forgets -= 1
            return self.reply
        return rows("b", "c") if tabular else as_json(pod_list(pod("b"), pod("c")))


async def read_all(api: KubeApi) -> list[str]:
    return [one["metadata"]["name"] async for one in api.every("pods", "shop")]


async def read_rows(api: KubeApi) -> list[str]:
    """As a tool reads a Table: page by page, begun anew when a page says so."""
    found: list[str] = []
    cursor = ""
    while True:
        page = await api.table("pods", "shop", cursor=cursor)
        found = [*([] if page.relisted else found), *(str(row[0]) for row in page.rows)]
        cursor = page.cursor
        if not cursor:
            return found


async def test_a_list_forgotten_half_way_is_read_again_once_without_duplicates() -> None:
    async with fake_api(Pages(1)) as (api, server):
        assert await read_all(api) == ["a", "b", "c"]
    assert [one.query.get("continue", "") for one in sent(server, PODS)] == ["", "c2", "", "c2"]


@pytest.mark.parametrize("forgotten", [GONE, FOREIGN], ids=["410", "a cursor of another cluster"])
@pytest.mark.parametrize("read", [read_all, read_rows])
async def test_a_list_forgotten_again_and_again_is_an_error_and_no_silent_gap(
    read: Callable[[KubeApi], Any], forgotten: Reply
) -> None:
    async with fake_api(Pages(99, forgotten)) as (api, server):
        with pytest.raises(ExpiredError):
            await read(api)
    assert len(sent(server, PODS)) == 4


@pytest.mark.parametrize("forgotten", [GONE, FOREIGN], ids=["410", "a cursor of another cluster"])
async def test_an_expired_cursor_gives_the_first_page_again_and_says_so(forgotten: Reply) -> None:
    cursor = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0"
    async with fake_api(Pages(2, forgotten)) as (api, _):
        page = await api.list("pods", "shop", cursor=cursor)
        table = await api.table("pods", "shop", cursor=cursor)
        assert (page.relisted, table.relisted) == (True, True)
        assert [one["metadata"]["name"] for one in page.items] == ["a", "b"]
        assert [row[0] for row in table.rows] == ["a", "b"]
        rest = await api.list("pods", "shop", cursor=page.cursor)
        assert not rest.relisted
        assert [one["metadata"]["name"] for one in rest.items] == ["b", "c"]


async def test_a_table_over_all_namespaces_whose_inner_cursor_is_forgotten_is_begun_anew_once() -> None:
    forgets = [1]

    def answer(seen: Seen) -> Reply | None:
        if seen.path == "/api/v1/namespaces":
            return as_json({"metadata": {}, "items": [{"metadata": {"name": n}} for n in ("bank", "shop")]})
        if seen.path == "/api/v1/namespaces/bank/pods":
            return rows("z")
        if seen.path != PODS:
            return None
        if not seen.query.get("continue"):
            return rows("a", "b", cursor="c2")
        if forgets.pop() if forgets else 0:
            return GONE
        return rows("c")

    async with fake_api(answer) as (api, _):
        page = await api.table("pods")
        assert [row[:2] for row in page.rows] == [("bank", "z"), ("shop", "a"), ("shop", "b")]
        again = await api.table("pods", cursor=page.cursor)
        assert again.relisted
        assert again.rows == page.rows
        rest = await api.table("pods", cursor=again.cursor)
        assert [row[:2] for row in rest.rows] == [("shop", "c")]


async def watched_once(api: KubeApi) -> object:
    return [event async for event in api.watch("pods", "shop", for_s=20)]


async def api_table(api: KubeApi) -> object:
    return await api.table("pods")


@pytest.mark.threat("T14")
@pytest.mark.parametrize("read", [read_all, watched_once, api_table])
async def test_a_list_whose_pages_never_end_and_bring_nothing_is_an_error(
    read: Callable[[KubeApi], Awaitable[object]],
) -> None:
    def answer(seen: Seen) -> Reply | None:
        if seen.path in {PODS, "/api/v1/namespaces"}:
            return as_json(pod_list(pod("a"), cursor=f"c{len(server.seen)}"))
        return None

    async with fake_api(answer) as (api, server):
        with pytest.raises(UpstreamError, match="without anything new"):
            await read(api)


async def test_more_namespaces_than_may_be_asked_are_an_error_and_no_silent_part() -> None:
    every = [{"metadata": {"name": f"n{number}"}} for number in range(5001)]
    reply = as_json({"kind": "NamespaceList", "metadata": {}, "items": every})
    async with fake_api(lambda seen: reply if seen.path == "/api/v1/namespaces" else None) as (api, server):
        with pytest.raises(UpstreamError, match="more than 5000 namespaces; name a namespace"):
            await api.table("pods")
    assert sent(server, PODS) == []


# Watches.

TOO_OLD = {
    "type": "ERROR",
    "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"},
}


class Watched:
    """Lists and watch rounds, each played in turn."""

    def __init__(self, lists: list[Reply], rounds: list[list[dict[str, Any]] | Reply]) -> None:
        self._lists = iter(lists)
        self._rounds = iter(rounds)
        self.positions: list[str] = []

    def __call__(self, seen: Seen) -> Reply | None:
        if seen.path != PODS:
            return None
        if "watch" not in seen.query:
            return next(self._lists)
        self.positions.append(seen.query["resourceVersion"])
        now = next(self._rounds, [])
        return now if isinstance(now, Reply) else Reply(b"".join(orjson.dumps(one) + b"\n" for one in now))


FIRST = as_json(pod_list(pod("a"), pod("b"), version="5"))
SECOND = as_json(pod_list(pod("a", version="2"), pod("c"), version="9"))
CHANGES = [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("ADDED", "c"), ("DELETED", "b")]


async def seen_by_watch(answer: Watched, count: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    async with fake_api(answer) as (api, _):
        events = api.watch("pods", "shop", for_s=15)
        async for event in events:
            found.append((event.type, event.object["metadata"]["name"]))
            if len(found) == count:
                break
        await events.aclose()
    return found


@pytest.mark.parametrize("gone", [[TOO_OLD], GONE], ids=["as an event", "as an answer"])
async def test_a_watch_whose_position_is_forgotten_relists_and_tells_only_the_difference(gone: Any) -> None:
    answer = Watched([FIRST, SECOND], [gone])
    assert await seen_by_watch(answer, 5) == CHANGES
    assert answer.positions[0] == "5"


async def test_a_watch_whose_new_list_is_forgotten_half_way_still_tells_each_change_once() -> None:
    half = as_json(pod_list(pod("a", version="2"), cursor="c2", version="8"))
    answer = Watched([FIRST, half, GONE, SECOND], [[TOO_OLD]])
    assert await seen_by_watch(answer, 5) == CHANGES


async def test_a_watch_whose_new_list_is_forgotten_twice_is_an_error() -> None:
    half = as_json(pod_list(pod("a"), cursor="c2", version="8"))
    with pytest.raises(ExpiredError):
        await seen_by_watch(Watched([FIRST, half, GONE, half, GONE], [[TOO_OLD]]), 5)


async def test_a_watch_that_breaks_goes_on_from_the_last_position() -> None:
    changed = {"type": "MODIFIED", "object": pod("a", version="7")}
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "8"}}}
    later = {"type": "DELETED", "object": pod("b", version="9")}
    answer = Watched([FIRST], [[changed, bookmark], Reply(reset=True), [later]])
    expected = [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    assert await seen_by_watch(answer, 4) == expected
    assert answer.positions == ["5", "8", "8"]


async def test_a_watch_that_the_server_ends_at_once_again_and_again_is_an_error() -> None:
    answer = Watched([FIRST], [])
    with pytest.raises(ExpiredError):
        await seen_by_watch(answer, 99)
    assert len(answer.positions) == 5
