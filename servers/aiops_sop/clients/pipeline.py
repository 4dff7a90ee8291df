"""From an event to a run or to people, in the one order of S25.

    dedupe → incident → similar incidents → parallel evidence → decision → policy → run or escalation
    → verification → audit → record

The first two are the intake's, the last three happen when the run ends (`outcomes`). Each phase is written
down in the incident when it is done, with its time; a process that takes the event over after a kill begins
behind the last one. A run is started under the incident's id as key and people are told under it too, so that
doing either again does nothing twice.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread

from aiops_shared.clock import Clock
from aiops_shared.errors import (
    ActionRefusedError,
    AiopsError,
    InvalidInputError,
    NotConfiguredError,
    SopInvalidError,
    UpstreamError,
)
from aiops_shared.guardrails.environments import environment_of_labels
from aiops_shared.kube.manifests import load_some
from aiops_shared.results.wording import cut
from aiops_shared.settings import Autonomy, PolicySettings
from aiops_sop.analysis.deciding import Scene, judged, mode_of, with_cause
from aiops_sop.analysis.events import titled
from aiops_sop.clients.incident_store import IncidentStore
from aiops_sop.clients.intake import MOST_TRIES, EventQueue, Work
from aiops_sop.documents.expressions import evaluate
from aiops_sop.documents.matching import is_triggered
from aiops_sop.models.documents import Sop
from aiops_sop.models.events import Event
from aiops_sop.models.incidents import Incident, Judged, Phase, PhaseDone
from aiops_sop.models.runs import RunStatus
from aiops_sop.ports import Evidence, Experience, Library, Lore, Peers, Runs, RunWish, Teller

EVIDENCE_S: Final = 45.0
RENEW_S: Final = 3.0
SIMILAR: Final = 3
T = TypeVar("T")
_log = logging.getLogger("aiops.events")


@dataclass(frozen=True)
class PipelineParts:
    """What the pipeline asks; each is a port."""

    queue: EventQueue
    incidents: IncidentStore
    library: Library
    lore: Lore
    experience: Experience
    evidence: Evidence
    peers: Peers
    runs: Runs
    teller: Teller
    clock: Clock
    policy: PolicySettings


@dataclass
class Pipeline:
    """Works events off, one at a time for each caller of `work`."""

    parts: PipelineParts

    async def work(self, work: Work) -> None:
        """One event to its run or its escalation. What fails for now is tried again, at most five times."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._renew, work.event_id, tasks.cancel_scope)
            failed = False
            try:
                await self._carried(work)
            except (UpstreamError, NotConfiguredError) as error:
                _log.warning("incident %s: %s", work.incident_id, error)
                if work.tries < MOST_TRIES:
                    await anyio.sleep(min(2.0**work.tries, 30.0))
                    await self.parts.queue.give_back(work.event_id)
                    tasks.cancel_scope.cancel()
                    return
                failed = await self._given_up(work, error)
            except AiopsError as error:
                failed = await self._given_up(work, error)
            await self.parts.queue.done(work.event_id, failed=failed)
            tasks.cancel_scope.cancel()

    async def _given_up(self, work: Work, error: AiopsError) -> bool:
        """Never silent: what cannot be worked off is told to people."""
        _log.error("incident %s is given up: %s", work.incident_id, error.wire())
        one = await self.parts.incidents.get(work.incident_id)
        says = f"the event could not be worked off: {error.wire()}"[:500]
        await self._escalate(one, Judged(escalate=says, severity="critical"))
        return True

    async def _renew(self, event_id: str, scope: anyio.CancelScope) -> None:
        """Keep the event; a process that lost it stops before it does more."""
        while True:
            await anyio.sleep(RENEW_S)
            if not await self.parts.queue.renew(event_id):
                scope.cancel()
                return

    async def _carried(self, work: Work) -> None:
        one = await self._intaken(work)
        if one.state in {"resolved", "closed"} or one.run_id:
            return
        event = one.event or work.event
        one = await self._similar(one, event)
        one = await self._evidence(one, event, work)
        judgement = await self._decided(one, event)
        one, judgement = await self._policy(one, event, judgement)
        if judgement.sop:
            judgement = await self._run(one, judgement, work)
        if judgement.escalate or judgement.mode == "plan":
            await self._escalate(one, judgement)

    # phases

    async def _intaken(self, work: Work) -> Incident:
        """What the intake did, as the first two phases."""
        one = await self.parts.incidents.get(work.incident_id)
        if one.pipeline:
            return one
        now = await self.parts.clock.now()
        waited = max(0.0, (now - work.received_at).total_seconds())
        done = PhaseDone(phase="dedupe", at=work.received_at, says=f"{one.alerts} so far: one incident")
        await self.parts.incidents.did(one.id, done)
        done = PhaseDone(phase="incident", at=now, took_s=waited, says=one.title)
        return await self.parts.incidents.did(one.id, done)

    async def _similar(self, one: Incident, event: Event) -> Incident:
        async def look() -> tuple[str, dict[str, Any]]:
            found = await self.parts.incidents.similar(
                fingerprint=one.fingerprint, text=titled(event), without=one.id, limit=SIMILAR
            )
            cited = [
                f"{past.incident_id} {past.cause or 'no cause'}: {past.action or 'nothing done'}"
                for past in found
            ]
            return f"{len(found)} found", {"decision": {**one.decision, "similar": cited}}

        return await self._phase(one, "similar", look)

    async def _evidence(self, one: Incident, event: Event, work: Work) -> Incident:
        """All sources at once; without any the symptom alone decides, and people are told so."""

        async def gather() -> tuple[str, dict[str, Any]]:
            try:
                with anyio.fail_after(EVIDENCE_S):
                    found = await self.parts.evidence.gather(event, work.caller)
            except TimeoutError:
                found = {"partial": [f"no evidence within {EVIDENCE_S:.0f} s"]}
            except AiopsError as error:
                found = {"partial": [error.wire()[:300]]}
            root = found.get("root_cause") or {}
            says = (
                f"{root.get('code')} {round(100 * (root.get('confidence') or 0))} %"
                if root.get("code")
                else "none"
            )
            handoff = {**found, "incident_id": one.id}
            return f"cause: {says}", {"handoff": handoff, "cause": str(root.get("code") or event.cause)}

        return await self._phase(one, "evidence", gather)

    async def _decided(self, one: Incident, event: Event) -> Judged:
        if "judged" in one.decision:
            return Judged.model_validate(one.decision["judged"])
        found: list[Judged] = []

        async def decide() -> tuple[str, dict[str, Any]]:
            root = one.handoff.get("root_cause") or {}
            meant = with_cause(event, root)
            sops = await anyio.to_thread.run_sync(self.parts.library.every)
            triggered = {each.id for each in sops if is_triggered(each, event)}
            lore = await anyio.to_thread.run_sync(self.parts.lore.about, meant, meant.cause)
            tried = await self.parts.experience.statistics([each.id for each in sops], meant.cause)
            scene = Scene(event, one.handoff, sops, triggered, lore, tried)
            judgement = judged(scene, round(self.parts.policy.min_confidence * 100))
            if judgement.sop:
                sop = next(each for each in sops if each.id == judgement.sop)
                judgement = _with_params(judgement, sop, meant)
            found.append(judgement)
            decision = {**one.decision, "judged": judgement.model_dump(mode="json")}
            return judgement.why, {"decision": decision, "sop": judgement.sop}

        await self._phase(one, "decision", decide)
        return found[0]

    async def _policy(self, one: Incident, event: Event, judgement: Judged) -> tuple[Incident, Judged]:
        """How far the run may go here. The gate judges each change again, whatever is said here (D3)."""
        changed: list[Judged] = []

        async def look() -> tuple[str, dict[str, Any]]:
            root = one.handoff.get("root_cause") or {}
            env, autonomy = await self._autonomy(event.cluster, str(root.get("namespace") or event.namespace))
            mode = mode_of(judgement, autonomy)
            changed.append(judgement.model_copy(update={"mode": mode}))
            decision = {**one.decision, "judged": changed[0].model_dump(mode="json")}
            return f"{env} is {autonomy}: mode {mode}", {"decision": decision}

        one = await self._phase(one, "policy", look)
        return one, changed[0] if changed else judgement

    async def _run(self, one: Incident, judgement: Judged, work: Work) -> Judged:
        """Start the run, or say why there is none: then people decide."""
        wish = RunWish(
            sop=judgement.sop,
            params=judgement.params,
            mode=judgement.mode,
            caller=work.caller,
            pattern="event",
            incident_id=one.id,
            confidence_pct=judgement.confidence_pct,
            idempotency_key=one.id,
        )
        failed: list[str] = []

        async def start() -> tuple[str, dict[str, Any]]:
            try:
                run = await self.parts.runs.start(wish)
            except (ActionRefusedError, InvalidInputError, SopInvalidError) as error:
                failed.append(f"{judgement.sop} does not start: {error.wire()}"[:500])
                return failed[0], {}
            return _started(run), {"run_id": run.run_id}

        await self._phase(one, "run", start)
        return judgement.model_copy(update={"escalate": failed[0]}) if failed else judgement

    async def _escalate(self, one: Incident, judgement: Judged) -> None:
        async def tell() -> tuple[str, dict[str, Any]]:
            fresh = await self.parts.incidents.get(one.id)
            try:
                took = await self.parts.teller.tell(notice_of(fresh, judgement))
                says = f"told {', '.join(took)}" if took else "no channel is configured"
            except AiopsError as error:
                _log.error("incident %s: NOBODY COULD BE TOLD: %s", one.id, error.wire())
                says = f"nobody could be told: {error.code}"
            return says, {} if fresh.run_id else {"state": "escalated"}

        await self._phase(one, "escalation", tell)

    async def _phase(
        self, one: Incident, phase: Phase, act: Callable[[], Awaitable[tuple[str, dict[str, Any]]]]
    ) -> Incident:
        """Do it unless it is done, and write it down with its time."""
        if any(each.phase == phase for each in one.pipeline):
            return one
        began = anyio.current_time()
        says, changes = await act()
        took_s = round(anyio.current_time() - began, 3)
        done = PhaseDone(phase=phase, at=await self.parts.clock.now(), took_s=took_s, says=cut(says))
        return await self.parts.incidents.did(one.id, done, **changes)

    async def _autonomy(self, cluster: str, namespace: str) -> tuple[str, Autonomy]:
        """Of the namespace's environment; without one, or when it cannot be read, of production."""
        labels: dict[str, Any] = {}
        if namespace:
            asked = {"kind": "Namespace", "name": namespace, "view": "yaml"} | (
                {"cluster": cluster} if cluster else {}
            )
            try:
                answer = await self.parts.peers.call("eks", "get_resource", asked)
                labels = _labels_of(answer)
            except AiopsError as error:
                _log.info("environment of %s: %s", namespace, error)
        env = environment_of_labels(labels)
        policy = self.parts.policy
        told: dict[str, Autonomy] = {
            "prod": policy.autonomy_prod,
            "staging": policy.autonomy_staging,
            "dev": policy.autonomy_dev,
        }
        return env, told[env]


