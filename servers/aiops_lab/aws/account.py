"""What stands in the lab's AWS account: the common world of the scenarios, as plain data that one can change.

The operations in `eks.py`, `ec2.py` and their like read it from request threads; a scenario (`stage.aws`)
writes it from the lab's loop by replacing whole values, which needs no lock. What an operation changes in the
cluster goes through `in_world`, which runs it in the lab's loop. Importing this module loads no moto.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from aiops_lab.aws.addon_catalogue import CATALOGUE, CatalogueAddon
from aiops_lab.places import ACCOUNT_ID as ACCOUNT_ID
from aiops_lab.places import CLUSTER as CLUSTER
from aiops_lab.places import REGION as REGION

KUBERNETES_VERSION = "1.35"
VPC_ID = "vpc-0lab"


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; which of its addresses are taken stands in `vpc.Vpc`."""

    subnet_id: str
    cidr: str
    zone: str
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def arn(self) -> str:
        """The subnet's ARN."""
        return f"arn:aws:ec2:{REGION}:{ACCOUNT_ID}:subnet/{self.subnet_id}"


@dataclass(frozen=True, slots=True)
class InstalledAddon:
    """An add-on of the cluster; `issues` are pairs of EKS's code and its message."""

    name: str
    version: str
    status: str = "ACTIVE"
    issues: tuple[tuple[str, str], ...] = ()
    configuration: str = ""  # as given: JSON or YAML
    role_arn: str = ""
    pod_identities: tuple[str, ...] = ()  # ARNs of its associations
    created_at: datetime | None = None  # the cluster's own age when absent
    modified_at: datetime | None = None
    addon_id: str = "lab"  # the end of its ARN
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class UsedApi:
    """A deprecated API in use; `callers` are user agents with their requests in 30 days."""

    usage: str
    replaced_with: str
    stops_in: str
    callers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Insight:
    """A cluster insight, as `ListInsights` and `DescribeInsight` answer it."""

    insight_id: str
    name: str
    category: str
    description: str
    status: str = "PASSING"
    reason: str = ""
    recommendation: str = ""
    kubernetes: str = ""  # the version it looks ahead to; the cluster's own when empty
    resources: tuple[tuple[str, str], ...] = ()  # Kubernetes URI and status
    deprecations: tuple["UsedApi", ...] = ()


@dataclass(frozen=True, slots=True)
class Nodegroup:
    """A managed node group."""

    name: str
    instance_types: tuple[str, ...]
    size: int
    min_size: int
    max_size: int
    capacity_type: str = "ON_DEMAND"
    status: str = "ACTIVE"
    labels: tuple[tuple[str, str], ...] = ()
    issues: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # EKS's code, its message, resource ids
    kubernetes: str = ""  # the cluster's own when empty
    release: str = ""
    ami_type: str = "AL2023_x86_64_STANDARD"
    auto_repair: bool = False


INSTALLED = (
    InstalledAddon("vpc-cni", "v1.20.4-eksbuild.2"),
    InstalledAddon("coredns", "v1.12.4-eksbuild.1"),
    InstalledAddon("kube-proxy", "v1.35.0-eksbuild.2"),
    InstalledAddon("aws-ebs-csi-driver", "v1.52.1-eksbuild.1"),
)

INSIGHTS = (
    Insight(
        "11111111-1111-4111-8111-111111111111",
        "Deprecated APIs removed in Kubernetes v1.36",
        "UPGRADE_READINESS",
        "Checks for usage of deprecated APIs that are scheduled for removal in Kubernetes v1.36.",
        reason="No deprecated API usage detected within the last 30 days.",
        recommendation="Update manifests and API clients to newer APIs before the upgrade.",
    ),
    Insight(
        "22222222-2222-4222-8222-222222222222",
        "Amazon EKS add-on version compatibility",
        "UPGRADE_READINESS",
        "Checks that the installed add-on versions are compatible with the next version of Kubernetes.",
        reason="All installed add-on versions are compatible with the next Kubernetes version.",
        recommendation="Upgrade add-ons that are not compatible before the cluster.",
    ),
)

