"""`list_prices` through a client: what it finds, how old it is, what it refuses, and what it says offline."""

import random
import zlib
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from fastmcp import Client
from sqlalchemy import Connection

from aiops_cost.server import make
from aiops_lab.billing.price_table import PriceTable, drawn_prices
from aiops_lab.instance_types import TYPES
from aiops_shared.state.schema import answers
from bench.tokens import tokens
from tests.cost.stage import Stage, billed
from tests.e2e.stage import Obj, asked, settings_on

HERE, THERE = "us-east-1", "eu-central-1"
ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage_of_module(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patience = {"AIOPS_AWS_TIMEOUT_S": "4"}
        async with billed(patch, tmp_path_factory.mktemp("prices"), environment=patience) as running:
            yield running


@pytest.fixture
def stage(stage_of_module: Stage) -> Stage:
    stage_of_module.lab.aws_faults.clear()
    stage_of_module.lab.account.areas.pop(PriceTable, None)
    stage_of_module.forget()
    return stage_of_module


pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning"),
]


def rows(table: Obj) -> Iterator[dict[str, Any]]:
    for row in table["rows"]:
        yield dict(zip(table["columns"], row, strict=True))


def requests(stage: Stage, service: str = "pricing") -> int:
    """How often the lab's AWS was asked."""
    return sum(one.service == service for one in stage.lab.aws_requests())


def age(stage: Stage, days: float) -> None:
    """Make every kept price so much older."""

    def older(conn: Connection) -> None:
        for row in conn.execute(answers.select().where(answers.c.room == "prices")).all():
            held = orjson.loads(zlib.decompress(row.body))
            aged = {name: (value, at - days * 86_400) for name, (value, at) in held.items()}
            body = zlib.compress(orjson.dumps(aged))
            conn.execute(answers.update().where(answers.c.key == row.key).values(body=body))

    stage.store.run_now(older, durable=False)


async def test_types_are_priced_on_demand_and_spot_the_cheapest_first(stage: Stage) -> None:
    found = await stage.got("list_prices", what="r5.2xlarge, c5.4xlarge, m5.xlarge")
    told = {row["type"]: row for row in rows(found["types"])}
    assert list(told) == ["m5.xlarge", "r5.2xlarge", "c5.4xlarge"]
    r5 = told["r5.2xlarge"]
    assert (r5["on_demand"], r5["spot_mean"], r5["saving_pct"]) == (0.504, 0.252, 50.0)
    assert r5["spot_min"] < 0.252 < r5["spot_max"]
    assert (r5["vcpus"], r5["gib"], r5["arch"], r5["pods"]) == (8, 64, "amd64", 58)
    assert (r5["per_vcpu"], r5["per_gib"]) == (0.063, 0.00788)
    assert found["summary"].startswith("us-east-1: m5.xlarge $0.192/h on demand")
    assert found["as_of"] == "2026-11-22"
    at_home = await stage.got("list_prices", what="r5.2xlarge", cluster="my-cluster")
    assert at_home["region"] == HERE
    wrong = await stage.ask("list_prices", what="r5.2xlarge", cluster="nobodys")
    assert wrong.code == "cluster_not_found"
    one = await stage.got("list_prices", what="r5.2xlarge")
    zones = list(rows(one["zones"]))
    assert [zone["zone"] for zone in zones] == ZONES
    assert {zone["spot_mean"] for zone in zones} == {0.252}
    assert len({zone["spot_now"] for zone in zones}) > 1, "at one moment zones differ"


async def test_types_are_found_by_family_glob_and_shape_in_pages(stage: Stage) -> None:
    family = await stage.got("list_prices", what="c7g", limit=50)
    assert {row["arch"] for row in rows(family["types"])} == {"arm64"}
    assert len(family["types"]["rows"]) == 8
    glob = await stage.got("list_prices", what="?5.xlarge")
    assert {row["type"] for row in rows(glob["types"])} >= {"c5.xlarge", "m5.xlarge", "r5.xlarge"}
    shape: dict[str, Any] = {"min_vcpus": 16, "min_memory_gib": 100, "architecture": "amd64"}
    first = await stage.got("list_prices", **shape, limit=3)
    assert first["truncated"]
    second = await stage.got("list_prices", **shape, limit=3, cursor=first["next_cursor"])
    prices = [row["on_demand"] for page in (first, second) for row in rows(page["types"])]
    expected = sorted(
        float(PriceTable().hour(one.name))
        for one in TYPES.values()
        if one.cpus >= 16 and one.memory_gib >= 100 and not one.arm
    )
    assert prices == [round(price, 6) for price in expected[:6]]
    foreign = await stage.ask("list_prices", what="c5", cursor=first["next_cursor"])
    assert foreign.code == "invalid_input"
    none = await stage.got("list_prices", min_vcpus=5000)
    assert "No type has that shape" in none["warnings"][0]
    default = await stage.got("list_prices")
    assert tokens(orjson.dumps(default).decode()) <= 1_500


