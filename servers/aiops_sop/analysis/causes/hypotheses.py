"""What a hypothesis is: a cause, what must be true of it, what must not, and which facts decide.

Families (`requests`, `memory`, `security`, `spending`, `platform`) make them from facts; `judging` tests
them. A test answers yes, no or unknown, each with where it was seen: an unknown never keeps or rejects.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from aiops_shared.results import Severity
from aiops_sop.analysis.causes.facts import Facts
from aiops_sop.models.investigations import Action

Weight = Literal["must", "must_not", "supports"]
Verdict = Literal["kept", "rejected", "open"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a test saw. `holds` None: the facts do not say."""

    holds: bool | None
    says: str
    source: str = ""
    query: str = ""
    at: datetime | None = None


UNKNOWN = Seen(None, "not known")


@dataclass(frozen=True, slots=True)
class Test:
    """One thing that must be true (or must not be, or speaks for it), in words, with what looks it up."""

    says: str
    look: Callable[[Facts], Seen]
    weight: Weight = "must"


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a causal chain, or one row of the timeline."""

    at: datetime
    what: str
    source: str


@dataclass(frozen=True)
class Hypothesis:
    """One possible cause.

    `base`: confidence when all that must be true is; each support adds. `rank`: how near to the root it is
    (0: a root; 1: it may itself be an effect). `explains`: codes that are this same trouble seen from
    elsewhere. `answers`: the topics of symptoms that it can be behind.
    """

    code: str
    kind: str
    namespace: str
    name: str
    severity: Severity
    headline: str
    text: str
    tests: tuple[Test, ...]
    base: float
    answers: frozenset[str]
    actions: tuple[Action, ...] = ()
    chain: tuple[Link, ...] = ()
    explains: frozenset[str] = frozenset()
    shown: tuple[Seen, ...] = ()  # further evidence, which decides nothing
    innocent: tuple[str, ...] = ()  # what whoever found it has ruled out, `name: why`
    rank: int = 0
    sop: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where, as it stands in a row."""
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {where}".strip()


@dataclass(frozen=True, slots=True)
class Judged:
    """A hypothesis after its tests."""

    hypothesis: Hypothesis
    verdict: Verdict
    confidence: float
    for_it: tuple[Seen, ...]
    against: tuple[Seen, ...]
    unknown: tuple[str, ...]

    @property
    def because(self) -> str:
        """The one thing that decided."""
        if self.verdict == "rejected":
            return self.against[0].says if self.against else "nothing speaks for it"
        if self.verdict == "open":
            return f"not known: {', '.join(self.unknown[:2])}"
        return "; ".join(one.says for one in self.for_it[:2])
