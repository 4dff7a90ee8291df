"""Everything foreign that the cost server reads says secrets and orders: none gets out, none is obeyed.

Held are threats T6 (no secret in an answer, an error or the state store's bytes), T7 (orders are data, in
fields that say so, without control characters) and T2 (nothing is written anywhere).
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aiops_lab.scenarios.canaries import CANARIES, found_in
from tests.cost.every_call import CLUSTER, HOME, Call
from tests.cost.planting import Bills, cost_file, manifests, opencost
from tests.cost.stage import Stage, billed
from tests.cost.test_allocation import with_source
from tests.e2e.stage import Answer, Obj
from tests.observability.planting import LEAKS, ORDER, ORDERS
from tests.observability.test_attack_planted import out_of_place

READS = re.compile(r"(Describe|Get|List|BatchGet|StartQuery|StopQuery|FilterLogEvents)[A-Za-z0-9]*$")
FINE = {"", "not_found", "invalid_input", "insufficient_data", "not_configured"}
TEXTS = (*ORDERS, *LEAKS)
Said = list[tuple[str, Obj, Answer]]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]


def calls() -> Iterator[Call]:
    """What reads each planted text."""
    for group in ("service", "usage_type", "account", "cluster", "record_type", "tag:team", "workload"):
        yield "get_costs", {"group_by": group, "limit": 100}
    yield "get_costs", {"group_by": "namespace", "period": "7d"}
    yield "get_costs", {"group_by": "tag:team", "granularity": "day", "period": "7d"}
    yield "get_costs", {"filters": ["tag:team=nobody", "cluster=x"]}
    yield "get_costs", {"filters": ["tag:team=nobody"]}
    yield "get_costs", {"cluster": "nobody"}
    yield "explain_cost_change", {"detail": "full"}
    yield "explain_cost_change", {"cluster": CLUSTER, "changes": [f"-6h {ORDERS[0]}"]}
    yield "explain_cost_change", {"cluster": "*"}
    yield "recommend_savings", {"detail": "full"}
    yield "list_prices", {}
    for pair in zip(*[iter(manifests(TEXTS))] * 4, strict=True):
        yield "estimate_cost", {"manifest": "---\n".join(pair), "detail": "full"}


async def walked(stage: Stage, wanted: Sequence[Call]) -> Said:
    """Every call and its answer."""
    return [(tool, arguments, await stage.ask(tool, **arguments)) for tool, arguments in wanted]


DIVIDED: tuple[Call, ...] = (
    ("get_costs", {"group_by": "workload", "period": "7d", "limit": 100}),
    ("get_costs", {"group_by": "namespace", "period": "7d", "limit": 100}),
    ("get_costs", {"group_by": "workload", "period": "7d", "filters": [f"namespace={HOME}"]}),
)


@pytest.mark.threat("T2")
@pytest.mark.threat("T6")
@pytest.mark.threat("T7")
@pytest.mark.row("BI-030")
@pytest.mark.row("BI-032")
async def test_planted_secrets_stay_inside_and_planted_orders_stay_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert len(LEAKS) == len(CANARIES) == 12
    async with billed(monkeypatch, tmp_path, "cost-spike", 1) as stage:
        Bills(stage).everywhere(TEXTS)
        answers = await walked(stage, [*calls()])
        stage.lab.observatory.fail("opencost", status=200, body=opencost(TEXTS))
        async with with_source(stage, monkeypatch, tmp_path, OPENCOST_URL="{lab}/opencost") as other:
            answers += await walked(other, DIVIDED)
        cost_file(tmp_path / "cur", TEXTS, stage.lab.clock.now().date())
        async with with_source(stage, monkeypatch, tmp_path, CUR=str(tmp_path / "cur")) as other:
            answers += await walked(other, DIVIDED)
        written, aws = stage.lab.requests.writes(), stage.lab.aws_requests()
    assert {tool for tool, _, _ in answers} == TOOLS
    assert {answer.code for _, _, answer in answers} <= FINE
    assert sum(not answer.error for _, _, answer in answers) > len(answers) * 2 / 3
    # T2: the simulator's own logs
    assert written == []
    assert [one.operation for one in aws if not READS.match(one.operation)] == []
    # T6
    wrong = [
        f"{tool} {said!r:.200} {found_in(answer.text)}"
        for tool, said, answer in answers
        if found_in(answer.text)
    ]
    # T7
    assert sum(ORDER in answer.text for _, _, answer in answers) > 10, "the orders are read at all"
    wrong += [each for tool, said, answer in answers for each in out_of_place(tool, brief(said), answer)]
    assert wrong == [], "\n".join(wrong)
    with sqlite3.connect(tmp_path / "state" / "state.db") as store:
        told = "".join(line for line in store.iterdump() if not line.startswith('INSERT INTO "answers"'))
    store.close()
    assert found_in(told) == []  # kept answers hold names as they were billed: docs/next.md


def brief(said: Obj) -> Obj:
    """The arguments as a failure shows them."""
    return {key: str(value)[:90] for key, value in said.items()}


TOOLS = {"get_costs", "explain_cost_change", "recommend_savings", "list_prices", "estimate_cost"}
