"""What `diagnose` is asked and what it returns; reading this loads no rule and no fact (D31)."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from aiops_shared.results import Answer, Finding, Frozen, Table

NO_PODS = Table(columns=(), rows=())


@dataclass(frozen=True, slots=True)
class Ask:
    """The question: a cluster, a namespace, or one object of it."""

    cluster: str | None = None
    namespace: str = ""
    kind: str = ""
    name: str = ""


class Checked(Frozen):
    """What was looked at."""

    pods: int = 0
    containers: int = 0
    events: int = 0
    workloads: int = 0
    services: int = 0
    nodes: int = 0
    claims: int = 0
    references: Annotated[int, Field(description="ConfigMaps and Secrets looked up")] = 0
    logs: Annotated[int, Field(description="Container logs read")] = 0
    rules: int = 0


class Diagnosis(Answer):
    """Ranked causes, worst first."""

    cluster: str
    scope: Annotated[str, Field(description="What was diagnosed")]
    findings: tuple[Finding, ...] = ()
    findings_omitted: Annotated[int, Field(description="Lesser findings not shown")] = 0
    pods: Annotated[Table, Field(description="When many are unwell: each pod by cause")] = NO_PODS
    checked: Checked
    coverage_gaps: Annotated[tuple[str, ...], Field(description="Sources that could not be read")] = ()
