"""What became of runs and incidents, and what was learned: the last three phases, and the statistics.

Fulfils `ports.RunEnds` (told by the engine when a run ended) and `ports.Experience`. An outcome says whether
a run helped: its own verification first, a person's word (`record_outcome`) over it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, update

from aiops_shared.clock import Clock
from aiops_shared.errors import InvalidInputError, NotFoundError
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.redacting import redact
from aiops_shared.results import Table
from aiops_shared.results.wording import cut
from aiops_shared.state import StateStore
from aiops_shared.state.sop_schema import incidents, outcomes, sop_runs
from aiops_sop.analysis.lessons import proposed_change
from aiops_sop.analysis.ranking import Tried, by_version, statistics
from aiops_sop.clients.incident_store import load, store_in
from aiops_sop.models.incidents import Incident, IncidentState, PhaseDone, Recorded, Statistic
from aiops_sop.models.runs import RunStatus
from aiops_sop.ports import Library

MOST_OUTCOMES: Final = 5_000
_OF = outcomes.c
_HELPED: Final[Mapping[str, bool]] = {"succeeded": True, "undone": False, "escalated": False}


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of an incident or run."""

    about: str  # run_… or inc_…
    cause: str
    effective: bool | None
    note: str
    said_by: str


@dataclass(frozen=True)
class Outcomes:
    """Writes outcomes, reads statistics."""

    store: StateStore
    clock: Clock
    library: Library

    async def ended(self, run: RunStatus) -> None:
        """A run ended: an outcome, and the last phases of its incident. Safe to be told twice."""
        untried = run.mode == "plan" or run.state == "refused"
        helped = None if untried else _HELPED.get(run.state)
        now = await self.clock.now()

        def work(conn: Connection) -> None:
            outcome_id = f"out_{hashlib.sha256(run.run_id.encode()).hexdigest()[:20]}"
            one = _incident_of(conn, run.run_id, run.incident_id)
            told = {"state": run.state, "effective": None if helped is None else int(helped)}
            change = update(outcomes).where(_OF.id == outcome_id, _OF.said_by == "verification")
            overruled = select(_OF.id).where(_OF.id == outcome_id, _OF.said_by == "overruled")
            changed = conn.execute(change.values(**told)).rowcount or conn.execute(overruled).first()
            if not changed:  # it may be resumed, and end again
                conn.execute(
                    outcomes.insert().values(
                        id=outcome_id,
                        run_id=run.run_id,
                        incident_id=one.id if one else "",
                        sop=run.sop,
                        version=run.version,
                        digest=run.digest,
                        mode=run.mode,
                        **told,
                        cause=one.cause if one else "",
                        said_by="verification",
                        at=now,
                        note="",
                    )
                )
            if one:
                store_in(conn, _closed_by(one, run, helped, now))

        await self.store.run(work)

    async def statistics(self, sops: Sequence[str] = (), cause: str = "") -> Mapping[str, Statistic]:
        """By SOP id, over its versions together."""
        tried = await self.store.read(lambda conn: _tried(conn, sops))
        return statistics(tried, cause)

    async def record(self, word: Word) -> Recorded:
        """A person's word: over the verification's. Raises NotFoundError, InvalidInputError."""
        now = await self.clock.now()

        def work(conn: Connection) -> tuple[str, str, str, str, list[Tried]]:
            one, run = _about(conn, word.about)
            outcome_id = new_id("out_")
            effective = None if word.effective is None else int(word.effective)
            run_id = run.id if run else ""
            if run and word.effective is not None:  # what was verified is not counted beside what was said
                mine = (_OF.run_id == run.id) & (_OF.said_by == "verification")
                conn.execute(update(outcomes).where(mine).values(effective=None, said_by="overruled"))
            conn.execute(
                outcomes.insert().values(
                    id=outcome_id,
                    run_id=run_id,
                    incident_id=one.id if one else "",
                    sop=run.sop if run else "",
                    version=run.version if run else 0,
                    digest=run.digest if run else "",
                    mode=run.mode if run else "",
                    state=run.state if run else "",
                    effective=effective,
                    cause=word.cause,
                    said_by=word.said_by[:256],
                    at=now,
                    note=redact(word.note),
                )
            )
            if one:
                store_in(conn, _confirmed(one, word, now))
            sop = run.sop if run else ""
            return outcome_id, one.id if one else "", run_id, sop, _tried(conn, [sop]) if sop else []

        outcome_id, incident_id, run_id, sop, tried = await self.store.run(work)
        change = self._change(sop, word, tried) if sop and word.effective is not None else ""
        rows = tuple((one.version, one.tried, one.helped, one.score) for one in by_version(tried))
        return Recorded(
            summary=_summary(word, sop, change, statistics(tried).get(sop)),
            outcome_id=outcome_id,
            incident_id=incident_id,
            run_id=run_id,
            sop=sop,
            statistics=Table(columns=("version", "tried", "helped", "score"), rows=rows) if rows else None,
            change=change,
        )

    def _change(self, sop: str, word: Word, tried: list[Tried]) -> str:
        try:
            document = self.library.get(sop)
        except NotFoundError:
            return ""
        mine = statistics(tried, word.cause).get(sop, Statistic(sop=sop, version=document.version))
        return proposed_change(document, word.cause, effective=bool(word.effective), tried=mine)


