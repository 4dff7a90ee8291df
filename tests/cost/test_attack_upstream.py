"""Upstreams that answer with nonsense, and a state store that is broken: an error that says so, or an answer.

T14: no amount that is no number, no page that leads back, no bomb and no kept bytes crash the server, cost a
wrong sum, or are paid for again and again.
"""

import asyncio
import gzip
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastmcp import Client
from sqlalchemy import Connection

from aiops_cost.analysis.periods import Period
from aiops_cost.clients import opencost as opencost_room
from aiops_cost.clients.allocation_source import Asked
from aiops_cost.clients.cost_explorer import CostExplorer
from aiops_cost.clients.opencost import OpenCost
from aiops_cost.clients.price_book import PriceBook
from aiops_cost.models.bills import BillQuestion, Spent
from aiops_cost.server import make
from aiops_shared.auth.callers import caller_from
from aiops_shared.aws.clients import AwsClients, AwsItems
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import AiopsError
from aiops_shared.settings import AwsSettings, CostSettings, Settings, StateSettings
from aiops_shared.state.answers import Answers
from aiops_shared.state.schema import answers
from aiops_shared.state.store import StateStore
from tests.cost.stage import Stage, billed
from tests.e2e.stage import Obj, asked, settings_on
from tests.fakes.clocks import FakeClock

NOW = datetime(2026, 11, 22, 13, 40, tzinfo=UTC)
FIRST, END = date(2026, 11, 1), date(2026, 11, 4)


class Canned(AwsClients):
    """AWS that answers everything with the same."""

    def __init__(self, answer: Any) -> None:
        super().__init__(AwsSettings())
        self.answer, self.asked = answer, 0

    async def call(self, target: AwsTarget, service: str, operation: str, **parameters: Any) -> Any:
        """The same for all but who is asking."""
        await anyio.lowlevel.checkpoint()
        if service == "sts":
            return {"Account": "111122223333"}
        self.asked += 1
        return self.answer

    async def every(
        self,
        target: AwsTarget,
        service: str,
        operation: str,
        key: str,
        *,
        at_most: int = 0,
        **parameters: Any,
    ) -> AwsItems:
        """The same, as a list."""
        await anyio.lowlevel.checkpoint()
        self.asked += 1
        return AwsItems(tuple(self.answer))


def group(amount: Any = "1.5", unit: Any = "USD", key: Any = "EC2", quantity: Any = "24") -> Obj:
    """One group of one day."""
    usage = {"Amount": quantity, "Unit": "Hrs"}
    return {
        "Keys": [key],
        "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": unit}, "UsageQuantity": usage},
    }


def page(*days: tuple[Any, list[Any]], token: str = "") -> Obj:
    """One page of Cost Explorer."""
    rows = [{"TimePeriod": {"Start": day}, "Estimated": False, "Groups": groups} for day, groups in days]
    return {"ResultsByTime": rows} | ({"NextPageToken": token} if token else {})


DAYS = tuple((FIRST + timedelta(days=at)).isoformat() for at in range(3))
ILL: dict[str, Any] = {
    "no list": {"ResultsByTime": "x"},
    "a list of numbers": {"ResultsByTime": [7]},
    "half an answer": {},
    "groups are a text": {"ResultsByTime": [{"TimePeriod": {"Start": DAYS[0]}, "Groups": "x"}]},
    "a group is a number": page((DAYS[0], [7])),
    "no amount": page((DAYS[0], [{"Keys": ["EC2"], "Metrics": {}}])),
    "no metrics": page((DAYS[0], [{"Keys": ["EC2"]}])),
    "metrics are a text": page((DAYS[0], [{"Keys": ["EC2"], "Metrics": "x"}])),
    "too many keys": page((DAYS[0], [{**group(), "Keys": ["a", "b"]}])),
    "keys are a number": page((DAYS[0], [{**group(), "Keys": 7}])),
    "no number": page((DAYS[0], [group("many")])),
    "NaN": page((DAYS[0], [group("NaN")])),
    "a signalling NaN": page((DAYS[0], [group("sNaN")])),
    "Infinity": page((DAYS[0], [group("-Infinity")])),
    "a huge amount": page((DAYS[0], [group("1e30")])),
    "sums beyond 64 bits": page((DAYS[0], [group("9e9", key=str(one)) for one in range(3)])),
    "another year": page(("2019-01-01", [group()])),
    "no day": page(("yesterday", [group()])),
    "the same page again": page((DAYS[0], [group()]), token="again"),
    "the same page of all days": page(*((day, [group()]) for day in DAYS), token="again"),
}


