"""What every view of `describe_cluster` is given, and what it gives back."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiops_eks.ports import Kube
from aiops_shared.aws import EksCluster
from aiops_shared.errors import AiopsError, NotConfiguredError
from aiops_shared.results import Evidence, Table


@dataclass(frozen=True, slots=True)
class Scene:
    """One cluster from both sides, and what the caller wants to know.

    `aws` is None where only the Kubernetes side is known; `no_aws` then says why. `cluster` is what
    DescribeCluster answered (its model's own names), empty where AWS did not say.
    """

    kube: Kube
    now: datetime
    aws: EksCluster | None = None
    no_aws: str = ""
    cluster: dict[str, Any] = field(default_factory=dict)
    principal: str = ""  # access: an IAM ARN, or `namespace/serviceaccount`
    full: bool = False
    redact: Callable[[str], str] = str

    def eks(self) -> EksCluster:
        """The AWS side. Raises NotConfiguredError where there is none."""
        if self.aws is None:
            raise NotConfiguredError("AWS", self.no_aws or "the cluster's AWS side is not known")
        return self.aws


@dataclass(slots=True)
class Section:
    """One include's answer. `says` is a clause for the summary, worst first; `tables` are named uniquely over
    all includes (`nodes`, `node_groups`, `addons_missing`).
    """

    says: str = ""
    tables: dict[str, Table] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)

    async def or_gap(self, what: str, ask: Awaitable[Any], otherwise: Any = None) -> Any:
        """What `ask` brings; a failure becomes a warning that names the source, and `otherwise`."""
        try:
            return await ask
        except AiopsError as error:
            self.warnings.append(f"coverage_gap: {what}: {error.wire()[:240]}")
            return otherwise

    def table(self, name: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        """Add a table; its cells are text, numbers, booleans or None."""
        self.tables[name] = Table(columns=tuple(columns), rows=tuple(tuple(row) for row in rows))


View = Callable[[Scene], Awaitable[Section]]
