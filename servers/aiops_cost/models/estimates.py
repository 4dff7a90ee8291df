"""What `estimate_cost` is asked and answers."""

from typing import Annotated

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Table


class EstimateAsk(Frozen):
    """One change that is not made yet, said in one of four ways."""

    manifest: str = ""
    plan_id: str = ""
    nodepool: str = ""
    instances: str = ""
    cluster: str | None = None
    full: bool = False


class Estimate(Answer):
    """What a change does to a month of 730 hours, at list prices."""

    cluster: str = ""
    region: str = ""
    now_usd: Annotated[
        float | None, Field(description="Monthly difference given today's free room: nodes bought or let go")
    ] = None
    room_usd: Annotated[
        float | None, Field(description="Monthly difference at the price of the room it takes")
    ] = None
    lines: Annotated[Table | None, Field(description="Line by line")] = None
    types: Annotated[Table | None, Field(description="What a NodePool may buy")] = None
    unpriced: Annotated[tuple[str, ...], Field(description="Documents without a price, why")] = ()
    assumptions: tuple[str, ...] = ()
    as_of: Annotated[str, Field(description="Day of the oldest price")] = ""
