"""Rollouts and versions: which release came when, and whether the newer one is worse than the one before.

Called by `memory` and `requests`. What a rollout changed stands in the words of `list_changes`
(`revision 1 → 2; app image shop:v1 → shop:v2`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiops_sop.analysis.causes.facts import Change, Facts, Line

MEMORY, MEMORY_BY_POD = "memory_by_version", "memory_by_pod"  # keys of questions
_POD = re.compile(r".+-([0-9a-z]{5,10})-[0-9a-z]{5}")  # <Deployment>-<pod-template-hash>-<its own>
_REVISION = re.compile(r"revision (\d+) \u2192 (\d+)")
_IMAGE = re.compile(r"image (\S+) \u2192 (\S+)")
SOON: Final = timedelta(minutes=45)  # after a rollout: what begins so soon may be its doing
_SLACK: Final = timedelta(minutes=6)  # series are read by 5 minutes


@dataclass(frozen=True, slots=True)
class Release:
    """One rollout of a workload."""

    change: Change
    from_revision: str
    to_revision: str
    from_image: str
    to_image: str

    @property
    def at(self) -> datetime:
        """When it began."""
        return self.change.at

    @property
    def before(self) -> str:
        """The version before, as people say it."""
        return self.from_image.rpartition(":")[2]

    @property
    def version(self) -> str:
        """The version that came."""
        return self.to_image.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Pair:
    """The newest version's series beside the one before it."""

    new: Line
    old: Line


def releases(facts: Facts, name: str) -> tuple[Release, ...]:
    """A workload's rollouts, oldest first."""
    found = []
    for change in facts.changes:
        if change.verb == "rollout" and change.name == name:
            revision, image = _REVISION.search(change.what), _IMAGE.search(change.what)
            numbers = (revision[1], revision[2]) if revision else ("", "")
            images = (image[1], image[2]) if image else ("", "")
            found.append(Release(change, *numbers, *images))
    return tuple(found)


def released_before(facts: Facts, name: str, onset: datetime | None) -> Release | None:
    """The last rollout that may be behind what began at `onset`."""
    near = [
        one for one in releases(facts, name) if onset is None or one.at - _SLACK <= onset <= one.at + SOON
    ]
    return near[-1] if near else None


def by_version(facts: Facts, key: str) -> tuple[Line, ...]:
    """The versions of a question by version.

    A backend that cannot join memory with images (CloudWatch) tells it by pod: pods of one ReplicaSet are one
    version, named by the hash in their names.
    """
    lines = facts.lines(key)
    if lines or key != MEMORY:
        return lines
    sets: dict[str, list[Line]] = {}
    for one in facts.lines(MEMORY_BY_POD):
        if (pod := _POD.fullmatch(one.label)) is not None:
            sets.setdefault(pod[1], []).append(one)
    return tuple(_together(name, some) for name, some in sets.items())


def _together(name: str, pods: Sequence[Line]) -> Line:
    lows, highs = [one.low for one in pods], [one.high for one in pods]
    return Line(
        name,
        last=_mean([one.last for one in pods]),
        mean=_mean([one.mean for one in pods]),
        low=min((one for one in lows if one is not None), default=None),
        high=max((one for one in highs if one is not None), default=None),
        slope_h=_mean([one.slope_h for one in pods]),
        points=max(one.points for one in pods),
    )


def _mean(some: Sequence[float | None]) -> float | None:
    known = [one for one in some if one is not None]
    return sum(known) / len(known) if known else None


def pair(facts: Facts, key: str, release: Release | None) -> Pair | None:
    """The versions of a question by version: named by the release, else the newer has fewer points."""
    lines = [one for one in by_version(facts, key) if one.label and one.points and one.last is not None]
    named = {_bare(one.label): one for one in lines}
    if release is not None and release.to_image:
        new, old = named.get(_bare(release.version)), named.get(_bare(release.before))
        if new and old:
            return Pair(new, old)
    if len(lines) != 2 or lines[0].points == lines[1].points:
        return None
    new, old = sorted(lines, key=lambda one: one.points)
    return Pair(new, old)


def worse(both: Pair | None, *, times: float, more: float) -> bool | None:
    """Whether the newer one is at least so many times and so much above the older one now."""
    if both is None or both.new.last is None or both.old.last is None:
        return None
    return both.new.last >= times * both.old.last and both.new.last - both.old.last >= more


def aged(at: datetime, now: datetime) -> str:
    """An age as people say it: `2 h`, `35 min`."""
    minutes = max(0, round((now - at).total_seconds() / 60))
    return (
        f"{minutes} min" if minutes < 90 else f"{round(minutes / 60)} h" if minutes < 2880 else _days(minutes)
    )


def _days(minutes: int) -> str:
    return f"{round(minutes / 1440)} d"


def _bare(version: str) -> str:
    return version.lstrip("v")
