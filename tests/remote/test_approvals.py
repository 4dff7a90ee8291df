"""Approving over HTTP as raw requests: who may, what is refused with which code; nothing slips (D4)."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from aiops_shared.guardrails.plans import digest_of_plan
from aiops_shared.settings import HttpSettings
from aiops_sop.clients.run_parts import asks_of
from tests.fakes.clocks import FakeClock
from tests.fakes.runhouses import RunHouse
from tests.remote.approving import HTML, WaitingRoom, waiting_room
from tests.remote.issuer import Issuer, issuer
from tests.sop.runs.test_answering import ASKING

pytestmark = pytest.mark.threat("T9")


@pytest.fixture(scope="module")
def idp() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture
async def room(tmp_path: Path, idp: Issuer) -> AsyncIterator[WaitingRoom]:
    async with waiting_room(tmp_path, idp) as made:
        yield made


async def post(
    client: httpx.AsyncClient, about: str, digest: str, decision: str = "approve"
) -> tuple[int, dict[str, Any]]:
    """A decision as a program sends it."""
    answer = await client.post(f"/approvals/{about}", json={"decision": decision, "digest": digest})
    return answer.status_code, answer.json()


async def test_another_person_sees_the_whole_plan_and_approves_what_they_saw(
    room: WaitingRoom, idp: Issuer
) -> None:
    plan, approval = await room.asked("other")
    async with room.http(idp.token(sub="ben")) as ben:
        listed = (await ben.get("/approvals")).json()
        assert [one["id"] for one in listed["waiting"]] == [approval.approval_id]
        seen = (await ben.get(listed["waiting"][0]["url"])).json()
        assert seen["says"] == plan.confirm
        assert seen["diff"][0]["after"] == "shop/web:2"
        assert seen["blast_radius"] == plan.blast_radius.says
        assert (seen["rule"], seen["why"]) == ("prod-image", "a new image in production")
        assert (seen["reversible"], seen["lost"]) == ("partial", ["requests under way"])
        assert (seen["requester"], seen["needs"], seen["state"]) == ("anna", "other", "pending")
        assert seen["digest"] == digest_of_plan(plan)
        assert seen["expires_at"]
        status, done = await post(ben, approval.approval_id, seen["digest"])
        assert (status, done["state"], done["repeated"]) == (200, "approved", False)
        status, again = await post(ben, approval.approval_id, seen["digest"])
        assert (status, again["state"], again["repeated"]) == (200, "approved", True)
    assert await room.audited() == [("approval_asked", "anna"), ("approved", "ben")]


async def test_who_may_not_approve_is_told_why_and_it_keeps_waiting(room: WaitingRoom, idp: Issuer) -> None:
    plan, approval = await room.asked("other")
    about, digest = approval.approval_id, digest_of_plan(plan)
    reader = "aiops:read aiops:plan aiops:execute"
    cases = [
        (idp.token(sub="anna"), 403, "four eyes"),
        (idp.token(sub="anna", scope=reader), 403, "lacks the scope"),
        (idp.token(sub="bot", client_id="bot"), 403, "an agent"),
        (idp.token(sub="carl", scope=reader), 404, "nothing of that id"),
    ]
    for token, wanted, why in cases:
        async with room.http(token) as client:
            status, said = await post(client, about, digest)
            assert status == wanted, said
            assert why in said["error_description"]
            assert said["error"] == ("not_found" if wanted == 404 else "approval_invalid")
            declined, _ = await post(client, about, digest, "decline")
            assert declined == (200 if why == "four eyes" else wanted)  # withdrawing is nobody's harm
    assert await room.state_of(about) == "pending"
    async with room.http(idp.token(sub="carl", scope=reader)) as carl:
        assert (await carl.get("/approvals")).json()["waiting"] == []
        mine, unknown = [await carl.get(f"/approvals/{one}") for one in (about, "apr_" + "x" * 20)]
        assert mine.status_code == unknown.status_code == 404
        assert mine.text.replace(about, "") == unknown.text.replace("apr_" + "x" * 20, "")
    events = await room.audited()
    assert events.count(("refusal", "anna")) >= 2
    assert ("refusal", "bot") in events


async def test_only_what_was_shown_is_approved_while_it_waits(room: WaitingRoom, idp: Issuer) -> None:
    plan, approval = await room.asked()
    other, _ = await room.asked(confirm="Another change")
    about, digest = approval.approval_id, digest_of_plan(plan)
    async with room.http(idp.token(sub="ben")) as ben, room.http(idp.token(sub="carl")) as carl:
        status, said = await post(ben, about, digest_of_plan(other))
        assert (status, said["error"]) == (409, "approval_invalid")
        for body in (
            {},
            {"decision": "yes", "digest": digest},
            {"decision": "approve", "digest": digest[:8]},
        ):
            answer = await ben.post(f"/approvals/{about}", json=body)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_input")
        assert (await ben.post(f"/approvals/{about}", content=b"{")).status_code == 415
        as_json = {"content-type": "application/json"}
        assert (
            await ben.post(f"/approvals/{about}", content=b"[" * 9000, headers=as_json)
        ).status_code == 400
        assert (
            await ben.post(f"/approvals/{about}", content=b" " * 70_000, headers=as_json)
        ).status_code == 413
        assert (await post(ben, about, digest, "decline"))[1]["state"] == "pending"
        assert (await post(ben, about, digest))[0] == 200
        status, said = await post(carl, about, digest)
        assert (status, said["error"]) == (409, "approval_invalid")
        assert "given already" in said["error_description"]
        assert await room.state_of(about) == "approved"


async def test_an_approval_that_is_over_is_gone(room: WaitingRoom, idp: Issuer) -> None:
    plan, approval = await room.asked()
    clock: FakeClock = room.clock
    clock.safe += timedelta(seconds=1801)
    async with room.http(idp.token(sub="ben")) as ben:
        status, said = await post(ben, approval.approval_id, digest_of_plan(plan))
        assert (status, said["error"]) == (410, "approval_invalid")
        assert "expired" in said["error_description"]
        assert (await ben.get("/approvals")).json()["waiting"] == []


async def test_a_changed_policy_needs_a_new_question(room: WaitingRoom, idp: Issuer) -> None:
    plan, approval = await room.asked()
    approvals = room.guard._wired.approvals
    object.__setattr__(approvals, "policy_digest", lambda: "another")
    async with room.http(idp.token(sub="ben")) as ben:
        status, said = await post(ben, approval.approval_id, digest_of_plan(plan))
    assert (status, said["error"]) == (409, "approval_invalid")
    assert "policy changed" in said["error_description"]
    assert await room.state_of(approval.approval_id) == "pending"


async def test_without_tokens_everything_is_read_and_nothing_decided(tmp_path: Path) -> None:
    async with waiting_room(tmp_path, None) as room, room.http() as client:
        plan, approval = await room.asked()
        assert (await client.get(f"/approvals/{approval.approval_id}")).json()["digest"] == digest_of_plan(
            plan
        )
        status, said = await post(client, approval.approval_id, digest_of_plan(plan))
        assert status == 403
        assert f"eks-aiops approve {approval.approval_id}" in said["error_description"]
        page = (await client.get(f"/approvals/{approval.approval_id}", headers=HTML)).text
        assert "<button" not in page
        assert f"eks-aiops approve {approval.approval_id}" in page
        assert await room.state_of(approval.approval_id) == "pending"
        assert ("refusal", "local") in await room.audited()


async def test_a_run_question_is_answered_the_same_way(tmp_path: Path, idp: Issuer) -> None:
    async with RunHouse(tmp_path).running() as house:
        house.library.add(ASKING)
        run = await house.did("asking", "supervised")
        assert run.waiting
        asks = asks_of(house.settings, house.store, house.clock, house.guard)
        async with (
            waiting_room(tmp_path / "state", idp, asks) as room,
            room.http(idp.token(sub="ben")) as ben,
        ):
            (listed,) = (await ben.get("/approvals")).json()["waiting"]
            assert (listed["of"], listed["run_id"], listed["id"]) == ("question", run.run_id, run.waiting.id)
            assert (await post(ben, listed["id"], "0" * 64))[0] == 409
            async with room.http(idp.token(sub="bot", client_id="bot")) as bot:
                assert (await post(bot, listed["id"], listed["digest"]))[0] == 403
            status, done = await post(ben, listed["id"], listed["digest"])
            assert (status, done["state"]) == (200, "yes")
            assert (await post(ben, listed["id"], listed["digest"]))[1]["repeated"]
            assert (await post(ben, listed["id"], listed["digest"], "decline"))[0] == 409


async def test_a_form_counts_only_from_our_own_page_and_session(room: WaitingRoom, idp: Issuer) -> None:
    plan, approval = await room.asked()
    about, digest = f"/approvals/{approval.approval_id}", digest_of_plan(plan)
    fields = {"decision": "approve", "digest": digest}
    own = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin", **HTML}
    async with room.http() as browser:
        form = await browser.get(about, headers=HTML)
        assert form.status_code == 401
        assert "resource_metadata" in form.headers["www-authenticate"]
        assert 'name="token"' in form.text
        assert (await browser.get(about)).json()["error"] == "invalid_token"  # a program gets JSON
        bad = await browser.post("/approvals/sign-in", data={"token": "a.b.c"}, headers=own)
        assert (bad.status_code, "not taken" in bad.text, bad.cookies) == (401, True, httpx.Cookies())
        signing = {"token": idp.token(sub="ben"), "next": approval.approval_id}
        foreign = {**own, "sec-fetch-site": "cross-site"}
        assert (await browser.post("/approvals/sign-in", data=signing, headers=foreign)).status_code == 403
        evil = {**own, "origin": "https://evil.example"}
        assert (await browser.post("/approvals/sign-in", data=signing, headers=evil)).status_code == 403
        signed = await browser.post("/approvals/sign-in", data=signing, headers=own)
        assert (signed.status_code, signed.headers["location"]) == (303, about)
        said = signed.headers["set-cookie"]
        for word in ("HttpOnly", "SameSite=Strict", "Path=/approvals", "Max-Age="):
            assert word in said
        assert "Secure" not in said  # plain http on loopback
        assert signing["token"] not in said
        page = (await browser.get(about, headers=HTML)).text
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        assert len(csrf) == 64
        for wrong in ({}, {"csrf": ""}, {"csrf": "0" * 64}):
            assert (await browser.post(about, data={**fields, **wrong}, headers=own)).status_code == 403
        for headers in (foreign, evil, {**HTML}):
            answer = await browser.post(about, data={**fields, "csrf": csrf}, headers=headers)
            assert answer.status_code == 403
        # Another's session with this page's form.
        async with room.http(idp.token(sub="carl")) as carl:
            assert (await carl.post(about, data={**fields, "csrf": csrf}, headers=own)).status_code == 403
        # The cookie is good for the page alone.
        assert (await browser.post("/mcp", content=b"{}", headers={"cookie": said})).status_code == 401
        assert await room.state_of(approval.approval_id) == "pending"
        done = await browser.post(about, data={**fields, "csrf": csrf}, headers=own)
        assert (done.status_code, done.headers["location"]) == (303, about)
        assert "approved, not executed yet" in (await browser.get(about, headers=HTML)).text
        out = await browser.post("/approvals/sign-out", headers=own)
        assert "Max-Age=0" in out.headers["set-cookie"]
        assert (await browser.get(about, headers=HTML)).status_code == 401
    assert await room.state_of(approval.approval_id) == "approved"


async def test_a_cookie_is_secure_off_loopback_and_ends_with_its_token(tmp_path: Path, idp: Issuer) -> None:
    public = "https://aiops.example.com/mcp"
    async with waiting_room(tmp_path, idp, public_url=public) as room:
        _, approval = await room.asked()
        app = httpx.ASGITransport(app=room.app)
        async with httpx.AsyncClient(transport=app, base_url="https://aiops.example.com") as browser:
            own = {"origin": "https://aiops.example.com", **HTML}
            signed = await browser.post(
                "/approvals/sign-in", data={"token": idp.token(sub="ben")}, headers=own
            )
            assert signed.status_code == 303
            assert "; Secure" in signed.headers["set-cookie"]
            page = await browser.get(f"/approvals/{approval.approval_id}", headers=HTML)
            assert page.status_code == 200
            assert "; Secure" in signed.headers["set-cookie"]
            long = {"token": idp.token(sub="ben", groups="g" * 4000)}
            assert (await browser.post("/approvals/sign-in", data=long, headers=own)).status_code == 413
            over = idp.token(sub="ben", exp=1_000_000)
            assert (
                await browser.post("/approvals/sign-in", data={"token": over}, headers=own)
            ).status_code == 401
            policy = page.headers["content-security-policy"]
            for word in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "sha256-"):
                assert word in policy
            assert "<script" not in page.text
            assert "unsafe-inline" not in policy
            browser.cookies.set("aiops_approvals", "forged", domain="aiops.example.com", path="/approvals")
            again = await browser.get("/approvals", headers={**HTML, "cookie": "aiops_approvals=forged"})
            assert again.status_code == 401


async def test_secrets_and_markup_of_a_plan_stay_text(room: WaitingRoom, idp: Issuer) -> None:
    from aiops_shared.guardrails.models import FieldChange

    hostile = "</pre><script>alert(1)</script>\u202eevil\x1b[31m\"'><img src=x onerror=y>"
    canary = "AKIAIOSFODNN7EXAMPLE"
    change = FieldChange(path=f"metadata.{hostile}", before=hostile, after=f"password={canary}")
    _, approval = await room.asked(
        diff=(change,),
        confirm=hostile,
        reason=hostile,
        lost=(hostile,),
        warnings=(hostile,),
        requester="<b>anna</b>",
    )
    async with room.http(idp.token(sub="ben")) as ben:
        for headers in (HTML, {}):
            for where in ("/approvals", f"/approvals/{approval.approval_id}"):
                answer = await ben.get(where, headers=headers)
                assert answer.status_code == 200
                assert canary not in answer.text
                assert "\u202e" not in answer.text
                assert "\x1b" not in answer.text
                if headers:
                    for word in ("<script", "<img", "<b>"):
                        assert word not in answer.text
                else:
                    json.loads(answer.text)


@pytest.mark.parametrize(
    ("http", "listening", "where"),
    [
        ({"public_url": "https://a.example/mcp"}, False, "https://a.example/approvals/apr_1"),
        ({"public_url": "https://a.example/x/mcp"}, False, "https://a.example/x/approvals/apr_1"),
        (
            {"public_url": "https://a.example/x/mcp", "path": "/x/mcp"},
            False,
            "https://a.example/approvals/apr_1",
        ),
        ({"public_url": "https://a.example"}, False, "https://a.example/approvals/apr_1"),
        ({"port": 8123}, True, "http://127.0.0.1:8123/approvals/apr_1"),
        ({"port": 8123}, False, ""),
        ({"port": 0}, True, ""),
        ({"host": "::", "port": 8123}, True, ""),
        ({"host": "::1", "port": 8123}, True, "http://[::1]:8123/approvals/apr_1"),
    ],
)
def test_the_page_is_named_where_its_address_is_known(
    http: dict[str, Any], listening: bool, where: str
) -> None:
    assert HttpSettings(**http).approvals_url("apr_1", listening=listening) == where
