"""F3 and its negatives N1-N5 as metrics see them: a week of memory, with a leak or without.

Deployments, pods and restarts are real in the world; the working set is told by a `Profile` (where restarts
matter, by the program), requests by the kit. `truth` is what the generator knows and no server sees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Expected, Scenario, Stage, nothing
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.profiles import HEAP_PATH, PORT, heap_profile, leaker
from aiops_lab.scenarios.programs import MI, Behaviour, Curve, Exit, Program, Run, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.telemetry.signals import Array, Signal
from aiops_lab.telemetry.workloads import Profile, RouteFacts, emit_requests

HOME, HOUR_S, DAY_S = "production", 3600.0, 86_400.0
HISTORY_S = 7.5 * DAY_S
Memory = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Truth:
    """How a world of a seed leaks: MiB, MiB an hour, seconds before T0."""

    base_mi: float
    per_hour_mi: float
    limit_mi: float
    onset_s: float
    released_s: float
    replicas: int
    rate: float

    @property
    def level_mi(self) -> float:
        """At T0, without the daily wave."""
        return self.base_mi + self.per_hour_mi * self.onset_s / HOUR_S

    @property
    def limit_eta_s(self) -> float:
        """From T0 until the limit."""
        return (self.limit_mi - self.level_mi) / self.per_hour_mi * HOUR_S


def truth(seed: int) -> Truth:
    """The leak of one seed; seed 0 is the fixture's."""
    if seed == 0:
        return Truth(310, 30, 1024, 6 * HOUR_S, 6 * HOUR_S + 300, 3, 120)
    rng = Random(f"memory-trends/{seed}")
    base, per_hour = rng.uniform(220, 420), rng.uniform(24, 40)
    limit = rng.choice((768, 1024, 1280)) if base < 300 else 1024
    return Truth(base, per_hour, limit, 6 * HOUR_S, 6 * HOUR_S + 300, rng.randint(2, 4), rng.uniform(60, 240))


def released(names: Names) -> str:
    """The version that came just before the leak."""
    return "v3.4.0" if names.seed == 0 else f"v{3 + names.seed}.{names.seed * 3}.1"


def _image(names: Names, version: str) -> str:
    return names.image(leaker(names), version)


def _climbing(from_mi: float, per_hour_mi: float) -> Program:
    def run(start: Run) -> Behaviour:
        calm = serving(start.container, memory_mi=from_mi)(start)
        rise = Curve(((0.0, from_mi * MI * 0.6), (60.0, from_mi * MI)), slope=per_hour_mi * MI / HOUR_S)
        return Behaviour(lines=calm.lines, chatter=calm.chatter, memory=rise, cpu_m=calm.cpu_m)

    return run


def _workload(stage: Stage, names: Names, told: Truth, program: Program) -> None:
    app, image = leaker(names), _image(names, "3.3.0")
    stage.publish(image, Image(program))
    main = container(
        "app", image, memory="256Mi", limit=f"{told.limit_mi:.0f}Mi", readinessProbe=http_probe()
    )
    main["ports"].append({"name": "pprof", "containerPort": PORT, "protocol": "TCP"})
    pod = template({"app": app}, [main])
    stage.put_at(HISTORY_S, deployment(HOME, app, told.replicas, pod), service(HOME, app, app))


def _release(stage: Stage, names: Names, before_s: float, program: Program) -> None:
    image = _image(names, released(names).lstrip("v"))
    stage.publish(image, Image(program))

    def change(found: Obj) -> None:
        found["spec"]["template"]["spec"]["containers"][0]["image"] = image

    stage.change_at(before_s, "Deployment", HOME, leaker(names), change)


def _requests(stage: Stage, names: Names, rate: float | Memory) -> None:
    facts = RouteFacts(leaker(names), "/", HOME, stage.telemetry.t0_s - HISTORY_S)
    emit_requests(stage.telemetry.signals, facts, rate=rate)


def _memory(stage: Stage, names: Names, memory: Memory, sigma: float = 0.012) -> None:
    stage.telemetry.profiles.append(Profile(HOME, leaker(names), memory=memory, sigma=sigma))


def _wave(t: Array, amplitude: float, phase_s: float = 0.0) -> Array:
    return np.asarray(amplitude * np.sin(2 * np.pi * (t + phase_s) / DAY_S))


def _slow(stage: Stage, names: Names, rng: Random) -> None:
    """310 MiB and a small daily wave for a week; 30 MiB more each hour since six hours, after a release."""
    told, t0 = truth(names.seed), stage.telemetry.t0_s
    _workload(stage, names, told, serving(leaker(names), memory_mi=told.base_mi))
    _release(stage, names, told.released_s, _climbing(told.base_mi, told.per_hour_mi))
    onset = t0 - told.onset_s

    def memory(t: Array) -> Array:
        grown = told.per_hour_mi * np.maximum(0.0, t - onset) / HOUR_S
        return np.asarray((told.base_mi + _wave(t, 12.0) + grown) * MI)

    _memory(stage, names, memory, sigma=4.0 / told.base_mi)
    _requests(stage, names, told.rate)
    heap = Signal("go_memstats_heap_inuse_bytes", {"namespace": HOME, "service": leaker(names)},
                  lambda t: 0.8 * memory(t))  # fmt: skip
    stage.telemetry.signals.add(heap)
    stage.at(0.0, partial(stage.serve_http, HOME, leaker(names), PORT, HEAP_PATH, heap_profile(names)))
    _decoy(stage, names, rng)


