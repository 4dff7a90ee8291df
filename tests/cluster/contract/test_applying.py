"""Server-side apply: who owns what after each step, conflicts, force, and fields given up."""

from typing import Any

import pytest

from tests.cluster.contract.objects import DEPLOYMENTS, MAPS, given
from tests.cluster.contract.server import APPLY, MERGE, Answer, Server


async def apply(server: Server, manager: str, *, query: str = "", **data: str) -> Answer:
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}}
    if data:
        body["data"] = data
    return await server.ask(f"PATCH {MAPS}/cm?fieldManager={manager}{query}", body, sent_as=APPLY)


def owners(obj: dict[str, Any]) -> dict[str, Any]:
    """`manager operation` with the fields."""
    return {f"{e['manager']} {e['operation']}": e["fieldsV1"] for e in obj["metadata"]["managedFields"]}


def data_of(*names: str) -> dict[str, Any]:
    return {"f:data": {f"f:{name}": {} for name in names}}


async def test_an_apply_creates_and_owns_what_it_sends(server: Server) -> None:
    made = await apply(server, "one", a="1", b="1")
    assert (made.code, owners(made.ok)) == (201, {"one Apply": data_of("a", "b")})


async def test_the_same_apply_again_changes_nothing(server: Server) -> None:
    made = (await apply(server, "one", a="1")).ok
    again = await apply(server, "one", a="1")
    assert again.code == 200
    assert again.body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_two_who_agree_own_together(server: Server) -> None:
    await apply(server, "one", a="1", b="1")
    shared = await apply(server, "two", a="1")
    assert owners(shared.ok) == {"one Apply": data_of("a", "b"), "two Apply": data_of("a")}


async def test_another_value_conflicts_with_the_one_who_applied(server: Server) -> None:
    await apply(server, "one", a="1")
    assert (await apply(server, "two", a="2")).refusal == {
        "code": 409,
        "reason": "Conflict",
        "message": 'Apply failed with 1 conflict: conflict with "one": .data.a',
        "details": {
            "causes": [
                {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
            ]
        },
    }


@pytest.mark.parametrize("dry", ["", "&dryRun=All"], ids=["meant", "dry"])
async def test_force_takes_the_field_from_its_owner(server: Server, dry: str) -> None:
    await apply(server, "one", a="1", b="1")
    taken = (await apply(server, "two", query=f"&force=true{dry}", a="2")).ok
    assert taken["data"] == {"a": "2", "b": "1"}
    assert owners(taken) == {"one Apply": data_of("b"), "two Apply": data_of("a")}
    now = (await server.ask(f"GET {MAPS}/cm")).ok
    assert now["data"]["a"] == ("1" if dry else "2")


async def test_a_field_no_longer_sent_is_removed_unless_somebody_else_owns_it(server: Server) -> None:
    await apply(server, "one", a="1", b="1", c="1")
    await apply(server, "two", a="1")
    left = (await apply(server, "one", c="1")).ok
    assert left["data"] == {"a": "1", "c": "1"}
    assert owners(left) == {"one Apply": data_of("c"), "two Apply": data_of("a")}


async def test_a_patch_takes_what_it_changes_and_conflicts_name_its_version(server: Server) -> None:
    await apply(server, "one", a="1")
    patched = await server.ask(f"PATCH {MAPS}/cm?fieldManager=ops", {"data": {"a": "3"}}, sent_as=MERGE)
    assert owners(patched.ok) == {"ops Update": data_of("a")}
    refusal = (await apply(server, "one", a="4")).refusal
    assert refusal["message"] == 'Apply failed with 1 conflict: conflict with "ops" using v1: .data.a'


EMPTY: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "cm"},
    "data": {},
}


async def test_who_owns_a_map_owns_none_of_its_keys(server: Server) -> None:
    await apply(server, "one", a="1", b="1")
    await apply(server, "two", query="&force=true", a="2")
    await server.ask(f"PATCH {MAPS}/cm?fieldManager=one", EMPTY, sent_as=APPLY)
    await server.ask(f"PATCH {MAPS}/cm?fieldManager=ops", {"data": {"a": "3"}}, sent_as=MERGE)
    refusal = (await apply(server, "two", a="4")).refusal
    assert refusal["message"] == 'Apply failed with 1 conflict: conflict with "ops" using v1: .data.a'


async def test_the_first_key_in_a_map_that_somebody_owns_empty(server: Server) -> None:
    await server.ask(f"PATCH {MAPS}/cm?fieldManager=one", EMPTY, sent_as=APPLY)
    answer = await apply(server, "two", a="1")
    shown = {"code": answer.code, "message": answer.body.get("message")}
    assert shown == server.differing("first-key-of-an-owned-empty-map")


async def test_one_container_is_applied_beside_the_others(server: Server) -> None:
    await given(server, "deployment")
    containers = [{"name": "side", "image": "registry.example/side:1"}]
    config = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": containers}}},
    }
    path = f"PATCH {DEPLOYMENTS}/web?fieldManager=one"
    applied = (await server.ask(path, config, sent_as=APPLY)).ok
    assert [c["name"] for c in applied["spec"]["template"]["spec"]["containers"]] == ["app", "side"]
    element: dict[str, Any] = {".": {}, "f:image": {}, "f:name": {}}
    owned = owners(applied)["one Apply"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert owned == {'k:{"name":"side"}': element}
    config["spec"] = {}
    dropped = (await server.ask(path, config, sent_as=APPLY)).ok
    assert [c["name"] for c in dropped["spec"]["template"]["spec"]["containers"]] == ["app"]
