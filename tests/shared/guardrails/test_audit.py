"""The audit as it is written and read back; what tampering does to it is in tests/faults."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from aiops_shared.guardrails.audit import Audit
from aiops_shared.guardrails.audit_chain import Anchor, anchors_in
from aiops_shared.guardrails.ports import Trail
from aiops_shared.state.schema import call_journal
from tests.shared.guardrails.audits import ANN, BOT, books


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


pytestmark = pytest.mark.row("S33")


async def test_every_action_has_one_intent_and_one_outcome_and_the_chain_holds(tmp_path: Path) -> None:
    with books(tmp_path) as one:
        await one.actions(3)
        report = await one.audit.verify()
        shown = await one.audit.show()
    assert (report.holds, report.records, report.unknown) == (True, 6, ())
    assert [(record.event, record.intent) for record in shown[:2]] == [("intent", None), ("outcome", 1)]
    assert [record.seq for record in shown] == [1, 2, 3, 4, 5, 6]


async def test_a_record_says_who_what_and_when_in_utc_milliseconds(tmp_path: Path) -> None:
    with books(tmp_path) as one:
        await one.audit.refusal(BOT, "plan-1", {"rule": "freeze", "verdict": "deny"})
        (record,) = await one.audit.show(about="plan-1")
        assert await one.audit.show(about="plan-2") == ()
    assert (record.event, record.actor, record.actor_kind) == ("refusal", "bot", "agent")
    assert record.at == "2026-11-22T02:00:00.000Z"
    assert record.says == {"rule": "freeze", "verdict": "deny"}


@pytest.mark.threat("T6")
async def test_secrets_are_redacted_before_they_are_written(tmp_path: Path) -> None:
    with books(tmp_path) as one:
        await one.audit.intent(ANN, "act-1", {"env": [{"name": "DB_PASSWORD", "value": "canary-hunter2"}]})
        await one.audit.refusal(ANN, "act-2", {"says": "postgres://app:canary-hunter2@db/shop refused"})
        await one.audit.journal(ANN, "get_resource", {"token": "canary-hunter2"}, says="token=canary-hunter2")
        one.store.close()
    assert b"canary-hunter2" not in everything_in(tmp_path)


@pytest.mark.threat("T6")
async def test_what_a_record_is_about_is_redacted_unless_it_is_an_id(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    name = "act_" + "a1B2c" * 4
    with books(tmp_path) as one:
        await one.audit.sensitive_read(ANN, f"traces of {token}", {"what": "traces"})
        await one.audit.refusal(ANN, name, {"rule": "freeze"})
        shown = await one.audit.show()
        assert (await one.audit.verify()).holds
    assert [record.about for record in shown] == ["traces of [redacted:vendor-token]", name]
    assert token.encode() not in everything_in(tmp_path)


async def test_the_hash_of_arguments_tells_values_apart_that_look_the_same_redacted(tmp_path: Path) -> None:
    with books(tmp_path) as one:
        for secret in ("one", "two", "one"):
            await one.audit.refusal(ANN, "x", {"password": secret})
        first, second, third = await one.audit.show()
    assert first.says == second.says
    assert first.args_mac != second.args_mac
    assert first.args_mac == third.args_mac


async def test_the_record_and_what_it_is_about_commit_together_or_not_at_all(tmp_path: Path) -> None:
    def work(conn: Connection) -> None:
        one.audit.intent_in(conn, ANN, "act-1", {})
        raise ZeroDivisionError

    with books(tmp_path) as one:
        with pytest.raises(ZeroDivisionError):
            await one.audit.run(work)
        assert await one.audit.show() == ()
        assert (await one.audit.verify()).holds


async def test_the_head_goes_to_the_log_every_100_records(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with books(tmp_path) as one, caplog.at_level(logging.WARNING, logger="aiops.audit"):
        await one.actions(101)
        anchors = anchors_in(record.getMessage() for record in caplog.records)
        assert [anchor.seq for anchor in anchors] == [100, 200]
        assert (await one.audit.verify(anchors)).holds
        wrong = Anchor(seq=100, mac="0" * 64)
        assert (await one.audit.verify([wrong])).first_bad == 100


async def test_a_head_that_was_rolled_back_is_not_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def undone(conn: Connection) -> None:
        one.audit.intent_in(conn, ANN, "never", {})
        raise ZeroDivisionError

    with books(tmp_path) as one, caplog.at_level(logging.WARNING, logger="aiops.audit"):
        await one.actions(49)
        await one.audit.refusal(ANN, "x", {})
        with pytest.raises(ZeroDivisionError):
            await one.audit.run(undone)
        assert caplog.records == []
        await one.audit.refusal(ANN, "y", {})
        anchors = anchors_in(record.getMessage() for record in caplog.records)
        assert [anchor.seq for anchor in anchors] == [100]
        assert (await one.audit.verify(anchors)).holds


async def test_the_export_is_one_json_line_per_record(tmp_path: Path) -> None:
    with books(tmp_path) as one:
        await one.actions(2)
        lines = [json.loads(line) async for line in one.audit.lines()]
    assert [line["record"]["seq"] for line in lines] == [1, 2, 3, 4]
    assert [line["prev"] for line in lines[1:]] == [line["mac"] for line in lines[:-1]]


async def test_a_very_long_record_keeps_its_hash_and_says_that_it_was_too_long(tmp_path: Path) -> None:
    with books(tmp_path) as one:
        await one.audit.refusal(ANN, "x", {"body": "a" * 100_000})
        (record,) = await one.audit.show()
    assert record.says == {"too_long": True, "kept": ["body"]}
    assert len(record.args_mac) == 64


async def test_ordinary_reads_are_journalled_for_seven_days_outside_of_the_chain(tmp_path: Path) -> None:
    def told(conn: Connection) -> list[str]:
        return [row.tool for row in conn.execute(call_journal.select().order_by(call_journal.c.id))]

    with books(tmp_path) as one:
        await one.audit.journal(ANN, "list_clusters", {}, trace="t1", result_digest="d", says="2 clusters")
        one.clock.pass_safely(timedelta(days=7, seconds=1).total_seconds())
        await one.audit.journal(ANN, "list_resources", {"kind": "Pod"})
        assert await one.store.read(told) == ["list_resources"]
        assert (await one.audit.verify()).records == 0


async def test_a_sensitive_read_is_in_the_chain(tmp_path: Path) -> None:
    with books(tmp_path) as one:
        await one.audit.sensitive_read(BOT, "get_pod_logs", {"namespace": "shop", "name": "web-1"})
        (record,) = await one.audit.show()
    assert (record.event, record.about, record.actor) == ("sensitive_read", "get_pod_logs", "bot")


def test_the_audit_is_a_trail_for_the_executor(tmp_path: Path) -> None:
    with books(tmp_path) as one:
        trail: Trail = one.audit
        assert isinstance(trail, Audit)
