"""What a run adds to the judgement of a change: its SOP, its confidence, its mode (D7, D16).

The run's statement was verified at the server's door. It makes a verdict stricter, never looser, but for one
thing that policy asks by name: which SOP a change belongs to.
"""

from aiops_shared.auth.behalf import RunMode, current
from aiops_shared.guardrails.models import Environment, Facts, Plan, Request


def run_mode(env: Environment) -> RunMode:
    """The mode that this call is judged under; a step that wants a person is as good as supervised, and so is
    in production a SOP that has not earned mode auto.

    Planning in a run of mode plan is judged as supervised: the advice says what execution would need. That
    nothing of it is executed is `planned_only`.
    """
    behalf = current()
    if behalf is None:
        return ""
    unproven = behalf.mode == "auto" and env == "prod" and not behalf.promoted
    asks = behalf.always_ask or unproven or behalf.mode == "plan"
    return "supervised" if asks else behalf.mode


def planned_only() -> bool:
    """Whether the run that makes this call may plan, and never execute."""
    behalf = current()
    return behalf is not None and behalf.mode == "plan"


def of_its_run(request: Request) -> Request:
    """The request with what its run says of it."""
    behalf = current()
    if behalf is None:
        return request
    return request.model_copy(update={"facts": _facts(request.facts)})


def under_its_run(plan: Plan) -> Plan:
    """The plan, bound to the procedure that asked for it (D3: an approval covers the SOP's digest)."""
    behalf = current()
    if behalf is None:
        return plan
    return plan.model_copy(update={"sop_digest": behalf.sop_digest, "facts": _facts(plan.facts)})


def _facts(facts: Facts) -> Facts:
    behalf = current()
    if behalf is None:
        return facts
    surest = min(facts.confidence_pct, behalf.confidence_pct)
    return facts.model_copy(update={"sop": behalf.sop, "confidence_pct": surest})
