"""How much of a pool may stand on Spot: who may be interrupted, and how likely that is. Pure.

AWS publishes no interruption rate by API. The placement score (1 to 10: how likely a request for the capacity
succeeds) and how much the price moves stand for it; row B22 gives the shares. Called by `advice_spot`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiops_cost.analysis.fleet import Budget, Pod, Room
from aiops_cost.models.prices import SpotSpan

STATELESS: Final = frozenset({"Deployment", "ReplicaSet", "Rollout"})
SYSTEM: Final = "kube-system"
# Interruption assumed up to this share a month, and the part of a pool that may then be Spot (row B22).
SHARES: Final = ((0.05, 0.70), (0.15, 0.30), (1.0, 0.10))
# EC2 guide, "Spot placement score": 10 is most likely to succeed, not guaranteed; 1 is least likely.
GOOD_SCORE, FAIR_SCORE = 8, 5
CALM_SWING, ROUGH_SWING = 0.30, 0.60  # (highest - lowest) / mean over the window


@dataclass(frozen=True, slots=True)
class SpotRisk:
    """`upto`: interruptions assumed, share a month; `share`: of the pool that may be Spot; `why`: voices."""

    upto: float
    share: float
    why: str

    @property
    def level(self) -> int:
        """0 (low) to 2."""
        return [upto for upto, _ in SHARES].index(self.upto)


def risk_of(score: int | None, spans: Sequence[SpotSpan]) -> SpotRisk:
    """The worse of what the score and the price say; with neither, the middle is assumed."""
    said: list[str] = []
    grades: list[int] = []
    if score is not None:
        grades.append(0 if score >= GOOD_SCORE else 1 if score >= FAIR_SCORE else 2)
        said.append(f"placement score {score} of 10")
    swings = [(one.high_nano - one.low_nano) / one.mean_nano for one in spans if one.mean_nano]
    if swings:
        worst = max(swings)
        grades.append(0 if worst < CALM_SWING else 1 if worst < ROUGH_SWING else 2)
        said.append(f"price moved by {worst:.0%} of its mean in {max(one.days for one in spans):.0f} days")
    grade = max(grades) if grades else 1
    upto, share = SHARES[grade]
    return SpotRisk(upto, share, "; ".join(said) or "neither a placement score nor prices are known")


def eligible(pods: Sequence[Pod], budgets: Sequence[Budget]) -> frozenset[tuple[str, str]]:
    """Namespace and name of the pods that may be interrupted.

    Stateless, with at least two replicas and a disruption budget, nothing kept on the node, free to move.
    """
    replicas = Counter(pod.owner for pod in pods)
    return frozenset(
        (pod.namespace, pod.name)
        for pod in pods
        if pod.owner_kind in STATELESS
        and pod.namespace != SYSTEM
        and replicas[pod.owner] >= 2
        and pod.evictable
        and not pod.claims
        and not pod.rules.local_storage
        and any(one.covers(pod) for one in budgets)
    )


def share_of(pods: Sequence[Pod], names: frozenset[tuple[str, str]], free: Room) -> float:
    """The part of what all pods ask for that these do, by the resource that each asks most of."""

    def asks(pod: Pod) -> float:
        return max(
            pod.requests.cores / free.cores if free.cores else 0.0,
            pod.requests.memory_bytes / free.memory_bytes if free.memory_bytes else 0.0,
        )

    whole = sum(asks(pod) for pod in pods)
    return sum(asks(pod) for pod in pods if (pod.namespace, pod.name) in names) / whole if whole else 0.0


def workloads(pods: Sequence[Pod], names: frozenset[tuple[str, str]]) -> Mapping[tuple[str, str, str], int]:
    """The workloads of these pods and how many pods each has."""
    return Counter(pod.owner for pod in pods if (pod.namespace, pod.name) in names)
