"""The one gate that every change passes: plans, approvals, policy, the executor, undo, the audit.

This is its door. The names below load nothing heavy; `Guardrails.open` builds the rest on first use.
"""

from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.models import (
    ActionName,
    ActionRecord,
    Approval,
    Approver,
    BlastRadius,
    Caller,
    Decision,
    Environment,
    Facts,
    FieldChange,
    GateCheck,
    GateResult,
    Json,
    Limits,
    ObjectRef,
    PendingApproval,
    Plan,
    Request,
    Reversible,
    Step,
    StepRecord,
    TargetChange,
    Verdict,
)
from aiops_shared.guardrails.paths import MISSING, digest_of, get, moved, put, remove, restore, write
from aiops_shared.guardrails.permits import Permit
from aiops_shared.guardrails.ports import Answer, Asker, Effects
from aiops_shared.guardrails.waves import at_once, wave_sizes

__all__ = [
    "MISSING",
    "ActionName",
    "ActionRecord",
    "Answer",
    "Approval",
    "Approver",
    "Asker",
    "BlastRadius",
    "Caller",
    "Decision",
    "Effects",
    "Environment",
    "Facts",
    "FieldChange",
    "GateCheck",
    "GateResult",
    "Guardrails",
    "Json",
    "Limits",
    "ObjectRef",
    "PendingApproval",
    "Permit",
    "Plan",
    "Request",
    "Reversible",
    "Step",
    "StepRecord",
    "TargetChange",
    "Verdict",
    "at_once",
    "digest_of",
    "get",
    "moved",
    "new_id",
    "put",
    "remove",
    "restore",
    "wave_sizes",
    "write",
]
