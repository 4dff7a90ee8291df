"""explain_cost_change through the client: F8 and its kin, drawn bills, faults. Numbers to the cent."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from aiops_lab.billing.drawn import currency, drawn, total
from aiops_lab.billing.fleets import TAG, Kit
from aiops_lab.billing.lines import EC2, Line, flat
from aiops_lab.billing.quantities import hours, monthly, steps
from aiops_lab.scenarios import bills
from aiops_lab.scenarios.bills_fleet import crowd
from aiops_lab.scenarios.names import Names, cast
from tests.cost.stage import SEEDS, START, Stage, billed
from tests.e2e.stage import Obj

TODAY = START.date()
WEEK = timedelta(days=7)
CLUSTER, ELSEWHERE = "my-cluster", "elsewhere"  # the latter is on the bill and nowhere else
CENT = Decimal("0.01")


def rows(answer: Obj, table: str) -> dict[str, Obj]:
    """A table by its first column."""
    columns = answer[table]["columns"]
    return {row[0]: dict(zip(columns, row, strict=True)) for row in answer[table]["rows"]}


def first_cause(answer: Obj) -> str:
    return str(answer["causes"][0]["code"]) if answer["causes"] else ""


def sums_up(answer: Obj) -> None:
    """The waterfall ends where the period is, to the cent; so do the services."""
    amounts = [Decimal(str(row[1])) for row in answer["effects"]["rows"]]
    assert sum(amounts[:-1]) == amounts[-1]
    services = rows(answer, "drivers").values()
    for column, place in (("before", 0), ("after", -1)):
        assert sum((Decimal(str(row[column])) for row in services), Decimal()) == amounts[place]


def moved(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The same bill of a cluster that only the bill knows: no facts are read."""
    return tuple(replace(line, tags=dict.fromkeys(line.tags, ELSEWHERE)) for line in lines)


async def told(stage: Stage, lines: tuple[Line, ...], **more: object) -> Obj:
    stage.ledger.lines, stage.ledger.unsettled_days = moved(lines), 0
    stage.forget()
    return await stage.got("explain_cost_change", **({"cluster": ELSEWHERE} | more))


@pytest.mark.row("S38")
@pytest.mark.parametrize("seeds", [(0, 1), (2, 3), (4,)])
async def test_memory_that_fills_compute_nodes_is_the_cause_and_the_numbers_are_the_bill_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seeds: tuple[int, ...]
) -> None:
    async with billed(monkeypatch, tmp_path, "cost-spike") as stage:
        for seed in seeds:
            stage.play("cost-spike", seed)
            right, fleet = bills.spike(stage.who), crowd(stage.who)
            answer = await stage.got("explain_cost_change", cluster=CLUSTER)
            assert first_cause(answer) == right.code
            assert answer["verdict"] == "explained"
            sums_up(answer)
            driver = rows(answer, "drivers")[EC2]
            before, after = (float(amount) for amount in right.amounts)
            assert (driver["before"], driver["after"]) == (before, after)
            grown = round(100 * (right.after / right.before - 1), 1)
            assert (driver["quantity_pct"], driver["price_pct"], driver["mix_pct"]) == (grown, 0.0, 0.0)
            cell = rows(answer, "cells")[right.usage_type]
            assert (cell["quantity_before"], cell["quantity_after"]) == (right.before, right.after)
            assert cell["price_before"] == cell["price_after"] == float(right.price)
            facts = rows(answer, "facts")
            assert facts["cluster CPU share"]["after"] == pytest.approx(fleet.cpu, abs=0.01)
            assert facts["cluster memory share"]["after"] == pytest.approx(fleet.memory, abs=0.01)
            assert facts["nodes now"]["after"] == f"{fleet.nodes} {fleet.machine.kind}"
            says = " ".join(one["says"] for one in answer["causes"][0]["evidence"])
            assert "Insufficient memory" in says
            assert "never reached" in says
            assert "instance-category only c" in says
            assert "unusual" in answer["usual"]
            if seed == 0:
                assert (before, after, grown) == (652.80, 913.92, 40.0)
                assert "CPU 25 %, memory 86 %" in answer["summary"]
            asked = len(stage.ledger.asked)
            again = await stage.got("explain_cost_change", cluster=CLUSTER)
            assert again["billed_requests"] == 0
            assert len(stage.ledger.asked) == asked


async def test_a_last_day_that_may_still_change_is_left_out_and_never_extrapolated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.ledger.lines = moved(bills.spike_lines(cast(seed), TODAY))
            stage.ledger.unsettled_days = 1
            stage.forget()
            yesterday = TODAY - timedelta(days=1)
            fixed = await stage.got(
                "explain_cost_change", cluster=ELSEWHERE, period=f"{TODAY - WEEK}..{yesterday}"
            )
            assert str(yesterday) in fixed["unsettled_days"]
            assert any(str(yesterday) in warning for warning in fixed["warnings"])
            assert str(yesterday - WEEK) in fixed["unsettled_days"]  # its weekday of the week before
            sums_up(fixed)
            lines = stage.ledger.lines
            tagged = tuple(line for line in lines if line.tags.get(TAG) == ELSEWHERE)
            right = sum(total(tagged, TODAY - WEEK, yesterday).values(), Decimal()).quantize(CENT)
            assert rows(fixed, "effects")["period"]["amount"] == float(right)
            rolling = await stage.got("explain_cost_change", cluster=ELSEWHERE, period="7d")
            assert rolling["period"] == f"{yesterday - WEEK}..{yesterday - timedelta(days=1)} (7 days)"
            assert rolling["unsettled_days"] == [str(yesterday)]


