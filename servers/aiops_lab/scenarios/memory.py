"""F2: a worker whose memory limit is too low, the same in staging, and the leak that only looks like it."""

from random import Random

from aiops_lab.scenarios.base import Build, Expect, Expected, Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import (
    MI,
    Behaviour,
    Chatter,
    Curve,
    Program,
    Run,
    Switch,
    logfmt,
    serving,
)
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.scenarios.wording import loading

HOUR_S, DAY_S = 3600.0, 86_400.0
GROWN_S = 20 * 60.0


def loading_cache(names: Names, climb_s: float = 70.0) -> Program:
    """Loads a model cache: 90 to 256 Mi in `climb_s`, a peak under 352 Mi, then its need (340 Mi)."""
    scale, said = names.worker_scale * MI, loading(names)
    rise = ((0.0, 90.0), (climb_s, 256.0), (climb_s + 40, 351.5), (climb_s + 46, 340.0))

    def run(start: Run) -> Behaviour:
        del start
        return Behaviour(
            lines=(
                (climb_s * 0.58, said[0]),
                (climb_s * 0.94, said[1]),
                (climb_s + 42, said[2]),
                (climb_s + 43, "worker ready, consuming queue"),
            ),
            chatter=Chatter(12.0, ("processed 40 jobs, queue empty", "processed 22 jobs, queue empty")),
            ready_after_s=climb_s + 43,
            memory=Curve(tuple((t, mi * scale) for t, mi in rise)),
            cpu_m=Curve(((0.0, 450.0), (climb_s + 40, 450.0), (climb_s + 50, 70.0))),
        )

    return run


def leaking(*, from_mi: float, to_mi: float, over_s: float) -> Program:
    """Serves, and never gives memory back."""

    def run(start: Run) -> Behaviour:
        calm = serving(start.container)(start)
        lines = (
            logfmt("info", "batch done", jobs=40),
            logfmt("debug", "session store put", evictions=0, ttl="none"),
        )
        return Behaviour(
            lines=calm.lines,
            chatter=Chatter(45.0, lines),
            memory=Curve(((0.0, from_mi * MI),), slope=(to_mi - from_mi) * MI / over_s),
            cpu_m=calm.cpu_m,
        )

    return run


def _worker(stage: Stage, names: Names, home: str, since_s: float) -> None:
    probe = http_probe("/ready", delay_s=20)
    asked, limit = (f"{round(mi * names.worker_scale)}Mi" for mi in (128, 256))
    main = container("worker", names.worker_image, memory=asked, limit=limit, readinessProbe=probe)
    pod = template({"app": names.worker}, [main])
    stage.put_at(since_s, deployment(home, names.worker, names.worker_replicas, pod))
    stage.put_at(since_s, service(home, names.worker, names.worker))


def _too_low(home: str) -> Build:
    """Days of health with a small cache; then the cache has grown, and the pods are started anew."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        climb_s = 70.0 if names.seed == 0 else rng.uniform(40, 110)
        calm = serving(names.worker, memory_mi=190 * names.worker_scale)
        small = Switch(calm, loading_cache(names, climb_s))
        stage.publish(names.worker_image, Image(small))
        if names.seed == 0:
            stage.call_pods(home, names.worker, "5b7c9")
        _worker(stage, names, home, rng.uniform(2, 8) * DAY_S)
        before_s = GROWN_S + (0.0 if names.seed == 0 else rng.uniform(-45, 45))
        stage.at(before_s + 5, small.turn)
        if names.seed == 0:
            stage.at(before_s + 1, lambda: stage.call_pods(home, names.worker, "", "abcde"))
        stage.replace_pods_at(before_s, home, names.worker)

    return build


def _leak(stage: Stage, names: Names, rng: Random) -> None:
    """Every five hours the limit is reached; the last time a few minutes ago."""
    over_s = 5 * HOUR_S + (0.0 if names.seed == 0 else rng.uniform(-0.4, 0.6) * HOUR_S)
    scale = names.worker_scale
    program = leaking(from_mi=90 * scale, to_mi=256 * scale, over_s=over_s)
    stage.publish(names.worker_image, Image(program))
    ago_s = rng.uniform(120, 600)
    _worker(stage, names, "production", 4 * (over_s + 12) + ago_s)


def _says(code: str, home: str) -> Expect:
    def expect(names: Names) -> tuple[Expected, ...]:
        return (
            Expected(code, "Deployment", home, names.worker, hurts_name=names.worker, headline=names.worker),
        )

    return expect


SCENARIOS = (
    Scenario(
        "oom-raise-limits",
        "OOMKilled: the memory limit is lower than the need",
        "A worker in production climbs to its limit of 256 Mi in 70 s and is killed, again and again; it "
        "needs 340 Mi and lives from a limit of 352 Mi. Its log just stops.",
        "F2",
        _too_low("production"),
        _says("OOM_LIMIT_TOO_LOW", "production"),
    ),
    Scenario(
        "oom-raise-limits-staging",
        "OOMKilled in staging",
        "As oom-raise-limits, in staging, where a policy may let an agent act by itself.",
        "F2-staging",
        _too_low("staging"),
        _says("OOM_LIMIT_TOO_LOW", "staging"),
    ),
    Scenario(
        "memory-leak",
        "OOMKilled every five hours: a leak",
        "The same worker is killed by the same limit, but its memory grows for five hours without a "
        "plateau: a higher limit would delay the next kill, not prevent it.",
        "F2n",
        _leak,
        _says("MEMORY_LEAK", "production"),
        lead_s=5.8 * HOUR_S,
    ),
)
