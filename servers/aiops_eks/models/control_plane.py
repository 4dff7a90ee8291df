"""What an API server says of itself: made by `clients.control_plane`, for `describe_cluster` and rules."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Latency:
    """Requests of one verb (or of one verb on one resource) since the API server started."""

    verb: str
    requests: int
    p99_s: float  # within its bucket; where `above`, at least the largest bucket
    above: bool = False
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Rejections:
    """Requests that API Priority and Fairness turned away."""

    priority_level: str
    flow_schema: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class DeprecatedApi:
    """A deprecated API that somebody asked for since the API server started."""

    group: str
    version: str
    resource: str
    removed_in: str = ""


@dataclass(frozen=True, slots=True)
class ControlPlaneFigures:
    """One instance of the API server (EKS runs several), since it started, and the database behind it.

    `database_bytes` is the file, which is what the quota bounds. Counts are of stored objects, worst first.
    """

    latency: tuple[Latency, ...] = ()  # slowest first
    slowest: tuple[Latency, ...] = ()  # by verb and resource, slowest first
    requests: int = 0
    throttled: int = 0  # answered 429
    failed: int = 0  # answered 5xx
    rejected: tuple[Rejections, ...] = ()
    deprecated: tuple[DeprecatedApi, ...] = ()
    database_bytes: int | None = None
    objects: tuple[tuple[str, int], ...] = ()  # resource and count, most first
    started_at: datetime | None = None
