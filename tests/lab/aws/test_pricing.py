"""The Price List of the lab, with real botocore: one contract test per operation."""

import json
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aiops_lab.billing.price_table import PriceTable, drawn_prices
from tests.lab.aws.conftest import RunningAws

NODE = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}


def term(field: str, value: str, kind: str = "TERM_MATCH") -> dict[str, str]:
    return {"Type": kind, "Field": field, "Value": value}


def prices(client: Any, service: str, *filters: dict[str, str], **more: Any) -> list[tuple[str, str]]:
    """(usage type, USD of the first tier) of what the filters let through."""
    found = client.get_products(ServiceCode=service, Filters=list(filters), **more)
    read = []
    for text in found["PriceList"]:
        product = json.loads(text)
        (offer,) = product["terms"]["OnDemand"].values()
        first = min(offer["priceDimensions"].values(), key=lambda one: Decimal(one["beginRange"]))
        read.append((product["product"]["attributes"]["usagetype"], first["pricePerUnit"]["USD"]))
    return read


def test_the_exact_filters_find_the_one_price_of_a_node(aws: RunningAws) -> None:
    client = aws.client("pricing")
    exact = [term(field, value) for field, value in NODE.items()]
    at_home = [*exact, term("regionCode", "us-east-1")]
    (found,) = prices(client, "AmazonEC2", *at_home, term("instanceType", "r5.2xlarge"))
    assert found == ("BoxUsage:r5.2xlarge", "0.5040000000")
    (found,) = prices(
        client, "AmazonEC2", *exact, term("regionCode", "eu-central-1"), term("instanceType", "r5.2xlarge")
    )
    assert found == ("EUC1-BoxUsage:r5.2xlarge", "0.6080000000")
    several = prices(client, "AmazonEC2", *at_home, term("instanceType", "c5.4xlarge,m5.xlarge", "ANY_OF"))
    assert sorted(several) == [
        ("BoxUsage:c5.4xlarge", "0.6800000000"),
        ("BoxUsage:m5.xlarge", "0.1920000000"),
    ]
    loosely = prices(client, "AmazonEC2", term("regionCode", "us-east-1"), term("instanceType", "m5.xlarge"))
    assert len({price for _, price in loosely}) > 3, "who asks loosely gets Windows, Dedicated and idle too"
    none = prices(client, "AmazonEC2", *at_home, term("instanceType", "m5.nothing"))
    assert none == []


def test_products_come_in_pages(aws: RunningAws) -> None:
    client = aws.client("pricing")
    first = client.get_products(ServiceCode="AmazonEC2", MaxResults=7)
    assert len(first["PriceList"]) == 7
    second = client.get_products(ServiceCode="AmazonEC2", MaxResults=7, NextToken=first["NextToken"])
    assert not set(first["PriceList"]) & set(second["PriceList"])
    every = client.get_paginator("get_products").paginate(ServiceCode="AmazonEKS").build_full_result()
    assert len(every["PriceList"]) == 10
    assert "NextToken" not in client.get_products(ServiceCode="AmazonEKS")
    for broken in ({"NextToken": "what"}, {"MaxResults": 101}):
        with pytest.raises(ClientError, match="Invalid"):
            client.get_products(ServiceCode="AmazonEKS", **broken)


def test_tiers_and_small_prices_are_written_out(aws: RunningAws) -> None:
    client = aws.client("pricing")
    here = term("regionCode", "us-east-1")
    contains = term("usagetype", "AMP:MetricSampleCount", "CONTAINS")
    (text,) = client.get_products(ServiceCode="AmazonPrometheus", Filters=[here, contains])["PriceList"]
    (offer,) = json.loads(text)["terms"]["OnDemand"].values()
    ranges = sorted((one["beginRange"], one["endRange"]) for one in offer["priceDimensions"].values())
    assert ranges == [("0", "2000000000"), ("2000000000", "252000000000"), ("252000000000", "Inf")]
    assert prices(client, "AmazonPrometheus", here, contains) == [
        ("USE1-AMP:MetricSampleCount", "0.00000009")
    ]
    without = term("usagetype", "USE1-AMP:MetricSampleCount,USE1-AMP:QuerySamplesProcessed", "NONE_OF")
    assert [usage for usage, _ in prices(client, "AmazonPrometheus", here, without)] == [
        "USE1-AMP:MetricStorageByteHrs"
    ]


def test_services_and_the_values_of_attributes(aws: RunningAws) -> None:
    client = aws.client("pricing")
    (found,) = client.describe_services(ServiceCode="AmazonEC2")["Services"]
    assert {"instanceType", "regionCode", "volumeApiName"} <= set(found["AttributeNames"])
    codes = {one["ServiceCode"] for one in client.describe_services()["Services"]}
    assert {"AmazonEC2", "AmazonEKS", "AWSELB", "AWSDataTransfer"} <= codes
    values = client.get_attribute_values(ServiceCode="AmazonEC2", AttributeName="volumeApiName")
    assert [one["Value"] for one in values["AttributeValues"]] == ["gp2", "gp3", "io1", "io2", "sc1", "st1"]
    with pytest.raises(ClientError, match="NotFoundException"):
        client.describe_services(ServiceCode="AmazonNothing")


def test_a_story_may_write_its_own_prices(aws: RunningAws) -> None:
    aws.account.areas[PriceTable] = drawn = drawn_prices(3)
    assert drawn.hour("m5.xlarge") != PriceTable().hour("m5.xlarge")
    assert drawn.spot_mean("m5.xlarge") < drawn.hour("m5.xlarge")
    exact = [term(field, value) for field, value in NODE.items()]
    which = [term("regionCode", "us-east-1"), term("instanceType", "m5.xlarge")]
    (found,) = prices(aws.client("pricing"), "AmazonEC2", *exact, *which)
    assert Decimal(found[1]) == drawn.hour("m5.xlarge")
