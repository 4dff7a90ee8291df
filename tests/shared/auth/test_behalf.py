"""Whom a call is made for: a statement that nobody else can make, stretch or send to another server (D16)."""

from datetime import UTC, datetime, timedelta

import pytest

from aiops_shared.auth.behalf import Behalf, acting_for, call_of, current, signed, verified
from aiops_shared.errors import BehalfInvalidError

CALL = call_of("execute_plan", {"plan_id": "pln_1", "confirm": "scale a"})
KEY, NOW = b"k" * 32, datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def behalf(**more: object) -> Behalf:
    given = {"caller": "bea", "kind": "agent", "run_id": "run_1", "audience": "eks", "call": CALL, **more}
    return Behalf.model_validate({"until": NOW + timedelta(minutes=4), **given})


def test_what_was_signed_is_what_is_read() -> None:
    assert verified(signed(behalf(sop="disk-pressure"), KEY), KEY, "eks", CALL, NOW).sop == "disk-pressure"


@pytest.mark.threat("T4")
@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (None, "form"),
        ("bea", "form"),
        ({"says": "{}"}, "form"),
        ({"says": 1, "mac": 2}, "form"),
        ({"says": behalf(caller="root").model_dump_json(), "mac": "0" * 64}, "signature"),
        ({"says": behalf().model_dump_json(), "mac": "ä"}, "signature"),
        ({**signed(behalf(), KEY), "says": behalf(kind="human").model_dump_json()}, "signature"),
        (signed(behalf(), b"x" * 32), "signature"),
        (signed(behalf(audience="cost"), KEY), "meant for cost"),
        (signed(behalf(call=""), KEY), "another call"),
        (
            signed(behalf(call=call_of("undo_action", {"plan_id": "pln_1", "confirm": "scale a"})), KEY),
            "another",
        ),
        (signed(behalf(call=call_of("execute_plan", {"plan_id": "pln_2"})), KEY), "another call"),
        (signed(behalf(until=NOW - timedelta(minutes=2)), KEY), "time"),
        (signed(behalf(until=NOW + timedelta(minutes=20)), KEY), "time"),
    ],
)
def test_a_forged_edited_stretched_or_misdirected_statement_is_refused(sent: object, why: str) -> None:
    with pytest.raises(BehalfInvalidError, match=why):
        verified(sent, KEY, "eks", CALL, NOW)


def test_a_call_is_the_same_whatever_the_order_of_its_arguments() -> None:
    assert call_of("execute_plan", {"confirm": "scale a", "x": None, "plan_id": "pln_1"}) == CALL
    assert call_of("execute_plan", {"confirm": "scale a", "x": "", "plan_id": "pln_1"}) != CALL


def test_it_holds_for_its_block_only() -> None:
    with acting_for(behalf()):
        assert (now := current()) is not None
        assert now.caller == "bea"
    assert current() is None