def _summary(word: Word, sop: str, change: str, all_in_all: Statistic | None) -> str:
    said = {True: "it helped", False: "it did not help", None: "whether it helped is not said"}[
        word.effective
    ]
    cause = f", cause {word.cause}" if word.cause else ""
    tail = f" {sop} helped in {all_in_all.helped} of {all_in_all.tried} runs." if all_in_all else ""
    more = " A change of the SOP is proposed; nothing was written." if change else ""
    return cut(f"Recorded for {word.about}: {said}{cause}.{tail}{more}")


def _about(conn: Connection, about: str) -> tuple[Incident | None, Any]:
    """The incident and the run that are meant. Raises NotFoundError."""
    if about.startswith("inc_"):
        one = load(conn, about, lock=True)
        return one, _run(conn, one.run_id)
    if not about.startswith("run_"):
        raise InvalidInputError("run_id", "is neither a run nor an incident", "give run_… or inc_…")
    run = _run(conn, about)
    if run is None:
        raise NotFoundError(f"run {about[:40]}", "no run of that id", "get_run lists steps of one")
    return _incident_of(conn, run.id, run.incident_id), run


def _run(conn: Connection, run_id: str) -> Any:
    """The run's row; of one that is no longer kept what its outcome says."""
    if not run_id:
        return None
    if (row := conn.execute(select(sop_runs).where(sop_runs.c.id == run_id)).one_or_none()) is not None:
        return row
    kept = select(
        _OF.run_id.label("id"), _OF.sop, _OF.version, _OF.digest, _OF.mode, _OF.state, _OF.incident_id
    )
    return conn.execute(kept.where(_OF.run_id == run_id).order_by(_OF.at).limit(1)).one_or_none()


def _incident_of(conn: Connection, run_id: str, incident_id: str) -> Incident | None:
    query = select(incidents.c.id).where(
        incidents.c.id == incident_id if incident_id else incidents.c.run_id == run_id
    )
    found = conn.execute(query.limit(1)).scalar_one_or_none()
    return load(conn, found, lock=True) if found else None


def _closed_by(one: Incident, run: RunStatus, helped: bool | None, now: datetime) -> Incident:
    """The incident after its run: verification, audit, record."""
    checked = [step for step in run.steps if step.verified is not None]
    held = sum(bool(step.verified) for step in checked)
    phases = (
        PhaseDone(
            phase="verification", at=now, says=f"{held} of {len(checked)} checks held; run {run.state}"
        ),
        PhaseDone(phase="audit", at=now, says=run.audit_chain or "in the store's chain"),
        PhaseDone(
            phase="record", at=now, says={True: "helped", False: "did not help", None: "not tried"}[helped]
        ),
    )
    known = {each.phase for each in one.pipeline}
    state: IncidentState = one.state
    if helped:
        state = "resolved"
    elif run.state == "escalated" and one.state == "open":
        state = "escalated"
    done = tuple(cut(f"{step.title}: {step.state}", 120) for step in run.steps if step.action_id)
    return one.model_copy(
        update={
            "state": state,
            "resolved_at": now if helped and one.resolved_at is None else one.resolved_at,
            "run_id": one.run_id or run.run_id,
            "sop": run.sop,
            "effective": helped if one.effective is None else one.effective,
            "actions": (f"{run.sop} {run.state}", *done)[:8],
            "pipeline": (*one.pipeline, *(each for each in phases if each.phase not in known)),
        }
    )


def _confirmed(one: Incident, word: Word, now: datetime) -> Incident:
    changes: dict[str, Any] = {"state": "closed", "resolved_at": one.resolved_at or now}
    if word.cause:
        changes["confirmed_cause"] = word.cause
    if word.effective is not None:
        changes["effective"] = word.effective
    return one.model_copy(update=changes)


def _tried(conn: Connection, sops: Sequence[str]) -> list[Tried]:
    query = select(_OF.sop, _OF.version, _OF.cause, _OF.effective).where(
        _OF.effective.is_not(None), _OF.sop != ""
    )
    query = query.where(_OF.sop.in_(list(sops))) if sops else query
    rows = conn.execute(query.order_by(_OF.at.desc()).limit(MOST_OUTCOMES))
    return [Tried(row.sop, row.version, row.cause, bool(row.effective)) for row in rows]
