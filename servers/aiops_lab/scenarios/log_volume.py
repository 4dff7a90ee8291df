"""F10e: one service writes most of what log storage takes in, and most of that at level DEBUG.

The bytes are ballast (nobody writes out terabytes); every few minutes lines stand there in the same
proportions, as a sample of a query finds them. `volume(seed)` says what a right answer is.
"""

from dataclasses import dataclass
from random import Random

from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.log_lines import DAY_S, Writer, application_group
from aiops_lab.scenarios.names import Names, cast
from aiops_lab.telemetry.log_groups import LogRecord

GB = 1e9
MONTH_DAYS = 30
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
    """The story of a seed."""
    if seed == 0:
        return Volume("api-gateway", 1600.0, 300.0, 500.0)
    rng = Random(f"log-volume/{seed}")
    debug = rng.uniform(700, 2500)
    return Volume(cast(seed).api, debug, debug * rng.uniform(0.15, 0.3), debug * rng.uniform(0.2, 0.4))


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
        lines += _cycle(told, loud, rng.choice(others), at_s)
        at_s += EVERY_S
    group.write(lines)


def _cycle(told: Volume, loud: Writer, other: Writer, at_s: float) -> list[LogRecord]:
    """Three DEBUG lines, and two others whose sizes stand to theirs as the month's bytes do."""
    rng = loud.rng
    found = [
        loud.line(
            at_s + 2 * at, "DEBUG", _padded(f"upstream headers for request {rng.getrandbits(32):08x}", 1400)
        )
        for at in range(3)
    ]
    size = sum(len(one.message) for one in found)
    for writer, part in ((loud, told.rest_gb), (other, told.others_gb)):
        line = writer.line(at_s + 8, "INFO", "request served in 21 ms", route="/api/v1/items", status=200)
        wanted = round(size * part / told.debug_gb)
        text = _padded("request served in 21 ms, route table", max(0, wanted - len(line.message)) + 36)
        found.append(writer.line(at_s + 8, "INFO", text, route="/api/v1/items", status=200))
    return found


def _padded(text: str, size: int) -> str:
    """The text, filled up with header names to a size."""
    filler = " accept-language x-forwarded-for user-agent cache-control content-length"
    return (text + filler * (size // len(filler) + 1))[:size]


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
