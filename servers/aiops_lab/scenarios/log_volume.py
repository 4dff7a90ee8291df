"""F10e: one service writes most of what log storage takes in, and most of that at level DEBUG.

The bytes are ballast (nobody writes out terabytes); every few minutes lines stand there in the same
proportions, as a sample of a query finds them. `volume(seed)` says what a right answer is.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from aiops_lab.scenarios import bills_logs
from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.log_lines import DAY_S, Writer, application_group
from aiops_lab.scenarios.names import Names, cast
from aiops_lab.telemetry.log_groups import LogRecord

GB = 1e9
MONTH_DAYS = 30
DEBUG_BYTES = 4800  # of a cycle
EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class Volume:
    """Bytes of a month, in GB: of the talker's DEBUG lines, of its other lines, of everybody else."""

    service: str
    debug_gb: float
    rest_gb: float
    others_gb: float

    @property
    def total_gb(self) -> float:
        """All of it."""
        return self.debug_gb + self.rest_gb + self.others_gb


def volume(seed: int) -> Volume:
    """The story of a seed: the parts stand to each other as the lines of a cycle do."""
    rng = Random(f"log-volume/{seed}")
    debug = 1600.0 if seed == 0 else float(rng.randint(700, 2500))
    service = "api-gateway" if seed == 0 else cast(seed).api
    rest, others = (debug * size / DEBUG_BYTES for size in _sizes(seed))
    return Volume(service, debug, rest, others)


def _sizes(seed: int) -> tuple[int, int]:
    """Bytes of a cycle's line of the talker's that is no DEBUG line, and of everybody else's."""
    if seed == 0:
        return 900, 1500
    rng = Random(f"log-volume/sizes/{seed}")
    return rng.randrange(720, 1440), rng.randrange(960, 1920)


def money(seed: int, t0: datetime) -> bills_logs.Money:
    """What the talker costs, and the month."""
    told = volume(seed)
    return bills_logs.money(cast(seed), (told.debug_gb, told.rest_gb, told.others_gb), t0)


def _build(stage: Stage, names: Names, rng: Random) -> None:
    told, t0_s = volume(names.seed), stage.telemetry.t0_s
    group = stage.telemetry.logs.group(application_group(stage.aws.cluster))
    group.created_s, group.retention_days = t0_s - 90 * DAY_S, MONTH_DAYS
    group.ballast_bytes_per_day = told.total_gb * GB / MONTH_DAYS
    loud = Writer(told.service, rng)
    others = [Writer(name, rng, 2) for name in names.others[:4]]
    lines: list[LogRecord] = []
    at_s = t0_s - MONTH_DAYS * DAY_S
    while at_s < t0_s:
        lines += _cycle(names.seed, loud, rng.choice(others), at_s)
        at_s += EVERY_S
    group.write(lines)
    costs = money(names.seed, datetime.fromtimestamp(t0_s, UTC))
    bills_logs.settle(stage, costs, rng)
    bills_logs.bill(stage, costs, told.total_gb)


def _cycle(seed: int, loud: Writer, other: Writer, at_s: float) -> list[LogRecord]:
    """Three DEBUG lines, and two others whose sizes stand to theirs as the month's bytes do."""
    rng = loud.rng
    found = []
    for at in range(3):
        words = f"upstream headers for request {rng.getrandbits(32):08x}"
        found.append(_sized(loud, at_s + 2 * at, "DEBUG", words, DEBUG_BYTES // 3))
    for writer, size in zip((loud, other), _sizes(seed), strict=True):
        words = "request served in 21 ms, route table"
        found.append(_sized(writer, at_s + 8, "INFO", words, size))
    return found


def _sized(writer: Writer, at_s: float, level: str, words: str, size: int) -> LogRecord:
    """A line of exactly so many bytes, its message filled up with header names."""
    about: dict[str, Any] = {"route": "/api/v1/items", "status": 200} if level == "INFO" else {}
    short = writer.line(at_s, level, words, **about)
    filler = " accept-language x-forwarded-for user-agent cache-control content-length"
    missing = size - len(short.message)
    text = words + (filler * (missing // len(filler) + 1))[:missing]
    return replace(short, message=short.message.replace(words, text, 1))


SCENARIOS = (
    Scenario(
        "log-volume",
        "Most of the log bill is one service's DEBUG lines",
        "An API gateway logs every header at level DEBUG: two thirds of all that the log group takes in.",
        "F10e",
        _build,
        lead_s=600.0,
    ),
)
