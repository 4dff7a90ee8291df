"""Trials of missing configuration: ConfigMaps, Secrets and keys that are needed and not there."""

from collections.abc import Callable
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import failing, logfmt, needing, serving
from aiops_lab.scenarios.shapes import config_map, secret
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import HOME, put_app, recent_s, wrong


def _keys(names: Names) -> str:
    return f"{names.config}-keys"


def _reads_secret(names: Names, *, optional: bool = False) -> Obj:
    ref = {"name": _keys(names)} | ({"optional": True} if optional else {})
    return {"envFrom": [{"secretRef": ref}]}


def _key_of(names: Names, kind: str) -> Obj:
    """A variable from one key of an object."""
    name = names.config if kind == "configMapKeyRef" else _keys(names)
    value = {kind: {"name": name, "key": names.setting}}
    return {"env": [{"name": names.setting, "valueFrom": value}]}


def _mounts_secret(names: Names) -> tuple[Obj, Obj]:
    """The container's part and the pod's part of a mounted Secret."""
    mount = {"name": "keys", "mountPath": "/etc/keys", "readOnly": True}
    volume = {"name": "keys", "secret": {"secretName": _keys(names)}}
    return {"volumeMounts": [mount]}, {"volumes": [volume]}


def _mounted_secret(stage: Stage, names: Names, rng: Random) -> None:
    main, pod = _mounts_secret(names)
    put_app(stage, names, recent_s(rng), serving(names.api), pod=pod, **main)


def _optional_secret(stage: Stage, names: Names, rng: Random) -> None:
    """It starts without, and says what it misses."""
    said = rng.choice(
        (
            f'level=fatal msg="{names.setting} must be set"',
            f"Error: missing required environment variable {names.setting}",
        )
    )
    program = needing(names.setting, serving(names.api), logfmt("info", "starting"), said)
    put_app(stage, names, recent_s(rng), program, **_reads_secret(names, optional=True))


def _secret_without_key(stage: Stage, names: Names, rng: Random) -> None:
    """The Secret is there; what it lacks is the key."""
    held = secret(HOME, _keys(names), {f"{names.setting}_OLD": "not-a-real-value"})
    stage.put_at(2 * 86_400.0, held)
    put_app(stage, names, recent_s(rng), serving(names.api), **_key_of(names, "secretKeyRef"))


def _app_error_beside(stage: Stage, names: Names, rng: Random) -> None:
    """An optional ConfigMap was never there; the program dies of something else and says so."""
    ref = {"configMapRef": {"name": names.config, "optional": True}}
    words = f"panic: interface conversion: interface is nil, not *plan.Node (line {rng.randint(10, 900)})"
    program = failing(logfmt("info", "starting"), words, code=2, after_s=rng.uniform(1, 6))
    put_app(stage, names, recent_s(rng), program, envFrom=[ref])


def _came_later(make: Callable[[Names], Obj], main: Callable[[Names], Obj]) -> Build:
    """The workload waited for some minutes, three quarters of an hour ago; then the object came."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = rng.uniform(46, 55) * 60
        put_app(stage, names, began_s, serving(names.api), **main(names))
        stage.put_at(began_s - rng.uniform(60, 300), make(names))

    return build


def _a_secret(names: Names) -> Obj:
    return secret(HOME, _keys(names), {names.setting: "not-a-real-value"})


def _key_added_later(stage: Stage, names: Names, rng: Random) -> None:
    began_s = rng.uniform(46, 55) * 60
    stage.put_at(86_400.0, config_map(HOME, names.config, {"LOG_LEVEL": "info"}))
    put_app(stage, names, began_s, serving(names.api), **_key_of(names, "configMapKeyRef"))

    def add(obj: Obj) -> None:
        obj["data"][names.setting] = "db-1.internal"

    stage.change_at(began_s - rng.uniform(60, 300), "ConfigMap", HOME, names.config, add)


def _missing_key_by_log(stage: Stage, names: Names, rng: Random) -> None:
    """The whole ConfigMap is read, it is there, and has every setting but the one that the log asks for."""
    stage.put_at(
        86_400.0, config_map(HOME, names.config, {"LOG_LEVEL": "info", "POOL": str(rng.randint(2, 9))})
    )
    words = logfmt("fatal", f"required setting {names.setting} is empty")
    program = needing(names.setting, serving(names.api), logfmt("info", "starting"), words)
    ref = {"configMapRef": {"name": names.config}}
    put_app(stage, names, recent_s(rng), program, envFrom=[ref])


def _no_config_at_all(stage: Stage, names: Names, rng: Random) -> None:
    """A key is asked for, and it is the object that is missing."""
    put_app(stage, names, recent_s(rng), serving(names.api), **_key_of(names, "configMapKeyRef"))


TRIALS: tuple[Trial, ...] = (
    trial(
        "CONFIGMAP_MISSING",
        "look_alike",
        _app_error_beside,
        wrong("APP_ERROR"),
        says="An optional ConfigMap is absent and has nothing to do with it.",
    ),
    trial(
        "SECRET_MISSING",
        "positive",
        _mounted_secret,
        wrong("SECRET_MISSING", "Secret", "{config}-keys"),
        says="A mounted Secret is not there.",
        variant="mounted",
    ),
    trial(
        "SECRET_MISSING",
        "positive",
        _optional_secret,
        wrong("SECRET_MISSING", "Secret", "{config}-keys"),
        says="An optional Secret is not there, and the program cannot do without.",
        variant="optional",
    ),
    trial(
        "SECRET_MISSING",
        "look_alike",
        _secret_without_key,
        wrong("CONFIG_KEY_MISSING", "Secret", "{config}-keys"),
        says="The Secret is there, its key is not.",
    ),
    trial(
        "SECRET_MISSING",
        "recovered",
        _came_later(_a_secret, _reads_secret),
        says="The Secret came some minutes after the workload.",
    ),
    trial(
        "CONFIG_KEY_MISSING",
        "positive",
        _missing_key_by_log,
        wrong("CONFIG_KEY_MISSING", "ConfigMap", "{config}"),
        says="The ConfigMap lacks what the log asks for.",
        variant="by-log",
    ),
    trial(
        "CONFIG_KEY_MISSING",
        "look_alike",
        _no_config_at_all,
        wrong("CONFIGMAP_MISSING", "ConfigMap", "{config}"),
        says="The whole ConfigMap is missing.",
    ),
    trial("CONFIG_KEY_MISSING", "recovered", _key_added_later, says="The key was added some minutes later."),
)
