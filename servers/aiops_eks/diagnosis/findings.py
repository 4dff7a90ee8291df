"""What rules hand to the judge.

A rule tells (`Told`) that it recognised its cause at one object; `judging.py` joins what was told into
findings, which `tools/diagnose.py` returns as a `result.Diagnosis`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import Ref
from aiops_shared.results import Evidence, Severity


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
    since: datetime | None = (
        None  # when it began, where that is known: nothing is explained by what came later
    )
    shared: Ref | None = None  # the one lack behind it: several findings of this code with it are one, at it


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
