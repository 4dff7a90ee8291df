"""The tools as OpenAPI 3.0 documents, for platforms that call them over HTTP, as do Bedrock's action groups.

`eks-aiops tools --openapi GROUP` prints one. A document is a group of tools with one effect, because that is
what such platforms grant: `read`, `write` (asks for confirmation), `notify` (tells somebody, changes no
cluster). Each tool is one POST whose body is the tool's arguments; names, parameters and answers are the
registry's own.

Amazon Bedrock takes at most 11 operations per action group
(https://docs.aws.amazon.com/bedrock/latest/userguide/quotas.html) and reads `x-requireConfirmation`
(https://docs.aws.amazon.com/bedrock/latest/userguide/agents-userconfirmation.html).
"""

from collections.abc import Iterator
from typing import Any

OPENAPI = "3.0.3"
MOST_OPERATIONS = 11
_ERROR = "[code] thing: reason; what to do next"
# What OpenAPI 3.0.3's Schema Object takes of JSON Schema (section 4.7.24).
_WORDS = """
    title multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems
    minItems uniqueItems maxProperties minProperties required enum type allOf oneOf anyOf not items properties
    additionalProperties description format default nullable example
"""
_KNOWN = frozenset(_WORDS.split())
Tool = dict[str, Any]
Schema = dict[str, Any]


def documents(servers: dict[str, list[Tool]], version: str) -> dict[str, dict[str, Any]]:
    """One document per group; a group with too many operations goes on in `read-2`, `read-3`, …

    `servers` is what `catalogue.all_tools` gives. Raises ValueError for a schema that OpenAPI 3.0 cannot say.
    """
    groups: dict[str, list[Tool]] = {}
    for tools in servers.values():
        for tool in tools:
            groups.setdefault(effect(tool), []).append(tool)
    return {
        name: _document(name, part, version)
        for group in ("read", "write", "notify")
        for name, part in _parts(group, groups.get(group, []))
    }


def effect(tool: Tool) -> str:
    """`read`, `write` or `notify`, by the tool's own annotations."""
    if tool["annotations"]["readOnlyHint"]:
        return "read"
    return "write" if tool["annotations"]["destructiveHint"] else "notify"


def _parts(group: str, tools: list[Tool]) -> Iterator[tuple[str, list[Tool]]]:
    for number, start in enumerate(range(0, len(tools), MOST_OPERATIONS), 1):
        yield (group if number == 1 else f"{group}-{number}"), tools[start : start + MOST_OPERATIONS]


def _document(name: str, tools: list[Tool], version: str) -> dict[str, Any]:
    return {
        "openapi": OPENAPI,
        "info": {
            "title": f"EKS AIOps: {name}",
            "version": version,
            "description": "Generated from the tool registry; one POST per tool, its arguments as the body.",
        },
        "paths": {f"/{tool['name']}": {"post": _operation(tool)} for tool in tools},
    }


def _operation(tool: Tool) -> dict[str, Any]:
    arguments = plain(tool["inputSchema"])
    answers = plain(tool.get("outputSchema") or {"type": "object"})
    operation = {
        "operationId": tool["name"],
        "summary": tool["title"],
        "description": " ".join(tool["description"].split()),
        "requestBody": {
            "required": bool(arguments.get("required")),
            "content": {"application/json": {"schema": arguments}},
        },
        "responses": {
            "200": _response("The tool's structured answer", answers),
            "default": _response(f"Refused or failed: {_ERROR}", _REFUSAL),
        },
    }
    return operation | ({"x-requireConfirmation": "ENABLED"} if effect(tool) == "write" else {})


_REFUSAL: Schema = {"type": "object", "properties": {"error": {"type": "string", "example": _ERROR}}}


def _response(description: str, schema: Schema) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def plain(schema: Schema) -> Schema:
    """A JSON Schema in the words of OpenAPI 3.0. Raises ValueError for what it cannot say."""
    found: Schema = {}
    for word, value in schema.items():
        found |= _translated(word, value, schema)
    if found.get("type") == "array":
        found.setdefault("items", {})  # required beside type: array
    return found


def _translated(word: str, value: Any, schema: Schema) -> Schema:
    """One keyword, in OpenAPI's words."""
    if word == "const":
        return {"enum": [value]}
    if word == "examples":
        return {"example": value[0]} if value else {}
    if word in {"exclusiveMinimum", "exclusiveMaximum"} and not isinstance(value, bool):
        return {word: True, word.removeprefix("exclusive").lower(): value}
    if word == "type" and isinstance(value, list):
        return _one_type(value)
    if word not in _KNOWN:
        raise ValueError(f"schema keyword {word!r}: OpenAPI 3.0 has no such word ({str(schema)[:80]})")
    return {word: _below(word, value)}


def _below(word: str, value: Any) -> Any:
    if word == "properties":
        return {name: plain(one) for name, one in value.items()}
    if word in {"allOf", "anyOf", "oneOf"}:
        return [plain(one) for one in value]
    if word in {"items", "not", "additionalProperties"} and isinstance(value, dict):
        return plain(value)
    return value


def _one_type(types: list[str]) -> Schema:
    """3.0 has one type, and `nullable` beside it."""
    real = [one for one in types if one != "null"]
    if len(real) != 1:
        raise ValueError(f"schema type {types}: OpenAPI 3.0 has one type")
    return {"type": real[0]} | ({"nullable": True} if len(types) > 1 else {})
