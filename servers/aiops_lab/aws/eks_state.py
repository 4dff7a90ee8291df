"""What else EKS knows of the lab's cluster: its settings, capabilities, updates, and what the control plane
measures. `account.area(EksState)`; a scenario replaces whole values, a reset makes it fresh.
"""

from dataclasses import dataclass, field
from datetime import datetime

from aiops_lab.aws.account import KUBERNETES_VERSION


@dataclass(frozen=True, slots=True)
class Capability:
    """An EKS Capability; `issues` pair a code (AccessDenied, ClusterUnreachable) with a message."""

    name: str
    kind: str  # ARGOCD ACK KRO
    status: str = "ACTIVE"
    version: str = "v1.0.0-eks-1"
    issues: tuple[tuple[str, str], ...] = ()
    namespace: str = ""
    server_url: str = ""


@dataclass(frozen=True, slots=True)
class Update:
    """An update by EKS of the cluster, or of the add-on, node group or capability named."""

    update_id: str
    kind: str  # VersionUpdate AddonUpdate LoggingUpdate ...
    at: datetime
    status: str = "Successful"  # InProgress Failed Cancelled Successful
    addon: str = ""
    nodegroup: str = ""
    capability: str = ""
    params: tuple[tuple[str, str], ...] = ()
    errors: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # EKS's code, its message, resource ids


@dataclass(slots=True)
class EksState:
    """The cluster's settings and what was done to it. `issues` are the cluster's own health issues."""

    kubernetes: str = KUBERNETES_VERSION
    status: str = "ACTIVE"
    issues: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    public_cidrs: tuple[str, ...] = ()  # empty: the endpoint is private only
    private: bool = True
    authentication: str = "API"
    support_type: str = "STANDARD"
    deletion_protection: bool = True
    auto_mode: bool = False
    tier: str = "standard"
    secrets_key: str = ""  # a KMS key's ARN
    capabilities: dict[str, Capability] = field(default_factory=dict)
    updates: dict[str, Update] = field(default_factory=dict)