@pytest.mark.row("B23")
async def test_growth_with_its_requests_is_no_anomaly_and_without_them_it_is_growth(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path, "cost-growth") as stage:
        for seed in SEEDS:
            stage.play("cost-growth", seed)
            answer = await stage.got("explain_cost_change", cluster=CLUSTER)
            assert answer["verdict"] == "no_anomaly"
            assert first_cause(answer) == "TRAFFIC_GROWTH"
            assert "No anomaly" in answer["summary"]
            sums_up(answer)
            blind = await told(stage, bills.growth_lines(stage.who, TODAY))
            assert first_cause(blind) == "QUANTITY_GROWTH"
            assert any("traffic not known" in warning for warning in blind["warnings"])


def extended(names: Names, today: date) -> tuple[Line, ...]:
    """A cluster's version entered extended support a week ago."""
    return (
        Kit().nodes("m5.xlarge", "0.192", hours(4 + names.seed)),
        replace(Kit().control_plane(extended=True), quantity=steps(flat(0), (today - WEEK, hours(1)))),
        *bills.around(names, Kit()),
    )


def fuller_disks(names: Names, today: date) -> tuple[Line, ...]:
    """Disks double."""
    size = 900.0 + 100 * names.seed
    return (
        Kit().nodes("m5.xlarge", "0.192", hours(3)),
        Kit().control_plane(),
        Kit().disks(steps(monthly(size), (today - WEEK, monthly(2.5 * size)))),
    )


def through_nat(names: Names, today: date) -> tuple[Line, ...]:
    """NAT traffic quadruples."""
    grown = steps(flat(100 + names.seed), (today - WEEK, flat(400)))
    nat = tuple(replace(line, tags={TAG: CLUSTER}) for line in Kit().nat(grown))
    return (Kit().nodes("m5.xlarge", "0.192", hours(3)), Kit().control_plane(), *nat)


def dearer(names: Names, today: date) -> tuple[Line, ...]:
    """The same machines for more."""
    old, new = Decimal("0.192"), Decimal("0.230") + Decimal(names.seed) / 100
    node = replace(
        Kit().nodes("m5.xlarge", "0.192", hours(6)),
        price_usd=lambda day: new if day >= today - WEEK else old,
    )
    return (node, *bills.around(names, Kit()))


def new_service(names: Names, today: date) -> tuple[Line, ...]:
    """A database appears."""
    made = Kit().other("Amazon ElastiCache", "NodeUsage:cache.r6g.large", "0.206", hours(0), "Hrs")
    made = replace(made, quantity=steps(flat(0), (today - WEEK, hours(2))), tags={TAG: CLUSTER})
    return (Kit().nodes("m5.xlarge", "0.192", hours(3 + names.seed)), made)


def larger(names: Names, today: date) -> tuple[Line, ...]:
    """The same number of hours on machines of twice the size."""
    count = 4 + names.seed
    small = Kit().nodes("m5.xlarge", "0.192", steps(hours(count), (today - WEEK, hours(0))))
    return (
        small,
        Kit().nodes("m5.2xlarge", "0.384", steps(hours(0), (today - WEEK, hours(count)))),
        Kit().control_plane(),
    )


def logged(names: Names, today: date) -> tuple[Line, ...]:
    """Log volume, with the cluster's tag."""
    return tuple(replace(line, tags={TAG: CLUSTER}) for line in bills.log_surge_lines(names, today))


STORIES: tuple[tuple[str, Callable[[Names, date], tuple[Line, ...]]], ...] = (
    ("CROSS_AZ_TRAFFIC", bills.cross_zone_lines),
    ("LOG_VOLUME", logged),
    ("CREDIT_ENDED", bills.credit_ended_lines),
    ("SPOT_TO_ON_DEMAND", bills.spot_lost_lines),
    ("COMMITMENT_EXPIRED", bills.plan_expired_lines),
    ("EXTENDED_SUPPORT", extended),
    ("STORAGE_GROWTH", fuller_disks),
    ("NAT_TRAFFIC", through_nat),
    ("PRICE_CHANGE", dearer),
    ("NEW_SERVICE", new_service),
    ("INSTANCE_MIX", larger),
)


