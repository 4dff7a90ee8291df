"""One small world per further cause: held-out ground for a diagnosis, beside the fixtures of the page.

Each is one Deployment (or Service, Job) that has been wrong for a quarter of an hour; wordings and numbers
differ by seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Expected, Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Behaviour, Program, Run, failing, logfmt, serving
from aiops_lab.scenarios.shapes import config_map, container, deployment, http_probe, service, template

HOME = "production"
Make = Callable[[Names, Random], "Wrong"]


@dataclass(frozen=True, slots=True)
class Wrong:
    """What one story puts into the world."""

    program: Program
    container: Obj
    pod: Obj
    beside: tuple[Obj, ...] = ()
    selects: str = ""  # the app label that the Service selects, where it is not the workload's


def _one(names: Names, program: Program, **main: object) -> Wrong:
    return Wrong(program, {"readinessProbe": http_probe(), **main}, {})


def _dies(names: Names, rng: Random, ways: tuple[str, ...], code: int = 1) -> Wrong:
    hello = logfmt("info", f"starting {names.api}")
    return _one(names, failing(hello, ways[names.seed % len(ways)], code=code, after_s=rng.uniform(1, 6)))


def _dependency(names: Names, rng: Random) -> Wrong:
    port, host = rng.choice((5432, 6379, 9092, 3306)), f"{rng.choice(('db', 'cache', 'broker'))}.internal"
    ways = (
        logfmt("fatal", f"cannot reach backend: dial tcp {host}:{port}: connect: connection refused"),
        f"Error: connect ECONNREFUSED {host}:{port}",
        f"java.net.UnknownHostException: {host}",
        f"psycopg.OperationalError: could not connect to server {host}: Connection timed out",
    )
    return _dies(names, rng, ways)


def _arguments(names: Names, rng: Random) -> Wrong:
    flag = rng.choice(("--max-conns", "--poll-interval", "--enable-tracing"))
    ways = (
        f"unknown flag: {flag}",
        f"flag provided but not defined: {flag}",
        f"error: unrecognized option '{flag}'",
    )
    return _dies(names, rng, ways, code=2)


def _command(names: Names, rng: Random) -> Wrong:
    path = rng.choice(("/app/serve", "/usr/local/bin/run", "/entrypoint"))
    ways = (f"sh: 1: {path}: not found", f"/bin/sh: {path}: No such file or directory")
    return _dies(names, rng, ways, code=127)


def _architecture(names: Names, rng: Random) -> Wrong:
    path = rng.choice(("/app/server", "/manager", "/usr/bin/node"))
    return Wrong(failing(f"exec {path}: exec format error", after_s=0.4), {}, {})


def _secret(names: Names, rng: Random) -> Wrong:
    del rng
    return _one(names, serving(names.api), envFrom=[{"secretRef": {"name": f"{names.config}-keys"}}])


def _key(names: Names, rng: Random) -> Wrong:
    ref = {"name": names.config, "key": names.setting}
    there = config_map(
        HOME, names.config, {f"{names.setting}_OLD": f"h{rng.randint(1, 9)}", "LOG_LEVEL": "info"}
    )
    wrong = _one(
        names, serving(names.api), env=[{"name": names.setting, "valueFrom": {"configMapKeyRef": ref}}]
    )
    return Wrong(wrong.program, wrong.container, wrong.pod, (there,))


def _cpu(names: Names, rng: Random) -> Wrong:
    asked = {"requests": {"cpu": str(rng.randint(5, 24)), "memory": "256Mi"}}
    return _one(names, serving(names.api), resources=asked)


def _selector(names: Names, rng: Random) -> Wrong:
    key, value = rng.choice((("disktype", "nvme"), ("accelerator", "gpu-a10"), ("team", "payments")))
    return Wrong(serving(names.api), {}, {"nodeSelector": {key: value}})


def _unready(names: Names, rng: Random) -> Wrong:
    status = rng.choice((500, 503, 502))

    def run(start: Run) -> Behaviour:
        calm = serving(names.api)(start)
        words = f"HTTP probe failed with statuscode: {status}"
        return Behaviour(calm.lines, calm.chatter, memory=calm.memory, ready_after_s=None, probe_error=words)

    return _one(names, run)


def _lost_selector(names: Names, rng: Random) -> Wrong:
    wrong = _one(names, serving(names.api))
    return Wrong(
        wrong.program, wrong.container, wrong.pod, selects=f"{names.api}{rng.choice(('-v2', 's', '-web'))}"
    )


def _story(
    code: str, make: Make, *, kind: str = "Deployment", name: str = "{api}"
) -> tuple[str, Make, str, str]:
    return code, make, kind, name


_STORIES: dict[str, tuple[str, tuple[str, Make, str, str]]] = {
    "pod-crashloop-dependency": (
        "Crash loop: a backend cannot be reached",
        _story("DEPENDENCY_UNREACHABLE", _dependency),
    ),
    "pod-crashloop-arguments": ("Crash loop: an unknown flag", _story("BAD_ARGUMENTS", _arguments)),
    "pod-crashloop-command": ("Crash loop: exit 127", _story("COMMAND_NOT_FOUND", _command)),
    "pod-crashloop-architecture": (
        "Crash loop: built for another architecture",
        _story("WRONG_ARCHITECTURE", _architecture),
    ),
    "pod-config-secret": (
        "CreateContainerConfigError: a required Secret is not there",
        _story("SECRET_MISSING", _secret, kind="Secret", name="{config}-keys"),
    ),
    "pod-config-key": (
        "CreateContainerConfigError: the ConfigMap lacks a key",
        _story("CONFIG_KEY_MISSING", _key, kind="ConfigMap", name="{config}"),
    ),
    "pod-pending-cpu": ("Pending: no node has that much cpu", _story("INSUFFICIENT_CPU", _cpu)),
    "pod-pending-selector": (
        "Pending: no node has the wanted label",
        _story("NODE_SELECTOR_UNMATCHED", _selector),
    ),
    "pod-not-ready": ("Running, never Ready", _story("READINESS_PROBE_FAILED", _unready)),
    "service-selector": (
        "A Service selects nothing",
        _story("SERVICE_SELECTOR_MISMATCH", _lost_selector, kind="Service"),
    ),
}


def _scenario(name: str, title: str, story: tuple[str, Make, str, str]) -> Scenario:
    code, make, kind, target = story

    def build(stage: Stage, names: Names, rng: Random) -> None:
        wrong = make(names, rng)
        image = stage.publish(names.api_image, Image(wrong.program))
        pod = template(
            {"app": names.api, "tier": "backend"}, [container("app", image, **wrong.container)], **wrong.pod
        )
        front = service(HOME, names.api, names.api)
        front["spec"]["selector"] = {"app": wrong.selects or names.api, "tier": "backend"}
        made = deployment(HOME, names.api, names.api_replicas, pod)
        stage.put_at(rng.uniform(14, 25) * 60, *wrong.beside, made, front)

    def expect(names: Names) -> tuple[Expected, ...]:
        where = target.format(api=names.api, config=names.config)
        return (Expected(code, kind, HOME, where, hurts_name=names.api),)

    says = f"{title}. A workload that never worked since it was rolled out a quarter of an hour ago."
    return Scenario(name, title, says, "symptom", build, expect)


SCENARIOS = tuple(_scenario(name, title, story) for name, (title, story) in _STORIES.items())
