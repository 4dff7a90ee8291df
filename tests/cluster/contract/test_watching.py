"""Watches: from a version, with selectors, in other forms, and what is forgotten."""

from typing import Any

from tests.cluster.contract.objects import MAPS, config_map
from tests.cluster.contract.server import MERGE, METADATA, TABLE, Server


def told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


async def changed(server: Server) -> str:
    """A map that stays, and one that is made, labelled anew and deleted; the version before these."""
    meta = (await server.made(MAPS, config_map("a")))["metadata"]
    await server.made(MAPS, {"metadata": {"name": "b", "labels": {"x": "1"}}})
    await server.ask(f"PATCH {MAPS}/b", {"metadata": {"labels": {"x": "2"}}}, sent_as=MERGE)
    await server.ask(f"DELETE {MAPS}/b")
    return str(meta["resourceVersion"])


async def test_a_watch_tells_what_happened_after_a_version(server: Server) -> None:
    version = await changed(server)
    events = await server.events(f"{MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=5", 3)
    assert told(events) == [("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "b")]


async def test_what_no_longer_matches_is_gone_for_this_watch(server: Server) -> None:
    version = await changed(server)
    query = f"watch=1&resourceVersion={version}&timeoutSeconds=5&labelSelector=x%3D1"
    assert told(await server.events(f"{MAPS}?{query}", 2)) == [("ADDED", "b"), ("DELETED", "b")]


async def test_a_watch_from_nowhere_begins_with_what_there_is(server: Server) -> None:
    await changed(server)
    for query in ("watch=1", "watch=1&resourceVersion=0", "watch=1&fieldSelector=metadata.name%3Da"):
        events = await server.events(f"{MAPS}?{query}&timeoutSeconds=5", 1)
        assert told(events) == [("ADDED", "a")], query


async def test_a_watch_ends_after_its_time(server: Server) -> None:
    await server.made(MAPS, config_map("a"))
    assert told(await server.events(f"{MAPS}?watch=1&timeoutSeconds=1", 9)) == [("ADDED", "a")]


async def test_a_watch_of_metadata_alone(server: Server) -> None:
    await server.made(MAPS, config_map("a"))
    event = (await server.events(f"{MAPS}?watch=1&timeoutSeconds=5", 1, accept=METADATA))[0]
    assert (event["object"]["kind"], sorted(event["object"])) == (
        "PartialObjectMetadata",
        ["apiVersion", "kind", "metadata"],
    )


async def test_a_watch_of_tables(server: Server) -> None:
    await server.made(MAPS, config_map("a"))
    event = (await server.events(f"{MAPS}?watch=1&timeoutSeconds=5", 1, accept=TABLE))[0]
    assert (event["type"], event["object"]["kind"]) == ("ADDED", "Table")
    assert event["object"]["rows"][0]["cells"][:2] == ["a", 1]


async def test_a_forgotten_version_is_an_error_event_of_410(server: Server) -> None:
    await server.made(MAPS, config_map("a"))
    await server.compact()
    events = await server.events(f"{MAPS}?watch=1&resourceVersion=1&timeoutSeconds=5", 1)
    assert [event["type"] for event in events] == ["ERROR"]
    status = events[0]["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


async def test_one_object_by_name_is_shown_not_watched(server: Server) -> None:
    await server.made(MAPS, config_map("a"))
    answer = await server.ask(f"GET {MAPS}/a?watch=1")
    assert (answer.code, answer.body["kind"]) == (200, "ConfigMap")
