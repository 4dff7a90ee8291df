"""Events as the tool and POST /events see them: taken in, worked off by this process, answered.

`EventDesk.run` takes events of the queue and carries each through the pipeline, a few at once. It lives in
the server's lifespan from the first event on, and in `eks-aiops worker` from its start; any number of
processes on one store share the work.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import anyio

from aiops_shared.auth.acting import Acting, as_nobody, carried
from aiops_shared.errors import AiopsError
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.lifetimes import Lifetime
from aiops_shared.guardrails.speaking import identity_of
from aiops_shared.results.wording import counted, cut
from aiops_sop.analysis.events import normalised
from aiops_sop.clients.incident_store import IncidentStore
from aiops_sop.clients.intake import EventQueue, Work
from aiops_sop.clients.pipeline import Pipeline
from aiops_sop.models.events import Event, EventAnswer, Taken
from aiops_sop.models.incidents import Incident

AT_ONCE: Final = 4
IDLE_S: Final = 1.0
LOOK_S: Final = 0.1
ANSWER_S: Final = 35.0  # how long a call waits for its event's run or escalation
_log = logging.getLogger("aiops.events")


@dataclass
class EventDesk:
    """One per process. Fulfils `ports.Intake` and `ports.EventDoor`."""

    queue: EventQueue
    incidents: IncidentStore
    pipeline: Pipeline
    lifetime: Lifetime
    _runs: bool = field(default=False, init=False)
    _came: anyio.Event = field(default_factory=anyio.Event, init=False)
    _places: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(AT_ONCE), init=False)

    async def submit(self, sent: Any, sender: str, held: Caller | None = None) -> Sequence[Taken]:
        """Take what was sent, and see to it that this process works it off."""
        taken = await self.queue.submit(sent, sender, held)
        self.begin()
        self._came.set()
        return taken

    async def handle(self, sent: Any, sender: Caller) -> EventAnswer:
        """Take it, wait a while for what becomes of it. Of several events the first one is answered."""
        event, *_ = await anyio.to_thread.run_sync(normalised, sent)
        first, *rest = await self.submit(sent, sender.name, sender)
        one = await self._settled(first) if first.incident_id else None
        return _answer(event, first, one, len(rest))

    def begin(self) -> None:
        """Work the queue off from now on, as long as the process lives."""
        if not self._runs:
            self._runs = True
            with as_nobody():  # it outlives the request that came first
                self.lifetime.launch(self.run)

    async def run(self) -> None:
        """Take and carry until the process stops; what is under way then goes back to the queue."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_with, tasks.cancel_scope)
            while not self.lifetime.stopping:
                await self._places.acquire_on_behalf_of(token := object())
                work = await self._taken()
                if work is None:
                    self._places.release_on_behalf_of(token)
                    await self._rest()
                else:
                    tasks.start_soon(self._carry, work, token)

    async def _stop_with(self, scope: anyio.CancelScope) -> None:
        while await self.lifetime.rest(3600):
            pass
        scope.cancel()

    async def _rest(self) -> None:
        with anyio.move_on_after(IDLE_S):
            await self._came.wait()
        self._came = anyio.Event()

    async def _taken(self) -> Work | None:
        try:
            return await self.queue.take()
        except AiopsError as error:
            _log.warning("events are not taken: %s", error)
        except Exception:  # noqa: BLE001  # one bad row must not end the taking of all others
            _log.exception("events are not taken")
        return None

    async def _carry(self, work: Work, token: object) -> None:
        try:
            with carried(Acting(identity_of(work.caller))):  # what it asks and starts is its sender's
                await self.pipeline.work(work)
        except AiopsError as error:  # the store does not answer: the lease ends, and it is taken again
            _log.warning("event %s: %s", work.event_id, error)
        except Exception:  # noqa: BLE001  # a bug with one event must not end the work on all; its lease ends
            _log.exception("event %s", work.event_id)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(2, shield=True):
                await self.queue.give_back(work.event_id)
            raise
        finally:
            self._places.release_on_behalf_of(token)
            self._came.set()

    async def _settled(self, taken: Taken) -> Incident:
        with anyio.move_on_after(ANSWER_S if taken.became in {"queued", "folded"} else 0):
            over = await self.queue.is_over(taken.event_id)
            while not over:  # another process may be the one that works on it: only the store knows
                await self.lifetime.rest(LOOK_S)
                over = await self.queue.is_over(taken.event_id)
        return await self.incidents.get(taken.incident_id)


def _answer(event: Event, taken: Taken, one: Incident | None, more: int) -> EventAnswer:
    judged: dict[str, Any] = (one.decision.get("judged") or {}) if one else {}
    decision = "; ".join(part for part in (judged.get("why"), judged.get("escalate")) if part)
    return EventAnswer(
        summary=cut(_summary(taken, one, decision)),
        event_id=taken.event_id,
        became=taken.became,
        kind=event.kind,
        reason=event.reason,
        fingerprint=taken.fingerprint,
        count=taken.count,
        incident_id=taken.incident_id,
        incident=one.state if one else "resolved",
        sop=one.sop if one else "",
        run_id=one.run_id if one else "",
        decision=decision,
        phases=tuple(f"{each.phase} {each.took_s:g} s" for each in one.pipeline) if one else (),
        warnings=(f"{counted(more, 'more event')} of the same call taken: search_incidents",) if more else (),
        untrusted=("reason",),
    )


def _summary(taken: Taken, one: Incident | None, decision: str) -> str:
    if one is None:
        return "Resolved; no open incident was about it."
    said = {
        "folded": f"known already ({taken.count} times)",
        "storm": "part of a storm",
        "resolved": "resolved",
    }
    head = f"{one.title}: incident {one.id}, {said.get(taken.became, 'new')}."
    if one.run_id:
        return f"{head} Run {one.run_id} of {one.sop}: {decision}. Poll get_run."
    if one.state == "escalated":
        return f"{head} Escalated: {decision}."
    return f"{head} {decision or 'It is being looked at: search_incidents'}."
