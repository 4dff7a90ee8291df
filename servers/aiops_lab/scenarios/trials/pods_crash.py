"""Trials of programs that end: each cause by the words of several languages, the same words said in passing
by a program that dies of something else, and a program that failed a few times and has served since.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from aiops_lab.scenarios.base import Build, Expect, Stage, nothing
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import (
    MI,
    Behaviour,
    Curve,
    Program,
    Run,
    failing,
    logfmt,
    serving,
    working,
)
from aiops_lab.scenarios.shapes import container, deployment, job, service
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import (
    HOME,
    app_pod,
    crashed_and_recovered,
    put_app,
    recent_s,
    wrong,
)


@dataclass(frozen=True, slots=True)
class Words:
    """How programs say one cause with their last line; `{}` fields are filled by seed."""

    code: str
    lines: tuple[str, ...]
    exit_code: int = 1


_WORDS = (
    Words(
        "APP_ERROR",
        (
            'level=fatal msg="plan cache corrupt" shard={n}',
            "panic: runtime error: index out of range [{n}] with length 3",
            "java.lang.IllegalStateException: ledger is closed",
            "ValueError: invalid literal for int() with base 10: 'a{n}'",
            "thread 'main' panicked at src/main.rs:{n}:5: called `Option::unwrap()` on a `None` value",
        ),
    ),
    Words(
        "DEPENDENCY_UNREACHABLE",
        (
            'level=fatal msg="dial tcp {ip}:{port}: connect: connection refused"',
            "Error: getaddrinfo ENOTFOUND {host}",
            "java.net.UnknownHostException: {host}",
            "redis.exceptions.ConnectionError: Error 110 connecting to {host}:{port}. Connection timed out.",
            "FATAL: could not translate host name {host} to address: Name or service not known",
        ),
    ),
    Words(
        "PERMISSION_DENIED",
        (
            'level=fatal msg="open {path}: permission denied"',
            "PermissionError: [Errno 13] Permission denied: '{path}'",
            "Error: EACCES: permission denied, mkdir '{path}'",
            "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
        ),
    ),
    Words(
        "READ_ONLY_FILESYSTEM",
        (
            'level=fatal msg="mkdir {path}: read-only file system"',
            "OSError: [Errno 30] Read-only file system: '{path}'",
            "Error: EROFS: read-only file system, open '{path}'",
        ),
    ),
    Words(
        "PORT_IN_USE",
        (
            'level=fatal msg="listen tcp :{port}: bind: address already in use"',
            "Error: listen EADDRINUSE: address already in use :::{port}",
            "OSError: [Errno 98] Address already in use",
            "Web server failed to start. Port {port} was already in use. ERROR: port {port} already in use",
        ),
    ),
    Words(
        "OUT_OF_DISK",
        (
            'level=fatal msg="write {path}/wal-{n}: no space left on device"',
            "OSError: [Errno 28] No space left on device",
            "Error: ENOSPC: no space left on device, write",
        ),
    ),
    Words(
        "CERTIFICATE_EXPIRED",
        (
            'level=fatal msg="tls: failed to verify certificate: x509: certificate has expired"',
            "Error: CERT_HAS_EXPIRED: certificate has expired",
            "ssl.SSLCertVerificationError: certificate verify failed: certificate has expired (_ssl.c:1006)",
        ),
    ),
    Words("WRONG_ARCHITECTURE", ("exec {path}: exec format error", "exec /app/server: exec format error")),
    Words(
        "BAD_ARGUMENTS",
        (
            "unknown flag: --{flag}",
            "flag provided but not defined: -{flag}",
            "server: error: unrecognized arguments: --{flag} {n}",
            "error: unexpected argument '--{flag}' found",
        ),
        exit_code=2,
    ),
    Words(
        "SETTING_MISSING",
        (
            'level=fatal msg="required environment variable {setting} is not set"',
            "KeyError: '{setting}'",
            "Error: {setting} is required",
        ),
    ),
    Words(
        "COMMAND_NOT_FOUND",
        ("sh: 1: {path}: not found", "/bin/sh: {path}: No such file or directory"),
        exit_code=127,
    ),
    Words("KILLED_BY_SIGNAL", ("processed {n} items", "", "worker {n} up"), exit_code=139),
)


def _filled(line: str, names: Names, rng: Random) -> str:
    return line.format(
        n=rng.randint(4, 97),
        ip=f"10.0.{rng.randint(0, 9)}.{rng.randint(2, 250)}",
        port=rng.choice((5432, 6379, 9092, 3306, 8080)),
        host=f"{rng.choice(('db', 'cache', 'broker'))}.{rng.choice(('internal', 'svc.cluster.local'))}",
        path=rng.choice(("/data/state", "/var/cache/app", "/app/tmp")),
        flag=rng.choice(("max-conns", "poll-interval", "enable-tracing")),
        setting=names.setting,
    )


def _dies(words: Words) -> Callable[[Names, Random], Program]:
    def make(names: Names, rng: Random) -> Program:
        said = _filled(words.lines[(names.seed + rng.randrange(3)) % len(words.lines)], names, rng)
        hello = logfmt("info", f"starting {names.api}")
        lines = tuple(filter(None, (hello, said)))
        code = rng.choice((134, 139, 135)) if words.exit_code == 139 else words.exit_code
        return failing(*lines, code=code, after_s=rng.uniform(1, 9))

    return make


def _says_in_passing(words: Words) -> Callable[[Names, Random], Program]:
    """The same words at level warn, then another end."""

    def make(names: Names, rng: Random) -> Program:
        said = _filled(words.lines[names.seed % len(words.lines)], names, rng).replace('"', "'")
        for level in ("level=fatal msg=", "level=error msg="):
            said = said.removeprefix(level)
        warned = logfmt("warn", f"first try: {said}", next="retried, ok")
        end = rng.choice(
            (
                'level=fatal msg="schema version mismatch" have=12 want=14',
                "panic: assignment to entry in nil map",
                "RuntimeError: checkpoint is newer than this program",
            )
        )
        return failing(logfmt("info", "starting"), warned, end, code=1, after_s=rng.uniform(2, 8))

    return make


def _app(make: Callable[[Names, Random], Program], **main: Any) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        put_app(stage, names, recent_s(rng), make(names, rng), **main)

    return build


def _blames_a_dependency(names: Names, rng: Random) -> Program:
    host = f"broker-{rng.randint(1, 9)}.internal"
    return failing(
        logfmt("info", f"starting {names.api}"),
        logfmt("error", f"dial tcp {host}:9092: connect: connection refused"),
        logfmt("info", "shutting down"),
        code=1,
    )


def _grows(names: Names, rng: Random) -> Program:
    """Killed for memory soon after the start: signal 9, and no mystery."""
    after_s = rng.uniform(20, 60)

    def run(start: Run) -> Behaviour:
        calm = serving(names.api)(start)
        return Behaviour(calm.lines, calm.chatter, memory=Curve(((0.0, 60 * MI), (after_s, 900 * MI))))

    return run


def _look_alike(words: Words) -> tuple[Callable[[Names, Random], Program], Expect]:
    if words.code == "APP_ERROR":
        return _blames_a_dependency, wrong("DEPENDENCY_UNREACHABLE")
    if words.code == "KILLED_BY_SIGNAL":
        return _grows, wrong("OOM_LIMIT_TOO_LOW")
    return _says_in_passing(words), wrong("APP_ERROR")


def _trials_of(words: Words) -> tuple[Trial, ...]:
    code, bad = words.code, _dies(words)
    other, expect = _look_alike(words)
    return (
        trial(code, "positive", _app(bad), wrong(code), says="A workload ends in this way at every start."),
        trial(
            code, "look_alike", _app(other), expect, says="It says so in passing and ends of something else."
        ),
        trial(
            code,
            "recovered",
            crashed_and_recovered(bad),
            says="It ended so four times three quarters of an hour ago.",
        ),
    )


def _ends(names: Names, rng: Random) -> Program:
    return failing(logfmt("info", "all done", items=rng.randint(3, 90)), code=0, after_s=rng.uniform(2, 20))


def _a_job_that_ends(stage: Stage, names: Names, rng: Random) -> None:
    program = working(logfmt("info", "all done"), takes_s=rng.uniform(5, 60))
    image = stage.publish(names.api_image, Image(program))
    stage.put_at(recent_s(rng), job(HOME, f"{names.api}-once", image))


def _init_fails(stage: Stage, names: Names, rng: Random) -> None:
    """The init container is the broken one; the program itself never starts."""
    hook = stage.publish(f"{names.api_image}-init", Image(_dies(_WORDS[0])(names, rng)))
    image = stage.publish(names.api_image, Image(serving(names.api)))
    first = container("migrate", hook)
    del first["ports"]
    made = app_pod(names, image, pod={"initContainers": [first]})
    stage.put_at(recent_s(rng), deployment(HOME, names.api, names.api_replicas, made))
    stage.put_at(recent_s(rng), service(HOME, names.api, names.api))


def _exit_3(stage: Stage, names: Names, rng: Random) -> None:
    """Nothing in the log: the exit code is all there is."""
    program = failing(code=rng.choice((3, 42, 70)), after_s=rng.uniform(1, 5))
    put_app(stage, names, recent_s(rng), program)


TRIALS: tuple[Trial, ...] = (
    *(one for words in _WORDS for one in _trials_of(words)),
    trial(
        "APP_ERROR",
        "positive",
        _init_fails,
        wrong("APP_ERROR", headline="Init container migrate"),
        says="The init container fails; the containers never start.",
        variant="init",
    ),
    trial(
        "APP_ERROR",
        "positive",
        _exit_3,
        wrong("APP_ERROR"),
        says="It ends without a word.",
        variant="silent",
    ),
    trial(
        "CONTAINER_EXITS",
        "positive",
        _app(_ends),
        wrong("CONTAINER_EXITS"),
        says="A Deployment of a program that has an end.",
    ),
    trial("CONTAINER_EXITS", "look_alike", _a_job_that_ends, nothing, says="A Job that is done is done."),
    trial(
        "CONTAINER_EXITS",
        "recovered",
        crashed_and_recovered(_ends),
        says="It ended four times and has run since.",
    ),
)
