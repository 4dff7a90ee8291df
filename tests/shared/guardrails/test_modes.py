"""Every cell of the modes table of docs/guardrails.md (D7, F17c)."""

from typing import Literal, get_args

import pytest

from aiops_shared.auth.behalf import RunMode
from aiops_shared.errors import ReadOnlyError
from aiops_shared.guardrails.models import Approver, Caller, Environment, Verdict
from aiops_shared.guardrails.modes import Modes, cap
from aiops_shared.settings import Autonomy, PolicySettings, Settings
from eks_aiops.drilling.verdict_rows import ANN, BOT, ask

pytestmark = pytest.mark.row("S34")

ALLOW = Verdict(decision="allow", rule="staging-write", advice="Fine.")
ASK_REQUESTER = Verdict(decision="needs_approval", rule="prod-write", approver="requester")
ASK_OTHER = Verdict(decision="needs_approval", rule="stateful", approver="other")
DENY = Verdict(decision="deny", rule="freeze")

# What becomes of an `allow`: (autonomy, run mode) -> (human, agent). The rows of the table in the docs.
TABLE: dict[tuple[Autonomy, RunMode], tuple[str, str]] = {
    ("observe", ""): ("requester", "other"),
    ("observe", "auto"): ("requester", "other"),
    ("observe", "supervised"): ("requester", "other"),
    ("observe", "plan"): ("deny", "deny"),
    ("propose", ""): ("allow", "other"),
    ("propose", "auto"): ("allow", "other"),
    ("propose", "supervised"): ("requester", "other"),
    ("propose", "plan"): ("deny", "deny"),
    ("auto-safe", ""): ("allow", "allow"),
    ("auto-safe", "auto"): ("allow", "allow"),
    ("auto-safe", "supervised"): ("requester", "requester"),
    ("auto-safe", "plan"): ("deny", "deny"),
}
CELLS = [
    (autonomy, run_mode, caller, expected)
    for (autonomy, run_mode), both in TABLE.items()
    for caller, expected in zip((ANN, BOT), both, strict=True)
]


def spoken(verdict: Verdict) -> str:
    return verdict.approver or verdict.decision


def test_the_table_has_every_cell() -> None:
    assert set(TABLE) == {(a, r) for a in get_args(Autonomy) for r in get_args(RunMode)}


@pytest.mark.parametrize(("autonomy", "run_mode", "caller", "expected"), CELLS)
def test_an_allowed_change_waits_as_the_table_says(
    autonomy: Autonomy, run_mode: RunMode, caller: Caller, expected: str
) -> None:
    verdict = cap(ALLOW, caller=caller, autonomy=autonomy, run_mode=run_mode)
    assert spoken(verdict) == expected
    assert verdict.rule == ALLOW.rule
    assert (verdict == ALLOW) == (expected == "allow")


@pytest.mark.parametrize(("autonomy", "run_mode", "caller", "expected"), CELLS)
@pytest.mark.parametrize("verdict", [ASK_REQUESTER, ASK_OTHER, DENY])
def test_no_mode_makes_a_verdict_milder(
    autonomy: Autonomy, run_mode: RunMode, caller: Caller, expected: str, verdict: Verdict
) -> None:
    strictness = ["allow", "requester", "other", "deny"]
    capped = cap(verdict, caller=caller, autonomy=autonomy, run_mode=run_mode)
    assert strictness.index(spoken(capped)) == max(
        strictness.index(spoken(verdict)), strictness.index(expected)
    )


def test_a_capped_verdict_says_what_capped_it() -> None:
    assert cap(ALLOW, caller=ANN, autonomy="observe").advice == (
        "Fine. Autonomy of the environment is observe: a person approves."
    )
    assert "supervised" in cap(ALLOW, caller=ANN, autonomy="auto-safe", run_mode="supervised").advice


@pytest.mark.parametrize(
    ("write", "policy_mode", "run_mode", "effect"),
    [
        (False, "enforce", "", "none"),
        (False, "enforce", "auto", "none"),
        (False, "enforce", "plan", "none"),
        (False, "shadow", "", "none"),
        (True, "shadow", "", "shadow"),
        (True, "shadow", "auto", "shadow"),
        (True, "shadow", "supervised", "shadow"),
        (True, "shadow", "plan", "none"),
        (True, "enforce", "", "real"),
        (True, "enforce", "auto", "real"),
        (True, "enforce", "supervised", "real"),
        (True, "enforce", "plan", "none"),
    ],
)
def test_the_strictest_of_switch_mode_and_run_decides_on_the_effect(
    write: bool, policy_mode: Literal["enforce", "shadow"], run_mode: RunMode, effect: str
) -> None:
    assert Modes(write=write, policy_mode=policy_mode).effect(run_mode) == effect


@pytest.mark.threat("T2")
def test_a_server_that_may_not_write_says_read_only_and_how_to_change_that() -> None:
    with pytest.raises(ReadOnlyError, match="AIOPS_WRITE=true") as caught:
        Modes().refuse_read_only("scale deployment shop/web")
    assert caught.value.code == "read_only"
    Modes(write=True).refuse_read_only("scale deployment shop/web")


@pytest.mark.parametrize(
    ("env", "decision", "approver"),
    [("prod", "needs_approval", "other"), ("staging", "needs_approval", "other"), ("dev", "allow", "")],
)
def test_the_same_event_is_planned_in_production_and_executed_in_dev(
    env: Environment, decision: str, approver: Approver
) -> None:
    policy = PolicySettings(autonomy_prod="observe", autonomy_staging="propose", autonomy_dev="auto-safe")
    modes = Modes.of(Settings(write=True, policy=policy))
    verdict = modes.capped(ALLOW, ask("restart", "Deployment", caller=BOT, env=env))
    assert (verdict.decision, verdict.approver) == (decision, approver)


def test_the_defaults_do_nothing_without_a_person() -> None:
    modes = Modes.of(Settings())
    assert modes == Modes()
    assert modes.effect() == "none"
    assert set(modes.autonomy.values()) == {"observe"}


def test_reads_are_not_capped() -> None:
    allow = Verdict(decision="allow", rule="read")
    assert Modes().capped(allow, ask("read", "Pod", caller=BOT)) == allow
