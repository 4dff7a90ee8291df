"""The executor's hand for commits: makes the planned one on a branch of its own, pushes it, reverts it (D13).

The same plan always gives the same tree and the same commit, so what was made is recognised and never made
twice. Nothing of a worktree is touched.
"""

from dataclasses import dataclass
from typing import ClassVar

from aiops_eks.clients.git_places import KEPT, SENT, GitPlaces
from aiops_eks.clients.git_repository import CommitText, GitRepository
from aiops_eks.clients.one_way import OneWay
from aiops_eks.planning.drafts import Obj, at
from aiops_eks.planning.git import Commit, edited
from aiops_eks.planning.manifests import one_of
from aiops_shared.errors import ActionRefusedError, InvalidInputError, PlanStaleError
from aiops_shared.guardrails.models import Facts, GateCheck, GateResult, Json, ObjectRef, Plan, Step
from aiops_shared.guardrails.permits import Permit
from aiops_shared.guardrails.ports import Effects


@dataclass(frozen=True)
class GitEffects(OneWay):
    """Fulfils `Effects` for targets `git.aiops/v1/Commit`."""

    never: ClassVar = ("commits are only made and reverted", "plan again")

    places: GitPlaces
    kubernetes: Effects

    async def read(self, ref: ObjectRef) -> Json | None:
        """Base branch and planned branch now."""
        return await self.places.state(ref)

    async def apply_step(
        self, ref: ObjectRef, step: Step, current: Json | None, permit: Permit
    ) -> Json | None:
        """Commit, or push what was committed."""
        permit.covers(ref)
        git = self.places.repository(ref.namespace)
        if step.verb != "write":
            raise ActionRefusedError(str(ref), f"a commit knows no {step.verb}", "plan again")
        if step.name == "push":
            await self._push(git, ref)
        else:
            await self._commit(git, ref, Commit.model_validate(step.body), str(step.values["spec.tree"]))
        return None  # read back

    async def _commit(self, git: GitRepository, ref: ObjectRef, wanted: Commit, tree: str) -> None:
        entry = None if wanted.added else await git.entry(wanted.base, wanted.file)
        text = await git.text(entry) if entry is not None and entry.is_file else None
        if (text is None) != wanted.added:
            raise PlanStaleError(str(ref), f"{wanted.file} is not what it was", "plan again")
        change = edited(text, one_of(wanted.manifest), wanted.file)
        made = await git.stored_tree(wanted.base, wanted.file, change.text)
        if made != tree:
            raise PlanStaleError(str(ref), "the file would not read as planned", "plan again")
        sha = await git.commit(CommitText(tree, wanted.base, wanted.message, wanted.at))
        await git.move({_branch(ref): (sha, ""), _kept(ref): (sha, "")})

    async def _push(self, git: GitRepository, ref: ObjectRef) -> None:
        """Push the branch's commit, and note that it was."""
        tip = await git.tip(_branch(ref))
        if not tip:
            raise PlanStaleError(str(ref), "its branch is gone", "plan again")
        await git.push(tip, _branch(ref))
        await git.move({_sent(ref): (tip, await git.tip(_sent(ref)))})

    async def replace(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """The way back: a revert commit on the same branch, pushed where the commit was."""
        permit.covers(ref)
        git = self.places.repository(ref.namespace)
        now = await self.places.state(ref)
        if (tip := await git.tip(_branch(ref))) and at(now, "spec", "tree"):
            back = await git.tree_of(f"{tip}~1")
            message = f'Revert "{ref.name}"\n\nThis reverts commit {tip}.\n'
            sha = await git.commit(CommitText(back, tip, message, await git.time_of(tip) + 1))
            await git.move({_branch(ref): (sha, tip)})
        if await git.tip(_sent(ref)):
            await self._push(git, ref)
        return await self.places.state(ref)

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        """One look at the branch."""
        now: Obj = await self.places.state(ref)
        commit, field = str(at(now, "status", "commit")), "pushed" if check.check == "pushed" else "tree"
        if not at(now, "spec", field):
            return GateResult(state="failed", says=f"branch {ref.name} is not there")
        where = "origin" if field == "pushed" else ref.namespace
        return GateResult(state="met", says=f"commit {commit} on branch {ref.name} of {where}")

    async def measure(self, plan: Plan) -> Facts:
        """The facts of the object that the commit describes; git owns it, so that owner is no obstacle."""
        target = plan.targets[0]
        if target.about is None:
            raise InvalidInputError(f"plan {plan.plan_id}", "does not say which object it is about")
        wish = one_of(Commit.model_validate(target.steps[0].body).manifest)
        asked = target.model_copy(
            update={"ref": target.about, "steps": (Step(name="apply", verb="apply", body=wish),)}
        )
        facts = await self.kubernetes.measure(plan.model_copy(update={"targets": (asked,)}))
        return facts.model_copy(update={"gitops_owner": ""})


def _branch(ref: ObjectRef) -> str:
    return f"refs/heads/{ref.name}"


def _kept(ref: ObjectRef) -> str:
    return f"{KEPT}{ref.name.rpartition('/')[2]}"


def _sent(ref: ObjectRef) -> str:
    return f"{SENT}{ref.name.rpartition('/')[2]}"
