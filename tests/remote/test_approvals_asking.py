"""A change over stateless HTTP: who is asked through the client, and who is sent to the page (D4)."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from aiops_eks.server import make
from aiops_lab.scenarios.names import cast
from eks_aiops.approving_http import add_approvals
from tests.e2e.stage import Era, Person, asked, lab_environment, settings_on
from tests.lab_fixture import running_lab
from tests.remote.issuer import AUDIENCE, Served, issuer, remote_settings

SEED, HOME = 5, "production"
REQUESTS = "aiops:read aiops:plan aiops:execute"
PAGE = AUDIENCE.removesuffix("/mcp") + "/approvals/"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.threat("T9")]


async def test_a_change_over_http_finds_its_person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with running_lab("guardrail-drill", SEED) as lab:
        lab_environment(lab, monkeypatch)
        with issuer() as idp:
            remote = remote_settings(idp, tmp_path)
            settings = settings_on(lab, tmp_path, state=remote.state, http=remote.http, auth=remote.auth)
            server = make(settings)
            add_approvals("eks", server, settings)
            with Served(server, settings) as place:
                anna, ben = idp.token(sub="anna", scope=REQUESTS), idp.token(sub="ben")

                def client(person: Person | None, era: Era = "auto") -> Client[StreamableHttpTransport]:
                    handler = person.answer if person else None
                    return place.client(anna, mode=era, elicitation_handler=handler)

                async def planned(through: Client[Any], replicas: int) -> dict[str, str]:
                    wish = {
                        "action": "scale",
                        "namespace": HOME,
                        "name": cast(SEED).api,
                        "replicas": replicas,
                    }
                    plan = (await asked(through, "plan_workload_change", wish)).data
                    return {"plan_id": plan["plan_id"], "confirm": plan["confirm"]}

                # An older client cannot be asked over stateless HTTP: the page and the command are named.
                old = Person()
                async with client(old, "legacy") as through:
                    first = await planned(through, 11)
                    refused = await asked(through, "execute_plan", first)
                assert refused.code == "approval_pending"
                assert f" or {PAGE}apr_" in refused.error
                assert old.asked == []
                # The same plan through a newer one: its requester is asked, and it is done.
                new = Person(says="no")
                async with client(new) as through:
                    assert (await asked(through, "execute_plan", first)).code == "approval_pending"
                    assert lab.requests.writes() == []
                    new.says, heard = "yes", list[str]()

                    async def hear(progress: float, total: float | None, message: str | None) -> None:
                        heard.append(f"{progress:g}/{total or 0:g} {message}")

                    done = await through.call_tool("execute_plan", first, progress_handler=hear)
                    assert done.structured_content
                    assert done.structured_content["state"] == "succeeded"
                    assert len(new.asked) == 2
                    assert heard, "a client that sent a token hears how far it is"
                    writes = len(lab.requests.writes())
                    # Four eyes: its requester is not even asked; somebody else approves over HTTP.
                    second = await planned(through, 3)
                    pending = await asked(through, "execute_plan", second)
                    assert pending.code == "approval_pending"
                    assert len(new.asked) == 2
                    about = pending.error.rpartition(PAGE)[2].split()[0]
                    await decided(place.base, about, anna, 403)
                    assert len(lab.requests.writes()) == writes
                    await decided(place.base, about, ben, 200)
                    after = await asked(through, "execute_plan", second)
                    assert after.data["approval_id"] == about, after.text
                    # What its autoscaler makes of three replicas is another story: it may take them back.
                    assert len(lab.requests.writes()) > writes


async def decided(base: str, about: str, token: str, status: int) -> None:
    """Approve over HTTP what is shown there."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False) as client:
        shown = (await client.get(f"/approvals/{about}")).json()
        wish = {"decision": "approve", "digest": shown["digest"]}
        answer = await client.post(f"/approvals/{about}", json=wish)
        assert answer.status_code == status, answer.text
