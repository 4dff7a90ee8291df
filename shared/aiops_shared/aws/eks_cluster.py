"""One EKS cluster as AWS sees it: which account, region and role to ask, and under which name.

`ClusterDirectory.eks` makes it; what a tool reads of AWS about a cluster goes through it, so that the second
region's client is never the first's.
"""

from dataclasses import dataclass
from typing import Any

from aiops_shared.aws.clients import MAX_ITEMS, AwsClients, AwsItems
from aiops_shared.aws.target import AwsTarget


@dataclass(frozen=True, slots=True)
class EksCluster:
    """AWS, asked about one cluster. Every method raises `AiopsError` only."""

    aws: AwsClients
    target: AwsTarget
    name: str

    @property
    def full_name(self) -> str:
        """`account/region/name`."""
        return "/".join(part for part in (self.target.account, self.target.region, self.name) if part)

    async def describe(self) -> dict[str, Any]:
        """DescribeCluster's `cluster`."""
        answer = await self.call("eks", "describe_cluster", name=self.name)
        return dict(answer.get("cluster") or {})

    async def call(self, service: str, operation: str, **parameters: Any) -> Any:
        """One operation of any service in the cluster's account and region, by its method's name."""
        return await self.aws.call(self.target, service, operation, **parameters)

    async def every(
        self, service: str, operation: str, key: str, *, at_most: int = MAX_ITEMS, **parameters: Any
    ) -> AwsItems:
        """The items of all pages of an operation."""
        return await self.aws.every(self.target, service, operation, key, at_most=at_most, **parameters)
