"""A price and where it is from; what `list_prices` is asked and answers stands below it."""

from typing import Annotated

from pydantic import Field

from aiops_shared.results import Frozen


class Price(Frozen):
    """One price. `nano_usd` for one `unit`, before discounts of the account's own."""

    what: Annotated[str, Field(description="c5.4xlarge, gp3, NatGateway-Bytes, …")]
    kind: Annotated[str, Field(description="on_demand, spot, storage, traffic, logs, metrics, …")]
    region: str
    zone: str = ""
    nano_usd: int
    unit: Annotated[str, Field(description="Hrs, GB, GB-Mo, …")]
    source: Annotated[str, Field(description="price list, spot history, kept copy")]
    as_of: Annotated[str, Field(description="Date of the price, YYYY-MM-DD")]
