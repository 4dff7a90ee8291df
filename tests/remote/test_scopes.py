"""What a token's scopes allow: 403 at the door, lists without the rest, and the same inside (D6, D17; T2)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from sqlalchemy import text

from aiops_eks.server import make as make_eks
from aiops_shared.auth.callers import CallerIdentity, called_by
from aiops_shared.auth.scopes import SCOPES
from aiops_shared.remote.scopes import scopes_of
from aiops_shared.settings import AuthSettings, Settings
from aiops_shared.state import StateStore
from aiops_sop.server import make as make_sop
from eks_aiops.gateway import make as make_gateway
from tests.remote.issuer import Issuer, Served, issuer, remote_settings, served

READ, SENSITIVE, PLAN, EXECUTE, APPROVE = SCOPES
NEEDED = {
    SENSITIVE: {"eks_get_pod_logs", "eks_list_events"},
    PLAN: {
        "eks_plan_workload_change",
        "eks_plan_manifest",
        "eks_plan_node_change",
        "eks_plan_addon_change",
        "sop_start_run",
        "sop_record_outcome",
    },
    EXECUTE: {"eks_execute_plan", "eks_undo_action", "sop_control_run", "sop_submit_event"},
}


def writing(settings: Settings) -> Settings:
    """With everything allowed that an operator can allow."""
    return settings.model_copy(update={"write": True, "sensitive_reads": True})


@pytest.fixture(scope="module")
def idp() -> Iterator[Issuer]:
    with issuer() as found:
        yield found


@pytest.fixture(scope="module")
def place(idp: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = writing(remote_settings(idp, tmp_path_factory.mktemp("state")))
    with served(make_gateway(settings), settings) as found:
        yield found


async def listed(place: Served, token: str) -> set[str]:
    answer = await place.rpc("tools/list", token=token)
    return {tool["name"] for tool in answer.json()["result"]["tools"]}


async def tried(place: Served, token: str, name: str) -> Any:
    """A call without arguments: it gets past the door, and no further than to the parameters."""
    arguments = {"not-a-parameter": True}
    return await place.rpc("tools/call", {"name": name, "arguments": arguments}, token=token)


@pytest.mark.threat("T2")
async def test_every_tool_needs_the_scope_of_its_effect(place: Served) -> None:
    every = await scopes_of(place.server)
    for scope, names in NEEDED.items():
        assert {name for name, needs in every.items() if needs == scope} == names
    assert len([name for name, needs in every.items() if needs == READ]) == len(every) - 12


@pytest.mark.threat("T2")
@pytest.mark.threat("T3")
@pytest.mark.parametrize(
    "held", [{READ}, {READ, SENSITIVE}, {READ, PLAN}, {READ, PLAN, EXECUTE}, set(SCOPES)]
)
async def test_what_is_listed_is_what_may_be_called_and_the_rest_is_403(
    place: Served, idp: Issuer, held: set[str]
) -> None:
    """BI-116, for each effect and through the gateway's names."""
    token = idp.token(scope=" ".join(held))
    every = await scopes_of(place.server)
    allowed = {name for name, needs in every.items() if needs in held}
    assert await listed(place, token) == allowed
    for name in {*every} if held == {READ} else {*every} - allowed | {"cost_get_costs", "eks_execute_plan"}:
        answer = await tried(place, token, name)
        if name in allowed:
            assert answer.status_code == 200, name
            assert "isError" in answer.text
            continue
        assert answer.status_code == 403, name
        says = answer.headers["www-authenticate"]
        found = re.search(r'^Bearer error="insufficient_scope", scope="([^"]+)", resource_metadata="', says)
        assert found is not None
        assert set(found[1].split()) == held | {every[name]}


async def test_both_generations_of_clients_see_their_own_list(place: Served, idp: Issuer) -> None:
    for mode in ("auto", "legacy"):
        names = {}
        for who, scope in (("anna", READ), ("ben", f"{READ} {EXECUTE}")):
            async with place.client(idp.token(sub=who, scope=scope), mode=mode) as client:
                names[who] = {tool.name for tool in await client.list_tools()}
                assert await client.list_resource_templates()
                assert await client.list_prompts()
        assert names["ben"] - names["anna"] == NEEDED[EXECUTE]


@pytest.mark.threat("T2")
async def test_without_reading_nothing_is_said_at_all(place: Served, idp: Issuer) -> None:
    for scope in ("", "openid", EXECUTE, APPROVE, f"{PLAN} {EXECUTE}"):
        token = idp.token(scope=scope)
        for method, params in (
            ("tools/list", {}),
            ("prompts/list", {}),
            ("resources/list", {}),
            ("resources/templates/list", {}),
            ("resources/read", {"uri": "plan://x"}),
            ("server/discover", {}),
            ("ping", {}),
        ):
            answer = await place.rpc(method, params, token=token)
            assert answer.status_code == 403, (scope, method)
        assert (await tried(place, token, "eks_list_clusters")).status_code == 403