async def test_other_kinds_have_their_unit_and_their_tiers(stage: Stage) -> None:
    asked_for = (
        "gp3, gp3_throughput, nat_gateway_hour, cross_az_gb, eks_extended_support, metrics, amp_samples"
    )
    found = await stage.got("list_prices", what=asked_for)
    told = {row["kind"]: (row["usd"], row["unit"]) for row in rows(found["others"])}
    assert told == {
        "gp3": (0.08, "GB-Mo"),
        "gp3_throughput": (40.96, "GiBps-mo"),
        "nat_gateway_hour": (0.045, "Hrs"),
        "cross_az_gb": (0.01, "GB"),
        "eks_extended_support": (0.5, "Hrs"),
        "metrics": (0.3, "Metrics-Mo"),
        "amp_samples": (0.09, "million samples"),
    }
    tiers = {row["kind"]: row["tiers"] for row in rows(found["others"])}
    assert tiers["metrics"] == "from 0: 0.3; from 10000: 0.1; from 250000: 0.05; from 1e+06: 0.02"
    assert "types" not in found or not found["types"]
    kinds = await stage.got("list_prices", what="kinds")
    names = [row["kind"] for row in rows(kinds["others"])]
    sold = ",".join(name for name in names if name != "inter_region_gb")
    priced = await stage.got("list_prices", what=sold)
    assert len(priced["others"]["rows"]) == len(names) - 1, "every kind is sold"
    assert "warnings" not in priced


@pytest.mark.parametrize("first", range(0, 100, 10))
async def test_prices_drawn_at_random_are_those_of_an_independent_computation(
    stage: Stage, first: int
) -> None:
    """100 price books; what a mean, a saving and a share come to is worked out from the table alone."""
    services = {"gp3": "gp3", "nat_gateway_gb": "nat gb", "logs_ingest": "logs", "alb_hour": "alb"}
    for seed in range(first, first + 10):
        stage.forget()
        stage.lab.account.areas[PriceTable] = table = drawn_prices(seed)
        draw = random.Random(seed)
        names = draw.sample(sorted(TYPES), 1)
        kind, service = draw.choice(sorted(services.items()))
        found = await stage.got("list_prices", what=",".join([*names, kind]))
        told = {row["type"]: row for row in rows(found["types"])}
        assert list(told) == sorted(names, key=lambda name: (table.hour(name), name))
        for name in names:
            hour, spot, one = table.hour(name), table.spot_mean(name), TYPES[name]
            row = told[name]
            assert row["on_demand"] == float(hour), (seed, name)
            assert row["spot_mean"] == float(spot), (seed, name)
            assert row["saving_pct"] == pytest.approx(float(100 * (1 - spot / hour)), abs=0.051)
            assert row["per_vcpu"] == pytest.approx(float(hour / one.cpus), abs=0.000006)
            assert row["per_gib"] == pytest.approx(float(hour / Decimal(repr(one.memory_gib))), abs=0.000006)
        assert next(rows(found["others"]))["usd"] == float(table.service(service))


async def test_a_price_is_asked_once_and_offline_its_kept_copy_says_its_date(stage: Stage) -> None:
    before = requests(stage)
    await stage.got("list_prices", what="m5.xlarge, gp3")
    asked_once = requests(stage) - before
    await stage.got("list_prices", what="gp3, m5.xlarge")
    assert requests(stage) - before == asked_once == 2
    age(stage, 10)
    stage.lab.account.areas[PriceTable] = drawn_prices(1)
    for service in ("pricing", "ec2"):
        stage.lab.fail_aws(service, "*", code="ServiceUnavailable", status=503)
    found = await stage.got("list_prices", what="m5.xlarge, gp3")
    assert (next(rows(found["types"]))["on_demand"], found["as_of"]) == (0.192, "2026-11-12")
    assert "kept copy of 2026-11-12" in found["summary"]
    assert any("kept copies, the oldest of 2026-11-12" in one for one in found["warnings"])
    partly = await stage.got("list_prices", what="m5.xlarge, c5.xlarge")
    assert any("No price of c5.xlarge could be read" in one for one in partly["warnings"])
    never = await stage.ask("list_prices", what="c5.xlarge")
    assert "no kept copy" in never.error
    assert "pricing:GetProducts" in never.error
    stage.lab.aws_faults.clear()
    again = await stage.got("list_prices", what="m5.xlarge")
    assert next(rows(again["types"]))["on_demand"] == float(drawn_prices(1).hour("m5.xlarge"))


