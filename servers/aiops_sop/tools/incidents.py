"""Tools about incidents that were: search them, record what is now known of one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastmcp import FastMCP
from fastmcp.exceptions import ResourceError
from fastmcp.tools import Tool
from pydantic import AfterValidator, Field

from aiops_shared.app.boundary import clean, escape_tree
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.redacting import redact_tree
from aiops_shared.params import READS, RECORDS, Cluster, shown
from aiops_shared.results import Table
from aiops_shared.results.wording import counted
from aiops_sop.models.incidents import Incidents, Past, Recorded
from aiops_sop.ports import IncidentDesk

LONGEST_TEXT, LONGEST_NOTE = 500, 2_000
COLUMNS = ("incident", "at", "title", "cause", "state", "sop", "action", "effective", "score")


def _plain(most: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > most or not value.replace("\n", " ").isprintable():
            raise InvalidInputError(
                "text", f"{shown(value)} is no printable text of at most {most} characters"
            )
        return value

    return AfterValidator(check)


Words = Annotated[
    str, _plain(LONGEST_TEXT), Field(description="Cause, symptom, workload, words of its texts")
]
Print = Annotated[str, Field(pattern=r"^([0-9a-f]{32}|storm:.{1,58})?$", description="Of an event")]
Note = Annotated[str, _plain(LONGEST_NOTE), Field(description="What was learned")]
About = Annotated[str, Field(pattern=r"^(run|inc)_[A-Za-z0-9_-]{20}$", description="run_… or inc_…")]
Cause = Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]{2,63})?$", description="Finding code")]


def serve_incidents(server: FastMCP, desk: IncidentDesk) -> None:
    """`incident://{id}`: one incident, whole: event, phases with their times, hand-off record, decision."""

    @server.resource(
        "incident://{incident_id}", mime_type="application/json", description="An incident, whole"
    )
    async def incident(incident_id: str) -> dict[str, Any]:
        try:
            found = (await desk.get(incident_id)).model_dump(mode="json")
        except AiopsError as error:
            raise ResourceError(clean(error.wire())) from error
        shown: dict[str, Any] = escape_tree(redact_tree(found))
        return shown


@dataclass(frozen=True)
class IncidentTools:
    """The tools about incidents."""

    desk: IncidentDesk
    who: Callable[[], Caller]

    async def search_incidents(
        self,
        text: Words = "",
        fingerprint: Print = "",
        cluster: Cluster = None,
        limit: Annotated[int, Field(ge=1, le=50, description="Rows")] = 10,
    ) -> Incidents:
        """Search past incidents (seen before?): cause, what was done, whether it helped. Without text: the
        newest.
        """
        found = await self.desk.search(text, fingerprint, cluster or "", limit)
        return Incidents(
            summary=_summary(found),
            incidents=Table(columns=COLUMNS, rows=tuple(_row(one) for one in found)) if found else None,
            hint=""
            if found
            else "searched the state store; incidents come from submit_event and POST /events",
            untrusted=("incidents",),
        )

    async def record_outcome(
        self,
        run_id: About,
        confirmed_cause: Cause = "",
        effective: Annotated[bool | None, Field(description="Whether the run helped")] = None,
        note: Note = "",
    ) -> Recorded:
        """Record (note) what caused a run or incident and whether the run fixed it. Changes how SOPs
        rank; gives a proposed change of the SOP.
        """
        if not (confirmed_cause or note or effective is not None):
            raise InvalidInputError(
                "record_outcome", "nothing is said", "give confirmed_cause, effective or note"
            )
        return await self.desk.record(run_id, confirmed_cause, effective, note, self.who().name)

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        return [
            Tool.from_function(self.search_incidents, annotations=READS, tags={"read"}),
            Tool.from_function(self.record_outcome, annotations=RECORDS, tags={"local_write"}),
        ]


def _summary(found: Sequence[Past]) -> str:
    if not found:
        return "No incident matches."
    best = found[0]
    helped = {True: ", which helped", False: ", which did not help", None: ""}[best.effective]
    done = f" Then: {best.sop}{helped}." if best.sop else ""
    cause = f", cause {best.cause}" if best.cause else ""
    return f"{counted(len(found), 'incident')}; first {best.incident_id}{cause}.{done}"[:400]


def _row(one: Past) -> tuple[Any, ...]:
    at = one.detected_at.isoformat(timespec="minutes")
    return (
        *(one.incident_id, at, one.title, one.cause, one.state, one.sop, one.action, one.effective),
        one.score,
    )
