"""An approval counts once, for one plan, by the right person, for a while (D3-D5, T9)."""

import pytest
from sqlalchemy import update

from aiops_shared.errors import (
    ApprovalInvalidError,
    ApprovalPendingError,
    AuditDownError,
    PlanTamperedError,
)
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.models import Approval, Approver, Caller, Plan
from aiops_shared.state.schema import approvals, plans
from tests.fakes.gates import FakeAsker
from tests.fakes.houses import ANNA, BEN, BOT, IMAGE, House, writing
from tests.fakes.worlds import deployment, ref_of

WEB = ref_of(deployment())
PEER = Caller(name="carl")
pytestmark = pytest.mark.threat("T9")


async def planned(house: House, requester: Caller = ANNA, image: str = "shop/web:2") -> Plan:
    return await house.planned(writing(house.world, WEB, {IMAGE: image}), requester=requester)


async def pending(
    house: House, needs: Approver = "requester", requester: Caller = ANNA
) -> tuple[Plan, Approval]:
    house.needs(needs)
    plan = await planned(house, requester)
    return plan, await house.approvals.ask(plan, needs)


async def edit(house: House, **values: object) -> None:
    await house.store.run(lambda conn: conn.execute(update(approvals).values(**values)))


async def execute(house: House, plan: Plan, caller: Caller = ANNA, asker: FakeAsker | None = None) -> str:
    async with house.executor.running() as executor:
        return (await executor.start(plan.plan_id, plan.confirm, caller, asker=asker)).state


async def test_an_unapproved_plan_waits_with_the_exact_command_and_changes_nothing(house: House) -> None:
    house.needs()
    plan = await planned(house)
    with pytest.raises(ApprovalPendingError) as first:
        await execute(house, plan)
    with pytest.raises(ApprovalPendingError) as second:
        await execute(house, plan)
    (waiting,) = await house.approvals.pending()
    assert first.value.hint == second.value.hint == f"eks-aiops approve {waiting.approval_id}"
    assert house.world.effects() == []


async def test_an_approved_plan_is_executed_once_and_its_approval_is_used_up(house: House) -> None:
    plan, approval = await pending(house)
    given = await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    assert (given.state, given.approver) == ("approved", "anna")
    assert await execute(house, plan) == "succeeded"
    assert await execute(house, plan) == "succeeded"
    assert len(house.world.effects()) == 1
    with pytest.raises(ApprovalInvalidError, match="used already"):
        await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    assert await house.approvals.pending() == ()


async def test_an_approval_is_not_given_twice(house: House) -> None:
    _, approval = await pending(house)
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    with pytest.raises(ApprovalInvalidError, match="given already"):
        await house.approvals.approve(approval.approval_id, ANNA, "terminal")


async def test_an_unknown_id_approves_nothing(house: House) -> None:
    with pytest.raises(ApprovalInvalidError, match="no approval of that id"):
        await house.approvals.approve(new_id("apr_"), ANNA, "terminal")
    assert house.trail.events() == ["refusal"]


async def test_an_approval_forged_in_the_database_starts_nothing(house: House) -> None:
    plan, _ = await pending(house)
    await edit(house, state="approved", approver="anna", via="terminal")
    with pytest.raises(ApprovalInvalidError, match="its seal does not match"):
        await execute(house, plan)
    assert house.world.effects() == []


async def test_a_pending_approval_forged_in_the_database_cannot_be_given(house: House) -> None:
    _, approval = await pending(house, "other")
    await edit(house, approver_class="requester")
    with pytest.raises(ApprovalInvalidError, match="its seal does not match"):
        await house.approvals.approve(approval.approval_id, ANNA, "terminal")


async def test_a_used_approval_set_back_in_the_database_starts_nothing_again(house: House) -> None:
    plan, approval = await pending(house)
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    await execute(house, plan)
    other = await planned(house, image="shop/web:3")
    await edit(house, state="approved", plan_id=other.plan_id)
    with pytest.raises(ApprovalInvalidError):
        await execute(house, other)
    assert len(house.world.effects()) == 1


async def test_an_approval_of_another_plan_is_refused_by_name(house: House) -> None:
    _, approval = await pending(house)
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    other = await planned(house, image="shop/web:3")
    with pytest.raises(ApprovalInvalidError, match="for another plan"):
        await house.store.run(
            lambda conn: house.approvals.consume_in(conn, approval.approval_id, other, "requester")
        )


