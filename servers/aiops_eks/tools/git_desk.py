"""From a manifest to a stored, judged plan of a commit (decision D13). Called by plan_manifest, via=git.

The same gate as for a direct change: policy is asked about the object, not about the commit. Only that git
owns the object is no obstacle here; it is the reason.
"""

from dataclasses import dataclass

import anyio.to_thread

from aiops_eks.models.changes import PlannedChange
from aiops_eks.planning import manifests
from aiops_eks.planning.diffing import changed_fields
from aiops_eks.planning.drafts import Around, Draft, DryRun, Obj, Surroundings, at, replicas_of
from aiops_eks.planning.facts import gitops_owner_of, measure, owner_key
from aiops_eks.planning.git import (
    Commit,
    Edited,
    Place,
    Repositories,
    commit_ref,
    draft,
    edited,
    live_step,
    message_of,
)
from aiops_eks.planning.git_asking import GitWish
from aiops_eks.planning.judging import Judged, Stamp, blast_radius, plan_of, request_of
from aiops_eks.planning.wording import one_line
from aiops_eks.tools.desk import identity, remarked, shown
from aiops_eks.tools.settling import stamped, verdict_on
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError, UpstreamError
from aiops_shared.guardrails import Plan, Verdict
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.models import Facts
from aiops_shared.kube.manifests import dump_manifests


@dataclass(frozen=True)
class GitDesk:
    """Plans of commits."""

    surroundings: Surroundings
    repositories: Repositories
    guard: Guardrails
    clock: Clock
    plan_ttl_s: int

    async def plan(self, cluster: str | None, wish: GitWish) -> PlannedChange:
        """One object's manifest changed in, or added to, a repository. Raises what policy denies for good."""
        manifest = await anyio.to_thread.run_sync(manifests.one_of, wish.manifest)
        kind, namespace, name = identity(manifest)
        around = await self.surroundings.around(cluster, kind, namespace, name)
        await self._judge(self._live(around, manifest, around.obj), around, manifest)  # before git is read
        owner = next(filter(None, map(gitops_owner_of, (around.obj, *around.owners))), "").rpartition(" ")[2]
        place = await self.repositories.place(wish.repository, wish.file, manifest, owner)
        change = await anyio.to_thread.run_sync(edited, place.text, manifest, place.file)
        dry = await self._tried(around, change)
        live = self._live(around, manifest, dry.obj or manifests.overlaid(around.obj or {}, change.obj))
        facts, verdict = await self._judge(live, around, manifest)
        judged = Judged(
            # Only the commit is carried out, and that needs no right of the cluster.
            dry=dry.model_copy(update={"validation": "prechecked"}) if dry.obj is None else dry,
            facts=facts,
            verdict=verdict,
            policy_digest=self.guard.policy_digest,
            warnings=(*remarked(dry), *(f"No dry run: {gap}" for gap in dry.missing)),
        )
        stamp = stamped(self, wish.reason)
        plan, made = await self._planned(around, place, change, manifest, judged, stamp)
        radius = blast_radius(live, around, facts)
        plan = plan.model_copy(update={"blast_radius": radius})
        await self.guard.save_plan(plan)
        return shown(plan, made.shows, judged.dry.model_copy(update={"missing": ()}))

    async def _planned(
        self, around: Around, place: Place, change: Edited, manifest: Obj, judged: Judged, stamp: Stamp
    ) -> tuple[Plan, Draft]:
        ref = commit_ref(around.ref.cluster, place, stamp.plan_id)
        commit = Commit(
            file=place.file,
            base=place.base,
            added=place.text is None,
            manifest=dump_manifests([manifest]),
            message=message_of(
                around.ref, stamp.plan_id, one_line(stamp.caller.name, 100), one_line(stamp.reason)
            ),
            at=int(stamp.at.timestamp()),
        )
        tree = await self.repositories.tree(place, change.text)
        made = draft(ref, around.ref, place, change, tree, commit)
        state = await self.repositories.state(ref)
        plan = plan_of(
            made, Around(ref=ref, now=around.now, obj=state, pdbs=(), gaps=around.gaps), judged, stamp
        )
        target = plan.targets[0].model_copy(update={"about": around.ref, "owner": owner_key(around)})
        return plan.model_copy(update={"targets": (target,)}), made

    def _live(self, around: Around, manifest: Obj, after: Obj | None) -> Draft:
        """What the commit will do to the cluster once it is merged: for policy, never carried out."""
        disrupted = None
        if around.obj is not None and after is not None and changed_fields(around.obj, after):
            disrupted = manifests.apply(around, manifest, after)
        return Draft(
            action="apply",
            ref=around.ref,
            confirm="commit",
            steps=(),
            diff=(),
            reversible="full",
            at_once=disrupted.at_once if disrupted else 0,
            replicas_after=replicas_of(after) if at(after, "spec", "replicas") is not None else None,
        )

    async def _judge(self, live: Draft, around: Around, manifest: Obj) -> tuple[Facts, Verdict]:
        facts = measure(live, around, wanted=manifest).model_copy(update={"gitops_owner": ""})
        request = request_of(live, facts, self.guard.caller)
        verdict = await verdict_on(self.guard, request, owner_key(around))
        return facts, verdict

    async def _tried(self, around: Around, change: Edited) -> DryRun:
        """What the API server would say of the object, where it can be asked; it is never written."""
        step = live_step(around, change)
        if step.verb == "write" and not step.values:
            return DryRun(validation="prechecked", missing=("nothing that the cluster would see changes",))
        asked = Draft(
            action="apply", ref=around.ref, confirm="dry", steps=(step,), diff=(), reversible="full"
        )
        try:
            return await self.surroundings.dry_run(asked, around)
        except InvalidInputError:
            raise
        except UpstreamError as problem:
            return DryRun(validation="prechecked", missing=(one_line(problem.wire(), 200),))
        except AiopsError as problem:
            raise InvalidInputError(
                "manifest", f"the API server refuses it: {one_line(str(problem), 300)}", "correct it"
            ) from problem