def _decoy(stage: Stage, names: Names, rng: Random) -> None:
    """Another service was released too, hours off."""
    app = f"{names.others[1]}-web"
    image = stage.publish(names.image(names.others[1], "1.0.0"), Image(serving(app)))
    stage.put_at(
        rng.uniform(8, 16) * HOUR_S,
        deployment("staging", app, 1, template({"app": app}, [container("app", image)])),
    )


def _told(build: Callable[[Stage, Names, Random, Truth], None]) -> Build:
    """A story without a leak: the workload stands for a week; its memory follows."""

    def made(stage: Stage, names: Names, rng: Random) -> None:
        told = truth(names.seed)
        _workload(stage, names, told, serving(leaker(names), memory_mi=told.base_mi))
        build(stage, names, rng, told)

    return made


def _daily(stage: Stage, names: Names, rng: Random, told: Truth) -> None:
    phase = rng.uniform(0, DAY_S)
    _memory(stage, names, lambda t: (told.base_mi + 90 + _wave(t, 80.0, phase)) * MI)
    _requests(stage, names, told.rate)


def _warmup(stage: Stage, names: Names, rng: Random, told: Truth) -> None:
    """A restart some hours ago; a cache that fills and then is full."""
    before_s = rng.uniform(8.5, 10) * HOUR_S
    _release(stage, names, before_s, serving(leaker(names), memory_mi=told.base_mi))
    start, speed_s = stage.telemetry.t0_s - before_s, rng.uniform(1.0, 1.3) * HOUR_S

    def memory(t: Array) -> Array:
        filled = np.where(t < start, 1.0, 1.0 - np.exp(-np.maximum(0.0, t - start) / speed_s))
        return np.asarray((told.base_mi + 140 * filled) * MI)

    _memory(stage, names, memory)
    _requests(stage, names, told.rate)


def _by_load(stage: Stage, names: Names, rng: Random, told: Truth) -> None:
    """Requests double over the week, and memory follows them."""
    t0, phase = stage.telemetry.t0_s, rng.uniform(0, DAY_S)

    def rate(t: Array) -> Array:
        growth = 1.0 + 0.9 * np.clip((t - t0 + 7 * DAY_S) / (7 * DAY_S), 0.0, 1.0)
        return np.asarray(told.rate * growth * (1 + _wave(t, 0.3, phase)))

    per_request = 150.0 / told.rate
    _memory(stage, names, lambda t: (120 + per_request * rate(t)) * MI)
    _requests(stage, names, rate)


def _sawtooth(stage: Stage, names: Names, rng: Random, told: Truth) -> None:
    """A collector that lets the heap climb by 120 MiB and takes it back."""
    period_s = rng.uniform(50, 140) * 60.0
    _memory(stage, names, lambda t: (told.base_mi - 10 + 120 * ((t % period_s) / period_s)) * MI)
    _requests(stage, names, told.rate)


def _restarting(stage: Stage, names: Names, rng: Random) -> None:
    """Restarted every eight hours, which hides a leak; each time more is there from the start."""
    told, floor_mi = truth(names.seed), rng.uniform(8, 14)

    def run(start: Run) -> Behaviour:
        calm = serving(start.container)(start)
        low = (told.base_mi * 0.8 + floor_mi * start.restart) * MI
        rise = Curve(((0.0, low * 0.7), (60.0, low)), slope=told.per_hour_mi * MI / HOUR_S)
        done = Exit(8 * HOUR_S, 0)
        return Behaviour(lines=calm.lines, chatter=calm.chatter, memory=rise, cpu_m=calm.cpu_m, exit=done)

    _workload(stage, names, told, run)
    _requests(stage, names, told.rate)


def _story(
    name: str, fixture: str, title: str, says: str, build: Build, expect: Expect = nothing
) -> Scenario:
    return Scenario(name, title, says, fixture, build, expect, lead_s=HISTORY_S + HOUR_S)


def _exits(names: Names) -> tuple[Expected, ...]:
    """What the cluster's API alone can say of the program that ends every eight hours."""
    return (Expected("CONTAINER_EXITS", "Deployment", HOME, leaker(names), hurts_name=leaker(names)),)


SCENARIOS = (
    _story(
        "memory-leak-slow",
        "F3-metrics",
        "Memory grows by 30 MiB an hour since a release six hours ago",
        "A week at 310 MiB, then a slope: half of the limit is used, the usual 80 % rule is eleven hours "
        "off, the end eighteen. Requests are flat.",
        _slow,
    ),
    _story("memory-daily", "N1", "Memory follows the day", "A wave of 80 MiB and no trend.", _told(_daily)),
    _story(
        "memory-warmup", "N2", "A cache fills after a restart", "310 to 450 MiB, then flat.", _told(_warmup)
    ),
    _story("memory-by-load", "N3", "Memory follows requests", "Both nearly double.", _told(_by_load)),
    _story("memory-sawtooth", "N4", "A collector at work", "Up by 120 MiB and down again.", _told(_sawtooth)),
    _story(
        "memory-leak-restarts",
        "N5",
        "A leak that restarts hide",
        "Every eight hours the process ends itself, before the limit; the floor rises.",
        _restarting,
        _exits,
    ),
)
