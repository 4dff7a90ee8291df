"""One way from a wish to a stored, judged plan, used by every plan tool.

Gather what stands around the target, draft the change, dry-run it on the API server, measure, ask the
policy (`settling`), store. Nothing is changed.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import anyio.to_thread

from aiops_eks.models.changes import ActionStatus, PlannedChange
from aiops_eks.planning import manifests
from aiops_eks.planning.diffing import changed_fields
from aiops_eks.planning.drafts import Around, Draft, DryRun, Obj, Surroundings, Wish, at, name_of
from aiops_eks.planning.facts import budgets_for, headroom_of, measure, owner_key
from aiops_eks.planning.judging import Judged, plan_of, request_of
from aiops_eks.planning.wording import cut, one_line
from aiops_eks.planning.workloads import check_fits, draft
from aiops_eks.tools.settling import stamped, verdict_on
from aiops_shared.clock import Clock
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails import ActionRecord, Plan, Verdict
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.models import Facts
from aiops_shared.guardrails.paths import write
from aiops_shared.results import Evidence, Table

_DIFF_BYTES = 1800
_SHOWN_VALUE = 160
_MOST_ROWS = 20
_WELL = frozenset({"applied", "verified", "undone", "skipped", "pending"})


def _verdict_text(verdict: Verdict) -> str:
    who = {"requester": " by the requester", "other": " by somebody else than the requester", "": ""}
    return f"{verdict.decision}{who[verdict.approver]} (rule {verdict.rule})"


@dataclass(frozen=True)
class PlanDesk:
    """Plans for one server."""

    surroundings: Surroundings
    guard: Guardrails
    clock: Clock
    plan_ttl_s: int

    async def workload(
        self, action: str, cluster: str | None, kind: str, namespace: str, name: str, wish: Wish, reason: str
    ) -> PlannedChange:
        """scale, restart, rollback, resources, image."""
        check_fits(action, wish)
        around = await self.surroundings.around(cluster, kind, namespace, name, must_exist=True)
        return await self._plan(draft(action, around, wish), around, reason)

    async def apply(self, cluster: str | None, text: str, reason: str) -> PlannedChange:
        """Server-side apply of one object."""
        # A megabyte is parsed, compared and redacted off the loop: other calls go on meanwhile.
        manifest = await anyio.to_thread.run_sync(manifests.one_of, text)
        kind, namespace, name = identity(manifest)
        around = await self.surroundings.around(cluster, kind, namespace, name)
        await self._refuse_early(around, manifest)
        dry = await self.surroundings.dry_apply(manifest, around)
        applied = dry.obj or manifests.overlaid(around.obj or {}, manifest)
        drafted = partial(manifests.apply, around, manifest, applied, takes_over=bool(dry.takes_over))
        draft = await anyio.to_thread.run_sync(drafted)
        return await self._plan(draft, around, reason, wanted=manifest, dry=dry)

    async def removal(
        self, action: str, cluster: str | None, kind: str, namespace: str, name: str, reason: str
    ) -> PlannedChange:
        """Delete or evict one object."""
        if not kind or not name:
            raise InvalidInputError(action, "kind and name are needed", "name exactly one object")
        around = await self.surroundings.around(cluster, kind, namespace, name, must_exist=True)
        draft = manifests.evict(around) if action == "evict" else manifests.delete(around)
        return await self._plan(draft, around, reason)

    async def _refuse_early(self, around: Around, manifest: Obj) -> None:
        """Ask the policy before the dry run, so that a Secret's values are not even sent."""
        draft = Draft(action="apply", ref=around.ref, confirm="apply", steps=(), diff=(), reversible="full")
        await self._judge(draft, around, manifest)

    async def _judge(self, draft: Draft, around: Around, wanted: Obj | None) -> tuple[Facts, Verdict]:
        """What the policy is asked about, and its answer. Raises ActionRefusedError for a lasting denial."""
        facts = measure(draft, around, wanted=wanted)
        request = request_of(draft, facts, self.guard.caller)
        verdict = await verdict_on(
            self.guard, request, owner_key(around), lambda denied: _with_budgets(denied, around)
        )
        return facts, verdict

    async def _plan(
        self,
        draft: Draft,
        around: Around,
        reason: str,
        *,
        wanted: Obj | None = None,
        dry: DryRun | None = None,
    ) -> PlannedChange:
        facts, verdict = await self._judge(draft, around, wanted)
        found = dry or await self.surroundings.dry_run(draft, around)
        judged = Judged(
            dry=found,
            facts=facts,
            verdict=verdict,
            policy_digest=self.guard.policy_digest,
            warnings=(*remarked(found), *(() if dry else _admitted(draft, around, found))),
        )
        stamp = stamped(self, reason)
        plan = plan_of(draft, around, judged, stamp)
        await self.guard.save_plan(plan)
        return shown(plan, draft.shows, found)

    def status(self, record: ActionRecord) -> ActionStatus:
        """An action's journal as an answer."""
        return ActionStatus(
            summary=f"{record.state}: {record.says}"[:400],
            action_id=record.action_id,
            plan_id=record.plan_id,
            state=record.state,
            steps=Table(columns=("target", "step", "state", "says"), rows=_rows(record)),
            can_undo=record.can_undo,
            approval_id=record.approval_id,
            started_at=record.started_at.isoformat(timespec="seconds"),
            ended_at=record.ended_at.isoformat(timespec="seconds") if record.ended_at else "",
            hint=f"call get_action({record.action_id}) again"
            if record.state in {"running", "undoing"}
            else "",
        )