def explorer(folder: Path, aws: AwsClients) -> CostExplorer:
    """With an empty store."""
    store, clock = StateStore(StateSettings(dir=folder)), FakeClock(NOW)
    settings = Settings(cost=CostSettings(max_billed_requests=20))
    return CostExplorer(settings, aws, Answers(store, clock, "cost-explorer"), clock, caller_from(settings))


@pytest.mark.threat("T14")
@pytest.mark.fault("R21")
async def test_a_bill_that_is_none_is_an_error_and_is_not_paid_for_twenty_times(tmp_path: Path) -> None:
    wrong = []
    for name, answer in ILL.items():
        aws, counted = Canned(answer), Spent()
        try:
            bill = await explorer(tmp_path / name, aws).bill(BillQuestion(FIRST, END, ("SERVICE",)), counted)
        except AiopsError as error:
            if aws.asked > 2 or len(error.wire()) > 400:
                wrong.append(f"{name}: {aws.asked} requests, {error.wire()[:200]}")
        else:
            wrong.append(f"{name}: {bill.total}")
    assert not wrong, "\n".join(wrong)


async def test_days_out_of_order_and_currencies_that_change_within_a_page_lose_nothing(
    tmp_path: Path,
) -> None:
    mixed = page(
        (DAYS[2], [group("1")]), (DAYS[0], [group("2"), group("5", "EUR")]), (DAYS[1], [group("-3")])
    )
    counted = Spent()
    first, other = await explorer(tmp_path, Canned(mixed)).bills(
        BillQuestion(FIRST, END, ("SERVICE",)), counted
    )
    assert (first.currency, first.of_days()) == ("USD", (2 * 10**9, -3 * 10**9, 10**9))
    assert (other.currency, other.of_days()) == ("EUR", (5 * 10**9, 0, 0))


PRODUCTS: dict[str, Any] = {
    "no JSON": ["{"],
    "numbers": ["7", "null", "[]"],
    "terms are a text": [{"product": {"attributes": {"instanceType": "m5.large"}}, "terms": "x"}],
    "a price that is no number": [
        {
            "product": {"attributes": {"instanceType": "m5.large"}},
            "terms": {"OnDemand": {"a": {"priceDimensions": {"b": {"pricePerUnit": {"USD": "NaN"}}}}}},
        }
    ],
    "attributes are a list": [{"product": {"attributes": []}, "terms": {"OnDemand": []}}],
}


@pytest.mark.threat("T14")
async def test_a_price_list_that_is_none_gives_no_price(tmp_path: Path) -> None:
    wrong = []
    for name, items in PRODUCTS.items():
        store, clock = StateStore(StateSettings(dir=tmp_path / name)), FakeClock(NOW)
        book = PriceBook(
            Settings(), Canned(items), Answers(store, clock, "p"), clock, caller_from(Settings())
        )
        for kind in ("on_demand", "gp3"):
            try:
                found: Any = await _priced(book, kind)
            except AiopsError:
                continue
            if found:
                wrong.append(f"{name} {kind}: {found}")
    assert not wrong, "\n".join(wrong)


async def _priced(book: PriceBook, kind: str) -> Any:
    if kind == "on_demand":
        return dict(await book.on_demand({"m5.large"}, "us-east-1"))
    return await book.other(kind, "us-east-1")


ALLOCATIONS: dict[str, bytes] = {
    "a login page": b"<html>",
    "a number": b"7",
    "no sets": b'{"data":{}}',
    "deep": b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "huge": b'{"data":"' + b"a" * (33 * 1024 * 1024) + b'"}',
    "NaN": b'{"data":[{"a":{"name":"a","cpuCost":NaN}}]}',
    "a huge amount": b'{"data":[{"a":{"name":"a","cpuCost":1e300}}]}',
    "rows are numbers": b'{"data":[{"a":7,"b":null,"c":[1]}]}',
    "amounts are texts": b'{"data":[{"a":{"name":7,"properties":[],"cpuCost":"x","ramCost":true}}]}',
}


class NoBill:
    """What OpenCost's answer is held against, where there is none."""

    async def bill(self, asked: Asked) -> tuple[None, str]:
        """None, and why."""
        return None, "not here"


