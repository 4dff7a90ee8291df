"""What a connection needs to know about one API server, and where that comes from.

`connection` asks a `CredentialSource` before each request, and once more with `fresh=True` after a 401.
Sources: `kubeconfig` (files, exec plugins, in-cluster) and `eks` (DescribeCluster and an EKS token).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")  # as kubelet mounts it


@dataclass(frozen=True, slots=True)
class Access:
    """One API server and one identity. `plain_http` is for tests on loopback; no source sets it."""

    server: str
    ca_file: str = ""
    ca_data: str = ""
    cert_file: str = ""
    key_file: str = ""
    tls_server_name: str = ""
    token: str = field(default="", repr=False)
    plain_http: bool = False

    @property
    def channel(self) -> tuple[str, ...]:
        """What a connection pool is bound to: everything but the token."""
        return (self.server, self.ca_file, self.ca_data, self.cert_file, self.key_file, self.tls_server_name)


class CredentialSource(Protocol):
    """Where the credentials of one cluster come from."""

    async def access(self, *, fresh: bool = False) -> Access:
        """The access in force; `fresh` after it was refused. Raises NotConfiguredError and AWS errors."""
        ...


@dataclass(slots=True)
class FixedSource:
    """An access that never changes: tests, and a token given once."""

    fixed: Access

    async def access(self, *, fresh: bool = False) -> Access:
        """The same each time."""
        return self.fixed
