"""AWS's Price List Query API of the lab: products as AWS describes them, priced by the account's price table.

Each machine stands in the list several times, as in AWS's own: other operating systems, dedicated hardware,
capacity that is reserved but idle, with software. Who asks too loosely gets the wrong price. Shapes: the
Billing user guide, "Finding services and products", and botocore's model; filters match as documented there.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import orjson

from aiops_lab.aws.account import Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.billing.price_table import REGIONS, SERVICES, PriceTable, Service, Tiers
from aiops_lab.instance_types import TYPES, InstanceType

MOST = 100
_PREFIX = {"us-east-1": "USE1-", "eu-central-1": "EUC1-"}
_LOCATION = {"us-east-1": "US East (N. Virginia)", "eu-central-1": "EU (Frankfurt)"}
_FAMILY = {
    "c": "Compute optimized",
    "m": "General purpose",
    "r": "Memory optimized",
    "t": "General purpose",
    "g": "GPU instance",
}
Answer = Mapping[str, Any]
Row = dict[str, Any]

# How a machine is sold besides as a plain node: attributes that differ, usage type, factor on its price.
_VARIANTS: tuple[tuple[Mapping[str, str], str, str], ...] = (
    ({}, "BoxUsage", "1"),
    ({"operatingSystem": "Windows", "operation": "RunInstances:0002"}, "BoxUsage", "1.9"),
    ({"operatingSystem": "RHEL", "operation": "RunInstances:0010"}, "BoxUsage", "1.3"),
    ({"preInstalledSw": "SQL Std", "operation": "RunInstances:0004"}, "BoxUsage", "3.4"),
    ({"tenancy": "Dedicated"}, "DedicatedUsage", "1.06"),
    ({"tenancy": "Host"}, "HostBoxUsage", "0"),
    ({"capacitystatus": "UnusedCapacityReservation"}, "UnusedBox", "1"),
    ({"capacitystatus": "AllocatedCapacityReservation"}, "Reservation", "0"),
)


def pricing_operations(account: Account) -> Operations:
    """The operations of service `pricing` that the lab serves."""
    served = {
        "GetProducts": get_products,
        "DescribeServices": describe_services,
        "GetAttributeValues": get_attribute_values,
    }
    return {("pricing", name): partial(act, account) for name, act in served.items()}


def get_products(account: Account, call: Call) -> Answer:
    """Products of a service that every filter lets through, as JSON texts. Raises AwsError."""
    service = _known(str(call.params.get("ServiceCode") or ""))
    tests = [_test(one) for one in call.params.get("Filters") or []]
    wanted = _named(call, "instanceType")
    rows = [row for row in _products(account, service, wanted) if all(test(row) for test in tests)]
    page, token = _page(rows, call)
    told = [orjson.dumps(_told(row, service, account)).decode() for row in page]
    return {"FormatVersion": "aws_v1", "PriceList": told} | token


def describe_services(account: Account, call: Call) -> Answer:
    """Services with the attributes that their products have. Raises AwsError."""
    wanted = str(call.params.get("ServiceCode") or "")
    codes = [_known(wanted)] if wanted else sorted(_codes())
    page, token = _page(codes, call)
    services = []
    for code in page:
        names = sorted({name for row in _products(account, code) for name in row["attributes"]})
        services.append({"ServiceCode": code, "AttributeNames": [*names, "productFamily"]})
    return {"Services": services, "FormatVersion": "aws_v1"} | token


def get_attribute_values(account: Account, call: Call) -> Answer:
    """The values that an attribute has. Raises AwsError."""
    service, name = _known(str(call.params["ServiceCode"])), str(call.params["AttributeName"])
    values = sorted({_held(row, name) for row in _products(account, service)} - {""})
    page, token = _page(values, call)
    return {"AttributeValues": [{"Value": value} for value in page]} | token


def _codes() -> set[str]:
    return {one.code for one in SERVICES.values()} | {"AmazonEC2"}


def _known(service: str) -> str:
    if service not in _codes():
        raise AwsError("NotFoundException", f"Service {service} is not found", 400)
    return service


def _page(rows: list[Any], call: Call) -> tuple[list[Any], dict[str, str]]:
    most = int(call.params.get("MaxResults") or MOST)
    if not 1 <= most <= MOST:
        raise AwsError("InvalidParameterException", "MaxResults must be between 1 and 100", 400)
    text = str(call.params.get("NextToken") or "0")
    if not text.isdecimal() or int(text) > len(rows):
        raise AwsError("InvalidNextTokenException", "The NextToken is invalid", 400)
    start = int(text)
    end = start + most
    return rows[start:end], {"NextToken": str(end)} if end < len(rows) else {}


def _test(one: Mapping[str, str]) -> Callable[[Row], bool]:
    """A filter: field and type as `Filter` of the API reference has them; commas part several values."""
    name, value, kind = one["Field"], one["Value"], one["Type"]
    several = value.split(",")
    tests: dict[str, Callable[[str], bool]] = {
        "TERM_MATCH": lambda held: held == value,
        "EQUALS": lambda held: held == value,
        "CONTAINS": lambda held: value in held,
        "ANY_OF": lambda held: held in several,
        "NONE_OF": lambda held: held not in several,
    }
    if kind not in tests or not value or len(value) > 1024:
        raise AwsError("InvalidParameterException", f"Invalid filter on {name}", 400)
    return lambda row: tests[kind](_held(row, name))


def _held(row: Row, name: str) -> str:
    if name == "productFamily":
        return str(row["family"])
    return str(row["attributes"].get("servicecode" if name == "ServiceCode" else name, ""))


def _named(call: Call, name: str) -> frozenset[str]:
    """The values that the filters allow an attribute; none: any. Saves making thousands of products."""
    for one in call.params.get("Filters") or []:
        if one["Field"] == name and one["Type"] in {"TERM_MATCH", "EQUALS", "ANY_OF"}:
            return frozenset(one["Value"].split(","))
    return frozenset()


def _products(account: Account, service: str, types: frozenset[str] = frozenset()) -> Iterator[Row]:
    table = account.area(PriceTable)
    for region in REGIONS:
        if service == "AmazonEC2":
            yield from _machines(table, region, types)
        for name, tiers in table.services[region].items():
            one = SERVICES[name]
            if one.code == service:
                yield _service(one, region, tiers)


def _machines(table: PriceTable, region: str, types: frozenset[str]) -> Iterator[Row]:
    for name, hour in table.hours[region].items():
        if types and name not in types:
            continue
        for changed, usage, factor in _VARIANTS:
            price = f"{hour * Decimal(factor):.10f}"
            yield {
                "family": "Compute Instance",
                "attributes": _node(TYPES[name], region, usage) | dict(changed),
                "unit": "Hrs",
                "tiers": (("0", price),),
            }


def _node(one: InstanceType, region: str, usage: str) -> dict[str, str]:
    prefix = "" if region == REGIONS[0] else _PREFIX[region]
    return _common("AmazonEC2", region) | {
        "instanceType": one.name,
        "instanceFamily": _FAMILY[one.name[0]],
        "currentGeneration": "No" if one.hypervisor == "xen" else "Yes",
        "vcpu": str(one.cpus),
        "memory": f"{one.memory_gib:g} GiB",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
        "marketoption": "OnDemand",
        "operation": "RunInstances",
        "usagetype": f"{prefix}{usage}:{one.name}",
    }


def _service(one: Service, region: str, tiers: Tiers) -> Row:
    home = region == REGIONS[0]
    prefix = _PREFIX[region] if one.prefixed or not home else ""
    attributes = _common(one.code, region) | {"usagetype": prefix + one.usage} | dict(one.attributes)
    if one.traffic:
        other = next(each for each in REGIONS if each != region)
        to = other if one.traffic.startswith("InterRegion") else region
        if to == other:
            attributes["usagetype"] = f"{_PREFIX[region]}{_PREFIX[other]}{one.usage}"
        del attributes["regionCode"]
        attributes |= {"transferType": one.traffic, "fromRegionCode": region}
        attributes |= {} if "toLocation" in one.attributes else {"toRegionCode": to}
    return {"family": one.family, "attributes": attributes, "unit": one.unit, "tiers": tiers}


def _common(service: str, region: str) -> dict[str, str]:
    return {
        "servicecode": service,
        "regionCode": region,
        "location": _LOCATION[region],
        "locationType": "AWS Region",
    }


def _told(row: Row, service: str, account: Account) -> dict[str, Any]:
    """A product as its JSON text has it."""
    sku = hashlib.sha256(repr(sorted(row["attributes"].items())).encode()).hexdigest()[:16].upper()
    offer = f"{sku}.JRTCKXETXF"  # the code of on-demand offers
    tiers: Tiers = row["tiers"]
    ends = [*(begin for begin, _ in tiers[1:]), "Inf"]
    dimensions = {
        f"{offer}.{place:010d}": {
            "rateCode": f"{offer}.{place:010d}",
            "unit": row["unit"],
            "description": f"${price} per {row['unit']}",
            "beginRange": begin,
            "endRange": end,
            "appliesTo": [],
            "pricePerUnit": {"USD": price},
        }
        for place, ((begin, price), end) in enumerate(zip(tiers, ends, strict=True))
    }
    on_demand = {
        "sku": sku,
        "offerTermCode": "JRTCKXETXF",
        "effectiveDate": f"{account.now():%Y-%m-01T00:00:00Z}",
        "termAttributes": {},
        "priceDimensions": dimensions,
    }
    product = {"sku": sku, "attributes": row["attributes"]}
    if row["family"]:
        product["productFamily"] = row["family"]
    return {
        "product": product,
        "serviceCode": service,
        "terms": {"OnDemand": {offer: on_demand}},
        "version": f"{account.now():%Y%m%d}000000",
        "publicationDate": f"{account.now():%Y-%m-%dT00:00:00Z}",
    }