async def test_what_ec2_refuses_is_a_warning_beside_the_prices(stage: Stage) -> None:
    stage.lab.fail_aws("ec2", "Describe*", code="UnauthorizedOperation")
    found = await stage.got("list_prices", what="m5.xlarge")
    row = next(rows(found["types"]))
    assert (row["on_demand"], row["vcpus"], row["spot_mean"]) == (0.192, None, None)
    said = " ".join(found["warnings"])
    assert "ec2:DescribeInstanceTypes" in said
    assert "ec2:DescribeSpotPriceHistory" in said
    by_shape = await stage.ask("list_prices", min_vcpus=4)
    assert by_shape.code == "access_denied"


async def test_an_unknown_name_gets_the_nearest_ones(stage: Stage) -> None:
    for wrong, right in (
        ("m5.xlrge", "m5.xlarge"),
        ("gp4", "gp3"),
        ("nat_gatway_hour", "nat_gateway_hour"),
        ("mm5.xlarge", "m5.xlarge"),
    ):
        answer = await stage.ask("list_prices", what=wrong)
        assert answer.code == "not_found", wrong
        assert right in answer.error
    found = await stage.got("list_prices", what="m5.xlarge, m5.xlrge")
    assert any("m5.xlrge: the nearest are m5.xlarge" in one for one in found["warnings"])


async def test_bad_input_is_refused_before_anything_is_asked(stage: Stage) -> None:
    before = len(stage.lab.aws_requests())
    for bad in (
        {"what": "m5.xlarge; drop"},
        {"what": "x" * 61},
        {"what": ",".join(f"m{one}" for one in range(101))},
        {"what": '["m5", 3]'},
        {"cluster": "../us-west-2"},
        {"min_vcpus": -1},
        {"min_memory_gib": 10**9},
        {"spot_days": 91},
        {"spot_days": 0},
        {"cursor": "AAAA"},
        {"what": "inter_region_gb"},
    ):
        answer = await stage.ask("list_prices", **bad)
        assert answer.code == "invalid_input", (bad, answer.error or answer.data)
    assert len(stage.lab.aws_requests()) == before


async def test_the_default_region_counts_where_no_cluster_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for region, price in ((THERE, 0.608), ("us-west-2", None)):
        monkeypatch.setenv("AWS_REGION", region)
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        async with Client(make(settings_on(stage.lab, tmp_path, write=False))) as client:
            answer = await asked(client, "list_prices", {"what": "r5.2xlarge"})
            assert answer.data["region"] == region
            assert next(rows(answer.data["types"]))["on_demand"] == price
    assert "us-west-2 lists no price of r5.2xlarge" in answer.data["warnings"][0]


async def test_without_credentials_it_says_what_is_missing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with Client(make(settings_on(stage.lab, tmp_path, write=False))) as client:
        answer = await asked(client, "list_prices", {"what": "m5.xlarge"})
        assert answer.code == "not_configured"
        assert "give credentials" in answer.error
        assert "no kept copy" in answer.error
        kinds = await asked(client, "list_prices", {"what": "kinds"})
        assert kinds.data["others"]["rows"], "what needs no price is answered"


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        ({"code": "AccessDeniedException"}, "access_denied", "pricing:GetProducts"),
        ({"code": "ExpiredTokenException"}, "unauthenticated", "renew the credentials"),
        ({"delay_s": 8.0}, "timeout", "AIOPS_AWS_TIMEOUT_S"),
        ({"code": "ThrottlingException"}, "throttled timeout", "pricing"),  # the SDK tries again meanwhile
    ],
    ids=["forbidden", "expired", "slow", "throttled"],
)
async def test_a_price_list_that_does_not_answer_says_why(
    stage: Stage, fault: dict[str, Any], code: str, says: str
) -> None:
    stage.lab.fail_aws("pricing", "GetProducts", **fault)
    answer = await stage.ask("list_prices", what="m5.xlarge")
    assert answer.code in code.split()
    assert says in answer.error
