"""How much may happen without a person, strictest wins (D7).

Process switch x policy mode x autonomy of the environment x run mode.
Called by the gate after the policy. A cap only ever makes a verdict stricter; it keeps the rule's name and
says what capped it. The table is in docs/guardrails.md, a test per cell in tests/shared/guardrails.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from aiops_shared.auth.behalf import RunMode  # "" is a call outside of any run
from aiops_shared.errors import ReadOnlyError
from aiops_shared.guardrails.models import Approver, Caller, Decision, Environment, Request, Verdict
from aiops_shared.settings import Autonomy, Settings

Effect = Literal["real", "shadow", "none"]
READS: Final = frozenset({"read", "read_logs"})
_STRICTNESS: Final[dict[tuple[Decision, Approver], int]] = {
    ("allow", ""): 0,
    ("needs_approval", "requester"): 1,
    ("needs_approval", "other"): 2,
    ("deny", ""): 3,
}


@dataclass(frozen=True, slots=True)
class Modes:
    """The modes in force in this process."""

    write: bool = False
    policy_mode: Literal["enforce", "shadow"] = "enforce"
    autonomy: dict[Environment, Autonomy] = field(
        default_factory=lambda: {"prod": "observe", "staging": "observe", "dev": "observe"}
    )

    @classmethod
    def of(cls, settings: Settings) -> "Modes":
        """The modes that the settings say."""
        policy = settings.policy
        return cls(
            write=settings.write,
            policy_mode=policy.mode,
            autonomy={
                "prod": policy.autonomy_prod,
                "staging": policy.autonomy_staging,
                "dev": policy.autonomy_dev,
            },
        )

    def refuse_read_only(self, thing: str) -> None:
        """Raise `ReadOnlyError` unless this process may write."""
        if not self.write:
            raise ReadOnlyError(
                thing, "the server runs read-only", "an operator starts it with AIOPS_WRITE=true"
            )

    def effect(self, run_mode: RunMode = "") -> Effect:
        """What becomes of an allowed change: the real effect, all but the effect, or nothing."""
        if not self.write or run_mode == "plan":
            return "none"
        return "shadow" if self.policy_mode == "shadow" else "real"

    def capped(self, verdict: Verdict, request: Request, run_mode: RunMode = "") -> Verdict:
        """The verdict on a request under the autonomy of its target's environment and the run's mode."""
        if request.action in READS:
            return verdict
        env = request.facts.env
        return cap(
            verdict, caller=request.caller, autonomy=self.autonomy.get(env, "observe"), run_mode=run_mode
        )


def cap(verdict: Verdict, *, caller: Caller, autonomy: Autonomy, run_mode: RunMode = "") -> Verdict:
    """The strictest of the policy's verdict, the autonomy's and the run mode's."""
    caps = (_by_autonomy(caller, autonomy), _by_run_mode(run_mode))
    decision, approver, why = max(caps, key=lambda one: _STRICTNESS[one[0], one[1]])
    if _STRICTNESS[decision, approver] <= _STRICTNESS[verdict.decision, verdict.approver]:
        return verdict
    advice = f"{verdict.advice} {why}".strip()
    return Verdict(decision=decision, rule=verdict.rule, advice=advice, approver=approver)


_Cap = tuple[Decision, Approver, str]


def _by_autonomy(caller: Caller, autonomy: Autonomy) -> _Cap:
    """`observe`: nothing without a person; `propose`: an agent only proposes; `auto-safe`: as policy says."""
    agent = caller.kind == "agent"
    if autonomy == "auto-safe" or (autonomy == "propose" and not agent):
        return "allow", "", ""
    approver: Approver = "other" if agent else "requester"
    return "needs_approval", approver, f"Autonomy of the environment is {autonomy}: a person approves."


def _by_run_mode(run_mode: RunMode) -> _Cap:
    if run_mode == "plan":
        return "deny", "", "The run is in mode plan: it plans and never executes."
    if run_mode == "supervised":
        return "needs_approval", "requester", "The run is supervised: a person approves."
    return "allow", "", ""
