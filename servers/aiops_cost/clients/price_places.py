"""Whose prices count: a cluster's region and account, or the default region.

A region is never an argument of a tool (the operator says where may be asked); it comes with a cluster.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import AiopsError, NotConfiguredError

if TYPE_CHECKING:
    from aiops_shared.kube.clusters import ClusterDirectory


@dataclass(frozen=True, slots=True)
class Place:
    """`at`: the cluster's own account, whose zones count; None for the default region's."""

    region: str
    at: AwsTarget | None = None
    cluster: str = ""
    warnings: tuple[str, ...] = ()


async def place_of(clusters: "ClusterDirectory", aws: AwsClients, cluster: str | None) -> Place:
    """Where a cluster stands. One that is not on EKS, or none at all, has the default region's prices.

    Raises ClusterNotFoundError for a name that is none, NotConfiguredError without a default region.
    """
    try:
        eks = await clusters.eks(cluster)
    except NotConfiguredError as error:
        said = f"The cluster's region is not known, the default one counts: {error.wire()}" if cluster else ""
    except AiopsError as error:
        if cluster:
            raise
        said = f"No cluster was found, the default region's prices count: {error.wire()}"
    else:
        return Place(eks.target.region or await aws.default_region(), eks.target, eks.name)
    return Place(await aws.default_region(), warnings=(said,) if said else ())
