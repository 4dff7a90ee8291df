"""The shape of a server's table of rights: what each tool needs of Kubernetes and AWS, and in which role.

Each server keeps its table in `clients/rights.py`; `eks_aiops.rights_files` renders `deploy/rbac`,
`deploy/iam` and `docs/rights.md` from them (decision D24: each server has its own minimal rights).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who is given a right. Every role adds to `read`."""

    READ = "read"
    SECRETS = "secrets"
    SENSITIVE = "sensitive"
    FORWARD = "forward"
    PLAN = "plan"
    EXECUTE = "execute"


@dataclass(frozen=True, slots=True)
class KubeRight:
    """A rule of a ClusterRole, or of a Role where `namespace` is said. `resource`: or a path, `/metrics`."""

    role: Role
    tools: tuple[str, ...]
    group: str
    resource: str
    verbs: tuple[str, ...]
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class AwsRight:
    """An IAM action on resources; `tag`: only those that carry this tag."""

    role: Role
    tools: tuple[str, ...]
    action: str
    resources: tuple[str, ...] = ("*",)
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Rights:
    """The table of one server. `what`: in words, for each role that it has."""

    server: str
    kube: tuple[KubeRight, ...]
    aws: tuple[AwsRight, ...]
    what: Mapping[Role, str]

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles of this server."""
        return tuple(self.what)
