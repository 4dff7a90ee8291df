"""Which pods of a node a drain moves, and which of them may go now. Pure.

Used when the plan is made and at every look while it is carried out, so that what the plan says of budgets is
what the drain does. The API server has the last word: it refuses with 429 what this room thought free.
Source: Kubernetes `pkg/registry/core/pod/storage/eviction.go` (which budget is asked, and of which pod not),
kubectl `pkg/drain/filters.go` (DaemonSet, mirror and finished pods stay).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from aiops_eks.models import fields
from aiops_eks.planning.drafts import Obj, at, name_of, uid_of
from aiops_eks.planning.facts import selects
from aiops_shared.results import Frozen

MIRROR = "kubernetes.io/config.mirror"
_ENDED = frozenset({"Succeeded", "Failed"})
_UNASKED = frozenset({"Succeeded", "Failed", "Pending"})  # eviction.go, canIgnorePDB
Budgets = Mapping[str, tuple[Obj, ...] | None]  # by namespace; None: could not be read


def label_of(pod: Obj) -> str:
    """namespace/name."""
    return f"{fields.namespace_of(pod)}/{name_of(pod)}"


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference of its controller."""
    return next(
        (dict(ref) for ref in fields.items(obj, "metadata", "ownerReferences") if ref.get("controller")), None
    )


def stays(pod: Obj) -> str:
    """Why a drain leaves this pod where it is: DaemonSet, static or finished; empty when it moves."""
    if MIRROR in (at(pod, "metadata", "annotations") or {}):
        return "static"
    if (controller_of(pod) or {}).get("kind") == "DaemonSet":
        return "DaemonSet"
    return "finished" if at(pod, "status", "phase") in _ENDED else ""


def movable(pods: Iterable[Obj]) -> tuple[Obj, ...]:
    """The pods that a drain moves."""
    return tuple(pod for pod in pods if not stays(pod))


def is_going(pod: Obj) -> bool:
    """Whether it is being deleted already."""
    return bool(at(pod, "metadata", "deletionTimestamp"))


def is_ready(pod: Obj) -> bool:
    """Its Ready condition."""
    return fields.text(fields.conditions_of(pod).get("Ready"), "status") == "True"


def budgets_of(pod: Obj, budgets: Budgets) -> tuple[Obj, ...]:
    """The budgets that select the pod."""
    found = budgets.get(fields.namespace_of(pod)) or ()
    labels = fields.labels_of(pod)
    return tuple(pdb for pdb in found if selects(at(pdb, "spec", "selector"), labels))


def allowed_of(pdb: Obj) -> int:
    """How many disruptions it allows now; none by a status that does not belong to its latest spec."""
    seen = fields.count(pdb, "status", "observedGeneration")
    if seen < fields.count(pdb, "metadata", "generation"):
        return 0
    return max(0, fields.count(pdb, "status", "disruptionsAllowed"))


def says_of(pdb: Obj) -> str:
    """The budget as a person reads it."""
    total = fields.count(pdb, "status", "expectedPods")
    return f"PodDisruptionBudget {label_of(pdb)} ({allowed_of(pdb)} of {total} may be disrupted)"


def _asks_no_budget(pod: Obj, pdb: Obj) -> bool:
    """A pod that is not ready is no loss to a budget that has what it needs, or that lets such pods go."""
    if is_ready(pod):
        return False
    needed = fields.count(pdb, "status", "desiredHealthy")
    healthy = fields.count(pdb, "status", "currentHealthy")
    always = at(pdb, "spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow"
    return always or (needed > 0 and healthy >= needed)


def held_by(pod: Obj, budgets: Budgets, spent: Mapping[str, int] | None = None) -> str:
    """What forbids to evict the pod now, or nothing. `spent`: what this round took from each budget."""
    if at(pod, "status", "phase") in _UNASKED or is_going(pod):
        return ""
    if budgets.get(fields.namespace_of(pod), ()) is None:
        return f"budgets of namespace {fields.namespace_of(pod)}, which cannot be read"
    found = budgets_of(pod, budgets)
    if len(found) > 1:
        names = ", ".join(label_of(pdb) for pdb in found)
        return f"more than one PodDisruptionBudget ({names}), which the Eviction API refuses"
    for pdb in found:
        left = allowed_of(pdb) - (spent or {}).get(uid_of(pdb), 0)
        if not _asks_no_budget(pod, pdb) and left <= 0:
            return says_of(pdb)
    return ""


class Choice(Frozen):
    """What may go now, and what each of the rest waits for."""

    todo: tuple[Obj, ...] = ()
    waits: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # reason -> pods


def choose(pods: Sequence[Obj], budgets: Budgets, busy: frozenset[str] = frozenset()) -> Choice:
    """Of the pods that are left: one of each controller, as far as the budgets reach.

    `busy`: controllers (uid) whose moved pods are not ready elsewhere yet.
    """
    taken = {uid for pod in pods if is_going(pod) and (uid := _controller_uid(pod))}
    spent: Counter[str] = Counter()
    todo: list[Obj] = []
    waits: dict[str, list[str]] = {}
    for pod in sorted((pod for pod in pods if not is_going(pod)), key=label_of):
        why = held_by(pod, budgets, spent) or _controller_busy(pod, taken, busy)
        if why:
            waits.setdefault(why, []).append(label_of(pod))
            continue
        todo.append(pod)
        taken.add(_controller_uid(pod))
        spent.update(uid_of(pdb) for pdb in budgets_of(pod, budgets))
    return Choice(todo=tuple(todo), waits={why: tuple(names) for why, names in waits.items()})


def _controller_uid(pod: Obj) -> str:
    return str((controller_of(pod) or {}).get("uid") or uid_of(pod))


def _controller_busy(pod: Obj, taken: set[str], busy: frozenset[str]) -> str:
    uid = _controller_uid(pod)
    if uid not in taken and uid not in busy:
        return ""
    ref = controller_of(pod) or {}
    return f"the pod before it of {str(ref.get('kind', '')).lower()} {ref.get('name', '')}"


def waiting_text(pods: Sequence[Obj], choice: Choice) -> str:
    """What a look found, for the record: which pods are left and what they wait for."""
    going = sum(1 for pod in pods if is_going(pod))
    parts = [f"{going} on their way out"] if going else []
    for why, names in sorted(choice.waits.items(), key=lambda item: "PodDisruption" not in item[0]):
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        parts.append(f"waiting for {why}: {shown}")
    return "; ".join(parts)
