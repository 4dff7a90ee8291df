"""A whole house for the executor's tests: a real store and journal, a fake world, and plans over it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiops_shared.guardrails.approvals import Approvals
from aiops_shared.guardrails.audit import Audit
from aiops_shared.guardrails.executor import Executor, Parts
from aiops_shared.guardrails.gate import Gate
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.journal import Journal
from aiops_shared.guardrails.lifetimes import Lifetime
from aiops_shared.guardrails.models import (
    ActionName,
    BlastRadius,
    Caller,
    Facts,
    GateCheck,
    Json,
    ObjectRef,
    Plan,
    Reversible,
    Step,
    TargetChange,
    Verdict,
)
from aiops_shared.guardrails.modes import Modes
from aiops_shared.guardrails.paths import digest_of, uid_of
from aiops_shared.guardrails.plans import PlanStore
from aiops_shared.guardrails.ports import Effects, Judge
from aiops_shared.guardrails.run_context import Hands
from aiops_shared.guardrails.snapshots import Snapshots
from aiops_shared.settings import StateSettings
from aiops_shared.state import Keys, StateStore
from tests.fakes.clocks import FakeClock
from tests.fakes.gates import FakeBrake, FakeJudge, FakeTrail
from tests.fakes.worlds import FakeWorld

ANNA = Caller(name="anna")
BEN = Caller(name="ben", scopes=frozenset({"aiops:read", "aiops:approve"}))
BOT = Caller(name="bot", kind="agent")
FREE = Modes(write=True, autonomy={"prod": "auto-safe", "staging": "auto-safe", "dev": "auto-safe"})
IMAGE = "spec.template.spec.containers[name=app].image"


@dataclass
class House:
    """Everything that one process holds, with its fakes in reach."""

    dir: Path
    clock: FakeClock = field(default_factory=FakeClock)
    judge: FakeJudge = field(default_factory=FakeJudge)
    policy: Judge | None = None  # instead of `judge`
    brake: FakeBrake = field(default_factory=FakeBrake)
    trail: FakeTrail = field(default_factory=FakeTrail)
    modes: Modes = FREE
    shadow: bool = False
    worker: str = "worker-1"
    audit: Audit | None = None  # the real one, instead of `trail`
    audited: bool = False

    def __post_init__(self) -> None:
        settings = StateSettings(dir=self.dir / "state")
        self.world = FakeWorld(self.dir / "world.db")
        self.store = StateStore(settings)
        self.keys = Keys(settings)
        self.plans = PlanStore(self.store, self.keys, self.clock)
        self.snapshots = Snapshots(self.store, self.keys, self.clock)
        judge = self.policy or self.judge
        if self.audited:
            self.audit = self.audit or Audit(self.store, self.keys, self.clock)
        trail = self.audit or self.trail
        self.approvals = Approvals(
            self.store, self.keys, self.clock, self.plans, trail, 1800, lambda: judge.digest
        )
        self.journal = Journal(self.store, self.clock, self.worker)
        self.gate = Gate(
            modes=self.modes,
            policy=judge,
            brake=self.brake,
            trail=trail,
            store=self.store,
            clock=self.clock,
        )
        hands = Hands(self.journal, trail, self.brake, self.snapshots, self.clock)
        self.parts = Parts(
            self.store, self.plans, self.approvals, self.gate, hands, self.effects_for, shadow=self.shadow
        )
        self.executor = Executor(self.parts, Lifetime(self.clock))

    @property
    def effects_for(self) -> Callable[[str], Awaitable[Effects]]:
        async def found(cluster: str) -> Effects:
            return self.world

        return found

    def needs(self, approver: str = "requester") -> None:
        """From now on the policy wants an approval."""
        self.judge.verdict = Verdict.model_validate(
            {"decision": "needs_approval", "rule": "prod-write", "approver": approver}
        )

    async def planned(
        self,
        *targets: TargetChange,
        action: ActionName = "image",
        requester: Caller = ANNA,
        waves: tuple[int, ...] = (),
        reversible: Reversible = "full",
        lost: tuple[str, ...] = (),
    ) -> Plan:
        """A stored plan over these targets, each with a snapshot."""
        plan_id, now = new_id("pln_"), self.clock.safe_now()
        kept = [await self._with_snapshot(target, plan_id) for target in targets]
        plan = Plan(
            plan_id=plan_id,
            action=action,
            cluster="dev",
            confirm=f"{action} {', '.join(str(target.ref) for target in targets)}",
            targets=tuple(kept),
            waves=waves or (1,) * len(targets),
            requester=requester,
            created_at=now,
            expires_at=now + timedelta(hours=1),
            reversible=reversible,
            lost=lost,
            blast_radius=BlastRadius(objects=len(targets)),
            facts=Facts(env="staging", reversible=reversible),
            verdict=Verdict(decision="allow", rule="staging-write"),
            policy_digest=(self.policy or self.judge).digest,
        )
        return await self.plans.save(plan)

    async def _with_snapshot(self, target: TargetChange, plan_id: str) -> TargetChange:
        seen = self.world.see(target.ref)
        if seen is None or seen["kind"] == "Secret":
            return target
        snapshot_id = await self.snapshots.take(target.ref, seen, plan_id)
        return target.model_copy(update={"snapshot_id": snapshot_id})


def writing(
    world: FakeWorld,
    ref: ObjectRef,
    *steps: dict[str, Json],
    check: str = "",
    reads: tuple[str, ...] = (),
    owner: str = "",
) -> TargetChange:
    """A target whose steps write these values, each step followed by the gate `check`."""
    gate = GateCheck(check=check, within_s=60) if check else None
    made = tuple(
        Step(name=f"write {number}", verb="write", values=values, gate=gate)
        for number, values in enumerate(steps, start=1)
    )
    paths = tuple(sorted({path for values in steps for path in values}))
    return bound(world, ref, made, paths, reads, owner)


def bound(
    world: FakeWorld,
    ref: ObjectRef,
    steps: tuple[Step, ...],
    paths: tuple[str, ...] = (),
    reads: tuple[str, ...] = (),
    owner: str = "",
) -> TargetChange:
    """A target bound to the object as it is now."""
    seen: Any = world.see(ref)
    return TargetChange(
        ref=ref,
        uid=uid_of(seen),
        paths=paths,
        reads=reads,
        digest=digest_of(seen, (*paths, *reads)),
        steps=steps,
        owner=owner or str(ref),
    )
