"""Stories of the lab through the tool: the right cause first, no other, in few tokens, with its chain.

A seed or two a story; all stories and more seeds are in `make eval` (docs/evaluation-sop.md), which asks the
same questions.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aiops_lab.scenarios.addresses import subnet_id
from aiops_lab.scenarios.memory_spike import GUILTY, images, spiking
from aiops_shared.app.fitting import BYTES_PER_TOKEN, size_bytes
from evals.sop.questions import question, right
from tests.sop.stage import Stage, operated

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.timeout(90)]
BUDGET_TOKENS = 4000
Obj = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(tmp_path_factory.mktemp("investigations"))
        async with operated(patch, folder) as made:
            yield made


async def investigated(stage: Stage, story: str, seed: int, **more: Any) -> Obj:
    stage.play(story, seed)
    found = await stage.got("investigate", **{**question(story).arguments(seed), **more})
    assert size_bytes(found) / BYTES_PER_TOKEN <= BUDGET_TOKENS
    assert len(found["summary"]) <= 400
    times = [row[0] for row in found["chain"].get("rows", ())]
    assert times == sorted(times)
    assert stage.lab.requests.writes() == []
    return found


def code(found: Obj) -> str:
    return str(found["root_cause"].get("code", ""))


def ruled_out(found: Obj) -> set[str]:
    return {one.partition(":")[0] for one in found.get("ruled_out", ())}


@pytest.mark.row("S69")
@pytest.mark.row("S6")
async def test_504s_in_one_zone_are_the_subnet_without_addresses(stage: Stage) -> None:
    for seed in (0, 3):
        found = await investigated(stage, "subnet-ip-exhaustion", seed)
        assert code(found) == "SUBNET_IP_EXHAUSTION"
        assert re.search(rf"{subnet_id(stage.who)}.*(0|no) .*free", found["headline"])
        assert ruled_out(found) >= {"database", "coredns", "deployment", "node_cpu"}
        assert len(found["chain"]["rows"]) >= 4
        said = [row[1] for row in found["chain"]["rows"]]
        assert "HorizontalPodAutoscaler" in said[0]  # load first, then pods, then addresses, then 504s
        assert "errors" in said[-1] or "latency" in said[-1]
        actions = [one["action"] for one in found["actions"]]
        assert "secondary CIDR" in actions[0]
        assert "prefix delegation: not viable here: 0 free /28" in actions[1]
        assert {row[0] for row in found["sources"]["rows"]} == {"eks", "observability"}
        assert found["handoff"]["requires_human_approval"] is True


@pytest.mark.row("S69")
async def test_the_same_504s_for_other_reasons_claim_no_subnet(stage: Stage) -> None:
    found = await investigated(stage, "subnet-ip-exhaustion-slow-database", 1)
    assert code(found) == "DB_LATENCY"
    assert "SUBNET" not in str(found["hypotheses"]["rows"])
    found = await investigated(stage, "subnet-ip-exhaustion-node-limit", 0)
    assert code(found) == "NODE_ADDRESSES_EXHAUSTED"
    assert found["actions"][0]["action"].startswith("prefix delegation")
    found = await investigated(stage, "subnet-ip-exhaustion-expired", 2)
    assert code(found) == "SUBNET_IP_EXHAUSTION"
    assert any("coverage_gap: events" in one for one in found["warnings"])


@pytest.mark.row("S37")
async def test_memory_that_a_release_brought_names_release_age_and_route(stage: Stage) -> None:
    for seed in (0, 4):
        found = await investigated(stage, "memory-spike", seed)
        before, after = (ref.rpartition(":")[2] for ref in images(stage.who))
        assert code(found) == "MEMORY_LEAK_AFTER_DEPLOY"
        for said in (after, "2 h", GUILTY):
            assert said in found["headline"]
        first, second = found["actions"][:2]
        assert "roll back" in first["action"]
        assert before in first["action"]
        assert first["arguments"]["name"] == spiking(stage.who)
        assert "TTL" in second["action"]
    innocent = await investigated(stage, "memory-spike-before-release", 1)
    assert code(innocent) != "MEMORY_LEAK_AFTER_DEPLOY"
    assert "deployment" in ruled_out(innocent)


@pytest.mark.parametrize(
    ("story", "seed"),
    [
        ("db-pool", 3),
        ("az-gray-failure", 1),
        ("crypto-mining", 2),
        ("active-alarms", 1),
        ("memory-leak-slow", 1),
        ("memory-daily", 2),
    ],
)
async def test_the_right_cause_comes_first_and_none_where_nothing_is_wrong(
    stage: Stage, story: str, seed: int
) -> None:
    found = await investigated(stage, story, seed)
    assert code(found) == right(story, seed)


@pytest.mark.row("S8")
@pytest.mark.fault("R21")
async def test_with_a_source_down_the_answer_is_partial_and_says_so(stage: Stage) -> None:
    stage.play("subnet-ip-exhaustion", 0)
    stage.lab.fail_aws("xray", "*", code="AccessDeniedException")
    for room in ("jaeger", "tempo"):
        stage.lab.observatory.fail(room, status=503)
    try:
        found = await stage.got("investigate", **question("subnet-ip-exhaustion").arguments(0))
        assert code(found) == "SUBNET_IP_EXHAUSTION"
        assert any(one.startswith("partial: ") for one in found["warnings"])
    finally:
        stage.lab.observatory.heal()
        stage.lab.aws_faults.clear()


async def test_bad_questions_are_refused_with_their_code(stage: Stage) -> None:
    for wrong in (
        {},
        {"symptom": "x" * 501},
        {"symptom": "504", "window": "soon"},
        {"event": "{"},
        {"event": "[1]"},
        {"symptom": "504", "namespace": "No Such"},
        {"symptom": "504", "service": "a\nb"},
        {"symptom": "504", "cluster": "../x"},
    ):
        answer = await stage.ask("investigate", **wrong)
        assert answer.code == "invalid_input", (wrong, answer.text[:200])
