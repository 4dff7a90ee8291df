"""Reads products of AWS's Price List: which of them is meant, and what a unit of it costs.

The shape is that of the Price List Query API (AWS Billing user guide, "Finding prices"):
`product.attributes`, `terms.OnDemand.<offer>.priceDimensions.<rate>.pricePerUnit.USD`, tiers by `beginRange`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from aiops_cost.models.money import nano
from aiops_shared.errors import UpstreamError

Product = Mapping[str, Any]
Tier = tuple[float, int]
_PREFIX = re.compile(r"^(?:[A-Z]{2,4}\d+|EU)-")  # USE1-, EUC1-, and Ireland's

# A Linux machine on shared hardware that runs, without licences: what a node of EKS is billed as. EC2 lists
# the same machine also as reserved but unused capacity, on hosts of one's own, and with software.
LINUX_NODE: Mapping[str, str] = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}


def is_product(value: Any) -> bool:
    """Whether a value has a product's form as deep as it is read here."""
    return _mapped(value, "product", "attributes") and all(
        _mapped(rate, "pricePerUnit")
        for offer in _values(_under(value, "terms", "OnDemand"))
        for rate in _values(_under(offer, "priceDimensions"))
    )


def _under(value: Any, *path: str) -> Any:
    """What lies below; None where nothing does, a text where something else than a mapping is in the way."""
    for name in path:
        if not isinstance(value, dict):
            return ""
        value = value.get(name) or {}
    return value


def _mapped(value: Any, *path: str) -> bool:
    return isinstance(_under(value, *path), dict)


def _values(found: Any) -> list[Any]:
    return list(found.values()) if isinstance(found, dict) else [None]


def attribute(product: Product, name: str) -> str:
    """An attribute of a product, empty without it."""
    attributes = (product.get("product") or {}).get("attributes") or {}
    return str(attributes.get(name) or "")


def is_linux_node(product: Product) -> bool:
    """Whether it is the price of a node by the hour, on demand."""
    return all(attribute(product, name) == wanted for name, wanted in LINUX_NODE.items()) and attribute(
        product, "marketoption"
    ) in {"", "OnDemand"}


def used_as(product: Product, usage: re.Pattern[str]) -> bool:
    """Whether its usage type is the one meant, with or without the region's prefix (`USE1-`)."""
    return usage.fullmatch(_PREFIX.sub("", attribute(product, "usagetype"))) is not None


def tiers_of(product: Product, scale: int = 1) -> tuple[Tier, ...]:
    """The on-demand prices of `scale` units, by the unit where each begins; empty without one in USD."""
    found: dict[float, int] = {}
    for offer in ((product.get("terms") or {}).get("OnDemand") or {}).values():
        for rate in (offer.get("priceDimensions") or {}).values():
            amount = (rate.get("pricePerUnit") or {}).get("USD")
            begin = _number(str(rate.get("beginRange") or "0"))
            if amount is not None and begin is not None:
                found[begin / scale] = nano(_decimal(amount) * scale)
    return tuple(sorted(found.items()))


def _decimal(amount: Any) -> Decimal:
    try:
        return Decimal(str(amount))
    except InvalidOperation as error:
        raise UpstreamError("AWS Price List", f"{str(amount)[:40]!r} is no price") from error


def first_paid(tiers: Sequence[Tier]) -> int:
    """The price of the first units that are not free, billionths."""
    return next((amount for _, amount in tiers if amount), 0)


def units_of(products: Iterable[Product]) -> str:
    """The unit that the products are priced in; empty when they differ."""
    found = {
        str(rate.get("unit") or "")
        for product in products
        for offer in ((product.get("terms") or {}).get("OnDemand") or {}).values()
        for rate in (offer.get("priceDimensions") or {}).values()
    }
    return found.pop() if len(found) == 1 else ""


def cost_of(tiers: Sequence[Tier], quantity: float | int | Decimal) -> int:
    """What so many units cost over the tiers, billionths."""
    left, total = Decimal(str(quantity)), Decimal(0)
    for place, (begin, amount) in enumerate(tiers):
        start = Decimal(str(begin))
        end = Decimal(str(tiers[place + 1][0])) if place + 1 < len(tiers) else left
        total += max(Decimal(0), min(left, max(end, start)) - start) * amount
    return int(total.to_integral_value())


def _number(text: str) -> float | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return float(found) if found.is_finite() else None
