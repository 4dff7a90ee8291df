"""What `recommend_savings` is asked and answers. Money inside is billionths (`models.money`)."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from aiops_shared.results import Answer, Frozen, Table

Scope = Literal[
    "all",
    "compute",
    "spot",
    "graviton",
    "commitments",
    "requests",
    "hpa",
    "storage",
    "network",
    "observability",
]
Level = Literal["low", "medium", "high"]


class SavingCode(NamedTuple):
    """A code of a recommendation, as docs/causes.md lists it."""

    code: str
    scope: Scope
    says: str


SAVING_CODES: Final[tuple[SavingCode, ...]] = (
    SavingCode("INSTANCE_FAMILY_MISMATCH", "compute", "Another family holds the same pods for less."),
    SavingCode("NODES_OVERSIZED", "compute", "Another size of the same family holds them for less."),
    SavingCode("NODES_IDLE", "compute", "Fewer of the same machines hold them."),
    SavingCode("SPOT_ELIGIBLE", "spot", "Pods that may be interrupted fill nodes of their own."),
    SavingCode("GRAVITON_ELIGIBLE", "graviton", "The images run on arm64, or may: the answer says which."),
    SavingCode("COMMITMENT_GAP", "commitments", "Use that never falls below a floor is paid on demand."),
    SavingCode("REQUESTS_OVERSIZED", "requests", "A workload asks for more than it was seen to use."),
    SavingCode("HPA_METRIC_MISMATCH", "hpa", "It scales on CPU, and memory fills up first."),
    SavingCode("HPA_MINIMUM_HIGH", "hpa", "Its minimum holds more pods than are needed."),
    SavingCode("VOLUME_OLD_TYPE", "storage", "A gp2 volume costs less as gp3."),
    SavingCode("VOLUME_UNATTACHED", "storage", "A volume that is nobody's."),
    SavingCode("VOLUME_OVERSIZED", "storage", "A volume that was never nearly full."),
    SavingCode("VOLUME_IOPS_IDLE", "storage", "IOPS are paid for and not used."),
    SavingCode("SNAPSHOTS_OLD", "storage", "Snapshots older than a year."),
    SavingCode("ADDRESS_UNUSED", "storage", "An Elastic IP address that nothing uses."),
    SavingCode("CROSS_ZONE_TRAFFIC", "network", "Callers reach endpoints in other zones."),
    SavingCode("NAT_TRAFFIC", "network", "Traffic for AWS services goes through NAT gateways."),
    SavingCode("METRICS_UNUSED", "observability", "Series that no query and no rule reads."),
    SavingCode("SCRAPE_INTERVAL_SHORT", "observability", "Samples are taken more often than is needed."),
    SavingCode("LOGS_DEBUG", "observability", "Debug lines are a large part of a log group."),
    SavingCode("LOGS_PROBES", "observability", "Lines of health checks are a large part of it."),
    SavingCode("LOGS_CLASS", "observability", "A group that is hardly read: the infrequent access class."),
    SavingCode("LOGS_KEPT", "observability", "Log groups that never expire."),
)
_CODES: Final = frozenset((one.code, one.scope) for one in SAVING_CODES)


class SavingsAsk(Frozen):
    """One question about what could be saved. `namespace` narrows what is said about workloads."""

    scope: Scope
    cluster: str | None
    namespace: str = ""
    full: bool = False


class Risk(Frozen):
    """How much can go wrong, and what."""

    level: Level
    why: str


class Recommendation(Frozen):
    """One change and what it saves a month of 730 hours, with the arithmetic line by line.

    `key` names it within one answer. `excludes` are keys whose saving is the same money: only one of them
    counts in a total. `after` are keys that it stands on: its amount is what it saves on top of them.
    """

    key: str
    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", description="Listed in docs/causes.md")]
    scope: Scope
    target: Annotated[str, Field(description="What is changed: NodePool default, Deployment shop/web")]
    current: str
    proposed: str
    nano_usd: Annotated[int, Field(description="saved a month, billionths", exclude=True)] = 0
    monthly_usd: Annotated[float | None, Field(description="saved; absent: not known")] = None
    percent: Annotated[float | None, Field(description="of what the target costs now")] = None
    arithmetic: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    risk: Risk
    patch: Annotated[str, Field(description="YAML")] = ""
    validated: Annotated[str, Field(description="How the patch was checked, and how to plan it")] = ""
    excludes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    alternatives: Table | None = None
    sources: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_listed(self) -> Self:
        if (self.code, self.scope) not in _CODES:
            raise ValueError(f"{self.code} of {self.scope} is not among SAVING_CODES")
        return self


class Advice(Frozen):
    """What one adviser brings. `says`: what was looked at and found good, where nothing is to be saved."""

    recommendations: tuple[Recommendation, ...] = ()
    says: str = ""
    warnings: tuple[str, ...] = ()
    voices: Annotated[tuple[tuple[str, str, str], ...], Field(description="who, what it says, agrees")] = ()


class SavingsReport(Answer):
    """What to change, dearest first. Totals count no money twice."""

    scope: str
    monthly_usd: Annotated[float, Field(description="saved when all that fit together are done")] = 0.0
    percent: Annotated[float | None, Field(description="of what the nodes cost now")] = None
    recommendations: tuple[Recommendation, ...] = ()
    more: Annotated[Table | None, Field(description="the rest; detail=full: whole")] = None
    voices: Annotated[Table | None, Field(description="AWS's own advisers; in no total")] = None
    not_counted: Annotated[tuple[str, ...], Field(description="keys whose money another one saves")] = ()
    good: Annotated[tuple[str, ...], Field(description="looked at, nothing to save")] = ()
    billed_requests: int = 0


def together(found: Sequence[Recommendation]) -> tuple[tuple[str, ...], int]:
    """The keys that count in a total, and their sum in billionths: dearest first, never two that exclude
    each other, and nothing that stands on what does not count.
    """
    taken: dict[str, Recommendation] = {}
    rivals: dict[str, set[str]] = {one.key: set(one.excludes) for one in found}
    for one in found:
        for other in one.excludes:
            rivals.setdefault(other, set()).add(one.key)
    waiting = sorted(found, key=lambda one: (-worth(one, found), one.key))
    while True:
        ready = [
            one
            for one in waiting
            if one.key not in taken and set(one.after) <= set(taken) and not rivals[one.key] & set(taken)
        ]
        if not ready:
            return tuple(taken), sum(one.nano_usd for one in taken.values())
        taken[ready[0].key] = ready[0]


def worth(one: Recommendation, found: Sequence[Recommendation]) -> int:
    """Its saving and that of what stands on it: a base is chosen for what it makes possible too."""
    return one.nano_usd + sum(other.nano_usd for other in found if one.key in other.after)