async def test_an_approval_that_nobody_gave_starts_nothing(house: House) -> None:
    plan, approval = await pending(house)
    with pytest.raises(ApprovalInvalidError, match="nobody approved it yet"):
        await house.store.run(
            lambda conn: house.approvals.consume_in(conn, approval.approval_id, plan, "requester")
        )


async def test_an_approval_expires_by_safety_time(house: House) -> None:
    plan, approval = await pending(house)
    await house.clock.sleep(86_400)  # the lab's time is no matter
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    house.clock.pass_safely(1801)
    with pytest.raises(ApprovalInvalidError, match="expired"):
        await execute(house, plan)
    assert house.world.effects() == []


async def test_a_pending_approval_that_expired_cannot_be_given(house: House) -> None:
    _, approval = await pending(house)
    house.clock.pass_safely(1801)
    with pytest.raises(ApprovalInvalidError, match="expired"):
        await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    assert await house.approvals.pending() == ()


async def test_an_approval_whose_life_was_stretched_is_found(house: House) -> None:
    plan, approval = await pending(house)
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    await edit(house, expires_at=house.clock.safe.replace(year=2036))
    house.clock.pass_safely(1801)
    with pytest.raises(ApprovalInvalidError, match="its seal does not match"):
        await execute(house, plan)


async def test_after_an_approval_expired_the_plan_asks_anew(house: House) -> None:
    plan, approval = await pending(house)
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    house.clock.pass_safely(1801)
    with pytest.raises(ApprovalInvalidError):
        await execute(house, plan)
    with pytest.raises(ApprovalPendingError):
        await execute(house, plan)
    (waiting,) = await house.approvals.pending()
    assert waiting.approval_id != approval.approval_id


async def test_four_eyes_refuses_the_requester_and_takes_somebody_else(house: House) -> None:
    plan, approval = await pending(house, "other")
    with pytest.raises(ApprovalInvalidError, match="four eyes"):
        await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    await house.approvals.approve(approval.approval_id, BEN, "http")
    assert await execute(house, plan) == "succeeded"


async def test_a_rule_that_became_stricter_refuses_the_requesters_own_approval(house: House) -> None:
    plan, approval = await pending(house)
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    house.needs("other")
    with pytest.raises(ApprovalInvalidError, match="asks for somebody else"):
        await execute(house, plan)


async def test_an_agent_never_approves(house: House) -> None:
    _, approval = await pending(house, requester=BOT)
    for agent in (BOT, Caller(name="other-bot", kind="agent", scopes=frozenset({"aiops:approve"}))):
        with pytest.raises(ApprovalInvalidError, match="is an agent"):
            await house.approvals.approve(approval.approval_id, agent, "terminal")


async def test_over_http_only_who_holds_the_scope_approves(house: House) -> None:
    _, approval = await pending(house, "other")
    with pytest.raises(ApprovalInvalidError, match="lacks the scope"):
        await house.approvals.approve(approval.approval_id, PEER, "http")


async def test_a_stranger_does_not_approve_for_the_requester(house: House) -> None:
    _, approval = await pending(house)
    with pytest.raises(ApprovalInvalidError, match="neither asked for it"):
        await house.approvals.approve(approval.approval_id, PEER, "terminal")


async def test_the_clients_yes_needs_our_nonce_once(house: House) -> None:
    _, approval = await pending(house)
    other = await house.approvals.ask(await planned(house, image="x:1"), "requester")
    nonce = house.approvals.issue_nonce(approval.approval_id)
    stolen = house.approvals.issue_nonce(other.approval_id)
    for wrong, why in (
        (None, "no nonce"),
        ("", "no nonce"),
        ("made.up", "not issued"),
        (stolen, "not issued"),
    ):
        with pytest.raises(ApprovalInvalidError, match=why):
            await house.approvals.approve(approval.approval_id, ANNA, "client", wrong)
    await house.approvals.approve(approval.approval_id, ANNA, "client", nonce)


async def test_a_nonce_of_a_question_that_was_answered_no_cannot_say_yes(house: House) -> None:
    _, approval = await pending(house)
    nonce = house.approvals.issue_nonce(approval.approval_id)
    await house.approvals.decline(approval.approval_id, ANNA, "client", nonce)
    with pytest.raises(ApprovalInvalidError, match="used already"):
        await house.approvals.approve(approval.approval_id, ANNA, "client", nonce)
    again = house.approvals.issue_nonce(approval.approval_id)
    assert (await house.approvals.approve(approval.approval_id, ANNA, "client", again)).state == "approved"


