"""F1: an api that crash-loops because its ConfigMap is gone, its variants, and what only looks like it."""

from collections.abc import Callable
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expected, Scenario, Stage
from aiops_lab.scenarios.images import Image, split
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Behaviour, Program, Run, Switch, failing, logfmt, needing, serving
from aiops_lab.scenarios.shapes import config_map, container, deployment, http_probe, service, template
from aiops_lab.scenarios.wording import missing_setting, own_failure

HOME = "production"
DAY_S = 86_400.0
DELETED_S, CRASHING_S = 24 * 60.0, 22 * 60.0


def _program(names: Names) -> Program:
    said = missing_setting(names, split(names.api_image)[1])
    return needing(names.setting, serving(names.api, memory_mi=110, cpu_m=45), *said)


def _settings(names: Names, rng: Random) -> dict[str, str]:
    host = f"db-{rng.randint(1, 9)}.{HOME}.svc.cluster.local"
    return {names.setting: host, "DB_POOL_SIZE": str(rng.choice((10, 20, 40))), "LOG_LEVEL": "info"}


def api_pod(names: Names, **more: Any) -> Obj:
    """The api's pod template; keywords go into its container, `volumes` into the pod."""
    volumes = more.pop("volumes", None)
    main = container("app", names.api_image, readinessProbe=http_probe(), **more)
    return template({"app": names.api}, [main], **({"volumes": volumes} if volumes else {}))


def _settle(stage: Stage, names: Names, rng: Random, pod: Obj, program: Program) -> None:
    """Days of health: image, ConfigMap beside a decoy, Deployment, Service."""
    stage.publish(names.api_image, Image(program))
    if names.seed == 0:
        stage.call_pods(HOME, names.api, "6c9d7f5b8")
    since_s = rng.uniform(3, 9) * DAY_S
    settings = _settings(names, rng)
    decoy = {key: f"{value}.old" for key, value in settings.items()}
    stage.put_at(since_s + 60, config_map(HOME, names.config, settings))
    stage.put_at(since_s + 30, config_map(HOME, names.decoy_config, decoy))
    stage.put_at(since_s, deployment(HOME, names.api, names.api_replicas, pod))
    stage.put_at(since_s, service(HOME, names.api, names.api))


def _start_anew(stage: Stage, names: Names, before_s: float) -> None:
    """All pods at once, as a node's drain would do it."""
    if names.seed == 0:
        stage.at(before_s + 1, lambda: stage.call_pods(HOME, names.api, "", "x2k4q"))
    stage.replace_pods_at(before_s, HOME, names.api)


def _shift_s(names: Names, rng: Random) -> float:
    return 0.0 if names.seed == 0 else rng.uniform(-60, 60)


def _lost_config(shape: Callable[[Names], Obj], *, reads_file: bool = False) -> Build:
    """A week of health, then the ConfigMap goes and the pods are started anew."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        program = serving(names.api) if reads_file else _program(names)
        _settle(stage, names, rng, shape(names), program)
        shift_s = _shift_s(names, rng)
        stage.delete_at(DELETED_S + shift_s, "ConfigMap", HOME, names.config, names.cleaner)
        _start_anew(stage, names, CRASHING_S + shift_s)

    return build


def _optional(names: Names) -> Obj:
    return api_pod(names, envFrom=[{"configMapRef": {"name": names.config, "optional": True}}])


def _with_an_absent_extra(names: Names) -> Obj:
    extra = {"configMapRef": {"name": f"{names.api}-local-overrides", "optional": True}}
    return api_pod(names, envFrom=[{"configMapRef": {"name": names.config, "optional": True}}, extra])


def _required(names: Names) -> Obj:
    return api_pod(names, envFrom=[{"configMapRef": {"name": names.config}}])


def _mounted(names: Names) -> Obj:
    mount = {"name": "cfg", "mountPath": "/etc/app", "readOnly": True}
    volume = {"name": "cfg", "configMap": {"name": names.config}}
    return api_pod(names, volumeMounts=[mount], volumes=[volume])


def _missing(names: Names) -> tuple[Expected, ...]:
    said = f"{names.api}.*(ConfigMap|configmap).*{names.config}"
    return (
        Expected("CONFIGMAP_MISSING", "ConfigMap", HOME, names.config, hurts_name=names.api, headline=said),
    )


def _wrong(code: str) -> Callable[[Names], tuple[Expected, ...]]:
    def expect(names: Names) -> tuple[Expected, ...]:
        return (Expected(code, "Deployment", HOME, names.api, hurts_name=names.api, headline=names.api),)

    return expect


def _turns_bad(bad: Callable[[Names, Random], Program], shape: Callable[[Names], Obj]) -> Build:
    """The ConfigMap stays; the program itself goes wrong with its next start."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        program = Switch(_program(names), bad(names, rng))
        _settle(stage, names, rng, shape(names), program)
        shift_s = _shift_s(names, rng)
        stage.at(CRASHING_S + shift_s + 5, program.turn)
        _start_anew(stage, names, CRASHING_S + shift_s)

    return build