async def test_a_tool_that_nobody_has_is_a_protocol_error_as_before(place: Served, idp: Issuer) -> None:
    for token in (idp.token(scope=READ), idp.token()):
        for name in (
            "eks_nothing",
            "execute_plan",
            "eks__execute_plan",
            "sop_eks_execute_plan",
            "EKS_EXECUTE_PLAN",
        ):
            answer = await tried(place, token, name)
            assert answer.json()["error"]["code"] == -32602, name


@pytest.mark.threat("T3")
async def test_the_refusal_is_logged_with_the_caller_and_without_the_token(
    place: Served, idp: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    token = idp.token(sub="anna", scope=READ)
    await tried(place, token, "eks_execute_plan")
    await place.rpc("tools/list", token=idp.token(aud="other"))
    said = [record.getMessage() for record in caplog.records if record.name == "aiops.remote"]
    assert "403 for anna: the token lacks aiops:execute" in said
    assert "401 for 127.0.0.1: audience" in said
    assert not any(part in caplog.text for part in token.split("."))


@pytest.mark.threat("T2")
async def test_a_door_that_knows_no_tool_does_not_let_one_run(idp: Issuer, tmp_path: Path) -> None:
    """The server asks again, by the tool itself: here the door was told nothing. It is audited there."""
    settings = writing(remote_settings(idp, tmp_path))
    async with served(make_eks(settings), settings, scopes={}) as found:
        for name, needs in (("execute_plan", EXECUTE), ("plan_manifest", PLAN), ("list_events", SENSITIVE)):
            answer = await tried(found, idp.token(sub="anna", scope=READ), name)
            assert answer.status_code == 200
            said = answer.json()["result"]["content"][0]["text"]
            assert said.startswith(f"[access_denied] {name}: your token lacks the scope {needs}")
    assert await audited(settings) == [
        ("refusal", "anna", "execute_plan"),
        ("refusal", "anna", "plan_manifest"),
        ("refusal", "anna", "list_events"),
    ]


async def audited(settings: Settings) -> list[tuple[str, str, str]]:
    """Event, actor and tool of every record."""
    store = StateStore(settings.state)
    asked = text("SELECT event, actor, body FROM audit ORDER BY seq")
    try:
        rows = await store.read(lambda conn: conn.execute(asked).all())
    finally:
        store.close()
    return [(row.event, row.actor, json.loads(row.body)["about"]) for row in rows]


@pytest.mark.threat("T2")
async def test_starting_a_run_that_executes_needs_more_than_planning(tmp_path: Path) -> None:
    settings = writing(remote_settings(None, tmp_path))
    planner = CallerIdentity("anna", "human", frozenset({READ, PLAN}))
    async with Client(make_sop(settings)) as client:
        codes = {}
        for mode in ("plan", "supervised", "auto"):
            with called_by(planner):
                result = await client.call_tool(
                    "start_run", {"sop": "no-such-sop", "mode": mode}, raise_on_error=False
                )
            codes[mode] = result.content[0].text.partition("]")[0]
        assert codes == {"plan": "[sop_not_found", "supervised": "[access_denied", "auto": "[access_denied"}


async def test_scopes_are_named_as_the_issuer_names_them(idp: Issuer, tmp_path: Path) -> None:
    plain = remote_settings(idp, tmp_path, path="/eks/")  # the endpoint too may be called otherwise
    auth = plain.auth.model_copy(update={"scope_prefix": "eks-aiops/"})
    settings = plain.model_copy(update={"auth": auth})
    async with served(make_eks(settings), settings) as found:
        none = await found.rpc("tools/list")
        assert 'scope="eks-aiops/aiops:read"' in none.headers["www-authenticate"]
        ours = await found.rpc("tools/list", token=idp.token(scope="eks-aiops/aiops:read"))
        assert ours.status_code == 200
        bare = await found.rpc("tools/list", token=idp.token(scope="aiops:read"))
        assert bare.status_code == 403
        plan = await tried(found, idp.token(scope="eks-aiops/aiops:read"), "plan_manifest")
        assert 'scope="eks-aiops/aiops:plan eks-aiops/aiops:read"' in plan.headers["www-authenticate"]


def test_every_setting_of_tokens_is_empty_by_default() -> None:
    auth = AuthSettings()
    assert (auth.issuer, auth.audience, auth.cognito_clients, auth.scope_prefix) == ("", [], [], "")
