"""Credentials of an EKS cluster: endpoint and CA from DescribeCluster, the token from the AWS identity."""

import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from aiops_shared.auth.eks_token import EksTokens, Signing
from aiops_shared.aws import AwsClients, AwsTarget
from aiops_shared.aws.target import session_of
from aiops_shared.errors import NotConfiguredError
from aiops_shared.kube.access import Access

MAX_TOKENS = 256  # of callers and runs; the one that was asked for least lately is made anew


@dataclass(frozen=True, slots=True)
class EksEndpoint:
    """Where a cluster answers and whom to trust there."""

    server: str
    ca_data: str


def endpoint_of(described: dict[str, Any]) -> EksEndpoint:
    """Read DescribeCluster's answer. Raises NotConfiguredError while the cluster has no endpoint yet."""
    name = str(described.get("name") or "")
    server = str(described.get("endpoint") or "")
    encoded = str((described.get("certificateAuthority") or {}).get("data") or "")
    try:
        ca_data = base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise NotConfiguredError(f"cluster {name}", "AWS gives no valid certificate authority") from error
    if not server or not ca_data:
        status = described.get("status") or "unknown"
        raise NotConfiguredError(
            f"cluster {name}", f"it has no endpoint (status {status})", "wait until ACTIVE"
        )
    return EksEndpoint(server, ca_data)


class EksSource:
    """One EKS cluster as one account's role. The endpoint is asked once, and again after a refusal.

    Where a role is assumed there is a token for each caller and run: the session's name is part of the user
    that Kubernetes sees (an access entry's `{{SessionName}}`), and must be its own caller's (D16).
    """

    def __init__(self, aws: AwsClients, target: AwsTarget, cluster: str) -> None:
        self._aws = aws
        self._target = target
        self._cluster = cluster
        self._tokens: OrderedDict[AwsTarget, EksTokens] = OrderedDict()
        self._lock = anyio.Lock()
        self._endpoint: EksEndpoint | None = None

    async def access(self, *, fresh: bool = False) -> Access:
        """Endpoint, CA and token. Raises AWS's errors, translated."""
        async with self._lock:
            if self._endpoint is None or fresh:
                self._endpoint = await self._describe()
        token = await self._of_caller().token(fresh=fresh)
        return Access(server=self._endpoint.server, ca_data=self._endpoint.ca_data, token=token)

    async def _describe(self) -> EksEndpoint:
        answer = await self._aws.call(self._target, "eks", "describe_cluster", name=self._cluster)
        return endpoint_of(answer.get("cluster") or {})

    def _of_caller(self) -> EksTokens:
        target = session_of(self._target)
        found = self._tokens.get(target)
        if found is None:
            found = self._tokens[target] = EksTokens(self._cluster, partial(self._signing, target))
        self._tokens.move_to_end(target)
        if len(self._tokens) > MAX_TOKENS:
            self._tokens.popitem(last=False)
        return found

    async def _signing(self, target: AwsTarget) -> Signing:
        credentials, url, region = await self._aws.signing(target)
        return Signing(credentials, url, region)