@pytest.mark.row("B23")
async def test_every_other_reason_has_its_own_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            for code, bill in STORIES:
                answer = await told(stage, bill(cast(seed), TODAY))
                assert first_cause(answer) == code, (seed, code, answer["summary"])
                assert answer["verdict"] == "explained", (seed, code)
                assert len(answer["summary"]) <= 400
                sums_up(answer)
            right = bills.cross_zone(cast(seed))
            answer = await told(stage, bills.cross_zone_lines(cast(seed), TODAY))
            cell = rows(answer, "cells")[right.usage_type]
            assert (cell["quantity_before"], cell["quantity_after"]) == (right.before, right.after)
            assert (cell["before"], cell["after"]) == tuple(float(one) for one in right.amounts)


async def test_a_bill_like_the_weeks_before_is_no_anomaly_and_so_is_its_usual_growth(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            names = cast(seed)
            for lines in (bills.around(names, Kit()), bills.steady_lines(names, TODAY)):
                answer = await told(stage, lines)
                assert answer["verdict"] == "no_anomaly", (seed, answer["summary"], answer["usual"])
                assert "causes" not in answer
                assert answer["usual"].startswith("usual")


async def test_a_bill_that_falls_says_what_was_used_less(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        fallen = Kit().nodes("m5.xlarge", "0.192", steps(hours(9), (TODAY - WEEK, hours(4))))
        answer = await told(stage, (fallen, Kit().control_plane()))
        assert first_cause(answer) == "USAGE_FELL"
        assert rows(answer, "drivers")[EC2]["quantity_pct"] < -50
        sums_up(answer)


@pytest.mark.row("B9")
async def test_of_several_clusters_the_one_that_moved_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            names = cast(seed)
            stage.ledger.lines = bills.by_cluster_lines(names, TODAY)
            stage.ledger.unsettled_days = 0
            stage.forget()
            right = dict(bills.by_cluster(names))
            answer = await stage.got("explain_cost_change", cluster=",".join(right))
            shares = {name: row["change_pct"] for name, row in rows(answer, "clusters").items()}
            assert set(shares) == set(right)
            for name, factor in right.items():
                assert shares[name] == pytest.approx(100 * (factor - 1), abs=0.1)
            worst = max(right, key=lambda name: right[name])
            assert worst in answer["summary"]
            assert rows(answer, "drivers")[EC2]["quantity_pct"] == pytest.approx(120, abs=0.1)
            sums_up(answer)


@pytest.mark.parametrize("first", range(0, 100, 25))
async def test_a_hundred_drawn_bills_equal_an_independent_computation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: int
) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        for seed in range(first, first + 25):
            lines = tuple(replace(line, tags={TAG: ELSEWHERE}) for line in drawn(seed, newest=TODAY))
            stage.ledger.currency = currency(seed)
            answer = await told(stage, lines, detail="full")
            assert answer["currency"] == currency(seed)
            sums_up(answer)
            sides = [
                total(lines, start, start + WEEK, ("service",)) for start in (TODAY - 2 * WEEK, TODAY - WEEK)
            ]
            effects = rows(answer, "effects")
            for name, side in (("baseline", sides[0]), ("period", sides[1])):
                assert effects[name]["amount"] == float(sum(side.values(), Decimal()).quantize(CENT)), seed
            for service, row in rows(answer, "drivers").items():
                if service != "(others)":
                    right = [float(side.get((service,), Decimal()).quantize(CENT)) for side in sides]
                    assert [row["before"], row["after"]] == right, (seed, service)


async def test_months_of_different_length_are_compared_by_the_day(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        steady = (Kit().nodes("m5.xlarge", "0.192", hours(5)), Kit().control_plane(), Kit().disks(500))
        answer = await told(stage, steady, period="2026-03", baseline="2026-02")
        effects = rows(answer, "effects")
        paid_by_day = 24 * (5 * 0.192 + 0.10)
        assert effects["calendar"]["amount"] == round(3 * paid_by_day, 2)
        assert abs(effects.get("quantity", {"amount": 0})["amount"]) <= 0.01
        assert answer["verdict"] == "no_anomaly"
        assert first_cause(answer) in {"", "CALENDAR"}
        sums_up(answer)


async def test_credits_refunds_and_tax_are_their_own_parts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        kit, day = Kit(), TODAY - timedelta(days=3)
        extra = (kit.credit(EC2, "-50.00", day), kit.refund(EC2, "-7.25", day), kit.tax("31.00"))
        tagged = tuple(replace(line, tags={TAG: CLUSTER}) for line in extra)
        answer = await told(stage, (kit.nodes("m5.xlarge", "0.192", hours(5)), *tagged))
        effects = rows(answer, "effects")
        assert effects["credits"]["amount"] == -50.0
        assert effects["refunds"]["amount"] == -7.25
        assert "price" not in effects
        assert "quantity" not in effects
        sums_up(answer)


async def test_two_weeks_of_history_are_too_few_to_say_what_is_usual(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        young = steps(flat(0), (TODAY - 2 * WEEK, hours(4)), (TODAY - WEEK, hours(6)))
        stage.ledger.since = TODAY - 2 * WEEK
        answer = await told(stage, (Kit().nodes("m5.xlarge", "0.192", young),), period="7d")
        assert first_cause(answer) == "QUANTITY_GROWTH"
