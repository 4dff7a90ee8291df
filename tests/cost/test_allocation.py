"""What a workload costs, through the MCP client: F10e by each source, and what happens when one fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from fastmcp import Client

from aiops_cost.clients.split_files import read_bucket, read_folder
from aiops_cost.clients.split_query import Question
from aiops_cost.server import make
from aiops_lab.aws.athena import AthenaState
from aiops_lab.aws.cost_files import CostFiles, write
from aiops_lab.scenarios import bills_logs
from aiops_lab.scenarios.log_volume import money
from aiops_lab.telemetry import Telemetry
from aiops_shared.aws.target import AwsTarget
from tests.cost.stage import SEEDS, Stage, billed
from tests.e2e.stage import Obj, settings_on
from tests.lab_aws import LabAwsClients

MONTH = "30d"
CENT = 0.006
LAG = 0.06  # pods start some seconds after their nodes
Row = tuple[str, str]


def rows_of(answer: Obj) -> dict[Row, Obj]:
    columns = answer["rows"]["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in answer["rows"]["rows"]]
    return {(row.get("namespace") or "", row.get("workload") or row["namespace"]): row for row in rows}


def right(stage: Stage) -> bills_logs.Money:
    return money(stage.lab.seed, datetime.fromtimestamp(stage.lab.account.area(Telemetry).t0_s, UTC))


def by_aws(told: bills_logs.Money, stage: Stage) -> float:
    """The talker's compute as AWS splits it: of the instance's memory, not of what a kubelet sees."""
    t0 = datetime.fromtimestamp(stage.lab.account.area(Telemetry).t0_s, UTC)
    pool = told.nodes * bills_logs.NODE_USD * bills_logs.hours_since(t0)
    cores = Fraction(told.replicas * told.cpu_m, 1000 * 16 * told.nodes)
    memory = Fraction(told.replicas * told.memory_bytes, 2**30 * 64 * told.nodes)
    return float(pool * (9 * 16 * cores + 64 * memory) / (9 * 16 + 64))


def by_opencost(told: bills_logs.Money, stage: Stage) -> float:
    """As OpenCost prices it: a core 0.031611, a GiB 0.004237 an hour, scaled to the node's price."""
    t0 = datetime.fromtimestamp(stage.lab.account.area(Telemetry).t0_s, UTC)
    gib = bills_logs.MEMORY_KI / 1024**2
    usual = 0.031611 * 16 + 0.004237 * gib
    asked = told.replicas * (0.031611 * told.cpu_m / 1000 + 0.004237 * told.memory_bytes / 2**30)
    return float(bills_logs.NODE_USD * bills_logs.hours_since(t0)) * asked / usual


def sums_to_the_bill(answer: Obj) -> None:
    cents = sum(round(100 * row["cost"]) for row in rows_of(answer).values())
    assert cents == round(100 * answer["total"])


@asynccontextmanager
async def with_source(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, folder: Path, **names: str
) -> AsyncIterator[Stage]:
    """The same lab behind a server with other settings; a value `{lab}` is the observatory's address."""
    for name, value in names.items():
        monkeypatch.setenv(f"AIOPS_COST_{name}", value.replace("{lab}", stage.lab.observatory.url))
    wanted = settings_on(stage.lab, folder, write=False)
    for name in names:
        monkeypatch.delenv(f"AIOPS_COST_{name}")
    async with Client(make(wanted)) as client:
        yield replace(stage, client=client)


def files(stage: Stage, folder: Path) -> None:
    end = stage.lab.clock.now().date()
    write(stage.lab.account, folder, end - timedelta(days=30), end)


async def ask(stage: Stage, **more: object) -> Obj:
    return await stage.got("get_costs", **({"group_by": "workload", "period": MONTH, "limit": 60} | more))


