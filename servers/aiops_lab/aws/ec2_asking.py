"""How every Describe operation of EC2 is asked: by filters and in pages."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call

MOST_ROWS = 1000
Row = Mapping[str, Any]


def filtered(rows: Sequence[Row], call: Call, fields: Mapping[str, str]) -> list[Row]:
    """The rows that every filter lets through. Raises AwsError for a filter that is not in `fields`."""
    filters = call.params.get("Filters") or []
    return [row for row in rows if all(_passes(row, one, fields) for one in filters)]


def in_pages(field: str, rows: Sequence[Row], call: Call) -> dict[str, Any]:
    """One page. Raises AwsError InvalidParameterValue for a token that was never given."""
    token = str(call.params.get("NextToken") or "0")
    if not token.isdecimal() or int(token) > len(rows):
        raise AwsError("InvalidParameterValue", "Invalid value for parameter NextToken")
    start = int(token)
    end = start + min(int(call.params.get("MaxResults") or MOST_ROWS), MOST_ROWS)
    answer: dict[str, Any] = {field: list(rows[start:end])}
    return answer | {"NextToken": str(end)} if end < len(rows) else answer


def _passes(row: Row, one: Mapping[str, Any], fields: Mapping[str, str]) -> bool:
    """One filter: values are alternatives, with `*` and `?`."""
    name = str(one.get("Name"))
    tags = row.get("Tags") or row.get("TagSet") or []
    if name.startswith("tag:"):
        found = [tag["Value"] for tag in tags if tag["Key"] == name[4:]]
    elif name == "tag-key":
        found = [tag["Key"] for tag in tags]
    elif name in fields:
        found = _values(row, fields[name])
    else:
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return any(fnmatchcase(held, value) for held in found for value in one.get("Values") or [])


def _values(row: Any, path: str) -> list[str]:
    """What stands under a dotted path; lists on the way fan out."""
    found = [row]
    for part in path.split("."):
        inner = [each for one in found for each in (one if isinstance(one, list) else [one])]
        found = [one[part] for one in inner if isinstance(one, Mapping) and one.get(part) is not None]
    return [_text(each) for one in found for each in (one if isinstance(one, list) else [one])]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
