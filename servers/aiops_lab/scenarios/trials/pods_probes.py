"""Trials of probes and hooks: killed by a probe, never ready, asked at the wrong place, killed by a hook.

Texts of the kubelet: `pkg/kubelet/prober`, `pkg/probe/http`, `pkg/kubelet/kuberuntime`.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Behaviour, Exit, Program, Run, failing, logfmt, serving
from aiops_lab.scenarios.shapes import http_probe
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import (
    DAY_S,
    HOME,
    crashed_and_recovered,
    in_the_end,
    named_pods,
    put_app,
    recent_s,
    wrong,
)

_WATCHED = {"livenessProbe": http_probe(delay_s=10)}


def _behaving(names: Names, **fields: Any) -> Program:
    """The api, which serves but for these fields of its behaviour."""

    def run(start: Run) -> Behaviour:
        calm = serving(names.api)(start)
        given = {"lines": calm.lines[:1], "memory": calm.memory, "stop_code": 143, **fields}
        return Behaviour(**given)

    return run


def _hangs(names: Names, rng: Random) -> Program:
    return _behaving(
        names,
        lines=((1.0, logfmt("info", "listening")), (70.0, logfmt("warn", "pool exhausted"))),
        alive_until_s=rng.uniform(75, 130),
        probe_error='Get "http://{address}/healthz": context deadline exceeded',
    )


def _fails_and_is_probed(names: Names, rng: Random) -> Program:
    """Ends by itself; that its probe fails until then is an echo."""
    dead = failing(
        logfmt("info", "starting"), "panic: nil map in router", code=2, after_s=rng.uniform(26, 33)
    )

    def run(start: Run) -> Behaviour:
        end = dead(start)
        return Behaviour(end.lines, exit=Exit(25.0, 2), ready_after_s=None, alive_until_s=12.0)

    return run


def _slow(names: Names, rng: Random) -> Program:
    """Warms up for minutes; the probe waits for half a minute."""
    lines = tuple((float(t), logfmt("info", "warming up", shard=t)) for t in range(1, 200, 9))
    refused = 'Get "http://{address}/healthz": dial tcp {address}: connect: connection refused'
    return _behaving(names, lines=lines, ready_after_s=rng.uniform(120, 400), probe_error=refused)


def _app(make: Callable[[Names, Random], Program], **main: Any) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        put_app(stage, names, recent_s(rng), make(names, rng), **main)

    return build


def _dies_before_it_listens(names: Names, rng: Random) -> Program:
    """Never answers either, but its log says why."""
    broken = logfmt("error", "cannot load rules", file=f"rules-{rng.randint(1, 9)}.yaml")
    refused = 'Get "http://{address}/healthz": dial tcp {address}: connect: connection refused'
    return _behaving(names, lines=((2.0, broken),), ready_after_s=900.0, probe_error=refused)


def _answers(status: int) -> Callable[[Names, Random], Program]:
    def make(names: Names, rng: Random) -> Program:
        del rng
        words = f"HTTP probe failed with statuscode: {status}"
        return _behaving(names, ready_after_s=None, probe_error=words)

    return make


def _on_8080(names: Names, rng: Random) -> Program:
    del rng
    return _behaving(names, port=8080)


def _speaks_http(names: Names, rng: Random) -> Program:
    del rng
    words = 'Get "https://{address}/healthz": http: server gave HTTP response to HTTPS client'
    return _behaving(names, ready_after_s=None, probe_error=words)


def _speaks_tls(names: Names, rng: Random) -> Program:
    del rng
    return _behaving(names, ready_after_s=None, probe_error="HTTP probe failed with statuscode: 400")


def _port(port: int) -> Obj:
    return {**http_probe(), "httpGet": {"path": "/healthz", "port": port, "scheme": "HTTP"}}


_HTTPS = {**http_probe(), "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTPS"}}


def _corrected(stage: Stage, names: Names, rng: Random) -> None:
    """The probe asked at the wrong port for some minutes, an hour ago."""
    put_app(stage, names, rng.uniform(50, 56) * 60, _on_8080(names, rng), readinessProbe=_port(9090))

    def correct(obj: Obj) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = http_probe()

    stage.change_at(rng.uniform(40, 45) * 60, "Deployment", HOME, names.api, correct)


def _ready_at_last(stage: Stage, names: Names, rng: Random) -> None:
    """Needed some minutes to become ready, an hour ago."""
    put_app(stage, names, rng.uniform(50, 56) * 60, _behaving(names, ready_after_s=rng.uniform(200, 400)))


def _still_starting(stage: Stage, names: Names, rng: Random) -> None:
    """Started a minute ago; a startup probe gives it ten."""
    probe = http_probe(failures=60)
    program = _behaving(names, ready_after_s=rng.uniform(200, 300))
    put_app(stage, names, rng.uniform(50, 80), program, startupProbe=probe)


# hooks


def _hooked(names: Names) -> Obj:
    command = ["/bin/sh", "-c", f"/opt/hooks/register --name {names.api}"]
    return {"lifecycle": {"postStart": {"exec": {"command": command}}}}


def _killed_by_hook(names: Names, rng: Random) -> Program:
    """What the kubelet's kill looks like from inside."""
    return failing(
        logfmt("info", f"starting {names.api}"), code=rng.choice((137, 143)), after_s=rng.uniform(1, 9)
    )