def notice_of(one: Incident, judgement: Judged) -> dict[str, Any]:
    """What people are told of an incident: our words first, foreign ones never."""
    proposed = f"Proposed: run {judgement.sop} ({judgement.why})." if judgement.sop else ""
    run = f" Run {one.run_id} ({judgement.mode})." if one.run_id else ""
    cause = (
        f"Cause: {judgement.cause}, {judgement.confidence_pct} %." if judgement.cause else "Cause: not found."
    )
    why = f"Why you: {judgement.escalate}." if judgement.escalate else ""
    return {
        "id": f"{one.id}/escalation",
        "kind": "escalation",
        "severity": judgement.severity,
        "incident_id": one.id,
        "run_id": one.run_id,
        "sop": judgement.sop,
        "cluster": one.cluster,
        "title": one.title,
        "text": " ".join(part for part in (cause, why, proposed + run, f"Events: {one.alerts}.") if part),
    }


def _started(run: RunStatus) -> str:
    again = "already running: " if run.already_running else ""
    return f"{again}{run.run_id} {run.sop} mode {run.mode}"


def _with_params(judgement: Judged, sop: Sop, event: Event) -> Judged:
    """The run's parameters: what each says of the event, else the event's word of the same name."""
    params: dict[str, Any] = {}
    for param in sop.params:
        value = _value_of(param.event, param.name, event)
        if param.enum and value not in param.enum:
            value = None  # a pod's event does not say what kind its owner is: the default stands
        if value not in (None, ""):
            params[param.name] = value
        elif param.required and param.default is None:
            says = f"{sop.id} needs {param.name}, which the event does not say"
            return judgement.model_copy(
                update={"sop": "", "escalate": says, "others": (sop.id, *judgement.others)}
            )
    return judgement.model_copy(update={"params": params})


def _value_of(text: str, name: str, event: Event) -> Any:
    if text:
        try:
            return evaluate(text, {"event": event.seen()})
        except InvalidInputError:
            return None
    kind = event.object_kind
    words = {
        "cluster": event.cluster,
        "namespace": event.namespace,
        "kind": kind,
        "name": event.workload or event.name,
        "workload": f"{kind.lower()}/{event.workload}" if kind and kind != "Pod" and event.workload else "",
        "node": event.node,
        "pod": event.name if kind == "Pod" else "",
        "service": event.service,
        "alarm": event.alarm,
    }
    return words.get(name, "")


def _labels_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The labels of the object in an answer of get_resource(view=yaml); none when it does not parse."""
    try:
        documents, _ = load_some(str(answer.get("yaml") or ""))
    except InvalidInputError:
        return {}
    meta = documents[0].get("metadata") if documents else None
    labels = meta.get("labels") if isinstance(meta, dict) else None
    return labels if isinstance(labels, dict) else {}
