"""Joins the parts of the guardrails over one store; imported on first use: SQLAlchemy and Cedar are heavy."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiops_shared.clock import Clock
from aiops_shared.guardrails.approvals import Approvals
from aiops_shared.guardrails.asking_people import ways_to_approve
from aiops_shared.guardrails.audit import Audit
from aiops_shared.guardrails.books import Books
from aiops_shared.guardrails.brakes import Brakes
from aiops_shared.guardrails.executor import Executor, Parts
from aiops_shared.guardrails.freezing import Freezer, windows
from aiops_shared.guardrails.gate import Gate
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.journal import Journal
from aiops_shared.guardrails.keeping import Keeper
from aiops_shared.guardrails.lifetimes import Lifetime
from aiops_shared.guardrails.modes import Modes
from aiops_shared.guardrails.plans import PlanStore
from aiops_shared.guardrails.policy import Policy
from aiops_shared.guardrails.ports import Effects
from aiops_shared.guardrails.run_context import Hands
from aiops_shared.guardrails.snapshots import Snapshots
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore


@dataclass(frozen=True, slots=True)
class Wired:
    """What the door hands out."""

    store: StateStore
    policy: Policy
    audit: Audit
    freezer: Freezer
    plans: PlanStore
    keeper: Keeper
    approvals: Approvals
    gate: Gate
    executor: Executor


def wire(
    settings: Settings,
    clock: Clock,
    effects_for: Callable[[str], Awaitable[Effects]],
    lifetime: Lifetime,
    books: Books,
) -> Wired:
    """Build everything over the books. Opens no connection yet. Raises NotConfiguredError for a wrong policy
    or window.
    """
    store, keys, audit = books.store, books.keys, books.audit
    policy, modes = Policy(settings.policy), Modes.of(settings)
    brake = Brakes(windows(settings.policy), clock)
    plans, snapshots = PlanStore(store, keys, clock), Snapshots(store, keys, clock)
    ttl_s = settings.policy.approval_ttl_s
    approvals = Approvals(store, keys, clock, plans, audit, ttl_s, lambda: policy.digest)
    gate = Gate(modes, policy, brake, audit, store, clock)
    hands = Hands(Journal(store, clock, new_id("wrk_")), audit, brake, snapshots, clock)
    shadow = modes.effect() == "shadow"
    parts = Parts(
        store,
        plans,
        approvals,
        gate,
        hands,
        effects_for,
        shadow=shadow,
        approve_by=lambda about: ways_to_approve(about, settings.http),
    )
    return Wired(
        store=store,
        policy=policy,
        audit=audit,
        freezer=Freezer(store, settings.policy, clock),
        plans=plans,
        keeper=Keeper(plans, snapshots, approvals, effects_for),
        approvals=approvals,
        gate=gate,
        executor=Executor(parts, lifetime),
    )
