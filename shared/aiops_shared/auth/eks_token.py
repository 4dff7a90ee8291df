"""The token that an EKS cluster takes: a pre-signed STS GetCallerIdentity URL.

Made here from frozen credentials, in the shape of `aws eks get-token`: `k8s-aws-v1.` and the URL in
base64url, signed for the STS endpoint that an STS client of the same session would use (so partitions,
FIPS and AWS_ENDPOINT_URL[_STS] are respected), with the header `x-k8s-aws-id`. The authenticator takes
it for 15 minutes (aws-iam-authenticator, pkg/token/token.go); we make a new one after ten.
"""

import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio

REFRESH_S = 600.0
URL_EXPIRES_S = 60  # as the AWS CLI; EKS counts its 15 minutes from the signing time
PREFIX = "k8s-aws-v1."


@dataclass(frozen=True, slots=True)
class Signing:
    """What a token is signed with. `credentials` are frozen, so that they cannot change half way."""

    credentials: Any = field(repr=False)
    sts_url: str
    region: str


def eks_token(signing: Signing, cluster: str) -> str:
    """A bearer token for one cluster. Blocking but quick (no request)."""
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest

    address = urlsplit(signing.sts_url)
    query = "Action=GetCallerIdentity&Version=2011-06-15"
    url = urlunsplit((address.scheme, address.netloc, address.path or "/", query, ""))
    request = AWSRequest("GET", url, headers={"x-k8s-aws-id": cluster})
    SigV4QueryAuth(signing.credentials, "sts", signing.region, expires=URL_EXPIRES_S).add_auth(request)
    return PREFIX + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")


class EksTokens:
    """One cluster's token, made anew every ten minutes or when it was refused."""

    def __init__(
        self,
        cluster: str,
        sign_with: Callable[[], Awaitable[Signing]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._sign_with = sign_with
        self._monotonic = monotonic
        self._lock = anyio.Lock()
        self._token = ""
        self._made_at = 0.0

    async def token(self, *, fresh: bool = False) -> str:
        """The token in force. Raises what `sign_with` raises."""
        async with self._lock:
            if fresh or not self._token or self._monotonic() - self._made_at >= REFRESH_S:
                self._token = eks_token(await self._sign_with(), self._cluster)
                self._made_at = self._monotonic()
            return self._token
