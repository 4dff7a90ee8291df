"""Deletes: dry runs, grace, preconditions, finalizers and collections."""

from typing import Any

from tests.cluster.contract.objects import MAPS, PODS, config_map, given
from tests.cluster.contract.server import MERGE, Server

GONE = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def dying(pod: dict[str, Any]) -> tuple[bool, int | None, int]:
    meta = pod["metadata"]
    return "deletionTimestamp" in meta, meta.get("deletionGracePeriodSeconds"), meta["generation"]


async def names(server: Server, path: str = MAPS) -> list[str]:
    return [item["metadata"]["name"] for item in (await server.ask(f"GET {path}")).ok["items"]]


async def test_a_dry_run_in_the_query_deletes_nothing(server: Server) -> None:
    await given(server, "map")
    answer = await server.ask(f"DELETE {MAPS}/cm?dryRun=All")
    assert answer.masked == {**GONE, "details": {"name": "cm", "kind": "configmaps", "uid": "UID"}}
    assert await names(server) == ["cm"]


async def test_a_dry_run_in_the_body_deletes_nothing(server: Server) -> None:
    await given(server, "map")
    assert (await server.ask(f"DELETE {MAPS}/cm", {"dryRun": ["All"]})).code == 200
    assert await names(server) == ["cm"]


async def test_a_body_silences_the_query_and_the_delete_is_real(server: Server) -> None:
    await given(server, "map")
    answer = await server.ask(f"DELETE {MAPS}/cm?dryRun=All", {"propagationPolicy": "Background"})
    assert answer.code == 200
    assert await names(server) == []


async def test_a_body_silences_the_grace_of_the_query(server: Server) -> None:
    await given(server, "placed pod")
    answer = await server.ask(f"DELETE {PODS}/p?gracePeriodSeconds=0", {"propagationPolicy": "Background"})
    assert dying(answer.ok) == (True, 30, 2)


async def test_a_dry_run_of_a_graceful_delete_shows_the_mark_and_leaves_none(server: Server) -> None:
    await given(server, "placed pod")
    assert dying((await server.ask(f"DELETE {PODS}/p?dryRun=All")).ok) == (True, 30, 2)
    assert dying((await server.ask(f"GET {PODS}/p")).ok) == (False, None, 1)


async def test_a_placed_pod_dies_gracefully_and_grace_only_shrinks(server: Server) -> None:
    await given(server, "placed pod")
    assert dying((await server.ask(f"DELETE {PODS}/p")).ok) == (True, 30, 2)
    assert dying((await server.ask(f"DELETE {PODS}/p?gracePeriodSeconds=5")).ok) == (True, 5, 2)
    assert dying((await server.ask(f"DELETE {PODS}/p?gracePeriodSeconds=50")).ok) == (True, 5, 2)
    assert (await server.ask(f"DELETE {PODS}/p?gracePeriodSeconds=0")).ok["kind"] == "Pod"
    assert (await server.ask(f"GET {PODS}/p")).code == 404


async def test_a_pod_without_a_node_goes_at_once_and_is_shown_once_more(server: Server) -> None:
    await given(server, "pod")
    assert (await server.ask(f"DELETE {PODS}/p")).ok["kind"] == "Pod"
    assert (await server.ask(f"GET {PODS}/p")).code == 404


async def test_a_finalizer_holds_what_is_deleted(server: Server) -> None:
    await server.made(MAPS, {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    marked = (await server.ask(f"DELETE {MAPS}/held")).ok
    assert (marked["kind"], marked["metadata"]["deletionGracePeriodSeconds"]) == ("ConfigMap", 0)
    written = await server.ask(f"PATCH {MAPS}/held", {"data": {"a": "b"}}, sent_as=MERGE)
    assert written.ok["data"] == {"a": "b"}
    await server.ask(f"PATCH {MAPS}/held", {"metadata": {"finalizers": None}}, sent_as=MERGE)
    assert (await server.ask(f"GET {MAPS}/held")).code == 404


async def test_nothing_that_dies_gets_another_finalizer(server: Server) -> None:
    await server.made(MAPS, {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    await server.ask(f"DELETE {MAPS}/held")
    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    answer = await server.ask(f"PATCH {MAPS}/held", more, sent_as=MERGE)
    assert answer.code == 422
    assert answer.refusal["message"] == (
        'ConfigMap "held" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the '
        'object is being deleted, found new finalizers []string{"example.com/more"}'
    )


async def test_the_right_preconditions_let_a_delete_through(server: Server) -> None:
    meta = (await server.made(MAPS, config_map()))["metadata"]
    preconditions = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    assert (await server.ask(f"DELETE {MAPS}/cm", {"preconditions": preconditions})).code == 200


async def test_a_foreground_delete_waits_for_the_garbage_collector(server: Server) -> None:
    await given(server, "map")
    answer = (await server.ask(f"DELETE {MAPS}/cm?propagationPolicy=Foreground")).ok
    shown = {"kind": answer["kind"], "finalizers": answer["metadata"].get("finalizers")}
    assert shown == server.differing("foreground-without-collector")


async def test_a_collection_is_deleted_by_selector_and_shown(server: Server) -> None:
    for name in "abc":
        await server.made(MAPS, {"metadata": {"name": name, "labels": {"x": name}}})
    chosen = f"DELETE {MAPS}?labelSelector=x%20in%20(a,b)"
    dry = (await server.ask(f"{chosen}&dryRun=All")).ok
    assert await names(server) == ["a", "b", "c"]
    gone = (await server.ask(chosen)).ok
    for listed in (dry, gone):
        assert listed["kind"] == "ConfigMapList"
        assert [item["metadata"]["name"] for item in listed["items"]] == ["a", "b"]
        assert [item.get("kind") for item in listed["items"]] == [None, None]
    assert await names(server) == ["c"]


async def test_an_empty_name_is_the_whole_collection(server: Server) -> None:
    await given(server, "map", "other map")
    assert (await server.ask(f"DELETE {MAPS}/")).ok["kind"] == "ConfigMapList"
    assert await names(server) == []


async def test_an_orphaning_delete_leaves_what_is_owned(server: Server) -> None:
    owner = await server.made(MAPS, config_map("owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    await server.made(MAPS, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
    assert (await server.ask(f"DELETE {MAPS}/owner?propagationPolicy=Orphan")).code == 200
    assert "owned" in await names(server)
