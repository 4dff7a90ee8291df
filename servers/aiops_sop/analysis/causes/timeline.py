"""One timeline of all sources, oldest first: changes, events, alarms, anomalies. Called by `answering`."""

from collections.abc import Iterator

from aiops_sop.analysis.causes.facts import Facts
from aiops_sop.analysis.causes.hypotheses import Link


def merged(facts: Facts) -> list[Link]:
    """Everything with a time, each once, up to the end of the window."""
    found = {
        (one.at, one.source, one.what): one for one in (*_changes(facts), *_events(facts), *_signals(facts))
    }
    return [found[key] for key in sorted(found) if key[0] <= facts.now]


def _changes(facts: Facts) -> Iterator[Link]:
    space = facts.question.namespace
    for one in facts.changes:
        if not space or one.namespace in {"", space}:
            yield Link(one.at, one.said, "changes")


def _events(facts: Facts) -> Iterator[Link]:
    for one in facts.events:
        if one.warning and one.first:
            where = f"{one.namespace}/{one.name}" if one.namespace else one.name
            yield Link(one.first, f"{one.reason} x{one.count} {one.kind} {where}", "events")


def _signals(facts: Facts) -> Iterator[Link]:
    for alarm in facts.alarms:
        if alarm.since:
            where = f" on {alarm.where}" if alarm.where else ""
            yield Link(alarm.since, f"alarm {alarm.name}{where}", alarm.source or "alarms")
    subject = facts.question.service or facts.question.name
    for one in facts.abnormal:
        if one.onset:
            yield Link(one.onset, f"{subject} {one.signal}: {one.kind}".strip(), "metrics")
