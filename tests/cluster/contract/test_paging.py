"""Lists: pages of one version, versions asked for, what is forgotten, and selectors."""

from typing import Any

from tests.cluster.contract.objects import MAPS
from tests.cluster.contract.server import Obj, Server

GONE = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You must start a new list without the continue parameter."
)


async def fill(server: Server) -> None:
    for name in "abcde":
        label = "odd" if name in "ace" else "even"
        await server.made(MAPS, {"metadata": {"name": name, "labels": {"x": label}}})


async def page(server: Server, query: str) -> tuple[list[str], Obj]:
    body: dict[str, Any] = (await server.ask(f"GET {MAPS}?{query}")).ok
    return [item["metadata"]["name"] for item in body["items"]], body["metadata"]


async def test_pages_show_one_version_while_objects_come_and_go(server: Server) -> None:
    await fill(server)
    first, meta = await page(server, "limit=2")
    assert (first, meta["remainingItemCount"]) == (["a", "b"], 3)
    await server.ask(f"DELETE {MAPS}/d")
    await server.made(MAPS, {"metadata": {"name": "f"}})
    second, more = await page(server, f"limit=2&continue={meta['continue']}")
    assert (second, more["remainingItemCount"]) == (["c", "d"], 1)
    last, end = await page(server, f"limit=2&continue={more['continue']}")
    assert (last, sorted(end)) == (["e"], ["resourceVersion"])
    assert meta["resourceVersion"] == more["resourceVersion"] == end["resourceVersion"]


async def test_a_selector_hides_how_many_are_left(server: Server) -> None:
    await fill(server)
    found, meta = await page(server, "limit=1&labelSelector=x%3Dodd")
    assert (found, sorted(meta)) == (["a"], ["continue", "resourceVersion"])


async def test_a_page_that_holds_all_has_no_token(server: Server) -> None:
    await fill(server)
    found, meta = await page(server, "limit=5")
    assert (len(found), sorted(meta)) == (5, ["resourceVersion"])


async def test_any_version_up_to_now_may_be_asked_for(server: Server) -> None:
    await fill(server)
    _, meta = await page(server, "")
    now = meta["resourceVersion"]
    for query in ("resourceVersion=0", f"resourceVersion={now}"):
        assert len((await page(server, query))[0]) == 5
    for match in ("NotOlderThan", "Exact"):
        found, _ = await page(server, f"resourceVersion={now}&resourceVersionMatch={match}")
        assert len(found) == 5


async def test_a_token_into_forgotten_history_is_expired(server: Server) -> None:
    await fill(server)
    _, meta = await page(server, "limit=2")
    await server.made(MAPS, {"metadata": {"name": "f"}})
    await server.compact()
    answer = await server.ask(f"GET {MAPS}?limit=2&continue={meta['continue']}")
    shown = answer.masked
    assert (answer.code, shown["reason"]) == (410, "Expired")
    said = {"message": shown["message"], "new token": "continue" in shown["metadata"]}
    assert said == server.differing("token-of-an-inconsistent-list")


async def test_an_exact_version_that_is_forgotten_is_expired(server: Server) -> None:
    await fill(server)
    _, meta = await page(server, "")
    await server.made(MAPS, {"metadata": {"name": "f"}})
    await server.compact()
    query = f"resourceVersion={meta['resourceVersion']}&resourceVersionMatch=Exact"
    answer = await server.ask(f"GET {MAPS}?{query}")
    assert (answer.code, answer.body["reason"]) == (410, "Expired")


async def test_labels_select_by_equality_sets_and_presence(server: Server) -> None:
    await fill(server)
    await server.made(MAPS, {"metadata": {"name": "bare"}})
    for selector, found in {
        "x=odd": "ace",
        "x==even": "bd",
        "x in (odd,even)": "abcde",
        "x notin (odd)": ["b", "bare", "d"],
        "x!=odd": ["b", "bare", "d"],
        "!x": ["bare"],
        "x": "abcde",
        "x,x!=odd": "bd",
    }.items():
        quoted = selector.replace("=", "%3D").replace(" ", "%20").replace("!", "%21")
        assert (await page(server, f"labelSelector={quoted}"))[0] == list(found), selector


async def test_fields_select_by_name(server: Server) -> None:
    await fill(server)
    assert (await page(server, "fieldSelector=metadata.name%3Dc"))[0] == ["c"]
    assert (await page(server, "fieldSelector=metadata.name!%3Dc"))[0] == list("abde")
