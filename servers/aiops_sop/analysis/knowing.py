"""Whether what a team wrote down is about an event: its patterns are names and globs, nothing is executed."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from aiops_sop.models.events import Event
from aiops_sop.models.incidents import Knowledge

PLACES = ("cluster", "namespace", "workload", "service", "node")


def about(entries: Iterable[Knowledge], event: Event, cause: str = "") -> tuple[Knowledge, ...]:
    """Those that fit. An entry that names causes and reasons fits when either does."""
    return tuple(one for one in entries if _what(one, event, cause) and _where(one, event))


def _what(one: Knowledge, event: Event, cause: str) -> bool:
    if not (one.causes or one.reasons):
        return True
    return (cause or event.cause) in one.causes or any(
        fnmatchcase(event.reason, each) for each in one.reasons
    )


def _where(one: Knowledge, event: Event) -> bool:
    told = {"cluster": event.cluster, "namespace": event.namespace, "workload": event.workload}
    told |= {"service": event.service, "node": event.node}
    return all(fnmatchcase(told[place], glob) for place, glob in one.where.items())
