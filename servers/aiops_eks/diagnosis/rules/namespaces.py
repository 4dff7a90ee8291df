"""Namespaces that do not go away.

The namespace controller says in the conditions what holds a deletion: an API group that does not answer (then
that API's finding explains it), objects with a finalizer whose controller is gone, content that cannot be
deleted. Within a few minutes that is just how deletion goes.
Source: `pkg/controller/namespace/deletion/status_condition_utils.go`.
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.evidence import condition_evidence, stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.policy import ServedApi, Space
from aiops_eks.diagnosis.objects import Condition, Ref
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import plain_name

STUCK_S = 900.0
SOURCE = "pkg/controller/namespace/deletion/status_condition_utils.go"
_FINALIZER = re.compile(r"([a-z0-9.-]{1,253}/?[A-Za-z0-9._-]{0,63}) in (\d+) resource instances")
_GROUP = re.compile(r"\b([a-z0-9.-]{1,253})/(v\d\w{0,10})\b")
NAMESPACE_STUCK = Cause(
    code="NAMESPACE_STUCK",
    severity="medium",
    means="A namespace is being deleted and does not go away.",
    told_by="Terminating for more than a quarter of an hour; its conditions name the finalizers, the content "
    "or the API group that holds it. Where an aggregated API is down, that one holds the finding.",
    source=SOURCE,
    next_step="bring back the controller that owns the finalizer; list_resources shows the objects left",
)


def namespaces(facts: Facts) -> Iterator[Told]:
    """NAMESPACE_STUCK, for those that should long be gone."""
    for one in facts.all(Space):
        if one.deleted_at is None or facts.age_s(one.deleted_at) < STUCK_S:
            continue
        if facts.namespace and one.ref.name != facts.namespace:
            continue
        said = {c.type: c for c in one.conditions if c.status == "True"}
        silent = said.get("NamespaceDeletionDiscoveryFailure") or said.get(
            "NamespaceDeletionGroupVersionParsingFailure"
        )
        yield _undiscovered(facts, one, silent) if silent else _held(facts, one, said)


def _age(facts: Facts, one: Space) -> str:
    return duration_text(facts.age_s(one.deleted_at))


def _undiscovered(facts: Facts, one: Space, silent: Condition) -> Told:
    found = [f"{match[2]}.{match[1]}" for match in _GROUP.finditer(silent.message)]
    known = {api.ref.name for api in facts.all(ServedApi)}
    names = [name for name in dict.fromkeys(found) if name in known] or found
    which = ", ".join(plain_name(name) for name in names[:3]) or "an API group"
    return Told(
        cause=NAMESPACE_STUCK,
        at=one.ref,
        subject=one.ref,
        predicate=f"cannot be deleted for {_age(facts, one)}: {which} does not answer",
        root_cause=f"{one.ref} is being deleted, and the controller cannot list what lies in it because "
        f"{which} does not answer.",
        hurts=(one.ref,),
        evidence=(
            condition_evidence(one.ref, silent),
            stated(one.ref, "metadata", f"deleted {_age(facts, one)} ago"),
        ),
        agree=2 + bool(known.intersection(names)),
        explained_by=tuple(Ref("APIService", "", name) for name in names),
    )


def _held(facts: Facts, one: Space, said: dict[str, Condition]) -> Told:
    left = [said[kind] for kind in _HOLDING if kind in said]
    finalizers = [match[1] for c in left for match in _FINALIZER.finditer(c.message)]
    own = [name for name in one.finalizers if name != "kubernetes"]
    holding = ", ".join(plain_name(name) for name in dict.fromkeys((*finalizers, *own)))
    what = f"the finalizer {holding}" if holding else "what is left in it"
    return Told(
        cause=NAMESPACE_STUCK,
        at=one.ref,
        subject=one.ref,
        predicate=f"cannot be deleted for {_age(facts, one)}: {what} holds it",
        root_cause=f"{one.ref} is being deleted, and {what} holds it: whoever sets it has to take it away.",
        hurts=(one.ref,),
        evidence=(
            *(condition_evidence(one.ref, c) for c in left[:3]),
            stated(one.ref, "metadata", f"deleted {_age(facts, one)} ago"),
        ),
        agree=2 + bool(left) + bool(holding),
        ruled_out=("an API group that does not answer: all were discovered",),
    )


_HOLDING = ("NamespaceFinalizersRemaining", "NamespaceContentRemaining", "NamespaceDeletionContentFailure")
RULES = (WorldRule((NAMESPACE_STUCK,), namespaces),)
