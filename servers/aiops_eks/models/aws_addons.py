"""What AWS says of a cluster: add-ons, insights, node groups, updates, capabilities, support of its version.

Plain and frozen, in our words and without any SDK's types. Made by `clients.aws_addons`; read by the views of
`describe_cluster`, by the rules of `diagnose`, and by the plans about add-ons.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Read(Generic[Item]):
    """What a source gave, and what it did not.

    `known` is False when not even the names could be listed: nothing may be concluded from an absence then.
    `gaps` are one sentence each, led by the IAM action asked.
    """

    items: tuple[Item, ...] = ()
    gaps: tuple[str, ...] = ()
    known: bool = True


@dataclass(frozen=True, slots=True)
class Issue:
    """A health issue or an error of an update, in EKS's code and words."""

    code: str
    message: str = ""
    resources: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


@dataclass(frozen=True, slots=True)
class InstalledAddon:
    """An EKS add-on of the cluster. `configuration` is the text as given (JSON or YAML): redact it."""

    name: str
    version: str
    status: str  # CREATING ACTIVE CREATE_FAILED UPDATING DELETING DELETE_FAILED DEGRADED UPDATE_FAILED
    issues: tuple[Issue, ...] = ()
    publisher: str = ""
    owner: str = ""
    namespace: str = ""
    configuration: str = ""
    role_arn: str = ""  # of its service account (IRSA)
    pod_identities: tuple[str, ...] = ()
    created_at: datetime | None = None
    modified_at: datetime | None = None

    @property
    def works(self) -> bool:
        """ACTIVE and without a health issue: present is not enough."""
        return self.status == "ACTIVE" and not self.issues


@dataclass(frozen=True, slots=True)
class AddonVersion:
    """One version that EKS offers."""

    version: str
    default: bool = False  # offered first for the Kubernetes version asked
    clusters: tuple[str, ...] = ()  # Kubernetes versions it runs on
    requires_iam: bool = False
    requires_configuration: bool = False
    compute_types: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueAddon:
    """An add-on that EKS offers for a Kubernetes version; `versions` newest first."""

    name: str
    category: str
    owner: str  # aws | community | aws-marketplace
    publisher: str = ""
    namespace: str = ""
    versions: tuple[AddonVersion, ...] = ()

    @property
    def default(self) -> str:
        """The version EKS would install; the newest where none is marked."""
        marked = [one.version for one in self.versions if one.default]
        return (marked or [one.version for one in self.versions] or [""])[0]

    @property
    def newest(self) -> str:
        """The newest version; empty when none fits."""
        return self.versions[0].version if self.versions else ""

    def offers(self, version: str) -> bool:
        """Whether a version is compatible."""
        return any(one.version == version for one in self.versions)

    def newer_than(self, version: str) -> tuple[str, ...]:
        """Compatible versions after `version`, newest first; all of them when it is not offered any more."""
        found: list[str] = []
        for one in self.versions:
            if one.version == version:
                break
            found.append(one.version)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Deprecation:
    """A deprecated API that an insight saw in use."""

    usage: str
    replaced_with: str = ""
    stops_in: str = ""  # Kubernetes version
    clients: tuple[str, ...] = ()  # user agents, and how often in 30 days


@dataclass(frozen=True, slots=True)
class Insight:
    """A cluster insight."""

    id: str
    name: str
    category: str  # UPGRADE_READINESS MISCONFIGURATION ROLLBACK_READINESS
    status: str  # PASSING WARNING ERROR UNKNOWN
    reason: str = ""
    kubernetes: str = ""
    description: str = ""
    recommendation: str = ""
    resources: tuple[str, ...] = ()
    deprecations: tuple[Deprecation, ...] = ()
    refreshed_at: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """A managed node group."""

    name: str
    status: str  # CREATING ACTIVE UPDATING DELETING CREATE_FAILED DELETE_FAILED DEGRADED
    kubernetes: str = ""
    release: str = ""
    ami_type: str = ""
    capacity: str = ""  # ON_DEMAND SPOT CAPACITY_BLOCK
    instance_types: tuple[str, ...] = ()
    min_size: int | None = None
    desired_size: int | None = None
    max_size: int | None = None
    subnets: tuple[str, ...] = ()
    node_role: str = ""
    autoscaling_groups: tuple[str, ...] = ()
    auto_repair: bool = False
    issues: tuple[Issue, ...] = ()
    created_at: datetime | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClusterUpdate:
    """A change of the cluster, an add-on or a node group by EKS. `of`: "", `addon x`, `nodegroup x`."""

    id: str
    kind: str  # VersionUpdate AddonUpdate LoggingUpdate ...
    status: str  # InProgress Failed Cancelled Successful
    of: str = ""
    at: datetime | None = None
    wanted: tuple[tuple[str, str], ...] = ()  # AddonVersion: v1.2.3; values may hold configuration: redact
    errors: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Capability:
    """An EKS Capability: Argo CD, ACK or KRO, run by AWS."""

    name: str
    kind: str  # ARGOCD ACK KRO
    status: str  # CREATING CREATE_FAILED UPDATING DELETING DELETE_FAILED ACTIVE DEGRADED
    version: str = ""
    issues: tuple[Issue, ...] = ()
    namespace: str = ""
    server_url: str = ""
    role_arn: str = ""

    @property
    def works(self) -> bool:
        """ACTIVE and without a health issue."""
        return self.status == "ACTIVE" and not self.issues


@dataclass(frozen=True, slots=True)
class Support:
    """How long EKS supports a Kubernetes version, and how large the cluster's database may grow."""

    version: str
    status: str = ""  # STANDARD_SUPPORT EXTENDED_SUPPORT UNSUPPORTED
    standard_ends: datetime | None = None
    extended_ends: datetime | None = None
    database_gb: dict[str, int] = field(default_factory=dict)  # by control plane scaling tier
