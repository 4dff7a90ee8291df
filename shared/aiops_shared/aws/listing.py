"""Lists whose answer must carry its list: an answer without it is broken, and no empty list.

botocore reads half an answer of a JSON service as one without fields, which would look like "nothing there".
"""

from typing import Any

from aiops_shared.aws.clients import AwsItems
from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.errors import UpstreamError


def required(answer: Any, key: str, thing: str) -> Any:
    """The answer's field. Raises UpstreamError for an answer without it."""
    if not isinstance(answer, dict) or answer.get(key) is None:
        raise UpstreamError(thing, f"answered without {key}", "again later")
    return answer[key]


async def listed(
    eks: EksCluster, service: str, operation: str, key: str, *, at_most: int, **parameters: Any
) -> AwsItems:
    """The items of all pages, at most so many. Both spellings of `nextToken` are followed."""
    found: list[Any] = []
    more: dict[str, str] = {}
    while True:
        answer = await eks.call(service, operation, **parameters, **more)
        found += required(answer, key, f"AWS {service} {operation}")
        token = next((name for name in ("nextToken", "NextToken") if answer.get(name)), "")
        if len(found) > at_most or (token and len(found) == at_most):
            return AwsItems(tuple(found[:at_most]), truncated=True)
        if not token:
            return AwsItems(tuple(found))
        more = {token: answer[token]}
