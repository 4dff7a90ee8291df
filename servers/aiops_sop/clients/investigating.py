"""Asks the three servers at once, twice, within a deadline, and hands the facts to the rules.

Called by the tool, by events and by SOP steps (`sop.investigate`). A source that fails or is late costs its
facts, and is named in the answer; the investigation goes on without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import anyio

from aiops_shared.app.pictures import attach
from aiops_shared.app.views import asked_to_show, show
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError, UnreachableError, UpstreamTimeoutError
from aiops_shared.guardrails import Caller
from aiops_shared.results.progress import Counted, counting
from aiops_shared.results.wording import cut
from aiops_sop.analysis.causes.answering import answer
from aiops_sop.analysis.causes.asking import Call, first_round, second_round, window
from aiops_sop.analysis.causes.facts import SILENT, Facts
from aiops_sop.analysis.events import normalised
from aiops_sop.models.events import Event
from aiops_sop.models.incidents import Past
from aiops_sop.models.investigations import Investigation, Question
from aiops_sop.ports import PastIncidents, Peers

ROUND_S: Final = 34.0
ALL_S: Final = 46.0  # both rounds; of the 50 s that a call may last
PAST_S: Final = 2.0
MOST_SIMILAR: Final = 3
MOST_WORDS: Final = 300
Obj = dict[str, Any]


@dataclass
class Investigator:
    """Fulfils `ports.Investigations`. `past`: incidents that were, where they are kept."""

    peers: Peers
    clock: Clock
    past: Callable[[], PastIncidents | None] = field(default=lambda: None)

    async def investigate(self, question: Question) -> Investigation:
        """The cause. Raises InvalidInputError for an empty question or a window that is none."""
        asked = about_event(question)
        if not (asked.symptom or asked.alarm or asked.event or asked.service or asked.namespace):
            raise InvalidInputError(
                "symptom",
                "nothing says what is wrong",
                "give one of symptom, alarm, event, service, namespace",
            )
        since, now = window(asked, await self.clock.now())
        ends = anyio.current_time() + ALL_S
        facts = Facts(asked, now, since)
        calls = first_round(asked, since, now)
        with counting(len(calls)) as told:
            facts = await self._asked(facts, calls, ROUND_S, told)
            more = second_round(facts)
            if more:
                told.more(len(more))
                facts = await self._asked(facts, more, max(1.0, ends - anyio.current_time()), told)
        found = answer(facts, _states(facts, (*calls, *more)))
        if asked.chart or asked_to_show():
            await anyio.to_thread.run_sync(_picture, found, asked.chart)
        return found.model_copy(update={"similar": await self._similar(found, asked)})

    async def _asked(self, facts: Facts, calls: Sequence[Call], within_s: float, told: Counted) -> Facts:
        answers: dict[str, Mapping[str, Any]] = dict(facts.answers)
        gaps: dict[str, str] = dict(facts.gaps)

        async def one(call: Call) -> None:
            try:
                with anyio.fail_after(within_s):
                    answers[call.key] = await self.peers.call(call.server, call.tool, _given(call.arguments))
            except TimeoutError:
                late = UpstreamTimeoutError(
                    f"{call.server}.{call.tool}", f"no answer within {within_s:.0f} s"
                )
                gaps[call.key] = f"[{late.code}] {late}"
            except AiopsError as error:
                gaps[call.key] = f"[{error.code}] {error}"
            told.done(f"{call.server}.{call.tool}: {'no answer' if call.key in gaps else 'answered'}")

        async with anyio.create_task_group() as tasks:
            for call in calls:
                tasks.start_soon(one, call)
        return replace(facts, answers=answers, gaps=gaps)

    async def gather(self, event: Event, caller: Caller) -> Obj:
        """The hand-off record of an event; see `ports.Evidence`."""
        del caller  # a read: it is made as this server, and journalled by the servers that are asked
        found = await self.investigate(of_event(event))
        if all(row[2] != "answered" for row in found.sources.rows):
            raise UnreachableError("evidence", "no source answered", "see `eks-aiops doctor`")
        cause = found.root_cause
        return {
            **found.handoff.model_dump(mode="json"),
            "root_cause": {
                **cause.model_dump(mode="json"),
                "cluster": event.cluster,
                "headline": found.headline,
            },
            "sop": found.actions[0].sop if found.actions else "",
            "partial": [said for said in found.warnings if said.startswith("partial")],
        }

    async def _similar(self, found: Investigation, asked: Question) -> tuple[Past, ...]:
        past, cause = self.past(), found.root_cause
        if past is None or not cause.code:
            return ()
        try:
            with anyio.fail_after(PAST_S):
                alike = await past.similar(
                    fingerprint=found.fingerprint,
                    cause=cause.code,
                    cluster=asked.cluster if isinstance(asked.cluster, str) else "",
                    target=f"{cause.namespace}/{cause.name}".strip("/"),
                    without=asked.incident_id,
                    limit=MOST_SIMILAR,
                )
        except (AiopsError, TimeoutError):
            return ()
        return tuple(alike)[:MOST_SIMILAR]


def _picture(found: Investigation, chart: bool) -> None:
    """The timeline on the host's page, or as a PNG beside the answer; in a thread: drawing takes a second."""
    from aiops_sop.charts.marks import Mark
    from aiops_sop.charts.page_data import timeline_page

    chain = [str(row[1]) for row in found.chain.rows]
    rows = dict.fromkeys((*found.chain.rows, *found.timeline.rows))
    marks = []
    for at, what, source in rows:
        link = chain.index(str(what)) + 1 if what in chain else 0
        marks.append(Mark(datetime.fromisoformat(str(at)), str(source), str(what), link))
    show(timeline_page(found.headline, marks))
    if chart:
        from aiops_sop.charts.timeline import draw_timeline

        attach(draw_timeline(found.headline, marks))