def _panics(names: Names, rng: Random) -> Program:
    code = 1 if names.seed == 0 else rng.choice((1, 2, 3, 70, 101))
    return failing(*own_failure(names, rng, split(names.api_image)[1]), after_s=3.0, code=code)


def _hangs(names: Names, rng: Random) -> Program:
    waiting = rng.randint(80, 400)

    def run(start: Run) -> Behaviour:
        calm = serving(names.api)(start)
        stuck = logfmt("warn", "worker pool exhausted, requests queue up", waiting=waiting)
        return Behaviour(
            lines=(*calm.lines, (35.0, stuck)),
            memory=calm.memory,
            alive_until_s=40.0,
            probe_error='Get "http://{address}/healthz": context deadline exceeded '
            "(Client.Timeout exceeded while awaiting headers)",
            stop_code=143,
        )

    return run


def _watched(names: Names) -> Obj:
    pod = _optional(names)
    pod["spec"]["containers"][0]["livenessProbe"] = http_probe(delay_s=10)
    return pod


SCENARIOS = (
    Scenario(
        "pod-crashloop",
        "Crash loop: an optional ConfigMap is gone",
        "An api has been crash-looping for 22 minutes: somebody deleted its ConfigMap two minutes "
        "earlier. The reference is optional, so the container starts, misses a setting and exits 1. A "
        "ConfigMap with nearly the same name is there and has nothing to do with it.",
        "F1",
        _lost_config(_optional),
        _missing,
    ),
    Scenario(
        "pod-crashloop-config-error",
        "CreateContainerConfigError: a required ConfigMap is gone",
        "As pod-crashloop, but the reference is required: the container never starts and there are no logs.",
        "F1b",
        _lost_config(_required),
        _missing,
    ),
    Scenario(
        "pod-crashloop-mount",
        "ContainerCreating: a mounted ConfigMap is gone",
        "As pod-crashloop, but the ConfigMap is a volume: ContainerCreating for ever, with FailedMount.",
        "F1c",
        _lost_config(_mounted, reads_file=True),
        _missing,
    ),
    Scenario(
        "pod-crashloop-app-error",
        "Crash loop: the program itself fails",
        "The same api exits 1 with a fatal error of its own while its ConfigMap is there: looks like "
        "pod-crashloop, is not.",
        "F1-app-error",
        _turns_bad(_panics, _optional),
        _wrong("APP_ERROR"),
    ),
    Scenario(
        "pod-crashloop-unrelated",
        "Crash loop: the program fails, and an optional ConfigMap was never there",
        "As pod-crashloop-app-error, and beside the ConfigMap that is there the api names a second, "
        "optional one that never was: absent, and not the cause.",
        "F1-unrelated",
        _turns_bad(_panics, _with_an_absent_extra),
        _wrong("APP_ERROR"),
    ),
    Scenario(
        "pod-crashloop-liveness",
        "Crash loop: killed by its liveness probe",
        "The same api hangs after 40 s and the kubelet kills it: exit 143, Unhealthy and Killing events.",
        "F1-liveness",
        _turns_bad(_hangs, _watched),
        _wrong("LIVENESS_PROBE_FAILED"),
    ),
)
