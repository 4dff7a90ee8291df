"""The shape of a server's table of rights: what each tool needs of Kubernetes and AWS, and in which role.

Each server keeps its table in `clients/rights.py`; `eks_aiops.rights_files` renders `deploy/rbac`,
`deploy/iam` and `docs/rights.md` from them (decision D24: each server has its own minimal rights).
"""

from collections.abc import Iterable, Mapping
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


KubeRow = tuple[str, str, tuple[str, ...], Role, tuple[str, ...]]  # API group, resource, verbs, role, tools
AwsRow = tuple[str, Role, tuple[str, ...]]  # action, role, tools


@dataclass(frozen=True, slots=True)
class Rights:
    """The table of one server. `what`: in words, for each role that it has."""

    server: str
    kube: tuple[KubeRight, ...]
    aws: tuple[AwsRight, ...]
    what: Mapping[Role, str]

    @classmethod
    def of(
        cls, server: str, kube: Iterable[KubeRow], aws: Iterable[AwsRow], what: Mapping[Role, str]
    ) -> "Rights":
        """From plain rows, for a server whose rights need no namespace, resource or tag."""
        return cls(
            server,
            tuple(KubeRight(role, tools, group, name, verbs) for group, name, verbs, role, tools in kube),
            tuple(AwsRight(role, tools, action) for action, role, tools in aws),
            what,
        )

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles of this server."""
        return tuple(self.what)
