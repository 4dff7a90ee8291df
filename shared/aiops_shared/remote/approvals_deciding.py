"""What waits for a person, over HTTP: plans and questions of runs; who may see and decide which (D4, T9).

Plain rules over two stores, without a word of HTTP but its status: `approvals.py` speaks that. Every refusal
has a code of `errors.py`; an id of somebody else is answered as one that does not exist.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from aiops_shared.app.boundary import escape_tree
from aiops_shared.auth.callers import inbound
from aiops_shared.errors import AiopsError, ApprovalInvalidError, NotFoundError
from aiops_shared.guardrails.asking_people import approve_command
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.models import Approval, Caller, FieldChange, PendingApproval
from aiops_shared.guardrails.plans import APPROVE, may_see
from aiops_shared.guardrails.redacting import redact, redact_tree
from aiops_shared.results import Frozen

Decision = Literal["approve", "decline"]
Kind = Literal["plan", "question"]
LONGEST_ID: Final = 64
_LATE: Final = "execute the plan again to ask anew"
_LATE_ASK: Final = "control_run(action=resume) asks anew"
_GIVEN: Final = frozenset({"approved", "used", "yes"})


class Asked(Protocol):
    """A question of a run, as `aiops_sop` keeps it."""

    @property
    def ask_id(self) -> str: ...  # noqa: D102
    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def sop(self) -> str: ...  # noqa: D102
    @property
    def target(self) -> str: ...  # noqa: D102
    @property
    def question(self) -> str: ...  # noqa: D102
    @property
    def requester(self) -> str: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def approver(self) -> str: ...  # noqa: D102
    @property
    def expires_at(self) -> datetime: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102


class Asks(Protocol):
    """Questions of runs; fulfilled by `aiops_sop.clients.asks.RunAsks`."""

    async def open(self) -> Sequence[Asked]:
        """Those that wait, oldest first."""
        ...

    async def seen(self, ask_id: str) -> Asked | None:
        """One, whatever became of it."""
        ...

    async def decide(self, ask_id: str, person: Caller, said: Literal["yes", "no"], via: str) -> None:
        """A person's answer. Raises ApprovalInvalidError; audited."""
        ...

    async def refuse(self, ask_id: str, person: Caller, why: str) -> ApprovalInvalidError:
        """The error of an attempt that is not even looked at, audited."""
        ...


class RefusedError(Exception):
    """A request that is answered with an error: its HTTP status and why."""

    def __init__(self, status: int, error: AiopsError) -> None:
        super().__init__(status, str(error))
        self.status = status
        self.error = error


class Shown(Frozen):
    """One thing that waits, or waited, as a person sees it. `of`: its kind. Redact before it leaves."""

    id: str
    of: Kind
    state: str
    requester: str
    needs: str
    approver: str = ""
    says: str
    digest: str = ""
    rule: str = ""
    why: str = ""
    reason: str = ""
    cluster: str = ""
    action: str = ""
    targets: tuple[str, ...] = ()
    waves: tuple[int, ...] = ()
    diff: tuple[FieldChange, ...] = ()
    blast_radius: str = ""
    reversible: str = ""
    lost: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    plan_id: str = ""
    run_id: str = ""
    step: str = ""
    sop: str = ""
    target: str = ""
    created_at: datetime | None = None
    expires_at: datetime

    @property
    def waits(self) -> bool:
        """Whether a person can still decide it."""
        return self.state == "pending"

    def plain(self) -> dict[str, Any]:
        """As JSON that may leave: redacted, control characters spelled out."""
        held = self.model_dump(mode="json", exclude={"digest"})
        kept = {name: value for name, value in held.items() if value not in ("", [], None)}
        clean: dict[str, Any] = escape_tree(redact_tree(kept))
        return {**clean, "digest": self.digest}