@pytest.mark.timeout(180)
@pytest.mark.row("S45")
async def test_the_costliest_workload_is_told_to_the_cent_by_its_own_arithmetic_and_by_awss(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cur = tmp_path / "cur"
    async with (
        billed(monkeypatch, tmp_path, "log-volume") as stage,
        with_source(stage, monkeypatch, tmp_path, CUR=str(cur)) as split,
    ):
        for seed in SEEDS:
            if seed:
                stage.play("log-volume", seed)
            told = right(stage)
            await by_own_arithmetic(stage, told)
            stage.forget()
            if seed < 2:
                files(stage, cur)
                await by_split_cost_data(split, told)
            if not seed:
                await of_one_namespace(stage, told)
                await others(stage, monkeypatch, tmp_path, cur)


async def by_own_arithmetic(stage: Stage, told: bills_logs.Money) -> None:
    answer = await ask(stage)
    sums_to_the_bill(answer)
    row = rows_of(answer)["production", told.service]
    assert answer["total"] == pytest.approx(float(told.total), abs=CENT)
    assert row["compute"] == pytest.approx(float(told.compute), abs=LAG if stage.lab.seed else CENT)
    assert row["logs"] == pytest.approx(float(told.logs), abs=CENT)
    assert row["cost"] == pytest.approx(float(told.compute + told.logs), abs=LAG if stage.lab.seed else CENT)
    assert answer["summary"].startswith(f"{told.service} costs ${row['cost']:,.2f}")
    assert {"(idle)", "(system)", "(control plane)", "(node disks)"} <= {name for _, name in rows_of(answer)}
    assert answer["billed_requests"] == 2
    if not stage.lab.seed:
        assert (row["cost"], row["share_pct"], answer["total"]) == (2000.0, 40.0, 5000.0)
        assert float(told.debug_logs) == 800.0
        again = await ask(stage)
        assert not again.get("billed_requests")
        assert rows_of(again) == rows_of(answer)


async def by_split_cost_data(stage: Stage, told: bills_logs.Money) -> None:
    answer = await ask(stage)
    assert answer["method"].startswith("AWS split cost allocation data")
    sums_to_the_bill(answer)
    row = rows_of(answer)["production", told.service]
    assert answer["total"] == pytest.approx(float(told.total), abs=CENT)
    assert row["compute"] == pytest.approx(by_aws(told, stage), abs=LAG)
    assert row["compute"] == pytest.approx(float(told.compute), rel=0.03)
    assert row["logs"] == pytest.approx(float(told.logs), abs=CENT)
    assert not answer.get("billed_requests")


async def of_one_namespace(stage: Stage, told: bills_logs.Money) -> None:
    answer = await ask(stage, group_by="namespace")
    spaces = rows_of(answer)
    assert {"production", "staging", "dev"} <= {name for _, name in spaces}
    inside = await ask(stage, filters=["namespace=production"])
    assert inside["total"] == pytest.approx(spaces["production", "production"]["cost"])
    sums_to_the_bill(inside)
    wrong = await stage.ask("get_costs", group_by="workload", period=MONTH, filters=["namespace=producton"])
    assert wrong.code == "not_found"
    assert "production" in wrong.error
    short = await ask(stage, limit=3)
    assert short["truncated"]
    sums_to_the_bill(short)


async def others(stage: Stage, monkeypatch: pytest.MonkeyPatch, folder: Path, cur: Path) -> None:
    """Athena and S3 give what the files give; OpenCost differs by its prices, which a row says."""
    told = right(stage)
    table = f"athena:{stage.lab.account.area(CostFiles).database}.{stage.lab.account.area(CostFiles).table}"
    keys = stage.lab.export("lab-admin")
    uploaded(cur, stage, keys)
    end = stage.lab.clock.now().date()
    question = Question("my-cluster", end - timedelta(days=30), end, ["eks:cluster-name"], "unblended")
    same, _ = await read_folder(str(cur), question)
    aws = LabAwsClients(stage.lab, "lab-admin", 10.0)
    rows, says = await read_bucket(aws, AwsTarget(region="us-east-1"), "s3://cost-exports/cur2/", question)
    assert sorted(map(str, rows)) == sorted(map(str, same))
    assert says.startswith("2 Parquet files")
    stage.forget()
    async with with_source(stage, monkeypatch, folder, CUR=table) as other:
        answer = await ask(other)
        row = rows_of(answer)["production", told.service]
        assert answer["method"].startswith("AWS split cost allocation data"), answer["warnings"]
        assert (answer["total"], row["logs"]) == (5000.0, 950.0)
        assert row["compute"] == pytest.approx(by_aws(told, stage), abs=LAG)
        assert "scanned" in answer["evidence"][0]["says"]
    async with with_source(stage, monkeypatch, folder, OPENCOST_URL="{lab}/opencost") as other:
        answer = await ask(other)
        row = rows_of(answer)["production", told.service]
        sums_to_the_bill(answer)
        assert answer["method"].startswith("OpenCost's allocation"), answer["warnings"]
        assert answer["total"] == 5000.0
        assert row["compute"] == pytest.approx(by_opencost(told, stage), abs=LAG)
        assert row["compute"] == pytest.approx(float(told.compute), rel=0.03)
        assert row["logs"] == 950.0
        assert "(bill minus OpenCost's prices)" in {name for _, name in rows_of(answer)}


def uploaded(cur: Path, stage: Stage, keys: dict[str, str]) -> None:
    """The files in the lab's S3."""
    client: Any = Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=stage.lab.aws_url,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=keys["AWS_SESSION_TOKEN"] or None,
    )
    client.create_bucket(Bucket="cost-exports")
    for path in cur.rglob("*.parquet"):
        key = f"cur2/data/{path.relative_to(cur)}"
        client.put_object(Bucket="cost-exports", Key=key, Body=path.read_bytes())
    client.close()


