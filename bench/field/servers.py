"""The servers that are asked: our four and the field's six, each started as its own documents say."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.peers import (
    AWSLABS_BILLING,
    AWSLABS_CLOUDWATCH,
    AWSLABS_EKS,
    AWSLABS_PROMETHEUS,
    KUBERNETES_MCP,
    MCP_KUBERNETES,
    Package,
    command_of,
)

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Server:
    """One server: ours when there is no package."""

    title: str
    package: Package | None = None
    arguments: tuple[str, ...] = ()
    by_kubeconfig: bool = False  # else it finds the cluster through AWS

    def command(self, environment: Environment) -> list[str] | None:
        """How it is started over stdio; None when it cannot be installed. `{NAME}`: of the environment."""
        if self.package is None:
            return [sys.executable, "-m", "eks_aiops", self.title.rpartition(" ")[2]]
        found = command_of(self.package)
        return found and [*found, *(each.format(**environment) for each in self.arguments)]

    def environment(self, lab: Environment, base: Environment, folder: str) -> dict[str, str]:
        """What it is told: the lab's AWS and, where it wants one, its kubeconfig; a home of its own."""
        hidden = set() if self.by_kubeconfig else {"KUBECONFIG"}
        told = {name: value for name, value in lab.items() if name not in hidden}
        if self.package is not None:
            told = {name: value for name, value in told.items() if not name.startswith("AIOPS_")}
            return {**base, **told, "HOME": folder, "FASTMCP_LOG_LEVEL": "ERROR"}
        return {**base, **told, "HOME": folder, "AIOPS_STATE_DIR": folder, "AIOPS_SENSITIVE_READS": "true"}


EKS: Final = Server("eks-aiops eks")
OBSERVABILITY: Final = Server("eks-aiops observability")
COST: Final = Server("eks-aiops cost")
SOP: Final = Server("eks-aiops sop")
AWS_EKS: Final = Server("awslabs eks", AWSLABS_EKS, ("--allow-sensitive-data-access",))
AWS_LOGS: Final = Server("awslabs cloudwatch", AWSLABS_CLOUDWATCH)
AWS_METRICS: Final = Server(
    "awslabs prometheus", AWSLABS_PROMETHEUS, ("--url", "{AIOPS_METRICS_PROMETHEUS_URL}")
)
AWS_BILLS: Final = Server("awslabs billing", AWSLABS_BILLING)
K8S_GO: Final = Server("kubernetes-mcp-server", KUBERNETES_MCP, ("--read-only",), by_kubeconfig=True)
K8S_NODE: Final = Server("mcp-server-kubernetes", MCP_KUBERNETES, by_kubeconfig=True)
OURS: Final = (EKS, OBSERVABILITY, COST, SOP)
FIELD: Final = (AWS_EKS, AWS_LOGS, AWS_METRICS, AWS_BILLS, K8S_GO, K8S_NODE)
