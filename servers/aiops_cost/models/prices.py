"""Prices, what instance types can hold, and what `list_prices` is asked and answers."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import Field, WithJsonSchema

from aiops_shared.results import Answer, Frozen, Table

Key = TypeVar("Key")
Value = TypeVar("Value")


class Price(Frozen):
    """One price. `nano_usd` for one `unit`, before discounts of the account's own."""

    what: Annotated[str, Field(description="c5.4xlarge, gp3, nat_gateway_gb, …")]
    kind: Annotated[str, Field(description="on_demand, spot, storage, traffic, logs, metrics, …")]
    region: str
    zone: str = ""
    nano_usd: int
    unit: Annotated[str, Field(description="Hrs, GB, GB-Mo, …")]
    source: Annotated[str, Field(description="price list, spot history, kept copy of <date>")]
    as_of: Annotated[str, Field(description="Date of the price, YYYY-MM-DD")]
    # (first unit of the tier, billionths for one unit in it); empty: the same for every unit. `nano_usd` is
    # the first that is not free.
    tiers: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SpotSpan:
    """A type's Spot price in one zone over a window: the mean weighs each price by how long it held."""

    instance_type: str
    zone: str
    mean_nano: int
    low_nano: int
    high_nano: int
    last_nano: int
    days: float
    as_of: str
    source: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What a node of an instance type has. Source: EC2's DescribeInstanceTypes."""

    name: str
    vcpus: int
    memory_bytes: int
    architecture: str  # amd64 | arm64
    interfaces: int
    addresses: int  # IPv4 addresses of one interface, its own counted
    gpus: int = 0
    burstable: bool = False
    bare_metal: bool = False
    current: bool = True

    @property
    def family(self) -> str:
        """`m5` of m5.xlarge."""
        return self.name.partition(".")[0]

    @property
    def size(self) -> str:
        """`xlarge` of m5.xlarge."""
        return self.name.partition(".")[2]

    @property
    def max_pods(self) -> int:
        """Pods that the VPC CNI has addresses for, without prefixes (EKS: choosing an instance type)."""
        return self.interfaces * (self.addresses - 1) + 2


class Quotes(dict[Key, Value]):
    """What was found, by name, and `gaps`: sentences about what was not, or is a kept copy.

    A name that is absent has no such price; where it could not be asked, a gap says so.
    """

    def __init__(self, found: dict[Key, Value] | None = None, gaps: tuple[str, ...] = ()) -> None:
        super().__init__(found or {})
        self.gaps = gaps


Architecture = Annotated[
    Literal["", "amd64", "arm64"],
    WithJsonSchema({"enum": ["amd64", "arm64"], "type": "string"}),
]


class PriceAsk(Frozen):
    """What `list_prices` was asked. `words` are types, families, globs and kinds."""

    words: tuple[str, ...] = ()
    cluster: str | None = None
    min_vcpus: float = 0
    min_memory_gib: float = 0
    architecture: Architecture = ""
    spot_days: float = 7.0
    limit: int = 15
    cursor: str = ""


class PriceReport(Answer):
    """List prices, the cheapest first; dates say how old they are."""

    region: str = ""
    as_of: Annotated[str, Field(description="Day of the oldest price")] = ""
    types: Annotated[Table | None, Field(description="USD an hour")] = None
    zones: Table | None = None  # Spot by zone, when one type was asked
    others: Annotated[Table | None, Field(description="USD a unit, first paid tier")] = None
