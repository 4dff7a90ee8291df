"""Worlds with objects of further kinds beside the usual ones, read as the reader reads them."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further import FURTHER
from aiops_eks.diagnosis.further.base import FurtherKind
from tests.eks.diagnosis.worlds import Obj, ago, world

READERS: dict[str, FurtherKind] = {one.kind.partition(".")[0]: one for one in FURTHER}


def with_further(facts: Facts, *objects: Obj, nothing_of: tuple[str, ...] = ()) -> Facts:
    """The facts with these objects; `nothing_of` names kinds that were asked for and are not there."""
    found: dict[type[Any], list[Any]] = defaultdict(list)
    for obj in objects:
        one = READERS[obj["kind"]]
        found[one.type].append(one.read(obj))
    for kind in nothing_of:
        found[READERS[kind].type].extend(())
    return replace(facts, others={kind: tuple(each) for kind, each in found.items()})


def further_world(*objects: Obj, **more: Any) -> Facts:
    """The facts of objects of any kind."""
    usual = [obj for obj in objects if obj["kind"] not in READERS]
    return with_further(world(*usual, **more), *(obj for obj in objects if obj["kind"] in READERS))


def head(kind: str, name: str, namespace: str = "shop", *, age_s: float = 90_000, **meta: Any) -> Obj:
    """The top of an object."""
    where = {"namespace": namespace} if namespace else {}
    return {"kind": kind, "metadata": {"name": name, **where, "creationTimestamp": ago(age_s), **meta}}


def condition(kind: str, status: str, reason: str, message: str = "", *, since_s: float = 3600) -> Obj:
    """One condition of a status."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(since_s),
    }