def about_event(question: Question) -> Question:
    """The question with what its event says about where and what. Raises InvalidInputError for an event
    that nobody sends.
    """
    if not question.event:
        return question
    return of_event(_read(question.event), question)


def of_event(event: Event, question: Question | None = None) -> Question:
    """The question that an event is."""
    asked = question or Question()
    words = " ".join(dict.fromkeys(word for word in (event.reason, event.metric, event.message) if word))
    return asked.model_copy(
        update={
            "alarm": asked.alarm or event.alarm,
            "kind": asked.kind or event.object_kind,
            "name": asked.name or event.workload or event.node or event.name,
            "namespace": asked.namespace or event.namespace,
            "service": asked.service or event.service or event.workload,
            "cluster": asked.cluster or event.cluster or None,
            "symptom": asked.symptom or cut(words, MOST_WORDS),
        }
    )


def _read(sent: Mapping[str, Any]) -> Event:
    """An event in our own form, or in its sender's."""
    own = {key: value for key, value in sent.items() if value not in ("", None)}
    try:
        return Event.model_validate(own)
    except ValueError:
        return normalised(dict(sent))[0]


def _given(arguments: Mapping[str, Any]) -> Obj:
    """Arguments without those that were not given; several clusters as a list, as JSON has it."""
    made = {key: list(value) if isinstance(value, tuple) else value for key, value in arguments.items()}
    return {key: value for key, value in made.items() if value is not None}


def _states(facts: Facts, calls: Sequence[Call]) -> list[tuple[str, str, str]]:
    """Each source once: how many questions it answered, and how it failed."""
    found: dict[str, list[str]] = {}
    for call in calls:
        why = facts.gaps.get(call.key, "")
        code = why[1:].partition("]")[0] if why else "answered"
        found.setdefault(f"{call.server}.{call.tool}", []).append("nothing known" if code in SILENT else code)
    return [
        (name.partition(".")[0], name.partition(".")[2], ", ".join(sorted(set(states))))
        for name, states in found.items()
    ]
