"""The same change seen by several sources is one row with all of them.

Joined by object, moment and verb. A source never joins with itself: two writes that one source tells apart
are two changes.
"""

from collections.abc import Iterable
from dataclasses import replace

from aiops_shared.kube.changes.records import Change, Source

APART_S = 5.0  # clocks of sources: audit in microseconds, managedFields and creation in whole seconds
SLOW_S = 90.0  # EKS begins an update up to a minute after the call that CloudTrail saw
MOST_WHAT = 12
# How much a verb says; of two sources' words for one change the more telling stands.
_TELLING = (
    "update",
    "create",
    "delete",
    "scale",
    "autoscale",
    "cordon",
    "uncordon",
    "rollout",
    "rollback",
    "sync",
)
_BEST_TIME: tuple[Source, ...] = (
    "audit",
    "cloudtrail",
    "gitops",
    "revisions",
    "eks",
    "objects",
    "nodes",
    "journal",
)
_BEST_CLIENT: tuple[Source, ...] = (
    "audit",
    "cloudtrail",
    "gitops",
    "objects",
    "journal",
    "revisions",
    "nodes",
    "eks",
)


def merged(changes: Iterable[Change]) -> list[Change]:
    """Newest first, each change once."""
    rows: list[Change] = []
    open_rows: dict[tuple[str, str, str, str], list[int]] = {}
    for change in sorted(changes, key=_order):
        shelf = open_rows.setdefault((*change.place, _family(change.verb)), [])
        place = next((at for at in reversed(shelf) if _same(rows[at], change)), None)
        if place is None:
            shelf.append(len(rows))
            rows.append(change)
        else:
            rows[place] = _joined(rows[place], change)
    return sorted(rows, key=_order, reverse=True)


def _order(change: Change) -> tuple[float, tuple[str, str, str], str]:
    return change.at.timestamp(), change.place, change.verb


def _family(verb: str) -> str:
    """Verbs that may be words for one change."""
    if verb in {"create", "delete"}:
        return verb
    if verb[:1].isupper():  # an AWS call: CreateAddon, UpdateAddon
        return {"C": "create", "D": "delete"}.get(verb[0], "write")
    return "write"


def _same(known: Change, other: Change) -> bool:
    if set(known.sources) & set(other.sources):
        return False
    apart = abs((other.at - known.at).total_seconds())
    slow = {"eks", "cloudtrail"} & {*known.sources, *other.sources}
    return apart <= max(SLOW_S if slow else APART_S, known.within_s, other.within_s)


def _joined(one: Change, other: Change) -> Change:
    first = min((one, other), key=lambda change: _rank(change, _BEST_TIME))
    shown = max((one, other), key=lambda change: _says(change.verb))
    by_client = sorted((one, other), key=lambda change: _rank(change, _BEST_CLIENT))
    more = other if shown is one else one
    return replace(
        shown,
        at=first.at,
        within_s=min(one.within_s, other.within_s),
        what=tuple(dict.fromkeys((*shown.what, *more.what)))[:MOST_WHAT],
        user=next((change.user for change in by_client if change.user), ""),
        client=next((change.client for change in by_client if change.client), ""),
        sources=tuple(dict.fromkeys((*one.sources, *other.sources))),
    )


def _says(verb: str) -> int:
    return _TELLING.index(verb) if verb in _TELLING else len(_TELLING)


def _rank(change: Change, order: tuple[Source, ...]) -> int:
    return min((order.index(source) for source in change.sources), default=len(order))
