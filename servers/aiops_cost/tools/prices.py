"""The price tool: what AWS asks, with the day it was read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from aiops_cost.models.prices import Architecture, PriceAsk, PriceReport
from aiops_cost.ports import PriceLists
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import READS, Cluster, Cursor, Limit, shown, to_list

MOST_WORDS = 100
MOST_LETTERS = 60
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_*?")


def _words(value: object) -> object:
    """Words from a list, JSON text or a comma list; each is a name or a glob of one."""
    words = to_list(value) or []
    if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
        raise InvalidInputError("what", "takes names", "as m5.xlarge, c7g, r5.* or gp3")
    if len(words) > MOST_WORDS:
        raise InvalidInputError("what", f"takes at most {MOST_WORDS} names", "use a family or a glob")
    lowered = [one.strip().lower() for one in words]
    for one in lowered:
        if not one or len(one) > MOST_LETTERS or not set(one) <= _LETTERS:
            raise InvalidInputError("what", f"{shown(one)} is no name", "as m5.xlarge, c7g, r5.* or gp3")
    return lowered


def _size(value: float) -> float:
    if not 0 <= value <= 100_000:
        raise InvalidInputError("size", "is between 0 and 100,000")
    return value


def _days(value: float) -> float:
    if not 0 < value <= 90:
        raise InvalidInputError("spot_days", "is more than 0 and at most 90", "EC2 keeps 90 days")
    return value


What = Annotated[
    list[str],
    BeforeValidator(_words),
    WithJsonSchema(
        {
            "type": "string",
            "description": "Comma list: m5.xlarge, c7g, r5.*, gp3, nat_gateway_hour; kinds: all",
        }
    ),
]
Size = Annotated[float, AfterValidator(_size)]
Days = Annotated[float, AfterValidator(_days)]


@dataclass(frozen=True)
class PriceTools:
    """Tools about prices."""

    prices: Callable[[], PriceLists]

    async def list_prices(
        self,
        what: What = [],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
        min_vcpus: Annotated[Size, Field(description="At least")] = 0,
        min_memory_gib: Annotated[Size, Field(description="At least")] = 0,
        architecture: Architecture = "",
        spot_days: Annotated[Days, Field(description="Of Spot's mean")] = 7,
        limit: Limit = 15,
        cursor: Cursor = None,
        cluster: Cluster = None,
    ) -> PriceReport:
        """List AWS prices, cheapest first: instance types (on demand, Spot), storage, traffic, logs, metrics.
        For a change's cost use estimate_cost.
        """
        ask = PriceAsk(
            words=tuple(what),
            cluster=cluster,
            min_vcpus=min_vcpus,
            min_memory_gib=min_memory_gib,
            architecture=architecture,
            spot_days=spot_days,
            limit=limit,
            cursor=cursor or "",
        )
        return await self.prices().listed(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.list_prices, annotations=READS, tags={"read"})]
