"""Custom resources: nothing is served before its definition, then it is served as any kind."""

from typing import Any

import anyio

from tests.cluster.contract.server import APPLY, MERGE, STRATEGIC, TABLE, Server

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/{ns}.example.com/v1/namespaces/{ns}/things"
THING: dict[str, Any] = {
    "apiVersion": "{ns}.example.com/v1",
    "kind": "Thing",
    "metadata": {"name": "one"},
    "spec": {"size": 1},
}


def definition() -> dict[str, Any]:
    spec_schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec_schema, "status": spec_schema}}
    return {
        "metadata": {"name": "things.{ns}.example.com"},
        "spec": {
            "group": "{ns}.example.com",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
                    ],
                }
            ],
        },
    }


async def define(server: Server) -> None:
    """Declare Things and wait until the server serves them, which a real one does a moment later."""
    await server.made(DEFINITIONS, definition())
    with anyio.fail_after(15):
        while (await server.ask(f"GET {THINGS}")).code != 200:  # noqa: ASYNC110 - nothing tells but asking
            await anyio.sleep(0.05)


async def test_a_kind_without_a_definition_is_not_there(server: Server) -> None:
    answer = await server.ask(f"GET {THINGS}")
    assert (answer.code, answer.body) == (404, "404 page not found\n")


async def test_a_defined_kind_is_created_listed_patched_and_deleted(server: Server) -> None:
    await define(server)
    made = await server.made(THINGS, THING)
    assert (made["kind"], made["metadata"]["generation"]) == ("Thing", 1)
    listed = (await server.ask(f"GET {THINGS}")).ok
    assert (listed["kind"], [item["kind"] for item in listed["items"]]) == ("ThingList", ["Thing"])
    patched = (await server.ask(f"PATCH {THINGS}/one", {"spec": {"size": 2}}, sent_as=MERGE)).ok
    assert (patched["spec"], patched["metadata"]["generation"]) == ({"size": 2}, 2)
    assert (await server.ask(f"DELETE {THINGS}/one")).code == 200
    refused = await server.ask(f"GET {THINGS}/one")
    assert refused.refusal["message"] == 'things.{ns}.example.com "one" not found'


async def test_a_strategic_patch_is_no_patch_of_a_custom_resource(server: Server) -> None:
    await define(server)
    await server.made(THINGS, THING)
    answer = await server.ask(f"PATCH {THINGS}/one", {"spec": {"size": 2}}, sent_as=STRATEGIC)
    assert (answer.code, answer.body["reason"]) == (415, "UnsupportedMediaType")


async def test_a_custom_resource_is_replaced_only_by_its_version(server: Server) -> None:
    await define(server)
    await server.made(THINGS, THING)
    refusal = (await server.ask(f"PUT {THINGS}/one", THING)).refusal
    why = "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update"
    assert refusal["message"] == f'things.{{ns}}.example.com "one" is invalid: {why}'
    assert refusal["code"] == 422


async def test_a_custom_resource_is_applied(server: Server) -> None:
    await define(server)
    applied = await server.ask(f"PATCH {THINGS}/one?fieldManager=me", THING, sent_as=APPLY)
    assert (applied.code, applied.ok["metadata"]["managedFields"][0]["fieldsV1"]) == (
        201,
        {"f:spec": {"f:size": {}}},
    )


async def test_a_custom_table_has_the_declared_columns(server: Server) -> None:
    await define(server)
    await server.made(THINGS, THING)
    table = (await server.ask(f"GET {THINGS}", accept=TABLE)).ok
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size"]
    assert table["rows"][0]["cells"] == ["one", 1]


async def test_the_status_of_a_custom_resource_has_its_own_door(server: Server) -> None:
    await define(server)
    await server.made(THINGS, {**THING, "status": {"ready": True}})
    assert "status" not in (await server.ask(f"GET {THINGS}/one")).ok
    body = {"spec": {"size": 9}, "status": {"ready": True}}
    reported = (await server.ask(f"PATCH {THINGS}/one/status", body, sent_as=MERGE)).ok
    assert (reported["spec"], reported["status"]) == ({"size": 1}, {"ready": True})