@asynccontextmanager
async def serving(head: bytes, body: bytes, pause_s: float = 0.0) -> AsyncIterator[str]:
    """One HTTP answer for everybody, byte by byte where it pauses; its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + head + b"\r\n")
        try:
            for at in range(0, len(body), 1 if pause_s else len(body)):
                writer.write(body[at : at + 1] if pause_s else body)
                await writer.drain()
                await anyio.sleep(pause_s)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def divided(url: str) -> Any:
    """Asked of one address."""
    own: Any = NoBill()
    week = Period(date(2026, 11, 15), date(2026, 11, 22))
    return await OpenCost(url, own).divided(Asked(None, "a", None, week, NOW, "unblended", Spent()))


@pytest.mark.threat("T14")
async def test_opencost_that_answers_with_nonsense_a_bomb_or_a_trickle_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = []
    for name, body in ALLOCATIONS.items():
        async with serving(b"", body) as url:
            try:
                found = await divided(url)
            except AiopsError as error:
                if len(error.wire()) > 400:
                    wrong.append(f"{name}: {error.wire()[:200]}")
            else:
                if not math.isfinite(found.allocation.total) or found.allocation.total:
                    wrong.append(f"{name}: {found}"[:300])
    bomb = gzip.compress(b'{"data":"' + b"0" * (64 * 1024 * 1024) + b'"}')
    async with serving(b"content-encoding: gzip\r\n", bomb) as url:
        with pytest.raises(AiopsError):
            await divided(url)
    monkeypatch.setattr(opencost_room, "TIMEOUT_S", 0.5)
    async with serving(b"content-length: 1000\r\n", b" " * 1000, pause_s=0.1) as url:
        with pytest.raises(AiopsError, match=r"0\.5 s"):
            await divided(url)
    assert not wrong, "\n".join(wrong)


ALL: tuple[tuple[str, Obj], ...] = (
    ("get_costs", {}),
    ("get_costs", {"group_by": "workload", "period": "7d"}),
    ("explain_cost_change", {}),
    ("list_prices", {"what": "m5.large,gp3"}),
    ("estimate_cost", {"instances": "1 m5.large"}),
    ("recommend_savings", {"scope": "observability"}),
)


def totals(found: list[Obj]) -> list[Any]:
    """The money of the answers."""
    return [
        (one.get("total"), one.get("effects"), one.get("now_usd"), one.get("monthly_usd")) for one in found
    ]


def _spoil(values: Mapping[str, Any], conn: Connection) -> None:
    conn.execute(answers.update().values(**values))


async def everything(stage: Stage) -> list[Obj]:
    """All five tools, each of which must answer."""
    return [await stage.got(tool, **arguments) for tool, arguments in ALL]


@pytest.mark.fault("R8")
@pytest.mark.timeout(120)
async def test_kept_answers_that_are_spoilt_or_of_a_later_time_cost_a_request_and_no_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        right = totals(await everything(stage))
        cases: tuple[dict[str, Any], ...] = (
            {"body": b"\x00spoilt"},
            {"body": b"7"},
            {"made_at": NOW + timedelta(days=400)},
        )
        for values in cases:
            stage.store.run_now(partial(_spoil, values), durable=False)
            found = await everything(stage)
            assert totals(found) == right, values
            if "body" in values:
                assert all("could not be read" in str(one.get("warnings")) for one in found[:1])


async def test_two_servers_on_one_store_agree_and_lose_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with (
        billed(monkeypatch, tmp_path) as stage,
        Client(make(settings_on(stage.lab, tmp_path, write=False))) as other,
    ):
        found: list[Obj] = []

        async def ask(client: Any, tool: str, arguments: Obj) -> None:
            answer = await asked(client, tool, arguments)
            assert not answer.error, answer.error
            found.append(answer.data)

        async with anyio.create_task_group() as tasks:
            for client in (stage.client, other):
                tasks.start_soon(ask, client, "get_costs", {})
                tasks.start_soon(ask, client, "get_costs", {"group_by": "region"})
        assert len({one["total"] for one in found}) == 1
        assert sum(one["billed_requests"] for one in found) == len(stage.ledger.asked)
        asked_before = len(stage.ledger.asked)
        for client in (stage.client, other):
            await ask(client, "get_costs", {})
        assert len(stage.ledger.asked) == asked_before, "what either of them kept, both have"


@pytest.mark.fault("R8")
async def test_a_state_store_that_is_away_costs_what_is_kept_and_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    async with billed(monkeypatch, tmp_path) as stage:
        settings = settings_on(
            stage.lab, tmp_path, write=False, state=StateSettings(dir=tmp_path / "file" / "x")
        )
        async with Client(make(settings)) as client:
            for tool, arguments in ALL:
                answer = await asked(client, tool, arguments)
                assert answer.code != "internal", (tool, answer.text)
                assert answer.error or "kept" in str(answer.data.get("warnings")), (tool, answer.text[:500])
