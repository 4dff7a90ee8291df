"""What the containers of the lab do: run, log, climb in memory, crash.

A Program looks at one start of a container (its environment, arguments, limits) and answers with a
Behaviour: everything this run will do, known in advance as functions of the seconds since its start. The
kubelet plays it; logs and usage are read from it. Scenarios put programs into images.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

MI = 2**20


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity over seconds: straight lines between points, then `slope` per second for ever."""

    points: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    slope: float = 0.0

    def at(self, t: float) -> float:
        """The value after `t` seconds."""
        last_t, last = self.points[-1]
        if t >= last_t:
            return last + self.slope * (t - last_t)
        before = self.points[0]
        for point in self.points:
            if point[0] > t:
                share = (t - before[0]) / (point[0] - before[0]) if point[0] > before[0] else 1.0
                return before[1] + share * (point[1] - before[1])
            before = point
        return last

    def first_above(self, level: float) -> float | None:
        """After how many seconds the value first exceeds `level`, or None for never."""
        before_t, before = self.points[0]
        if before > level:
            return before_t
        for t, value in self.points[1:]:
            if value > level:
                return before_t + (t - before_t) * (level - before) / (value - before)
            before_t, before = t, value
        return before_t + (level - before) / self.slope if self.slope > 0 else None


def flat(value: float) -> Curve:
    """A quantity that does not change."""
    return Curve(((0.0, value),))


@dataclass(frozen=True, slots=True)
class Run:
    """One start of a container, as its program sees it."""

    namespace: str
    pod: str
    container: str
    env: dict[str, str]
    args: tuple[str, ...]
    memory_limit_bytes: int | None
    restart: int  # 0 at the first start
    seed: int

    def rng(self) -> Random:
        """Chance that is the same for the same run of the same world."""
        return Random(f"{self.seed}/{self.namespace}/{self.pod}/{self.container}/{self.restart}")


@dataclass(frozen=True, slots=True)
class Exit:
    """How a run ends by itself."""

    after_s: float
    code: int
    reason: str = "Error"  # Completed for 0

    def __post_init__(self) -> None:
        if self.code == 0 and self.reason == "Error":
            object.__setattr__(self, "reason", "Completed")


@dataclass(frozen=True, slots=True)
class Chatter:
    """Lines that a running program writes again and again, in turn."""

    every_s: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Everything one run will do, in seconds since its start."""

    lines: tuple[tuple[float, str], ...] = ()
    chatter: Chatter | None = None
    exit: Exit | None = None
    ready_after_s: float | None = 1.0  # None: the readiness probe never succeeds
    alive_until_s: float | None = None  # from then on the liveness probe fails
    probe_error: str = "HTTP probe failed with statuscode: 503"
    port: int | None = None  # where it listens; probes of another port are refused
    memory: Curve = field(default_factory=lambda: flat(64 * MI))
    cpu_m: Curve = field(default_factory=lambda: flat(20))
    stop_s: float = 1.0  # from SIGTERM to the end
    stop_code: int = 0  # 143 for a program without a SIGTERM handler


Program = Callable[[Run], Behaviour]


class Switch:
    """A program that becomes another one for every start after `turn`."""

    def __init__(self, before: Program, after: Program) -> None:
        self._before, self._after = before, after
        self._turned = False

    def turn(self) -> None:
        """From now on the other one."""
        self._turned = True

    def __call__(self, start: Run) -> Behaviour:
        """What this start will do."""
        return (self._after if self._turned else self._before)(start)


def logfmt(level: str, message: str, **fields: object) -> str:
    """One log line in the style of the lab's programs."""
    extra = "".join(f" {name}={_quoted(value)}" for name, value in fields.items())
    return f'level={level} msg="{message}"{extra}'


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text


def serving(
    name: str = "server", *, memory_mi: float = 64, cpu_m: float = 20, lines: tuple[str, ...] = ()
) -> Program:
    """A program that starts, becomes ready and serves."""

    def run(start: Run) -> Behaviour:
        rng = start.rng()
        hello = ((0.05, logfmt("info", f"starting {name}")), (0.9, logfmt("info", "listening", port=8080)))
        say = lines or (
            logfmt("info", "request served", route="/", status=200, ms=rng.randint(2, 40)),
            logfmt("info", "request served", route="/items", status=200, ms=rng.randint(5, 90)),
            logfmt("info", "housekeeping done", entries=rng.randint(10, 900)),
        )
        return Behaviour(
            lines=hello,
            chatter=Chatter(rng.uniform(7, 19), say),
            memory=Curve(((0.0, memory_mi * MI * 0.6), (30.0, memory_mi * MI))),
            cpu_m=flat(cpu_m),
        )

    return run


def failing(*lines: str, code: int = 1, after_s: float = 2.0, memory_mi: float = 40) -> Program:
    """A program that logs and exits."""

    def run(start: Run) -> Behaviour:
        del start
        spread = after_s / (len(lines) + 1)
        return Behaviour(
            lines=tuple((spread * (place + 1), line) for place, line in enumerate(lines)),
            exit=Exit(after_s, code),
            ready_after_s=None,
            memory=flat(memory_mi * MI),
        )

    return run


def needing(variable: str, program: Program, *lines: str, code: int = 1, after_s: float = 2.0) -> Program:
    """A program that exits with `lines` unless the environment variable is set."""
    broken = failing(*lines, code=code, after_s=after_s)

    def run(start: Run) -> Behaviour:
        return program(start) if start.env.get(variable) else broken(start)

    return run


def working(*lines: str, takes_s: float, code: int = 0, memory_mi: float = 90) -> Program:
    """A program with an end: a batch job."""

    def run(start: Run) -> Behaviour:
        done = failing(*lines, code=code, after_s=takes_s, memory_mi=memory_mi)(start)
        return Behaviour(lines=done.lines, exit=done.exit, memory=done.memory, cpu_m=flat(150))

    return run
