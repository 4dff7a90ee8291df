"""The other servers, asked over MCP: for whom, and what becomes of their errors."""

from datetime import timedelta
from pathlib import Path

import pytest

from aiops_shared.auth.behalf import Behalf
from aiops_shared.clock import SystemClock
from aiops_shared.errors import (
    BehalfInvalidError,
    ClusterNotFoundError,
    NotConfiguredError,
    PlanNotFoundError,
)
from aiops_sop.clients.peers import McpPeers
from tests.sop.stage import in_this_process, operated


def behalf(**more: object) -> Behalf:
    until = SystemClock().safe_now() + timedelta(minutes=4)
    given = {"caller": "bea", "kind": "agent", "run_id": "run_1", "audience": "eks", "until": until, **more}
    return Behalf.model_validate(given)


@pytest.mark.slow
async def test_a_tool_of_another_server_answers_and_its_refusals_keep_their_codes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(monkeypatch, tmp_path, "pod-crashloop") as stage:
        peers = McpPeers(stage.settings, in_this_process(stage.settings))
        try:
            answer = await peers.call("eks", "list_resources", {"kind": "Pod", "namespace": "production"})
            assert answer["resources"]["rows"]
            with pytest.raises(ClusterNotFoundError):
                await peers.call("eks", "list_resources", {"kind": "Pod", "cluster": "nowhere"})
            with pytest.raises(NotConfiguredError):
                await peers.call("weather", "list_clouds", {})
            assert set(await peers.missing(["eks", "cost"])) == set()
        finally:
            await peers.aclose()


@pytest.mark.slow
@pytest.mark.threat("T4")
async def test_a_plan_is_made_for_whom_the_statement_names_and_a_forged_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(monkeypatch, tmp_path, "pod-crashloop") as stage:
        peers = McpPeers(stage.settings, in_this_process(stage.settings))
        wish = {"action": "restart", "namespace": "production", "name": stage.who.api}
        try:
            plan = await peers.call("eks", "plan_workload_change", wish, behalf(sop="pod-crashloop"))
            with pytest.raises(PlanNotFoundError):  # it is bea's, and nobody else's
                await peers.call("eks", "execute_plan", {name: plan[name] for name in ("plan_id", "confirm")})
            for wrong in (
                behalf(audience="cost"),
                behalf(until=SystemClock().safe_now() - timedelta(minutes=1)),
                behalf(until=SystemClock().safe_now() + timedelta(hours=1)),
            ):
                with pytest.raises(BehalfInvalidError):
                    await peers.call("eks", "plan_workload_change", wish, wrong)
        finally:
            await peers.aclose()
