"""What rules hand to the judge, and what `diagnose` returns.

A rule tells (`Told`) that it recognised its cause at one object; `judging.py` joins what was told into
findings; `tools/diagnose.py` returns a `Diagnosis`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import Ref
from aiops_shared.results import Answer, Evidence, Finding, Frozen, Severity


@dataclass(frozen=True, slots=True)
class Cause:
    """One code: what it means, how it is told from its look-alikes, and what to do."""

    code: str
    severity: Severity
    means: str
    told_by: str
    source: str
    next_step: str
    sop: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A rule recognised its cause."""

    cause: Cause
    at: Ref  # where the fault is
    subject: Ref  # who suffers: leads the title
    predicate: str  # "crashes: ConfigMap x does not exist"
    root_cause: str
    hurts: tuple[Ref, ...]  # the pods or other objects where it shows
    evidence: tuple[Evidence, ...]
    agree: int  # independent facts that say the same
    doubt: int = 0  # facts that are missing or say otherwise
    ruled_out: tuple[str, ...] = ()
    next_step: str = ""  # empty: the cause's own
    severity: Severity | None = None  # None: the cause's own
    explained_by: tuple[Ref, ...] = ()  # a symptom: a finding that hurts one of these explains it
    stands_alone: bool = True  # a symptom that nothing explains is a finding itself


@dataclass(frozen=True, slots=True)
class CaseRule:
    """Explains one broken container or pod; asked in order, the first that knows wins."""

    causes: tuple[Cause, ...]  # what it may tell
    explain: Callable[[Case], Told | None]


@dataclass(frozen=True, slots=True)
class WorldRule:
    """Looks over everything at once: workloads, Services, nodes, claims."""

    causes: tuple[Cause, ...]
    find: Callable[[Facts], Iterable[Told]]


Rule = CaseRule | WorldRule


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
    checked: Checked
    coverage_gaps: Annotated[tuple[str, ...], Field(description="Sources that could not be read")] = ()
