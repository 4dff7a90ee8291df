"""What the document says that must and must not be done, and what of it a run can be held to.

A duty is a sentence. Those that the engine itself keeps (verify, undo, approval, notify, plan) are checked
against what the run did; of all others nobody can say from a record whether they were met.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

from aiops_sop.engine.records import FINISHED, StepRow
from aiops_sop.models.documents import Sop, SopStep
from aiops_sop.models.runs import Duty

Verdict = Literal["met", "not met", "not checkable"]
_VERIFY: Final = re.compile(r"\b(verif|confirm|check|wait until|make sure)\w*", re.IGNORECASE)
_PLAN: Final = re.compile(r"\b(plan|dry[ -]run)\w*", re.IGNORECASE)
_NOTIFY: Final = re.compile(r"\b(notif|tell|escalat|inform|hand over)\w*", re.IGNORECASE)


def duties_of(sop: Sop, rows: Mapping[str, StepRow]) -> tuple[Duty, ...]:
    """Every `You MUST …` with its verdict so far; one of a step that was not reached is not checkable."""
    return tuple(
        Duty(says=says, verdict=_verdict(step, says, rows.get(step.id)))
        for step in sop.steps
        for says in step.must
    )


def forbidden_of(sop: Sop) -> tuple[str, ...]:
    """Every `You MUST NOT …`, once each."""
    return tuple(dict.fromkeys(says for step in sop.steps for says in step.must_not))


def _verdict(step: SopStep, says: str, row: StepRow | None) -> Verdict:
    if row is None or row.state not in FINISHED or row.state in {"skipped", "planned"}:
        return "not checkable"
    if _VERIFY.search(says) and (step.verify or step.until):
        return "met" if row.body.get("verified") else "not met"
    if _PLAN.search(says) and step.kind == "plan":
        return "met" if row.plan_id else "not met"
    if _NOTIFY.search(says) and step.kind == "notify":
        return "met" if row.state == "done" else "not met"
    return "not checkable"
