"""Which SOP answers an event, with what confidence, and how far it may go without a person. Pure.

The cause that was found counts more than the symptom that was sent; what helped before counts more than
what did not (`ranking`); what the team wrote down can only make it stricter (B24). Below `min_confidence` a
person is asked (B4).
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from aiops_shared.settings import Autonomy
from aiops_sop.analysis.ranking import UNTRIED
from aiops_sop.models.documents import Sop
from aiops_sop.models.events import Event
from aiops_sop.models.incidents import Judged, Knowledge, Statistic
from aiops_sop.models.runs import Mode

Obj = Mapping[str, Any]
# What speaks for a SOP, in points; what helped before adds up to one.
BY_CAUSE, BY_KNOWLEDGE, BY_EVIDENCE, BY_TRIGGER = 4.0, 3.0, 2.0, 1.0
SYMPTOM_PCT: Final = 60  # a trigger alone: the symptom is certain, its cause is not
STATED_PCT: Final = 90  # a finding code that the sender itself gives
MODES: Final[Mapping[Autonomy, Mode]] = {"observe": "plan", "propose": "supervised", "auto-safe": "auto"}
_HOPELESS: Final = 0.2  # five failures and no success: 0.21; six: 0.19


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known when it is decided."""

    event: Event
    found: Obj = field(default_factory=dict)  # the hand-off record
    sops: Sequence[Sop] = ()
    triggered: AbstractSet[str] = frozenset()  # ids whose trigger holds
    lore: Sequence[Knowledge] = ()
    tried: Mapping[str, Statistic] = field(default_factory=dict)

    @property
    def root(self) -> Obj:
        """The root cause of the record."""
        root = self.found.get("root_cause")
        return root if isinstance(root, Mapping) else {}

    @property
    def cause(self) -> str:
        """Its code, else the one the sender gives."""
        return str(self.root.get("code") or self.event.cause)


def ranked(scene: Scene) -> list[tuple[float, Sop]]:
    """The SOPs that may answer, best first."""
    points = [(_points(one, scene), one) for one in scene.sops if not one.guided]
    found = [(total + _worth(one.id, scene), one) for total, one in points if total > 0]
    return sorted(found, key=lambda pair: (-pair[0], pair[1].id))


def judged(scene: Scene, min_confidence_pct: int) -> Judged:
    """The decision, still without parameters and environment."""
    order = ranked(scene)
    pct = confidence_of(scene)
    known = tuple(one.id for one in scene.lore)
    common: dict[str, Any] = {
        "cause": scene.cause,
        "confidence_pct": pct,
        "knowledge": known,
        "severity": scene.found.get("severity") or scene.event.severity,
    }
    if not order:
        why = (
            f"no SOP answers {scene.cause}"
            if scene.cause
            else "no cause was found and no SOP's trigger holds"
        )
        return Judged(**common, why=why, escalate=why)
    best = order[0][1]
    others = tuple(one.id for _, one in order[1:4])
    tried = scene.tried.get(best.id)
    if tried and tried.score < _HOPELESS:
        says = f"{best.id} helped in {tried.helped} of {tried.tried} runs: people decide"
        return Judged(**common, others=(best.id, *others), why=says, escalate=says)
    asks = [one.id for one in scene.lore if not one.safe_to_auto_remediate]
    why = f"{best.id} {_because(best, scene)}"
    escalate = ""
    if asks:
        why += f"; {asks[0]} says that a person decides"
    if pct < min_confidence_pct:
        escalate = f"confidence {pct} % is below {min_confidence_pct} %: a person decides"
    return Judged(
        **common, sop=best.id, others=others, why=why, escalate=escalate, approval=bool(asks or escalate)
    )


def mode_of(judgement: Judged, autonomy: Autonomy) -> Mode:
    """How far the run may go: by the environment's autonomy, and never beyond a person who must be asked."""
    mode = MODES[autonomy]
    return "supervised" if judgement.approval and mode == "auto" else mode


def confidence_of(scene: Scene) -> int:
    """In percent: of the cause that was found, else of what the sender says."""
    if scene.root.get("code"):
        return max(0, min(100, round(float(scene.root.get("confidence") or 0) * 100)))
    return STATED_PCT if scene.event.cause else SYMPTOM_PCT


def with_cause(event: Event, root: Obj) -> Event:
    """The event as SOPs' parameters see it: where its cause is, not where it hurts."""
    kind, name = str(root.get("kind") or ""), str(root.get("name") or "")
    told: dict[str, Any] = {"cause": str(root.get("code") or event.cause)}
    if root.get("namespace"):
        told["namespace"] = str(root["namespace"])
    if kind and name:
        told |= {"object_kind": kind, "name": name}
        told |= {"node": name} if kind == "Node" else {"workload": name} if kind != "Pod" else {}
    return event.model_copy(update=told)


def _points(one: Sop, scene: Scene) -> float:
    found = 0.0
    if scene.cause and scene.cause in one.causes:
        found = BY_CAUSE
    elif scene.root.get("code") and one.causes:
        return 0.0  # the cause is known, and it is not what this one mends
    if any(known.sop == one.id for known in scene.lore):
        found = max(found, BY_KNOWLEDGE)
    if scene.found.get("sop") == one.id:
        found = max(found, BY_EVIDENCE)
    return max(found, BY_TRIGGER) if one.id in scene.triggered else found


def _worth(sop: str, scene: Scene) -> float:
    tried = scene.tried.get(sop)
    return tried.score if tried else UNTRIED


def _because(best: Sop, scene: Scene) -> str:
    if scene.cause and scene.cause in best.causes:
        return f"mends {scene.cause}"
    if any(known.sop == best.id for known in scene.lore):
        return "is what the team's knowledge names"
    if scene.found.get("sop") == best.id:
        return "is what the evidence points to"
    return f"has a trigger for {scene.event.kind} {scene.event.reason}".rstrip()
