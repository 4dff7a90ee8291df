"""A run as a client sees it: state, steps, what is waited for, duties, human inputs, audit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from aiops_shared.app.views import asked_to_show, show
from aiops_shared.errors import AiopsError
from aiops_shared.results import Table
from aiops_shared.state import StateStore
from aiops_sop.engine.duties import duties_of, forbidden_of
from aiops_sop.engine.records import RunRecord, StepRow
from aiops_sop.models.documents import Sop
from aiops_sop.models.runs import ENDED, RunStatus, StepView, Waiting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from aiops_shared.guardrails.audit import Audit

Json = Any
Pinned = Callable[[str, str, str], Sop]
MOST_SAID: Final = 120
MOST_AUDIT: Final = 200
MOST_KEPT, LEAST_KEPT = 1_000, 40  # characters of evidence in all steps together, and of one value


@dataclass(frozen=True, slots=True)
class RunViews:
    """Reads what belongs to a run and words it."""

    store: StateStore
    pinned: Pinned
    audit: "Callable[[], Audit]"

    async def status(self, record: RunRecord, *, full: bool = False) -> RunStatus:
        """Without its audit."""
        sop = self._document(record)
        duties = duties_of(sop, record.steps)
        status = RunStatus(
            summary=_summary(record),
            run_id=record.run_id,
            sop=record.sop,
            version=record.version,
            digest=record.digest,
            mode=record.mode,
            pattern=record.pattern,
            state=record.state,
            target=record.target,
            requested_by=record.caller.name,
            incident_id=record.incident_id,
            steps=tuple(_views(sop, record, full=full)),
            waiting=_waiting(record),
            duties=tuple(one for one in duties if full or one.verdict != "not checkable"),
            forbidden=forbidden_of(sop) if full or record.mode == "plan" else (),
            human_inputs=await self.store.read(lambda conn: human_inputs_in(conn, record)),
            phases_s=_phases(record),
            started_at=record.began_at or record.created_at,
            ended_at=record.ended_at,
            untrusted=("steps.says", "steps.output", "steps.evidence"),
        )
        if asked_to_show():
            from aiops_sop.charts.page_data import run_page

            show(run_page(record, status))
        return status

    async def shown(self, record: RunRecord, *, full: bool) -> RunStatus:
        """With its audit, and the chain's check once it ended."""
        status = await self.status(record, full=full)
        table = await self.store.read(lambda conn: _audit_in(conn, record))
        chain = ""
        if full or record.state in ENDED:
            chain = await self._chain()
        return status.model_copy(update={"audit": table if full else _counted(table), "audit_chain": chain})

    def _document(self, record: RunRecord) -> Sop:
        """What the run pins; of one that was edited only the name, since nothing of it counts."""
        try:
            return self.pinned(record.document, record.sop, record.digest)
        except AiopsError:
            return Sop(id=record.sop, title=record.sop, digest=record.digest, text="")

    async def _chain(self) -> str:
        try:
            found = await self.audit().verify()
        except AiopsError as error:
            return f"not checked: {error}"[:300]
        if found.first_bad:
            return f"broken at record {found.first_bad}: {found.reason}"[:300]
        return f"valid: {found.records} records"


def human_inputs_in(conn: "Connection", record: RunRecord) -> int:
    """The start by a person, approvals given by people, questions answered (docs/runs.md)."""
    from sqlalchemy import func, select

    from aiops_shared.state.schema import approvals
    from aiops_shared.state.sop_schema import sop_asks

    plans = [row.plan_id for row in record.steps.values() if row.plan_id]
    given = (
        approvals.c.plan_id.in_(plans)
        & approvals.c.state.in_(("approved", "used"))
        & (approvals.c.approver != "")
    )
    said = (sop_asks.c.run_id == record.run_id) & (sop_asks.c.approver != "")
    approved = (
        conn.execute(select(func.count()).select_from(approvals).where(given)).scalar_one() if plans else 0
    )
    answered = conn.execute(select(func.count()).select_from(sop_asks).where(said)).scalar_one()
    started = int(record.pattern != "event" and not record.parent_id)
    return started + int(approved) + int(answered)


