"""How events are counted, worded and measured, whether of one cluster or of several.

Called by `events` and `events_several`.
"""

from dataclasses import dataclass
from datetime import datetime

from aiops_eks.models.answers import EventAsk
from aiops_eks.models.event_groups import MESSAGE_CHARS, Group
from aiops_eks.models.fields import ago

DEFAULT_ROWS = 50
ROW_OVERHEAD = 45  # times, type, count and punctuation of a row
ROW_CHARS, MOST_CHARS = 3_300, 28_000


@dataclass(frozen=True, slots=True)
class HeardEvents:
    """What one cluster's components said."""

    cluster: str
    kind: str  # as the cluster calls what was asked about; empty for everything
    groups: tuple[Group, ...]
    objects: int
    gaps: tuple[str, ...] = ()


def group_chars(group: Group) -> int:
    """About how much of an answer a row takes, characters."""
    example = group.example
    names = len(example.reason) + len(example.kind) + len(example.namespace) + len(example.name)
    return ROW_OVERHEAD + names + min(len(example.message), MESSAGE_CHARS)


def asked_about(ask: EventAsk) -> str:
    """Whom the events are about, in words."""
    return f" about {ask.kind}{f' {ask.name}' if ask.name else ''}" if ask.kind else ""


def group_said(group: Group, now: datetime) -> str:
    """Equal events in words of a summary."""
    example = group.example
    last = f", last {ago((now - group.last).total_seconds())} ago" if group.last else ""
    return f"{example.reason} x{group.count} {example.kind} {example.name}{last}"


def as_kubectl(ask: EventAsk, kind: str) -> str:
    """The question as a person would repeat it."""
    where = f"-n {ask.namespace}" if ask.namespace else "-A"
    fields = f" --field-selector involvedObject.kind={kind}" if kind else ""
    name = f",involvedObject.name={ask.name}" if ask.name else ""
    return f"kubectl get events {where}{fields}{name}"


def nothing_said(ask: EventAsk) -> str:
    """The hint of an answer without events."""
    return (
        f"Searched events since {ask.since}. Nothing happened, or it is older than the 60 minutes that are "
        "kept, or kind, name or reason is not as events spell it (Pod, BackOff, FailedScheduling)."
    )
