"""AWS: one factory of clients, one way to call them, one translation of their errors.

Importing it loads no SDK (decision D31); the first call does, in a thread.
"""

from aiops_shared.aws.clients import AwsClients, AwsItems
from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.aws.target import AwsTarget

__all__ = ["AwsClients", "AwsItems", "AwsTarget", "EksCluster"]
