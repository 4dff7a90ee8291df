"""Pages of Cost Explorer's lists: a token is the place where the next page begins."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from aiops_lab.aws.errors import AwsError

Row = TypeVar("Row")


def page(
    rows: Sequence[Row], params: Mapping[str, Any], most: int, key: str = "NextPageToken"
) -> tuple[list[Row], dict[str, str]]:
    """One page and the next one's token. Raises AwsError InvalidNextTokenException."""
    asked = str(params.get(key) or "0")
    if not asked.isdecimal() or int(asked) > len(rows):
        raise AwsError("InvalidNextTokenException", "The pagination token is invalid.", 400)
    start = int(asked)
    end = start + min(int(params.get("MaxResults") or most), most)
    return list(rows[start:end]), {key: str(end)} if end < len(rows) else {}
