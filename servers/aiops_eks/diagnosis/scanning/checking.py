"""What a check is, and what it finds.

The modules `pod_security`, `practice` and `access` hold the checks; `scan.py` runs them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from aiops_eks.diagnosis.scanning.subjects import Spot
from aiops_shared.results import Answer, Frozen, Severity

Policy = Literal["baseline", "restricted"]
Level = Literal["baseline", "restricted", "practice"]
Scope = Literal["object", "pod", "container"]
STANDARDS = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"


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


class ScanFinding(Frozen):
    """One thing that is unsafe or unreliable."""

    rule: str
    severity: Severity
    object: Annotated[str, Field(description="Kind namespace/name")]
    path: str
    says: str
    fix: str
    fixed: Annotated[bool, Field(description="Put right in `patched`")] = False


class ScanReport(Answer):
    """Findings, worst first, and the manifest without them."""

    policy: Policy
    objects: int
    findings: tuple[ScanFinding, ...] = ()
    findings_omitted: int = 0
    remaining: Annotated[int, Field(description="Findings that a scan of `patched` still has")] = 0
    remaining_high: Annotated[int, Field(description="… of these critical or high")] = 0
    passes: Annotated[int, Field(description="Fix-and-scan rounds taken")] = 0
    patched: Annotated[str, Field(description="YAML with every safe fix; empty without fix=true")] = ""
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
