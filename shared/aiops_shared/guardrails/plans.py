"""Where plans are kept between `plan_*` and `execute_plan`, and how an edited one is found.

The digest covers everything that a person reviewed. The stored body carries a MAC made with the key file,
which lies outside the database: a row edited by hand no longer matches (D2, F17i). The body is sealed, since
what is written may hold secrets (T6).
"""

import hmac
import json
from base64 import b64decode, b64encode
from typing import Any

from sqlalchemy import Connection, select

from aiops_shared.clock import Clock
from aiops_shared.errors import InvalidInputError, PlanExpiredError, PlanNotFoundError, PlanTamperedError
from aiops_shared.guardrails.canonical import canonical, mac_of, sha256_of
from aiops_shared.guardrails.models import Caller, Plan, TargetChange
from aiops_shared.guardrails.paths import parse
from aiops_shared.guardrails.safety_time import safe_now
from aiops_shared.guardrails.sealing import BrokenSealError, Sealer
from aiops_shared.state import Keys, StateStore
from aiops_shared.state.schema import plans as table

APPROVE = "aiops:approve"
_AGAIN = "plan again"


def digest_of_plan(plan: Plan) -> str:
    """sha256 over what was reviewed: all of the plan but its lifetime."""
    return sha256_of(plan.model_dump(mode="json", exclude={"created_at", "expires_at"}))


def owner_of(target: TargetChange) -> str:
    """The owner that limits and frozen keys go by (D9): the planner's, else the object itself."""
    return target.owner or str(target.ref)


def keys_of(plan: Plan) -> frozenset[tuple[str, str]]:
    """The keys (action, owner) of a plan's targets."""
    return frozenset((plan.action, owner_of(target)) for target in plan.targets)


def may_see(plan_requester: str, caller: Caller) -> bool:
    """One's own, or anybody's for who may approve."""
    return caller.name == plan_requester or APPROVE in caller.scopes


def check_plan(plan: Plan) -> None:
    """What must hold of any plan before it is stored. Raises InvalidInputError."""
    if not plan.targets:
        raise InvalidInputError("plan", "it has no target", "name one: an empty set never means everything")
    if min(plan.waves, default=0) < 1 or sum(plan.waves) != len(plan.targets):
        raise InvalidInputError("plan", f"waves {plan.waves} do not sum to {len(plan.targets)} targets")
    if len(plan.targets) > 1 and plan.waves[0] != 1:
        raise InvalidInputError("plan", "the first wave is a canary of one", "start the waves with 1")
    if len({target.ref for target in plan.targets}) != len(plan.targets):
        raise InvalidInputError("plan", "a target is named twice")
    if not plan.confirm.strip():
        raise InvalidInputError("plan", "it has no sentence to confirm")
    for target in plan.targets:
        _check_target(plan, target)


def _check_target(plan: Plan, target: TargetChange) -> None:
    if target.ref.cluster != plan.cluster:
        raise InvalidInputError(f"plan for {target.ref}", "it is in another cluster than the plan")
    if not target.ref.name:
        raise InvalidInputError("plan", "a target has no name", "a collection is never changed")
    if not target.steps:
        raise InvalidInputError(f"plan for {target.ref}", "it has no step")
    for path in (*target.paths, *target.reads):
        parse(path)
    written = {path for step in target.steps if step.verb == "write" for path in step.values}
    if undeclared := sorted(written - set(target.paths)):
        raise InvalidInputError(
            f"plan for {target.ref}", f"writes {undeclared[0]}, which it does not declare"
        )


class PlanStore:
    """Saves and loads plans. All times are safety time."""

    def __init__(self, store: StateStore, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._sealer = Sealer(keys)
        self._clock = clock

    async def save(self, plan: Plan) -> Plan:
        """Store a plan under its id. Raises InvalidInputError for one that could not be carried out."""
        check_plan(plan)
        body = b64encode(self._sealer.seal(canonical(plan.model_dump(mode="json")), plan.plan_id)).decode()
        row = {
            "id": plan.plan_id,
            "digest": self._mac(body),
            "body": body,
            "requester": plan.requester.name,
            "cluster": plan.cluster,
            "action": plan.action,
            "created_at": plan.created_at,
            "expires_at": plan.expires_at,
            "state": "planned",
        }
        await self._store.run(lambda conn: conn.execute(table.insert().values(row)))
        return plan

    async def load(self, plan_id: str, caller: Caller, *, even_expired: bool = False) -> Plan:
        """The plan as it was saved.

        Raises PlanNotFoundError (also for another caller's plan), PlanTamperedError, PlanExpiredError.
        """
        return await self._store.read(lambda conn: self.load_in(conn, plan_id, caller, even_expired))

    async def load_any(self, plan_id: str) -> Plan:
        """`load` by the suite itself, for its own screens; not for a caller."""
        return await self._store.read(lambda conn: self.load_in(conn, plan_id, None, False))

    def load_in(self, conn: Connection, plan_id: str, caller: Caller | None, even_expired: bool) -> Plan:
        """`load` inside a transaction; `caller` None is the suite itself, which sees every plan."""
        row = conn.execute(select(table).where(table.c.id == plan_id)).one_or_none()
        if row is None or (caller is not None and not may_see(row.requester, caller)):
            raise PlanNotFoundError(f"plan {plan_id[:40]}", "no plan of that id", _AGAIN)
        if not hmac.compare_digest(row.digest, self._mac(row.body)):
            raise PlanTamperedError(f"plan {plan_id}", "the stored plan was edited after it was made", _AGAIN)
        plan = self._opened(plan_id, row.body)
        # The columns repeat the body for searching; who edits only a column changes nothing.
        if plan.plan_id != plan_id or (caller is not None and not may_see(plan.requester.name, caller)):
            raise PlanTamperedError(f"plan {plan_id}", "the stored plan is another one", _AGAIN)
        if not even_expired and safe_now(conn, self._clock) >= plan.expires_at:
            raise PlanExpiredError(f"plan {plan_id}", f"expired at {plan.expires_at:%H:%M:%S} UTC", _AGAIN)
        return plan

    def _opened(self, plan_id: str, body: str) -> Plan:
        try:
            return Plan.model_validate(json.loads(self._sealer.open(b64decode(body), plan_id)))
        except (BrokenSealError, ValueError) as error:
            raise PlanTamperedError(f"plan {plan_id}", "the stored plan is another one", _AGAIN) from error

    def _mac(self, body: str) -> str:
        return mac_of(self._keys.derive("approvals"), ["plan", body])


def public_view(plan: Plan) -> dict[str, Any]:
    """What `plan://{id}` shows: the redacted diff and the judgement, no bodies and no values."""
    shown = plan.model_dump(mode="json", exclude={"targets", "requester", "facts"})
    shown["requester"] = plan.requester.name
    shown["digest"] = digest_of_plan(plan)
    shown["targets"] = [_public_target(target) for target in plan.targets]
    return shown


def _public_target(target: TargetChange) -> dict[str, Any]:
    return {
        "target": str(target.ref),
        "uid": target.uid,
        "paths": list(target.paths),
        "steps": [{"name": step.name, "verb": step.verb} for step in target.steps],
    }
