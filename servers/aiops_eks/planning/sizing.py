"""Sizes of a container: which are wanted, whether they fit each other, and what is known of the need.

Called by the `resources` change of `workloads.py`. Raises InvalidInputError for sizes that cannot stand.
"""

import math
from datetime import datetime
from typing import Any

from aiops_eks.diagnosis.quantities import amount, memory_text, raised_memory_bytes, whole_bytes
from aiops_eks.diagnosis.thresholds import LEAK_S
from aiops_eks.planning.drafts import Around, Obj, Wish, at
from aiops_eks.planning.rollouts import STEADY_S
from aiops_shared.errors import InvalidInputError

_STEADY_AT_MOST_S = 300.0
_LEAST_MEMORY_BYTES = 4 * 2**20  # below it no container starts; 384m is 0.384 bytes
RESOURCE_FIELDS = (
    ("memory_limit", "limits", "memory"),
    ("memory_request", "requests", "memory"),
    ("cpu_limit", "limits", "cpu"),
    ("cpu_request", "requests", "cpu"),
)


def check_sizes(wish: Wish) -> dict[tuple[str, str], str]:
    """(limits or requests, memory or cpu) -> quantity, as asked. Needs no object, so it is checked first."""
    wanted = {(kind, unit): text for field, kind, unit in RESOURCE_FIELDS if (text := getattr(wish, field))}
    for (kind, unit), text in wanted.items():
        number = amount(text)
        if number is None or number <= 0:
            raise InvalidInputError(
                f"{unit} {kind[:-1]}", f"{text!r} is not a quantity", "for example 384Mi or 250m"
            )
        if unit == "memory" and number < _LEAST_MEMORY_BYTES:
            raise InvalidInputError(
                f"memory {kind[:-1]}", f"{text} is less than 4Mi", "memory is counted in bytes: 384Mi"
            )
    return wanted


def wanted_resources(chosen: Obj, wish: Wish) -> dict[tuple[str, str], str]:
    """What was asked; the raised memory limit when nothing was."""
    if wanted := check_sizes(wish):
        return wanted
    limit = whole_bytes(at(chosen, "resources", "limits", "memory"))
    if not limit:
        raise InvalidInputError(
            "memory_limit", f"container {chosen.get('name')} has none yet", "say the limit you want"
        )
    return {("limits", "memory"): memory_text(raised_memory_bytes(limit))}


def check_order(chosen: Obj, wanted: dict[tuple[str, str], str]) -> None:
    """No request above its limit, counting what stays as it is."""
    for unit in ("memory", "cpu"):
        sizes = {
            kind: amount(wanted.get((kind, unit)) or at(chosen, "resources", kind, unit))
            for kind in ("limits", "requests")
        }
        limit, request = sizes["limits"], sizes["requests"]
        if limit is not None and request is not None and request > limit:
            raise InvalidInputError(
                f"{unit} request", "would exceed the limit", "raise the limit too, or lower the request"
            )


def raise_pct_of(chosen: Obj, wanted: dict[tuple[str, str], str]) -> int:
    """The largest new : old ratio in percent; a value that was not set before counts as ten times."""
    ratios = [100]
    for (kind, unit), text in wanted.items():
        before, after = amount(at(chosen, "resources", kind, unit)), amount(text)
        if after is None:
            continue
        ratios.append(math.ceil(after * 100 / before) if before else 1000)
    return min(max(ratios), 1_000_000)


def lives_before_oom_s(around: Around, container: str) -> list[float]:
    """How long the container's last instances lived before the kernel killed them."""
    ends = [
        at(status, state, "terminated") or {}
        for pod in around.pods
        for group in ("containerStatuses", "initContainerStatuses")
        for status in at(pod, "status", group) or []
        for state in ("lastState", "state")
        if status.get("name") == container
    ]
    return [
        (datetime.fromisoformat(end["finishedAt"]) - datetime.fromisoformat(end["startedAt"])).total_seconds()
        for end in ends
        if end.get("reason") == "OOMKilled" and end.get("startedAt") and end.get("finishedAt")
    ]


def memory_story(around: Around, chosen: Obj) -> tuple[dict[str, str], tuple[str, ...], float]:
    """What is known of the need, the warnings, and how long the canary must stay up to prove the change."""
    name = str(chosen.get("name"))
    lives = lives_before_oom_s(around, name)
    limit = at(chosen, "resources", "limits", "memory") or "none"
    shows = {"need": "unknown: no OOM seen and no metrics backend asked"}
    if not lives:
        return shows, (), STEADY_S
    longest = max(lives)
    shows["need"] = f"more than {limit}: OOMKilled {longest:.0f} s after start"
    shows["p99"] = "unknown without a metrics backend"
    warnings: tuple[str, ...] = ()
    if longest >= LEAK_S:
        warnings = (
            f"It took {longest / 3600:.1f} h to reach the limit: a leak? Raising it delays, does not fix.",
        )
    return shows, warnings, min(_STEADY_AT_MOST_S, max(STEADY_S, 2 * longest))


def quality_warnings(chosen: Obj, wanted: dict[tuple[str, str], str]) -> tuple[str, ...]:
    """A container whose requests equal its limits is Guaranteed; raising one of them alone ends that."""
    for unit in ("memory", "cpu"):
        old = [amount(at(chosen, "resources", kind, unit)) for kind in ("limits", "requests")]
        new = [
            amount(wanted.get((kind, unit)) or at(chosen, "resources", kind, unit))
            for kind in ("limits", "requests")
        ]
        if old[0] is not None and old[0] == old[1] and new[0] != new[1]:
            return (f"Its {unit} request equalled its limit (QoS Guaranteed); it no longer does.",)
    return ()


def request_of(chosen: Obj, wanted: dict[tuple[str, str], str], unit: str, read: Any) -> int:
    """What one new replica asks of a node: the request, else the limit (Kubernetes' default for it)."""
    for kind in ("requests", "limits"):
        found = wanted.get((kind, unit)) or at(chosen, "resources", kind, unit)
        if found:
            return int(read(found) or 0)
    return 0