def _views(sop: Sop, record: RunRecord, *, full: bool) -> Sequence[StepView]:
    titles = {step.id: step.title for step in sop.steps}
    rows = dict(record.steps)
    found: list[StepView] = []
    for step in sop.steps:
        mine = [path for path in rows if path == step.id or path.startswith(f"{step.id}[")]
        paths = sorted(mine, key=_by_index) or [step.id]
        found += [_view(path, titles[step.id], rows.get(path), full=full) for path in paths]
    backs = [path for path in rows if path.startswith("undo/")]
    found += [_view(path, "Give back", rows[path], full=full) for path in backs]
    return found if full else brief(found)


def brief(steps: Sequence[StepView]) -> list[StepView]:
    """Evidence cut so that every step still stands in an answer of ordinary length."""
    values = sum(len(step.evidence) for step in steps)
    most = max(LEAST_KEPT, MOST_KEPT // max(values, 1))

    def cut(value: Json) -> Json:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return value if len(text) <= most else f"{text[:most]}… (detail=full)"

    return [
        step.model_copy(update={"evidence": {path: cut(value) for path, value in step.evidence.items()}})
        for step in steps
    ]


def _by_index(path: str) -> tuple[str, int]:
    name, _, index = path.partition("[")
    return name, int(index.rstrip("]") or -1) if index else -1


def _view(path: str, title: str, row: StepRow | None, *, full: bool) -> StepView:
    if row is None:
        return StepView(id=path, title=title, state="pending")
    began, ended = row.began_at, row.ended_at
    body = row.body
    more: dict[str, Any] = {}
    if full:
        more = {"inputs": body.get("inputs") or {}, "output": body.get("output")}
    says = "; ".join(str(body[name]) for name in ("says", "verdict") if body.get(name))
    return StepView(
        id=path,
        title=title,
        state=row.state,
        verified=body.get("verified"),
        says=says if full else says[:MOST_SAID],
        plan_id=row.plan_id,
        action_id=row.action_id,
        took_s=round((ended - began).total_seconds(), 3) if began and ended else 0.0,
        evidence=cast("dict[str, Json]", body.get("kept") or {}),
        **more,
    )


def _waiting(record: RunRecord) -> Waiting | None:
    said = record.body.get("waiting")
    if record.state != "waiting" or not said:
        return None
    how = said.get("how") or ""
    if said.get("expired") or not how:
        how = f"control_run(run_id={record.run_id!r}, action='resume')"
    until = datetime.fromisoformat(said["until"]) if said.get("until") else None
    return Waiting(kind=said["kind"], id=said.get("id", ""), says=said["says"], how=how, until=until)


def _phases(record: RunRecord) -> dict[str, float]:
    """World seconds by phase; what is missing took none."""
    found: dict[str, float] = {}
    for row in record.steps.values():
        for phase, took in (row.body.get("phases") or {}).items():
            found[phase] = round(found.get(phase, 0.0) + took, 3)
    detect = record.body.get("detect_s")
    return {**({"detect": detect} if detect is not None else {}), **found}


def _summary(record: RunRecord) -> str:
    done = sum(1 for row in record.steps.values() if row.state == "done" and "[" not in row.path)
    where = f" for {record.target}" if record.target != record.sop else ""
    if record.state == "queued":
        lives = "It advances while a sop server or `eks-aiops worker` lives."
        return f"{record.sop}{where}: queued; poll get_run. {lives}"[:400]
    return f"{record.sop}{where} ({record.mode}): {record.state}, {done} steps done. {record.says}"[:400]


def _audit_in(conn: "Connection", record: RunRecord) -> Table:
    """What the audit says of the run, its plans, their approvals and actions."""
    from sqlalchemy import select

    from aiops_shared.state.schema import approvals, audit

    rows = record.steps.values()
    plans = [row.plan_id for row in rows if row.plan_id]
    given = conn.execute(select(approvals.c.id).where(approvals.c.plan_id.in_(plans))).scalars()
    names = [record.run_id, *plans, *given, *(row.action_id for row in rows if row.action_id)]
    columns = (audit.c.seq, audit.c.at, audit.c.event, audit.c.actor, audit.c.action_id)
    query = select(*columns).where(audit.c.action_id.in_(names)).order_by(audit.c.seq).limit(MOST_AUDIT)
    found = tuple(tuple(row) for row in conn.execute(query))
    return Table(columns=("seq", "at", "event", "actor", "about"), rows=found)


def _counted(table: Table) -> Table:
    """The last records only: the whole is there with detail=full."""
    return Table(columns=table.columns, rows=table.rows[-8:])
