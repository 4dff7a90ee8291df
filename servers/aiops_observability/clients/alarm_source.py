"""What every source of alarms gives, and the words they share. Called by the `alarm_*` readers."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from aiops_observability.models.alarms import Alarm, Source, Where
from aiops_shared.errors import AccessDeniedError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.results import Evidence, Severity

MOST_ALARMS = 5_000  # of one source, the worst; more are counted and not grouped
LAST_YEAR = 9999  # a moment of it has no UTC where its zone lies west
TEXT_CHARACTERS, MOST_READ = 200, 20_000
_POD_OF_REPLICASET = re.compile(
    r"-[a-f0-9]{6,10}-[a-z0-9]{5}$|-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[a-z0-9]{5}$"
)
_POD_OF_OTHERS = re.compile(r"-(?:\d{1,4}|[bcdfghjklmnpqrstvwxz2456789]{5})$")
_ADDRESS = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?::\d+)?")


@dataclass(frozen=True, slots=True)
class Window:
    """From when on firings are wanted, until now."""

    since: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What one source told: its alarms in every state, and what is missing from them."""

    alarms: tuple[Alarm, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    warnings: tuple[str, ...] = ()
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # composite alarm -> its children


class AlarmSource(Protocol):
    """One system that keeps alarms."""

    @property
    def name(self) -> Source:
        """Which."""
        ...

    async def read(self, cluster: str | None, window: Window) -> Told:
        """Its alarms; those of other clusters are left out when one is named. Raises `AiopsError`."""
        ...

    async def aclose(self) -> None:
        """Close what it opened."""
        ...


def workload_of(pod: str) -> str:
    """The workload that a pod's name says, as controllers build it: without its hashes or its number."""
    for ending in (_POD_OF_REPLICASET, _POD_OF_OTHERS):
        if found := ending.search(pod):
            return pod[: found.start()]
    return pod


def short_node(name: str) -> str:
    """A node's name without its domain; of `10.0.1.42:9100` the name that EC2 gives such a host."""
    if found := _ADDRESS.fullmatch(name):
        return "ip-" + "-".join(found.groups())
    return name.partition(".")[0]


def where_of(labels: Mapping[str, str], names: Mapping[str, Iterable[str]]) -> Where:
    """What labels are about; `names`: for each part the labels that may say it, the best first."""

    def first(part: str) -> str:
        return plain(next((labels[name] for name in names.get(part, ()) if labels.get(name)), ""), 253)

    pod = first("pod")
    return Where(
        cluster=first("cluster"),
        namespace=first("namespace"),
        workload=first("workload") or workload_of(pod),
        pod=pod,
        node=short_node(first("node")),
    )


def severity_of(word: str) -> Severity:
    """The suite's severity for a word that people use."""
    low = word.lower()
    if low in {"critical", "crit", "page", "emergency", "fatal", "sev1", "p1"}:
        return "critical"
    if low in {"high", "error", "major", "sev2", "p2"}:
        return "high"
    return "info" if low in {"info", "none", "low", "notice", "p4", "p5", "sev4", "sev5"} else "medium"


def plain(value: object, at_most: int = TEXT_CHARACTERS) -> str:
    """Foreign text in one line without control characters, cut."""
    text = value if isinstance(value, str) else ""
    if len(text) > at_most:
        text = redact(text[: at_most + MOST_READ])  # before it is cut: half a secret looks like none
    line = " ".join("".join(one if one.isprintable() else " " for one in text[: at_most * 4]).split())
    return line if len(line) <= at_most else line[: at_most - 1] + "…"


def moment(value: object) -> datetime | None:
    """A time in RFC 3339 or as botocore gives it, UTC; None for nonsense, year 1 (Go's zero) and the last."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return None
    if not isinstance(value, datetime) or not 2000 <= value.year < LAST_YEAR:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def is_of(where: Where, cluster: str | None) -> bool:
    """Whether it belongs to a cluster that was named; what names none belongs to all."""
    return not cluster or not where.cluster or where.cluster == cluster.rpartition("/")[2]


def needs(error: AccessDeniedError, action: str) -> AccessDeniedError:
    """The refusal with the action that is missing, whatever words AWS chose."""
    return type(error)(error.thing, error.reason, f"grant {action}")


def texts(value: Any, *, take: Callable[[str], bool] = lambda _: True) -> dict[str, str]:
    """A mapping of texts out of foreign JSON; whatever is no text is left out."""
    if not isinstance(value, Mapping):
        return {}
    pairs = list(value.items())[:64]
    return {plain(k, 128): plain(v, 253) for k, v in pairs if isinstance(v, str) and take(str(k))}
