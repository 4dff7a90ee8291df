"""What a check is, and what it finds.

The modules beside this one hold the checks; `scan.py` runs them, `reporting.py` words the answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from aiops_eks.diagnosis.scanning.subjects import Spot
from aiops_shared.results import Answer, Severity, Table

Policy = Literal["baseline", "restricted", "custom"]
Level = Literal["baseline", "restricted", "practice", "organisation"]
Scope = Literal["object", "pod", "container"]
STANDARDS = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
SERIOUS = frozenset({"critical", "high"})


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a check is not met."""

    path: str
    says: str
    fixable: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """One rule: where it looks, what it says, and how it is put right."""

    rule: str
    severity: Severity
    level: Level
    scope: Scope
    fix: str
    source: str
    look: Callable[[Spot], Iterator[Hit]]
    repair: Callable[[Spot], str | None] | None = None  # changes the spot; what a person must know about it
    control: str = ""  # id of the control in k8s.io/pod-security-admission/policy


class ScanReport(Answer):
    """Findings, worst first, and the manifest without them."""

    verdict: Annotated[Literal["pass", "fail"], Field(description="fail: policy violated, or high findings")]
    policy: Policy
    objects: int
    findings: Annotated[Table, Field(description="Equal findings once: count, first place, more places")]
    findings_omitted: int = 0
    remaining: Annotated[int, Field(description="Findings that a scan of `patched` still has")] = 0
    remaining_high: Annotated[int, Field(description="… of these critical or high")] = 0
    rounds: Annotated[int, Field(description="Fix-and-scan rounds taken")] = 0
    validation: Annotated[str, Field(description="server_dry_run or schema_only, and why")] = ""
    patched: Annotated[str, Field(description="Changed documents with every safe fix")] = ""
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