def _hook_fails(stage: Stage, names: Names, rng: Random) -> None:
    began_s = recent_s(rng)
    pods = named_pods(stage, names, names.api_replicas)
    put_app(stage, names, began_s, _killed_by_hook(names, rng), **_hooked(names))
    _say_hook(stage, pods, began_s, tuple(20 + 90 * n for n in range(8)))


def _say_hook(stage: Stage, pods: tuple[str, ...], began_s: float, after_s: tuple[float, ...]) -> None:
    for pod in pods:
        for seconds in after_s:
            stage.say_at(began_s - seconds, "Pod", HOME, pod, "FailedPostStartHook", "PostStartHook failed")


def _hook_failed_at_first(stage: Stage, names: Names, rng: Random) -> None:
    began_s = rng.uniform(48, 55) * 60
    pods = named_pods(stage, names, names.api_replicas)
    put_app(stage, names, began_s, in_the_end(_killed_by_hook(names, rng), names), **_hooked(names))
    _say_hook(stage, pods, began_s, (15, 45, 75, 120))


def _stops(names: Names) -> Obj:
    return {"lifecycle": {"preStop": {"exec": {"command": ["/bin/drain", "--wait", names.api]}}}}


def _stopped(*, ago_s: float, hook_fails: bool) -> Build:
    """All pods were replaced at that time."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        before_s = ago_s * rng.uniform(0.8, 1.2)
        pods = named_pods(stage, names, names.api_replicas)
        put_app(stage, names, rng.uniform(2, 6) * DAY_S, serving(names.api), **_stops(names))
        for pod in pods if hook_fails else ():
            stage.say_at(before_s + 1, "Pod", HOME, pod, "FailedPreStopHook", "PreStopHook failed")
        stage.replace_pods_at(before_s, HOME, names.api)

    return build


def _published_probe_404(stage: Stage, names: Names, rng: Random) -> None:
    """A new revision asks at a path that the program does not have; the old one serves."""
    put_app(stage, names, rng.uniform(2, 6) * DAY_S, serving(names.api))
    bad = stage.publish(f"{names.api_image}-next", Image(_answers(404)(names, rng)))

    def change(obj: Obj) -> None:
        main = obj["spec"]["template"]["spec"]["containers"][0]
        main["image"], main["livenessProbe"] = bad, http_probe("/health/live", delay_s=10)

    stage.change_at(recent_s(rng), "Deployment", HOME, names.api, change)


_WRONG = wrong("PROBE_TARGET_WRONG")
TRIALS: tuple[Trial, ...] = (
    trial(
        "LIVENESS_PROBE_FAILED",
        "positive",
        _app(_hangs, **_WATCHED),
        wrong("LIVENESS_PROBE_FAILED"),
        says="It serves for a minute or two, hangs, and is killed for it.",
    ),
    trial(
        "LIVENESS_PROBE_FAILED",
        "look_alike",
        _app(_fails_and_is_probed, **_WATCHED),
        wrong("APP_ERROR"),
        says="Its probe fails too, but it ends by itself.",
    ),
    trial(
        "LIVENESS_PROBE_FAILED",
        "recovered",
        crashed_and_recovered(_hangs, **_WATCHED),
        says="It was killed four times, three quarters of an hour ago.",
    ),
    trial(
        "READINESS_PROBE_FAILED",
        "look_alike",
        _app(_answers(404)),
        _WRONG,
        says="Never ready either, but it is the probe that asks for what is not there.",
    ),
    trial(
        "READINESS_PROBE_FAILED", "recovered", _ready_at_last, says="It was slow to get ready, an hour ago."
    ),
    trial(
        "READINESS_PROBE_FAILED", "recovered", _still_starting, says="Within its time.", variant="starting"
    ),
    trial(
        "STARTUP_TOO_SLOW",
        "positive",
        _app(_slow, **_WATCHED),
        wrong("STARTUP_TOO_SLOW"),
        says="It needs minutes to start, and its liveness probe half a minute.",
    ),
    trial(
        "STARTUP_TOO_SLOW",
        "positive",
        _app(_slow, startupProbe=http_probe(failures=4)),
        wrong("STARTUP_TOO_SLOW"),
        says="It has a startup probe that gives up too early.",
        variant="startup-probe",
    ),
    trial(
        "STARTUP_TOO_SLOW",
        "look_alike",
        _app(_hangs, **_WATCHED),
        wrong("LIVENESS_PROBE_FAILED"),
        says="It answered for a while.",
    ),
    trial(
        "STARTUP_TOO_SLOW",
        "look_alike",
        _app(_dies_before_it_listens, **_WATCHED),
        wrong("LIVENESS_PROBE_FAILED"),
        says="It never answers, for a reason that its log tells.",
        variant="broken",
    ),
    trial(
        "STARTUP_TOO_SLOW",
        "recovered",
        crashed_and_recovered(_slow, **_WATCHED),
        says="The first starts were too slow, three quarters of an hour ago.",
    ),
    trial(
        "PROBE_TARGET_WRONG",
        "positive",
        _app(_on_8080, readinessProbe=_port(9090)),
        _WRONG,
        says="The readiness probe asks at a port at which nobody listens.",
        variant="port",
    ),
    trial(
        "PROBE_TARGET_WRONG",
        "positive",
        _app(_on_8080, livenessProbe=_port(8081)),
        _WRONG,
        says="The liveness probe asks at a port at which nobody listens.",
        variant="liveness-port",
    ),
    trial(
        "PROBE_TARGET_WRONG",
        "positive",
        _published_probe_404,
        _WRONG,
        says="404 for the path.",
        variant="path",
    ),
    trial(
        "PROBE_TARGET_WRONG",
        "positive",
        _app(_speaks_http, readinessProbe=_HTTPS),
        _WRONG,
        says="HTTPS to a program that speaks HTTP.",
        variant="https",
    ),
    trial(
        "PROBE_TARGET_WRONG",
        "positive",
        _app(_speaks_tls),
        _WRONG,
        says="HTTP to a TLS port.",
        variant="http",
    ),
    trial(
        "PROBE_TARGET_WRONG",
        "look_alike",
        _app(_answers(503)),
        wrong("READINESS_PROBE_FAILED"),
        says="The right place, and the program says that it is not well.",
    ),
    trial(
        "PROBE_TARGET_WRONG", "recovered", _corrected, says="It was corrected three quarters of an hour ago."
    ),
    trial(
        "POST_START_HOOK_FAILED",
        "positive",
        _hook_fails,
        wrong("POST_START_HOOK_FAILED"),
        says="The kubelet kills the container each time its hook fails.",
    ),
    trial(
        "POST_START_HOOK_FAILED",
        "look_alike",
        _app(_hangs, **_WATCHED),
        wrong("LIVENESS_PROBE_FAILED"),
        says="Killed by the kubelet too, for its probe.",
    ),
    trial("POST_START_HOOK_FAILED", "recovered", _hook_failed_at_first, says="Failed at first, an hour ago."),
    trial(
        "PRE_STOP_HOOK_FAILED",
        "positive",
        _stopped(ago_s=300, hook_fails=True),
        wrong("PRE_STOP_HOOK_FAILED"),
        says="The pods were replaced, and none of them stopped in order.",
    ),
    trial(
        "PRE_STOP_HOOK_FAILED",
        "look_alike",
        _stopped(ago_s=300, hook_fails=False),
        says="Replaced, in order.",
    ),
    trial("PRE_STOP_HOOK_FAILED", "recovered", _stopped(ago_s=2400, hook_fails=True), says="Long ago."),
)
