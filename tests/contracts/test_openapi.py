"""What `eks-aiops tools --openapi` prints is valid OpenAPI 3.0, holds every tool and stays small enough."""

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from typer.testing import CliRunner

from eks_aiops.catalogue import all_tools
from eks_aiops.cli import app
from eks_aiops.openapi import MOST_OPERATIONS, documents, plain

pytestmark = pytest.mark.row("S28")


def tool(name: str, **hints: bool) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "description": "Says what.",
        "inputSchema": {"type": "object", "properties": {}},
        "annotations": {"readOnlyHint": True, "destructiveHint": False, **hints},
    }


WRITES = {"/execute_plan", "/undo_action", "/start_run", "/control_run", "/submit_event"}


async def test_every_tool_is_one_operation_of_a_valid_document() -> None:
    servers = await all_tools(write=True)
    made = documents(servers, "1")
    for document in made.values():
        OpenAPIV30SpecValidator(document).validate()
    operations = [path.strip("/") for document in made.values() for path in document["paths"]]
    assert sorted(operations) == sorted(one["name"] for tools in servers.values() for one in tools)


async def test_a_group_has_one_effect_and_no_more_operations_than_bedrock_takes() -> None:
    made = documents(await all_tools(write=True), "1")
    assert {"/get_pod_logs", "/list_events", "/diagnose"} <= set(made["read"]["paths"])
    assert set(made["write"]["paths"]) == WRITES
    assert set(made["notify"]["paths"]) == {"/record_outcome"}
    for name, document in made.items():
        assert 0 < len(document["paths"]) <= MOST_OPERATIONS
        asks = {operation["post"].get("x-requireConfirmation") for operation in document["paths"].values()}
        assert asks == ({"ENABLED"} if name.startswith("write") else {None})


async def test_parameters_and_answers_are_the_registry_s_own() -> None:
    made = documents(await all_tools(write=False), "1")
    assert set(made["write"]["paths"]) == {"/start_run"}  # in mode plan it changes nothing
    logs = made["read"]["paths"]["/get_pod_logs"]["post"]
    body = logs["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["namespace"]
    assert {"pod", "cluster", "namespace", "tail"} <= set(body["properties"])
    answer = logs["responses"]["200"]["content"]["application/json"]["schema"]
    assert "lines" in answer["properties"]


def test_a_crowded_group_goes_on_in_another_document() -> None:
    many = [tool(f"get_{number}") for number in range(MOST_OPERATIONS + 1)]
    told = tool("submit_event", readOnlyHint=False)
    made = documents({"one": many, "two": [told]}, "1")
    assert {name: len(document["paths"]) for name, document in made.items()} == {
        "read": MOST_OPERATIONS,
        "read-2": 1,
        "notify": 1,
    }


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"const": "a"}, {"enum": ["a"]}),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        (
            {"type": "integer", "exclusiveMinimum": 0},
            {"type": "integer", "exclusiveMinimum": True, "minimum": 0},
        ),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"examples": ["x", "y"]}, {"example": "x"}),
        ({"anyOf": [{"const": 1}, {"type": "string"}]}, {"anyOf": [{"enum": [1]}, {"type": "string"}]}),
        (
            {"type": "object", "additionalProperties": {"const": 1}},
            {"type": "object", "additionalProperties": {"enum": [1]}},
        ),
    ],
    ids=str,
)
def test_json_schema_is_said_in_openapi_s_words(schema: dict[str, Any], said: dict[str, Any]) -> None:
    assert plain(schema) == said


@pytest.mark.parametrize(
    "schema", [{"patternProperties": {}}, {"$ref": "#/$defs/a"}, {"type": ["string", "integer"]}]
)
def test_what_openapi_cannot_say_is_an_error(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"OpenAPI 3\.0"):
        plain(schema)


def test_the_command_prints_one_group_and_names_the_groups_there_are() -> None:
    done = CliRunner().invoke(app, ["tools", "--openapi", "write"])
    assert done.exit_code == 0
    assert set(json.loads(done.output)["paths"]) == WRITES
    wrong = CliRunner().invoke(app, ["tools", "--openapi", "everything"])
    assert wrong.exit_code == 2
    assert "there are read, read-2, read-3, read-4, write, notify" in wrong.output
