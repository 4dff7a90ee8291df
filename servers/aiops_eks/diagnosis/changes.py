"""What changed shortly before something broke: a rollout, or who deleted or wrote the object at fault (S66).

ReplicaSets keep the templates of a Deployment, so they say what a rollout changed and when (decision D25).
Who did it, the audit log or the watch journal says, where there is one (`clients/change_records.py` brings it
as `Recorded`). `judging.py` puts either beside the findings. Values of environment variables are compared and
never shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import Pod, Ref, Revision
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import quoted
from aiops_eks.diagnosis.reading import ref_of
from aiops_eks.diagnosis.reading_containers import moment
from aiops_eks.models.fields import Obj, controller_of, items, part, text
from aiops_shared.results import Evidence


@dataclass(frozen=True, slots=True)
class Recorded:
    """The last write of an object at fault, as the audit log or the watch journal tells it."""

    ref: Ref
    at: datetime
    verb: str
    source: str
    user: str = ""
    client: str = ""
    what: tuple[str, ...] = ()
    query: str = ""


RECENT_S = 6 * 3600.0  # a rollout older than this is no news to a fault of now
MOST_SAID = 4
_HIDDEN = "value changed"
_DONE = {"create": "created", "delete": "deleted", "update": "changed", "scale": "scaled"}


def revision(obj: Obj) -> Revision | None:
    """A ReplicaSet as a revision; None when no Deployment made it."""
    owner = controller_of(obj)
    written = text(obj, "metadata", "annotations", "deployment.kubernetes.io/revision")
    if owner is None or owner[1] != "Deployment" or not (written.isascii() and written.isdigit()):
        return None
    ref = ref_of(obj, "ReplicaSet")
    spec = part(obj, "spec", "template", "spec")
    return Revision(
        ref=ref,
        owner=Ref("Deployment", ref.namespace, owner[2]),
        number=int(written[:9]),
        created_at=moment(obj, "metadata", "creationTimestamp"),
        template=dict(_said(spec)),
    )


def _said(spec: Obj) -> Iterator[tuple[str, str]]:
    """What of a pod template decides how it runs, flat, a line each."""
    for container in [*items(spec, "initContainers"), *items(spec, "containers")]:
        name = text(container, "name")
        yield f"{name} image", text(container, "image")
        for key in ("command", "args"):
            yield f"{name} {key}", _digest(container.get(key))
        for group in ("limits", "requests"):
            for key, value in part(container, "resources", group).items():
                yield f"{name} {group}.{key}", str(value)
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            yield f"{name} {probe}", _digest(container.get(probe))
        for variable in items(container, "env"):
            yield f"{name} env {text(variable, 'name')}", _digest(variable)
        yield f"{name} envFrom", _digest(container.get("envFrom"))
    for key in (
        "volumes",
        "nodeSelector",
        "affinity",
        "tolerations",
        "serviceAccountName",
        "securityContext",
    ):
        yield key, _digest(spec.get(key))


def _digest(value: object) -> str:
    """Equal texts for equal values, without the value: a variable may hold a secret."""
    return "" if value is None else f"={sha256(repr(value).encode()).hexdigest()[:12]}"


def recorded(facts: Facts, ref: Ref) -> Evidence | None:
    """Who wrote or deleted the object last, and with what program."""
    one = next((one for one in facts.all(Recorded) if one.ref == ref), None)
    if one is None:
        return None
    by = f" by {quoted(one.user)}" if one.user else ""
    client = f" with {quoted(one.client)}" if one.client else ""
    what = f": {quoted('; '.join(one.what[:MOST_SAID]))}" if one.what else ""
    when = f"{duration_text(facts.age_s(one.at))} ago ({one.at:%H:%M:%S} UTC)"
    done = _DONE.get(one.verb, one.verb)
    return Evidence(
        source="change", query=one.query, says=f"{ref} was {done} {when}{by}{client}{what}; {one.source}"
    )


def before_fault(facts: Facts, pods: tuple[Pod, ...]) -> Evidence | None:
    """The rollout that made all of these pods, when it is recent and another revision ran before."""
    parents = {pod.parent for pod in pods}
    if len(parents) != 1 or not pods:
        return None
    revisions = {one.ref: one for one in facts.revisions}
    newest = revisions.get(parents.pop() or Ref("", "", ""))
    if newest is None or facts.age_s(newest.created_at) > RECENT_S:
        return None
    earlier = [one for one in revisions.values() if one.owner == newest.owner and one.number < newest.number]
    last = max(earlier, key=lambda one: one.number, default=None)
    return _evidence(facts, last, newest) if last is not None else None


def _evidence(facts: Facts, last: Revision, newest: Revision) -> Evidence:
    changes = tuple(_differences(last.template, newest.template))
    more = f" and {len(changes) - MOST_SAID} more" if len(changes) > MOST_SAID else ""
    what = "; ".join(changes[:MOST_SAID]) + more if changes else "nothing that decides how it runs"
    says = f"revision {newest.number} since {duration_text(facts.age_s(newest.created_at))} changed: {what}"
    return Evidence(source="change", query=f"ReplicaSets of {newest.owner}", says=says)


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for key in dict.fromkeys((*new, *old)):
        was, now = old.get(key, ""), new.get(key, "")
        if was == now:
            continue
        if was.startswith("=") or now.startswith("="):
            word = "added" if not was else "removed" if not now else _HIDDEN
            yield f"{_plain(key)} {word}"
        else:
            yield f"{_plain(key)} {_shown(was)} → {_shown(now)}"


def _shown(value: str) -> str:
    return quoted(value)[1:-1] or "none"


def _plain(key: str) -> str:
    return quoted(key)[1:-1]
