"""Makes the API misbehave on purpose: throttled, broken, silent, hostile.

Tests set faults in process; `aiops_lab.run` sets them over the lab's control API.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Literal

FaultKind = Literal[
    "throttle",  # 429 with Retry-After, nothing done
    "error",  # `status`, nothing done
    "reset_before",  # connection dropped, nothing done
    "reset_after",  # connection dropped, the change is done
    "stall",  # no answer for `seconds`
    "huge",  # a body of `bytes` that never ends sensibly
    "bad_utf8",  # JSON with invalid UTF-8
    "deep",  # JSON nested 10^5 deep
    "wrong_type",  # HTML where JSON was due
]


@dataclass(frozen=True)
class Fault:
    """One way to misbehave, for which requests, and how often."""

    kind: FaultKind
    times: int | None = 1  # how many requests; None for ever
    share: float = 1.0  # of the requests that match
    verbs: frozenset[str] = frozenset()  # RBAC verbs; empty: all
    path_contains: str = ""
    status: int = 503
    retry_after_s: int = 1
    stall_s: float = 30.0
    body_bytes: int = 64 * 1024 * 1024

    def matches(self, verb: str, path: str) -> bool:
        """Whether a request is meant."""
        return (not self.verbs or verb in self.verbs) and self.path_contains in path


@dataclass
class Faults:
    """The faults set now; the first that matches is played."""

    seed: int = 0
    _set: list[tuple[Fault, list[int]]] = field(default_factory=list)
    played: int = 0

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)

    def add(self, fault: Fault) -> None:
        """Set one more fault."""
        self._set.append((fault, [0]))

    def clear(self) -> None:
        """Behave well again."""
        self._set.clear()

    def next(self, verb: str, path: str) -> Fault | None:
        """The fault to play on this request, or None."""
        for fault, played in self._set:
            spent = fault.times is not None and played[0] >= fault.times
            if spent or not fault.matches(verb, path) or self._rng.random() >= fault.share:
                continue
            played[0] += 1
            self.played += 1
            return fault
        return None