async def test_a_refused_answer_spends_no_nonce(house: House) -> None:
    """The refusal rolls back, so that the right person can still answer the same question."""
    _, approval = await pending(house, "other")
    nonce = house.approvals.issue_nonce(approval.approval_id)
    with pytest.raises(ApprovalInvalidError, match="four eyes"):
        await house.approvals.approve(approval.approval_id, ANNA, "client", nonce)
    assert (await house.approvals.approve(approval.approval_id, BEN, "client", nonce)).state == "approved"


async def test_a_no_leaves_it_pending_and_is_audited(house: House) -> None:
    plan, approval = await pending(house)
    declined = await house.approvals.decline(approval.approval_id, ANNA, "terminal")
    assert declined.state == "pending"
    assert "declined" in house.trail.events()
    with pytest.raises(ApprovalPendingError):
        await execute(house, plan)
    assert house.world.effects() == []


async def test_a_changed_policy_makes_a_given_approval_invalid(house: House) -> None:
    plan, approval = await pending(house)
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    house.judge.digest = "bundle-2"
    with pytest.raises(ApprovalInvalidError, match="policy changed since it was given"):
        await execute(house, plan)
    assert house.world.effects() == []


async def test_a_changed_policy_makes_a_pending_approval_invalid(house: House) -> None:
    _, approval = await pending(house)
    house.judge.digest = "bundle-2"
    with pytest.raises(ApprovalInvalidError, match="policy changed since it was asked for"):
        await house.approvals.approve(approval.approval_id, ANNA, "terminal")


async def test_a_question_asked_under_other_rules_is_taken_out_of_the_way(house: House) -> None:
    plan, first = await pending(house)
    house.judge.digest = "bundle-2"
    second = await house.approvals.ask(plan, "requester")
    assert [one.approval_id for one in await house.approvals.pending()] == [second.approval_id]
    with pytest.raises(ApprovalInvalidError, match="no longer holds"):
        await house.approvals.approve(first.approval_id, ANNA, "terminal")


async def test_a_plan_edited_after_it_was_approved_is_found(house: House) -> None:
    plan, approval = await pending(house)
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    evil = plan.model_copy(update={"waves": (1,), "reason": "edited"}).model_dump_json()
    await house.store.run(lambda conn: conn.execute(update(plans).values(body=evil)))
    with pytest.raises(PlanTamperedError):
        await execute(house, plan)


async def test_an_expired_plan_can_no_longer_be_approved(house: House) -> None:
    plan, approval = await pending(house)
    assert approval.expires_at <= plan.expires_at


async def test_the_person_behind_the_client_says_yes(house: House) -> None:
    house.needs()
    plan, asker = await planned(house), FakeAsker("accepted")
    assert await execute(house, plan, asker=asker) == "succeeded"
    assert len(asker.asked) == 1


@pytest.mark.parametrize("answer", ["declined", "unavailable"])
async def test_the_person_behind_the_client_says_no_or_nothing(house: House, answer: str) -> None:
    house.needs()
    plan, asker = await planned(house), FakeAsker(answer)  # type: ignore[arg-type]
    with pytest.raises(ApprovalPendingError):
        await execute(house, plan, asker=asker)
    assert house.world.effects() == []
    assert len(await house.approvals.pending()) == 1


async def test_the_client_is_not_asked_where_somebody_else_must_approve_or_an_agent_asks(
    house: House,
) -> None:
    for needs, caller in (("other", ANNA), ("requester", BOT)):
        house.needs(needs)
        plan, asker = await planned(house, requester=caller), FakeAsker("accepted")
        with pytest.raises(ApprovalPendingError):
            await execute(house, plan, caller=caller, asker=asker)
        assert asker.asked == []


async def test_without_an_audit_nothing_is_approved(house: House) -> None:
    _, approval = await pending(house)
    house.trail.down = True
    with pytest.raises(AuditDownError):
        await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    house.trail.down = False
    (waiting,) = await house.approvals.pending()
    assert waiting.state == "pending"


async def test_an_attempt_that_is_not_even_looked_at_is_audited(house: House) -> None:
    _, approval = await pending(house)
    error = await house.approvals.refuse(approval.approval_id, ANNA, "there is no terminal")
    assert "no terminal" in str(error)
    assert house.trail.events()[-1] == "refusal"