def _rows(record: ActionRecord) -> tuple[tuple[str, str, str, str], ...]:
    """The journal's rows; of a long one what went well is counted, so that the rest is seen."""
    if len(record.steps) <= _MOST_ROWS:
        return tuple((step.target, step.step, step.state, step.says) for step in record.steps)
    rows: list[tuple[str, str, str, str]] = []
    folded: Counter[tuple[str, str]] = Counter()
    for step in record.steps:
        if step.state in _WELL or len(rows) >= _MOST_ROWS:
            folded[step.step, step.state] += 1
        else:
            rows.append((step.target, step.step, step.state, step.says))
    return (*rows, *((f"{count} targets", step, state, "") for (step, state), count in folded.items()))


def identity(manifest: Obj) -> tuple[str, str, str]:
    """`apiVersion/kind`, namespace and name. Raises InvalidInputError where one is missing."""
    kind, name = manifest.get("kind"), at(manifest, "metadata", "name")
    namespace = at(manifest, "metadata", "namespace") or ""
    if not all(isinstance(item, str) and item for item in (kind, name)) or not isinstance(namespace, str):
        raise InvalidInputError(
            "manifest", "kind and metadata.name are needed", "generateName cannot be planned"
        )
    version = manifest.get("apiVersion")
    if not isinstance(version, str) or not version:
        raise InvalidInputError("manifest", "apiVersion is needed", "for example apps/v1")
    return f"{version}/{kind}", namespace, str(name)


def _with_budgets(verdict: Verdict, around: Around) -> Verdict:
    """A refusal for a disruption budget names the budget (R13)."""
    if verdict.rule != "pdb":
        return verdict
    tight = [name_of(pdb) for pdb in budgets_for(around) if not headroom_of([pdb])]
    said = f"PodDisruptionBudget {', '.join(tight)} has no headroom" if tight else "budgets could not be read"
    return verdict.model_copy(update={"advice": f"{said}. {verdict.advice}"})


def remarked(dry: DryRun) -> tuple[str, ...]:
    """What the API server itself warned of: deprecated versions, weak pod security, a webhook's advice."""
    warned = (f"The API server warns: {said}" for said in dry.remarks)
    if not dry.takes_over:
        return tuple(warned)
    owners = ", ".join(dry.takes_over)
    return (f"Takes fields over from {owners}: an older file applied again sets them back.", *warned)


def _admitted(draft: Draft, around: Around, dry: DryRun) -> tuple[str, ...]:
    """What admission (a webhook, a default) would change beside what was asked for."""
    first = draft.steps[0]
    if dry.obj is None or around.obj is None or first.verb != "write":
        return ()
    more = [change.path for change in changed_fields(write(around.obj, first.values), dry.obj)]
    if not more:
        return ()
    rest = f" and {len(more) - 5} more" if len(more) > 5 else ""
    return (f"Admission would change more than was asked for: {', '.join(more[:5])}{rest}.",)


def _cut_diff(plan: Plan) -> tuple[Table, tuple[str, ...]]:
    """The first fields of a large diff, and what was left out; the plan and the approval keep all of it."""
    rows: list[tuple[str, str, str]] = []
    room = _DIFF_BYTES
    for change in plan.diff:
        row = (cut(change.path, 160), cut(change.before, _SHOWN_VALUE), cut(change.after, _SHOWN_VALUE))
        room -= sum(len(each.encode()) for each in row) + 12
        if room < 0 and rows:
            break
        rows.append(row)
    left = len(plan.diff) - len(rows)
    said = f"diff: {len(rows)} of {len(plan.diff)} fields shown; plan://{plan.plan_id} has all of them"
    return Table(columns=("field", "before", "after"), rows=tuple(rows)), (said,) if left else ()


def shown(plan: Plan, shows: Mapping[str, str], dry: DryRun) -> PlannedChange:
    """A stored plan as an answer; `shows` is what to look at beside the diff."""
    verdict = _verdict_text(plan.verdict)
    missing = f": missing {'; '.join(dry.missing)}" if dry.missing else ""
    lost = f"; lost: {', '.join(plan.lost)}" if plan.lost else ""
    diff, left_out = _cut_diff(plan)
    dead = " It cannot be executed: it was not dry-run." if plan.validation == "schema_only" else ""
    sentence = cut(plan.confirm, 220)
    return PlannedChange(
        summary=f"Planned, nothing changed: {sentence}. Policy: {verdict}.{dead}"[:400],
        plan_id=plan.plan_id,
        confirm=plan.confirm,
        verdict=verdict,
        advice=plan.verdict.advice,
        diff=diff,
        blast_radius=plan.blast_radius.says,
        rollout=shows.get("rollout", ""),
        reversible=f"{plan.reversible}{lost}",
        validation=f"{plan.validation}{missing}",
        shows={key: one_line(text) for key, text in shows.items() if key != "rollout"},
        expires_at=plan.expires_at.isoformat(timespec="seconds"),
        evidence=_evidence(plan),
        warnings=(*plan.warnings, *left_out),
        truncated=bool(left_out),
        untrusted=("diff", "confirm", "summary", "shows", "warnings"),
    )


def _evidence(plan: Plan) -> tuple[Evidence, ...]:
    if plan.validation != "server_dry_run":
        return ()
    target = plan.targets[0]
    query = f"{target.steps[0].verb} {target.ref} with dryRun=All"
    return (Evidence(source="kubernetes", query=query, says="admitted"),)
