"""Evictions: what a PodDisruptionBudget lets through; a dry run asks the budget and changes nothing."""

from typing import Any

import pytest

from tests.cluster.contract.objects import BUDGETS, PODS, given
from tests.cluster.contract.server import MERGE, STRATEGIC, Server

EVICTION: dict[str, Any] = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
DRY = {**EVICTION, "deleteOptions": {"dryRun": ["All"]}}
DONE = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
RUNNING = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}


async def prepare(server: Server, allowed: int, observed: int = 1) -> None:
    await given(server, "placed pod", "budget")
    await server.ask(f"PATCH {PODS}/p/status", RUNNING, sent_as=STRATEGIC)
    status = {
        "observedGeneration": observed,
        "disruptionsAllowed": allowed,
        "currentHealthy": 1,
        "desiredHealthy": 1,
        "expectedPods": 1,
    }
    assert (await server.ask(f"PATCH {BUDGETS}/pdb/status", {"status": status}, sent_as=MERGE)).code == 200


async def alive(server: Server) -> bool:
    return "deletionTimestamp" not in (await server.ask(f"GET {PODS}/p")).ok["metadata"]


async def left(server: Server) -> int:
    allowed: int = (await server.ask(f"GET {BUDGETS}/pdb")).ok["status"]["disruptionsAllowed"]
    return allowed


@pytest.mark.parametrize(
    ("query", "body"), [("", DRY), ("?dryRun=All", EVICTION)], ids=["in the body", "in the query"]
)
async def test_a_dry_run_is_allowed_and_evicts_nobody(
    server: Server, query: str, body: dict[str, Any]
) -> None:
    await prepare(server, allowed=1)
    answer = await server.ask(f"POST {PODS}/p/eviction{query}", body)
    assert (answer.code, answer.masked) == (201, DONE)
    assert await alive(server)
    assert await left(server) == 1


@pytest.mark.parametrize("body", [DRY, EVICTION], ids=["dry", "meant"])
async def test_a_spent_budget_refuses_without_a_time_to_come_again(
    server: Server, body: dict[str, Any]
) -> None:
    await prepare(server, allowed=0)
    answer = await server.ask(f"POST {PODS}/p/eviction", body)
    needs = "The disruption budget pdb needs 1 healthy pods and has 1 currently"
    assert answer.refusal == {
        "code": 429,
        "reason": "TooManyRequests",
        "message": REFUSED,
        "details": {"causes": [{"reason": "DisruptionBudget", "message": needs}]},
    }
    assert "retry-after" not in answer.headers
    assert await alive(server)


@pytest.mark.parametrize("body", [DRY, EVICTION], ids=["dry", "meant"])
async def test_a_budget_not_yet_computed_refuses_for_ten_seconds(
    server: Server, body: dict[str, Any]
) -> None:
    await prepare(server, allowed=1, observed=0)
    answer = await server.ask(f"POST {PODS}/p/eviction", body)
    waits = "The disruption budget pdb is still being processed by the server."
    assert answer.refusal == {
        "code": 429,
        "reason": "TooManyRequests",
        "message": REFUSED,
        "details": {
            "causes": [{"reason": "DisruptionBudget", "message": waits}],
            "retryAfterSeconds": 10,
        },
    }
    assert answer.headers["retry-after"] == "10"


async def test_an_eviction_marks_the_pod_and_spends_the_budget(server: Server) -> None:
    await prepare(server, allowed=1)
    answer = await server.ask(f"POST {PODS}/p/eviction", EVICTION)
    assert (answer.code, answer.masked) == (201, DONE)
    pod = (await server.ask(f"GET {PODS}/p")).ok
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 30
    target = next(c for c in pod["status"]["conditions"] if c["type"] == "DisruptionTarget")
    assert (target["status"], target["reason"], target["message"]) == (
        "True",
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )
    budget = (await server.ask(f"GET {BUDGETS}/pdb")).ok["status"]
    assert (budget["disruptionsAllowed"], list(budget["disruptedPods"])) == (0, ["p"])


async def test_a_pod_that_dies_already_is_evicted_again_for_nothing(server: Server) -> None:
    await prepare(server, allowed=1)
    await server.ask(f"POST {PODS}/p/eviction", EVICTION)
    assert (await server.ask(f"POST {PODS}/p/eviction", EVICTION)).code == 201
    assert await left(server) == 0


async def test_a_pending_pod_needs_no_budget(server: Server) -> None:
    await given(server, "placed pod", "budget")
    assert (await server.ask(f"POST {PODS}/p/eviction", EVICTION)).code == 201
    assert not await alive(server)


async def test_two_budgets_over_one_pod_cannot_be_judged(server: Server) -> None:
    await prepare(server, allowed=1)
    second = {"metadata": {"name": "more"}, "spec": {"selector": {"matchLabels": {"app": "p"}}}}
    await server.made(BUDGETS, second)
    answer = await server.ask(f"POST {PODS}/p/eviction", EVICTION)
    said = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    assert (answer.code, answer.body["message"]) == (500, said)
    assert await alive(server)