FAULTS_PERIOD = "7d"


@pytest.mark.timeout(90)
async def test_a_source_that_fails_is_said_and_the_next_one_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path, "healthy") as stage:
        broken, empty = tmp_path / "broken", tmp_path / "empty"
        broken.mkdir()
        empty.mkdir()
        (broken / "one.parquet").write_bytes(b"PAR1 this is no parquet PAR1")
        for place, word in (
            (str(broken), "cannot be read"),
            (str(empty), "no Parquet file"),
            (str(tmp_path / "absent"), "is no folder"),
            ("athena:nobody.nothing", "TABLE_NOT_FOUND"),
            ("athena:bad name.x", "is no athena:database.table"),
            ("s3://nobody-has-this/", "AWS s3"),
        ):
            stage.forget()
            async with with_source(stage, monkeypatch, tmp_path, CUR=place) as other:
                if "nobody.nothing" in place:
                    files(stage, tmp_path / "files")
                answer = await ask(other, period=FAULTS_PERIOD)
                assert any("cur gave nothing" in one and word in one for one in answer["warnings"]), answer
                assert answer["method"].startswith("own allocation")
        async with with_source(stage, monkeypatch, tmp_path, OPENCOST_URL="{lab}/opencost") as other:
            for how, word in (
                ({"status": 503}, "answered 503"),
                ({"status": 200, "body": b"[]"}, "allocations"),
            ):
                stage.lab.observatory.fail("opencost", **how)
                answer = await ask(other, period=FAULTS_PERIOD)
                assert any("opencost gave nothing" in one and word in one for one in answer["warnings"])
            stage.lab.observatory.heal()
        await too_slow(stage, monkeypatch, tmp_path)
        await without_a_tag(stage)
        await without_metrics(stage)
        await bad_questions(stage)


async def too_slow(stage: Stage, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A query that does not end is stopped."""
    monkeypatch.setattr("aiops_cost.clients.split_athena.DEADLINE_S", 0.5)
    stage.lab.account.area(CostFiles).slow = True
    async with with_source(stage, monkeypatch, folder, CUR="athena:cost_data.cur2") as other:
        answer = await ask(other, period=FAULTS_PERIOD)
    assert any("was stopped" in one for one in answer["warnings"])
    held = stage.lab.account.area(AthenaState).executions.values()
    assert [one.state for one in held][-1] == "CANCELLED"


async def without_a_tag(stage: Stage) -> None:
    """A bill that knows no cluster: list prices, and the answer says so."""
    stage.forget()
    stage.ledger.lines = tuple(replace(line, tags={}) for line in stage.ledger.lines)
    answer = await ask(stage, period=FAULTS_PERIOD)
    assert answer["method"].startswith("list prices of nodes, not the bill")
    assert any("no line of the bill carries a cluster tag" in one for one in answer["warnings"])
    assert answer["total"] == pytest.approx(6 * 7 * 24 * 0.192, abs=CENT)
    sums_to_the_bill(answer)


async def without_metrics(stage: Stage) -> None:
    for room in ("prometheus", "amp"):
        stage.lab.observatory.fail(room, status=503)
    answer = await ask(stage, period=FAULTS_PERIOD)
    assert any("usage: prometheus gave nothing" in one for one in answer["warnings"])
    stage.lab.observatory.heal()


async def bad_questions(stage: Stage) -> None:
    for more, code in (
        ({"cluster": "my-clustr"}, "cluster_not_found"),
        ({"period": "never"}, "invalid_input"),
        ({"filters": ["service=AmazonEKS"]}, "invalid_input"),
    ):
        answer = await stage.ask("get_costs", **({"group_by": "workload", "period": FAULTS_PERIOD} | more))
        assert answer.code == code, answer.text


async def test_what_may_not_be_read_is_named_with_the_missing_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path, "healthy", identity="aiops-observer") as stage:
        answer = await stage.ask("get_costs", group_by="workload", period=FAULTS_PERIOD)
        assert answer.code == "access_denied"
        assert "list" in answer.error
