"""The plan tools (they only read) and the only two hands of this server: execute_plan and undo_action."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from fastmcp import Context
from fastmcp.tools import Tool
from mcp_types import InputRequiredResult
from pydantic import Field

from aiops_eks.models.changes import ActionStatus, PlannedChange, ProfileOf
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.params import (
    PLANS,
    READS,
    WRITES,
    AnyKind,
    AnyName,
    Cluster,
    Container,
    Namespace,
    ObjectName,
)

if TYPE_CHECKING:
    from aiops_eks.planning.git_asking import GitWish
    from aiops_eks.tools.autoscale_desk import AutoscaleDesk
    from aiops_eks.tools.desk import PlanDesk
    from aiops_eks.tools.profile_desk import ProfileDesk

Quantity = Annotated[
    str | None, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,9})?[a-zA-Z]{0,2}$", description="e.g. 384Mi, 250m")
]
ImageRef = Annotated[
    str | None,
    Field(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]{0,400}$", description="With tag or digest"),
]
Reason = Annotated[str | None, Field(max_length=300, description="Why, for the audit")]
PlanId = Annotated[str, Field(pattern=r"^pln_[A-Za-z0-9_-]{20}$", description="From a plan_* tool")]
ActionId = Annotated[str, Field(pattern=r"^act_[A-Za-z0-9_-]{20}$", description="From execute_plan")]
Confirm = Annotated[
    str, Field(min_length=1, max_length=1000, description="The plan's `confirm` sentence, exactly")
]
Key = Annotated[
    str | None,
    Field(pattern=r"^[A-Za-z0-9._:-]{8,80}$", description="Same key, same result: safe to send again"),
]
Repository = Annotated[str | None, Field(max_length=100, description="via=git; absent: its owner's")]
Place = Annotated[str | None, Field(max_length=400, description="via=git: file; absent: where it stands")]
Manifest = Annotated[str | None, Field(max_length=1_000_000, description="YAML of one object")]


class GitPlans(Protocol):
    """Plans of commits."""

    async def plan(self, cluster: str | None, wish: "GitWish") -> PlannedChange:
        """One manifest in a repository."""
        ...


@dataclass(frozen=True)
class PlanTools:
    """Plan, execute, look, undo."""

    desk: "PlanDesk"
    guard: Guardrails
    profiles: "ProfileDesk"
    autoscalers: "AutoscaleDesk"
    git: GitPlans

    async def plan_workload_change(
        self,
        action: Literal["scale", "autoscale", "restart", "rollback", "resources", "image", "profile"],
        namespace: Namespace,
        name: ObjectName,
        kind: Literal["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod"] = "Deployment",
        cluster: Cluster = None,
        replicas: Annotated[int | None, Field(ge=0, le=10_000, description="scale")] = None,
        container: Container = None,
        memory_limit: Quantity = None,
        memory_request: Quantity = None,
        cpu_limit: Quantity = None,
        cpu_request: Quantity = None,
        image: ImageRef = None,
        to_revision: Annotated[
            int | None, Field(ge=1, le=1_000_000, description="rollback; absent: the previous")
        ] = None,
        profile: Annotated[ProfileOf | None, Field(description="profile, of one pod; absent: heap")] = None,
        autoscale: Annotated[
            str | None, Field(description="min-max and targets, e.g. 3-10,cpu=70,memory=80")
        ] = None,
        reason: Reason = None,
    ) -> PlannedChange:
        """Plan to scale to more or fewer replicas, autoscale (HPA), restart, roll back, resize,
        change the image, or profile a pod.

        Changes nothing. `resources` without values raises the memory limit by half.
        """
        from aiops_eks.planning.autoscaling import bounds_of
        from aiops_eks.planning.drafts import Wish
        from aiops_eks.planning.profiles import check_profile

        wish = Wish(
            replicas=replicas,
            container=container or "",
            memory_limit=memory_limit or "",
            memory_request=memory_request or "",
            cpu_limit=cpu_limit or "",
            cpu_request=cpu_request or "",
            image=image or "",
            to_revision=to_revision,
        )
        check_profile(action, kind, profile, wish)
        bounds = bounds_of(action, autoscale, others=bool(wish.given()))
        if action == "autoscale":
            return await self.autoscalers.plan(cluster, kind, namespace, name, bounds, reason or "")
        if action == "profile":
            what = profile or "heap"
            return await self.profiles.plan(cluster, kind, namespace, name, what, reason or "")
        return await self.desk.workload(action, cluster, kind, namespace, name, wish, reason or "")

    async def plan_manifest(
        self,
        action: Literal["apply", "delete", "evict"],
        manifest: Manifest = None,
        kind: AnyKind = None,
        namespace: Annotated[Namespace | None, Field(description="Of the object to delete or evict")] = None,
        name: AnyName = None,
        via: Literal["cluster", "git"] = "cluster",
        repository: Repository = None,
        place: Place = None,
        cluster: Cluster = None,
        reason: Reason = None,
    ) -> PlannedChange:
        """Plan to apply (create, change) one YAML object, server-side or as a commit (via=git), or to delete
        or evict one.

        Changes nothing. For scale, restart, rollback, resources or image use plan_workload_change.
        """
        if via == "git":
            from aiops_eks.planning.git_asking import GitWish, check_git

            check_git(action)
            wish = GitWish(
                manifest=manifest or "", repository=repository or "", file=place or "", reason=reason or ""
            )
            return await self.git.plan(cluster, wish)
        if repository or place:
            raise InvalidInputError("repository, place", "are of via=git", "leave them out, or say via=git")
        if action == "apply":
            return await self.desk.apply(cluster, manifest or "", reason or "")
        return await self.desk.removal(action, cluster, kind or "", namespace or "", name or "", reason or "")

    async def get_action(self, action_id: ActionId) -> ActionStatus:
        """Show how far an executed plan (drain, rollout) got: steps done, what was verified, whether it
        can be undone.
        """
        return self.desk.status(await self.guard.get_action(action_id))

    async def execute_plan(
        self, plan_id: PlanId, confirm: Confirm, context: Context, idempotency_key: Key = None
    ) -> ActionStatus | InputRequiredResult:
        """Carry out a plan in watched waves; what fails its check is undone.

        Asks a person first where policy says so. The same plan again returns the same action.
        """
        from aiops_eks.tools.approving import execute_with_approval

        done = await execute_with_approval(self.guard, context, plan_id, confirm, idempotency_key)
        return done if isinstance(done, InputRequiredResult) else self.desk.status(done)

    async def undo_action(self, action_id: ActionId, idempotency_key: Key = None) -> ActionStatus:
        """Take an action back when it made matters worse: what it changed is as before; refused when
        somebody else changed it since.
        """
        return self.desk.status(await self.guard.undo(action_id, idempotency_key=idempotency_key))

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        return [
            Tool.from_function(self.plan_workload_change, annotations=PLANS, tags={"plan"}),
            Tool.from_function(self.plan_manifest, annotations=PLANS, tags={"plan"}),
            Tool.from_function(self.get_action, annotations=READS, tags={"read"}),
            Tool.from_function(self.execute_plan, annotations=WRITES, tags={"write"}),
            Tool.from_function(self.undo_action, annotations=WRITES, tags={"write"}),
        ]
