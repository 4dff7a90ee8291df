"""Rollouts: what one revision of a workload changed against the last (D25).

ReplicaSets keep a Deployment's templates, ControllerRevisions those of StatefulSets and DaemonSets
(pkg/controller/history/controller_history.go: `data` is a patch of `spec.template`). A rollback takes an old
ReplicaSet again and gives it a new number, so a number that is younger than its object is one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from aiops_shared.kube.changes.differences import Redact, template_differences
from aiops_shared.kube.changes.managers import Written, writes_of
from aiops_shared.kube.changes.reading import Obj, controller, created, part, place
from aiops_shared.kube.changes.records import Change
from aiops_shared.kube.shapes import meta, text

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
NEAR = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Revision:
    owner: tuple[str, str, str]  # kind, namespace, name
    number: int
    made_at: datetime
    template: Obj


def rollouts(revisions: Iterable[Obj], owners: Iterable[Obj], redact: Redact) -> Iterator[Change]:
    """Each revision after a workload's first, with its differences to the one before."""
    writers = {
        (text(obj.get("kind")), *place(obj)): [w for w in writes_of(obj) if w.about("template")]
        for obj in owners
    }
    by_owner: dict[tuple[str, str, str], list[_Revision]] = {}
    for obj in revisions:
        if (one := _revision(obj)) is not None:
            by_owner.setdefault(one.owner, []).append(one)
    for owner, found in by_owner.items():
        found.sort(key=lambda one: one.number)
        for last, one in pairwise(found):
            yield _rollout(last, one, found, writers.get(owner, []), redact)


def _revision(obj: Obj) -> _Revision | None:
    kind, name = controller(obj)
    made_at = created(obj)
    number = _number(obj)
    if made_at is None or number is None or kind not in {"Deployment", "StatefulSet", "DaemonSet"}:
        return None
    template = part(obj, "spec", "template") or part(obj, "data", "spec", "template")
    return _Revision((kind, place(obj)[0], name), number, made_at, template)


def _number(obj: Obj) -> int | None:
    written: Any = part(meta(obj), "annotations").get(REVISION) or obj.get("revision")
    if isinstance(written, bool):
        return None
    if isinstance(written, int):
        return written
    return int(written[:9]) if isinstance(written, str) and written.isascii() and written.isdigit() else None


def _rollout(
    last: _Revision, one: _Revision, every: list[_Revision], writers: list[Written], redact: Redact
) -> Change:
    again = any(other.made_at > one.made_at for other in every if other.number < one.number)
    newest = one is every[-1]
    near = [w for w in writers if (again and newest) or abs(w.at - one.made_at) <= NEAR]
    writer = max(near, key=lambda w: w.at, default=None)
    kind, namespace, name = one.owner
    how = f"revision {last.number} → {one.number}"
    return Change(
        at=writer.at if again and writer else one.made_at,
        verb="rollback" if again else "rollout",
        kind=kind,
        namespace=namespace,
        name=name,
        what=(how, *template_differences(last.template, one.template, redact)),
        client=writer.manager if writer else "",
        sources=("revisions",),
    )
