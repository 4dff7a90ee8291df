"""`eks-aiops drill`: the guardrails in force, tried (F17, B21, Done-when 4)."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from aiops_shared.guardrails.policy import SHIPPED, Policy
from aiops_shared.settings import PolicySettings, Settings, StateSettings
from aiops_shared.state import StateStore
from aiops_shared.state.sop_schema import drills
from eks_aiops.drilling.play import drilled, kept, passed, table
from eks_aiops.drilling.stage import Check
from eks_aiops.drilling.tables import redaction, verdicts


def with_policy(folder: Path, change: tuple[str, str]) -> PolicySettings:
    """The shipped policies, one of them edited by an operator."""
    folder.mkdir()
    for file in SHIPPED.glob("*.cedar"):
        (folder / file.name).write_text(file.read_text("utf-8").replace(*change), "utf-8")
    return PolicySettings(dir=folder)


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.row("F17")
@pytest.mark.row("B21")
async def test_the_shipped_guardrails_let_nothing_unsafe_through_and_the_result_is_kept(
    tmp_path: Path,
) -> None:
    settings = Settings(state=StateSettings(dir=tmp_path / "own"), policy=PolicySettings())
    policy = Policy(settings.policy)
    checks = await drilled(settings, policy, seed=1)
    told = table(checks, policy.digest)
    assert passed(checks), told
    assert sum(one.unsafe for one in checks) == 0
    assert len(checks) >= 25
    assert not any("not tried" in one.got for one in checks), told
    assert not (tmp_path / "own").exists(), "the drill has a state of its own"
    await kept(settings, policy.digest, checks)
    store = StateStore(settings.state)
    row = await store.read(lambda conn: conn.execute(select(drills)).one())
    store.close()
    assert (row.passed, row.policy_digest) == (1, policy.digest)
    assert len(json.loads(row.body)) == len(checks)


@pytest.mark.row("F17a")
def test_a_milder_policy_of_the_operator_fails_the_drill_and_a_stricter_one_does_not(tmp_path: Path) -> None:
    no_delete = '@id("no-namespace-delete")'
    text = next(file for file in SHIPPED.glob("*.cedar") if no_delete in file.read_text("utf-8"))
    assert text
    milder = Policy(
        with_policy(tmp_path / "milder", ('resource.kind == "Namespace"', 'resource.kind == "Nothing"'))
    )
    found = verdicts(milder)
    assert [one for one in found if "Namespace" in one.name and not one.holds and one.unsafe]
    assert not passed(found)
    stricter = Policy(
        with_policy(tmp_path / "stricter", ('@approver("requester")', '@approver("other")')),
    )
    assert passed(verdicts(stricter))


@pytest.mark.row("F17b")
@pytest.mark.parametrize("seed", range(3))
def test_redaction_holds_on_every_seed(seed: int) -> None:
    assert passed(redaction(seed))


def test_one_unsafe_action_or_one_failed_check_fails_the_drill() -> None:
    good = Check("a", "refused", "refused", holds=True)
    assert passed([good])
    assert not passed([good, Check("b", "refused", "carried out", holds=False)])
    assert not passed([good, Check("c", "refused", "refused", holds=True, unsafe=1)])
    assert "FAILED: 2 checks, 1 failed, 1 unsafe" in table(
        [good, Check("b", "x", "y", holds=False, unsafe=1)], "d" * 64
    )
