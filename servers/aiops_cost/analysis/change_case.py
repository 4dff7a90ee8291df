"""What the rules of causes look at: two bills taken apart, the usual weeks, and what moved with them.

Filled by `clients/change_*`; a fact that nobody could read is None, which is never the same as zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiops_cost.analysis.decomposition import Cell, Decomposition, Effect
from aiops_cost.analysis.usage_types import INSTANCES, family
from aiops_cost.analysis.usual_week import Usual


@dataclass(frozen=True, slots=True)
class Pair:
    """One measure in both spans; None where nobody measured."""

    before: float | None = None
    after: float | None = None

    @property
    def known(self) -> bool:
        """Both were measured."""
        return self.before is not None and self.after is not None

    @property
    def growth(self) -> float | None:
        """As a share of before."""
        if self.before is None or self.after is None or self.before <= 0:
            return None
        return self.after / self.before - 1


@dataclass(frozen=True, slots=True)
class Measured:
    """What a metrics backend says of the cluster in both spans: shares of all nodes, requests a second."""

    source: str = ""
    cpu: Pair = Pair()
    memory: Pair = Pair()
    requests: Pair = Pair()


@dataclass(frozen=True, slots=True)
class Launch:
    """A node that came within the period."""

    node: str
    instance_type: str
    spot: bool
    pool: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the cluster's API shows now."""

    nodes: int = 0
    instance_types: Mapping[str, int] = field(default_factory=dict)
    launches: tuple[Launch, ...] = ()
    graviton: int = 0
    spot: int = 0
    pending: int = 0
    lacking: Mapping[str, int] = field(default_factory=dict)  # "memory" -> pods that wait for it
    only_families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # pool -> categories allowed
    scaled_on_cpu: tuple[tuple[str, int, int], ...] = ()  # namespace/name, target %, now %


@dataclass(frozen=True, slots=True)
class Voice:
    """An anomaly that Cost Explorer found by itself."""

    impact: int
    since: str
    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """Everything about one change. `changes` are the caller's."""

    parts: Decomposition
    total: Usual
    services: Mapping[str, Usual] = field(default_factory=dict)
    measured: Measured | None = None
    seen: Seen | None = None
    voices: tuple[Voice, ...] = ()
    changes: tuple[str, ...] = ()
    cpu_target: float = 0.5
    memory_target: float = 0.65
    currency: str = "USD"

    @property
    def change(self) -> int:
        """Billionths."""
        return self.parts.after - self.parts.before

    def cells(self, *families: str) -> tuple[Cell, ...]:
        """The usage of these families."""
        return tuple(cell for cell in self.parts.cells if cell.unit and family(cell.name) in families)

    @property
    def instances(self) -> tuple[Cell, ...]:
        """Machines."""
        return self.cells(INSTANCES)

    def effect(self, effect: Effect, cells: tuple[Cell, ...] | None = None) -> int:
        """The sum of one effect."""
        chosen = self.parts.cells if cells is None else cells
        return sum(cell.effects.get(effect, 0) for cell in chosen)