SUBNETS = (
    Subnet("subnet-0aaa", "10.0.0.0/24", "us-east-1a"),
    Subnet("subnet-0bbb", "10.0.1.0/24", "us-east-1b"),
    Subnet("subnet-0ccc", "10.0.2.0/24", "us-east-1c"),
)


RESET = (
    "started_at",
    "tags",
    "logging",
    "created_days_ago",
    "catalogue",
    "addons",
    "insights",
    "nodegroups",
    "subnets",
    "areas",
)
Area = TypeVar("Area")


class Hosts(Protocol):
    """The machines behind the nodes, as SSM reaches them; used inside `in_world` only."""

    def instances(self) -> dict[str, tuple[str, str]]:
        """EC2 instance -> (its node, its address)."""
        ...

    def run(self, instance: str, script: str, ended: Callable[[int, str], None]) -> None:
        """Start a script; `ended` gets its exit code and output, and is never called for one that hangs."""
        ...


class Installer(Protocol):
    """What add-ons bring into the cluster; used inside `in_world` only."""

    def install(self, name: str, space: str, version: str, *, configuration: str, ill: bool) -> None:
        """Create its workloads, or bring them to a version; `ill`: they cannot get their AWS rights."""
        ...

    def remove(self, name: str) -> None:
        """Delete its workloads."""
        ...

    def ready(self, name: str) -> bool:
        """Whether all its pods are up to date and Ready."""
        ...

    def conflicts(self, name: str) -> tuple[str, ...]:
        """Fields that others manage."""
        ...


@dataclass(slots=True)
class Account:
    """The account's state. `endpoint` and `ca_pem` are the Kubernetes simulator's, known once it listens.

    `now` is world time. `in_world` runs a function in the lab's loop and waits for it: only there may an
    operation touch the World or its Store. Both are set by the lab; a bare Account runs it in place.
    """

    started_at: datetime
    cluster: str = CLUSTER
    endpoint: str = ""
    ca_pem: bytes = b""
    observatory_url: str = ""  # of the telemetry backends, known once they listen
    tags: dict[str, str] = field(default_factory=lambda: {"env": "prod", "owner": "platform"})
    logging: tuple[str, ...] = ("api", "audit", "authenticator")
    created_days_ago: int = 120
    catalogue: tuple[CatalogueAddon, ...] = CATALOGUE
    addons: dict[str, InstalledAddon] = field(default_factory=lambda: {one.name: one for one in INSTALLED})
    insights: dict[str, Insight] = field(default_factory=lambda: {one.insight_id: one for one in INSIGHTS})
    nodegroups: dict[str, Nodegroup] = field(default_factory=dict)
    subnets: dict[str, Subnet] = field(default_factory=lambda: {one.subnet_id: one for one in SUBNETS})
    areas: dict[type[Any], Any] = field(default_factory=dict)
    now: Callable[[], datetime] = field(default=lambda: datetime(2026, 1, 1, tzinfo=UTC), repr=False)
    in_world: Callable[[Callable[[], Any]], Any] = field(default=lambda act: act(), repr=False)
    hosts: "Hosts | None" = field(default=None, repr=False)  # the machines behind the nodes, for SSM
    installer: "Installer | None" = field(default=None, repr=False)  # of add-ons
    # The cluster's objects of a kind, which AWS's own agents see; used inside `in_world` only.
    objects: Callable[[str], list[dict[str, Any]]] = field(default=lambda kind: [], repr=False)

    def area(self, kind: type[Area]) -> Area:
        """The state of one service that keeps its own (SSM commands, roles), made on first use."""
        found: Area = self.areas.setdefault(kind, kind())
        return found

    def reset(self, started_at: datetime) -> None:
        """The common world again, as a scenario's load wants it; address, CA and the hooks stay."""
        fresh = Account(started_at, self.cluster, self.endpoint, self.ca_pem)
        for name in RESET:
            setattr(self, name, getattr(fresh, name))

    @property
    def created_at(self) -> datetime:
        """When the cluster was made."""
        return self.started_at - timedelta(days=self.created_days_ago)

    @property
    def cluster_arn(self) -> str:
        """The cluster's ARN."""
        return f"arn:aws:eks:{REGION}:{ACCOUNT_ID}:cluster/{self.cluster}"