class Decided(Frozen):
    """What a decision came to. `repeated`: the same person had said so already."""

    id: str
    state: str
    says: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """Over the guardrails' approvals and, where runs are, their questions."""

    guard: Guardrails
    asks: Asks | None = None

    @property
    def caller(self) -> Caller:
        """Who looks or decides."""
        return self.guard.caller

    @property
    def may_decide(self) -> str:
        """Why this caller decides nothing here, or nothing."""
        if inbound() is None:
            return "this server asks for no tokens, so whoever decides here could be a model with a shell"
        if self.caller.kind != "human":
            return f"{self.caller.name} is an agent; only a person approves"
        if APPROVE not in self.caller.scopes:
            return f"{self.caller.name} lacks the scope {APPROVE}"
        return ""

    async def waiting(self) -> tuple[Shown, ...]:
        """All that waits and that this caller may see, what ends first first."""
        found = [_of_plan(one, None) for one in await self.guard.pending_approvals()]
        found += [_of_question(one) for one in (await self.asks.open() if self.asks else ())]
        seen = [one for one in found if self._sees(one.requester)]
        return tuple(sorted(seen, key=lambda one: one.expires_at))

    async def one(self, about: str) -> Shown:
        """One. Raises RefusedError: 404 for an unknown id and for another's, 410 when its plan is gone."""
        if len(about) > LONGEST_ID:
            raise unknown(about)
        if about.startswith("ask_"):
            asked = await self.asks.seen(about) if self.asks else None
            if asked is None or not self._sees(asked.requester):
                raise unknown(about)
            return _of_question(asked)
        approval = await self.guard.approval(about)
        if approval is None or not self._sees(approval.requester):
            raise unknown(about)
        pending = await self.guard.approval_shown(approval)
        if pending is None:
            state = "used" if approval.state == "used" else "expired"
            return _gone(approval.model_copy(update={"state": state}))
        return _of_plan(pending, approval)

    async def decide(self, about: str, decision: Decision, digest: str) -> Decided:
        """A person's word. Raises RefusedError; what is refused is audited."""
        shown = await self.one(about)
        if why := self.may_decide:
            error = await self._refuse(shown, why)
            if inbound() is None:
                error = ApprovalInvalidError(error.thing, why, f"at a terminal: {approve_command(about)}")
            raise RefusedError(403, error)
        if repeated := self._again(shown, decision):
            return repeated
        if not shown.waits:
            raise RefusedError(410 if shown.state == "expired" else 409, _over(shown))
        if not hmac.compare_digest(digest.encode(), shown.digest.encode()):
            error = await self._refuse(shown, "the digest is not that of what waits: look at it again")
            raise RefusedError(409, error)
        try:
            return await self._said(shown, decision)
        except ApprovalInvalidError as error:
            raise RefusedError(self._status(shown), error) from error

    async def _said(self, shown: Shown, decision: Decision) -> Decided:
        if shown.of == "question" and self.asks is not None:
            said: Literal["yes", "no"] = "yes" if decision == "approve" else "no"
            await self.asks.decide(shown.id, self.caller, said, "http")
            return Decided(id=shown.id, state=said, says=f"answered {said}; the run goes on by itself")
        if decision == "approve":
            await self.guard.approve(shown.id, self.caller, "http")
            return Decided(id=shown.id, state="approved", says="approved; call execute_plan again")
        await self.guard.decline(shown.id, self.caller, "http")
        return Decided(id=shown.id, state="pending", says="declined; it stays pending until it expires")

    def _again(self, shown: Shown, decision: Decision) -> Decided | None:
        """The answer to who says again what they said; None for anything else."""
        same = _GIVEN if decision == "approve" else {"no"}
        gave = shown.approver == self.caller.name and shown.state in same
        if not gave:
            return None
        says = "you said so already" + ("; it was used since" if shown.state == "used" else "")
        return Decided(id=shown.id, state=shown.state, says=says, repeated=True)

    def _status(self, shown: Shown) -> int:
        """Of a refusal by the store: who may not is 403, what changed meanwhile 409."""
        four_eyes = shown.needs == "other" and self.caller.name == shown.requester
        return 403 if four_eyes else 409

    async def _refuse(self, shown: Shown, why: str) -> ApprovalInvalidError:
        if shown.of == "question" and self.asks is not None:
            return await self.asks.refuse(shown.id, self.caller, why)
        return await self.guard.refuse_approval(shown.id, self.caller, why)

    def _sees(self, requester: str) -> bool:
        """Without tokens whoever reaches this loopback has the store's own list (`eks-aiops approve`)."""
        return inbound() is None or may_see(requester, self.caller)


def unknown(about: str) -> RefusedError:
    """No such thing, or another's: nobody learns which."""
    return RefusedError(404, NotFoundError(f"approval {redact(about[:40])}", "nothing of that id waits"))


def _over(shown: Shown) -> ApprovalInvalidError:
    late = _LATE_ASK if shown.of == "question" else _LATE
    said = {
        "expired": "it expired",
        "approved": "it was given already",
        "used": "it was used already",
        "yes": "it is answered: yes",
        "no": "it is answered: no",
    }.get(shown.state, f"it is {shown.state}")
    return ApprovalInvalidError(f"approval {shown.id}", said, late if shown.state == "expired" else "")


def _of_plan(pending: PendingApproval, approval: Approval | None) -> Shown:
    return Shown(
        id=pending.approval_id,
        of="plan",
        state=approval.state if approval else "pending",
        approver=approval.approver if approval else "",
        requester=pending.requester,
        needs=pending.needs,
        says=pending.confirm,
        digest=pending.plan_digest,
        rule=pending.rule,
        why=pending.why,
        reason=pending.reason,
        cluster=pending.cluster,
        action=pending.action,
        targets=pending.targets,
        waves=pending.waves,
        diff=pending.diff,
        blast_radius=pending.blast_radius,
        reversible=pending.reversible,
        lost=pending.lost,
        warnings=pending.warnings,
        plan_id=pending.plan_id,
        created_at=pending.created_at,
        expires_at=pending.expires_at,
    )


def _gone(approval: Approval) -> Shown:
    """An approval whose plan can no longer be executed."""
    return Shown(
        id=approval.approval_id,
        of="plan",
        state=approval.state,
        approver=approval.approver,
        requester=approval.requester,
        needs=approval.approver_class,
        says="Its plan can no longer be executed.",
        plan_id=approval.plan_id,
        created_at=approval.created_at,
        expires_at=approval.expires_at,
    )


def _of_question(asked: Asked) -> Shown:
    return Shown(
        id=asked.ask_id,
        of="question",
        state=asked.state,
        approver=asked.approver,
        requester=asked.requester,
        needs="requester",
        says=asked.question,
        digest=asked.digest,
        run_id=asked.run_id,
        step=asked.path,
        sop=asked.sop,
        target=asked.target,
        expires_at=asked.expires_at,
    )
