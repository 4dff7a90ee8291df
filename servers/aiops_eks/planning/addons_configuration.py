"""Configuration values of an add-on: read, checked against the JSON schema that EKS gives, taken apart.

Used by `planning.addons`. The schema comes from DescribeAddonConfiguration (draft 6); references to other
documents are never fetched.
"""

import json
from collections.abc import Iterator
from typing import Any

from aiops_shared.errors import InvalidInputError

MOST_PROBLEMS = 5
MOST_DEPTH = 30


def values_of(text: str) -> dict[str, Any]:
    """The values as an object. Raises InvalidInputError."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError("configuration", "is no JSON", 'for example {"env":{"A":"1"}}') from error
    if not isinstance(values, dict):
        raise InvalidInputError("configuration", "is no JSON object", 'for example {"env":{"A":"1"}}')
    return values


def schema_of(text: str) -> Any:
    """A schema that can be used; None for anything else."""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return schema if isinstance(schema, dict) and schema else None


def problems_of(schema: Any, values: dict[str, Any]) -> list[str]:
    """What the schema does not take, each with its place; nothing when it takes all.

    A schema that is broken itself takes everything: EKS checks again.
    """
    from jsonschema import Draft6Validator  # loaded with the first configuration (D31)
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    registry: Any = Registry()
    kind = validator_for(schema, default=Draft6Validator)
    try:
        kind.check_schema(schema)
        errors = sorted(
            kind(schema, registry=registry).iter_errors(values), key=lambda one: str(one.json_path)
        )
    except (SchemaError, Unresolvable):
        return []
    return [f"{one.json_path}: {one.message[:200]}" for one in errors[:MOST_PROBLEMS]]


def leaves_of(text: str) -> dict[str, str]:
    """Dotted path -> value as text; configuration that is no JSON is one leaf."""
    if not text:
        return {}
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {"(yaml)": text}
    return dict(_leaves(values, "", MOST_DEPTH))


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value and depth:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key), depth - 1)
    elif isinstance(value, list) and value and depth:
        for place, item in enumerate(value):
            yield from _leaves(item, f"{path}[{place}]", depth - 1)
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)
