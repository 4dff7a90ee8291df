"""Lean JSON schemas for `tools/list`: every client pays for them on every conversation (decision D28).

No null branches, no defaults, no titles; output schemas to depth 1. The full output schema of a tool is
served at `schema://{tool}`.
"""

from typing import Any

Schema = dict[str, Any]
# Bounds of size are checked at the call; a client need not be told them to ask well.
_NOISE = ("title", "default", "$defs", "examples", "maxLength", "maxItems")


def _without_null(schema: Schema) -> Schema:
    """`X | None` is X: an optional parameter is one that is not required."""
    branches = schema.get("anyOf")
    if not isinstance(branches, list):
        return schema
    real = [branch for branch in branches if branch != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**real[0], **rest} if len(real) == 1 else {**rest, "anyOf": real}


def lean(schema: Any) -> Any:
    """The same schema without what no client needs."""
    if isinstance(schema, list):
        return [lean(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = _without_null(schema)
    lean_schema: Schema = {}
    for key, value in found.items():
        if key == "properties" and isinstance(value, dict):
            lean_schema[key] = {name: lean(inner) for name, inner in value.items()}
        elif key not in _NOISE:
            lean_schema[key] = lean(value)
    return lean_schema


def _shallow_property(schema: Schema) -> Schema:
    found = lean(schema)
    kept = {key: found[key] for key in ("type", "description") if key in found}
    if "$ref" in found or ("type" not in kept and "properties" in found):
        kept["type"] = "object"
    return kept


_SHARED_FIELDS = frozenset({"evidence", "warnings", "hint", "truncated", "next_cursor", "untrusted"})


def shallow(schema: Schema) -> Schema:
    """An output schema to depth 1.

    The fields that every answer shares are not listed one by one (the server's instructions say them); the
    schema stays open for them.
    """
    properties = {
        name: _shallow_property(inner)
        for name, inner in schema.get("properties", {}).items()
        if name not in _SHARED_FIELDS
    }
    required = [name for name in schema.get("required", []) if name in properties]
    return {"type": "object", "properties": properties, "required": required}
