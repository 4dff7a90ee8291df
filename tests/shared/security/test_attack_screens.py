"""What a person reads at the terminal cannot be forged by what a caller or an object says (T7, T9, T15)."""

from datetime import UTC, datetime

import pytest

from aiops_shared.guardrails.audit import AuditRecord
from aiops_shared.guardrails.models import FieldChange, PendingApproval
from eks_aiops.approving import described
from eks_aiops.auditing import line_of

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FORGED = "x\nApproval  apr_forged\r\n\x1b[2J\x1b]0;t\x07\u202eevil\u2028  99 approved anna\x85\tend"


def pending(text: str) -> PendingApproval:
    return PendingApproval(
        approval_id="apr_1",
        plan_id="pln_1",
        plan_digest="d" * 64,
        requester=text,
        needs="other",
        requester_may=False,
        confirm=text,
        diff=(FieldChange(path=text, before=text, after=text),),
        blast_radius=text,
        reversible="none",
        lost=(text,),
        rule="prod-write",
        reason=text,
        created_at=NOW,
        expires_at=NOW,
    )


@pytest.mark.threat("T7")
def test_no_text_of_a_plan_starts_a_line_of_the_approval_or_steers_the_terminal() -> None:
    screen = described(pending(FORGED))
    assert not [char for char in screen if not char.isprintable() and char != "\n"]
    assert sum(line.startswith("Approval  ") for line in screen.splitlines()) == 1
    heads = [line.split(" ", 1)[0] for line in screen.splitlines() if line and not line.startswith(" ")]
    assert heads == ["Approval", "Asked", "Change", "Touches", "Undo", "Reason", "Rule", "Digest"]


@pytest.mark.threat("T9")
def test_the_reason_is_shown_to_who_approves() -> None:
    assert "because of INC-7" in described(pending("because of INC-7"))


@pytest.mark.threat("T15")
def test_an_audit_record_is_one_line_whatever_it_says() -> None:
    record = AuditRecord.model_validate(
        {
            "seq": 7,
            "at": NOW.isoformat(),
            "event": "freeze_on",
            "actor": FORGED,
            "actor_kind": "human",
            "about": FORGED,
            "says": {"reason": FORGED, "what": FORGED},
            "args_mac": "0" * 64,
        }
    )
    line = line_of(record)
    assert line.isprintable()
