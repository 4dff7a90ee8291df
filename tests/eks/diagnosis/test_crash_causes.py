"""Programs that end, probes that kill: the exit code narrows, the event or the log line decides."""

from dataclasses import replace

import pytest

from aiops_eks.diagnosis.facts import Facts
from tests.eks.diagnosis.worlds import (
    LOOP,
    codes,
    crashing,
    died,
    happened,
    missing,
    only,
    pod,
    reads,
    running,
    waiting,
    world,
)

LIVENESS = {
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
    "ports": [{"containerPort": 8080}],
}
UNHEALTHY = "Liveness probe failed: HTTP probe failed with statuscode: 503"
KILLING = "Container web failed liveness probe, will be restarted"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("panic: runtime error: index out of range [5] with length 3", "APP_ERROR"),
        (
            "ERROR could not start: dial tcp 10.0.0.9:5432: connect: connection refused",
            "DEPENDENCY_UNREACHABLE",
        ),
        ("Error: getaddrinfo ENOTFOUND db.shop.svc", "DEPENDENCY_UNREACHABLE"),
        ("fatal: open /data/state: permission denied", "PERMISSION_DENIED"),
        ("OSError: [Errno 30] Read-only file system: '/app/cache'", "READ_ONLY_FILESYSTEM"),
        ("Error: listen EADDRINUSE: address already in use :::8080", "PORT_IN_USE"),
        ("ERROR write /var/log/app: no space left on device", "OUT_OF_DISK"),
        ("error: x509: certificate has expired or is not yet valid", "CERTIFICATE_EXPIRED"),
        ("error: unknown flag: --verbos", "BAD_ARGUMENTS"),
        ("error: environment variable QUEUE_URL is not set", "SETTING_MISSING"),
        ("exec /app/server: exec format error", "WRONG_ARCHITECTURE"),
    ],
)
def test_the_telling_line_gives_the_code_and_is_quoted(line: str, code: str) -> None:
    found = only(world(crashing(), log=["starting up", line]))
    assert found.code == code
    assert any(line[:40].split("'")[0] in e.says for e in found.evidence)


def test_a_fatal_line_outweighs_later_chatter() -> None:
    log = ["level=fatal msg=bang", "level=error msg=closing", "bye"]
    assert any("bang" in e.says for e in only(world(crashing(), log=log)).evidence)


@pytest.mark.parametrize("code", [126, 127])
def test_exit_126_and_127_are_about_the_command(code: int) -> None:
    assert only(world(crashing(code))).code == "COMMAND_NOT_FOUND"


def test_a_start_error_of_the_runtime_is_about_the_command() -> None:
    message = 'exec: "serve": executable file not found in $PATH: unknown'
    stuck = pod(state=LOOP, last=died(128, "StartError", message=message), restarts=4)
    assert only(world(stuck)).code == "COMMAND_NOT_FOUND"


@pytest.mark.parametrize(("code", "name"), [(139, "SIGSEGV"), (134, "SIGABRT")])
def test_a_signal_is_named(code: int, name: str) -> None:
    found = only(world(crashing(code)))
    assert found.code == "KILLED_BY_SIGNAL"
    assert name in found.title


def test_exit_0_again_and_again_is_a_program_that_finishes() -> None:
    assert only(world(crashing(0, "Completed"))).code == "CONTAINER_EXITS"


@pytest.mark.parametrize("code", [143, 137, 0])
def test_a_kill_after_failed_liveness_probes_is_the_probes_cause_whatever_the_exit_code(code: int) -> None:
    reason = "Completed" if code == 0 else "Error"
    facts = world(
        crashing(code, reason, lived_s=45, container=LIVENESS),
        happened("Unhealthy", UNHEALTHY, ago_s=70),
        happened("Killing", KILLING, ago_s=65, kind="Normal"),
    )
    found = only(facts)
    assert found.code == "LIVENESS_PROBE_FAILED"
    assert len(found.evidence) >= 3


def test_a_program_that_exits_by_itself_while_its_probe_fails_too_is_an_app_error() -> None:
    facts = world(
        crashing(1, container=LIVENESS), happened("Unhealthy", UNHEALTHY), log=["level=fatal msg=bang"]
    )
    assert only(facts).code == "APP_ERROR"


def test_oomkilled_outweighs_the_probe() -> None:
    limited = LIVENESS | {"resources": {"limits": {"memory": "128Mi"}}}
    facts = world(crashing(137, "OOMKilled", container=limited), happened("Unhealthy", UNHEALTHY))
    assert only(facts).code == "OOM_LIMIT_TOO_LOW"


def test_a_probe_of_a_port_that_the_container_does_not_have_is_said() -> None:
    wrong = LIVENESS | {"ports": [{"containerPort": 9000}]}
    facts = world(crashing(143, container=wrong), happened("Killing", KILLING, kind="Normal"))
    assert "none of the container's ports" in only(facts).root_cause


def test_a_container_that_is_never_ready_is_found_by_its_readiness_probe() -> None:
    probe = {"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}}}
    slow = pod(state=running(1200), container=probe)
    facts = world(
        slow, happened("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
    )
    assert only(facts).code == "READINESS_PROBE_FAILED"


def test_a_container_that_is_still_starting_is_no_finding() -> None:
    probe = {"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}}}
    slow = pod(state=running(20), container=probe)
    assert codes(world(slow, happened("Unhealthy", "Readiness probe failed: 503", ago_s=5))) == []


@pytest.mark.parametrize("kind", ["Liveness", "Readiness"])
def test_a_probe_warning_that_stopped_is_no_finding(kind: str) -> None:
    well = pod(state=running(90_000), ready=True, container=LIVENESS)
    assert codes(world(well, happened("Unhealthy", f"{kind} probe failed: 503", ago_s=3000))) == []


def test_a_restart_last_week_is_no_finding() -> None:
    well = pod(state=running(500_000), ready=True, restarts=5, last=died(ago_s=500_000))
    assert codes(world(well)) == []


def test_a_completed_job_pod_is_no_finding() -> None:
    done = pod(state=died(0, "Completed"), phase="Succeeded", spec={"restartPolicy": "Never"})
    assert codes(world(done)) == []


def test_a_failing_init_container_is_found() -> None:
    init = {"initContainers": [{"name": "migrate", "image": "repo/m:1"}]}
    status = {"name": "migrate", "restartCount": 5, "state": LOOP, "lastState": died(), "ready": False}
    stuck = pod(state=waiting("PodInitializing"), spec=init, phase="Pending", initContainerStatuses=[status])
    found = only(world(stuck, log=['level=error msg="relation exists"']))
    assert found.code == "APP_ERROR"
    assert "migrate" in found.root_cause


def test_an_init_container_that_never_ends_is_found() -> None:
    init = {"initContainers": [{"name": "wait-db", "image": "repo/w:1"}]}
    status = {"name": "wait-db", "restartCount": 0, "state": running(1200), "ready": False}
    stuck = pod(state=waiting("PodInitializing"), spec=init, phase="Pending", initContainerStatuses=[status])
    assert only(world(stuck, log=["waiting for db"])).code == "INIT_CONTAINER_WAITS"


def test_run_as_non_root_with_a_root_image_is_said() -> None:
    said = "container has runAsNonRoot and image will run as root"
    stuck = pod(state=waiting("CreateContainerConfigError", said))
    assert only(world(stuck)).code == "RUN_AS_ROOT_REFUSED"


def test_an_unknown_container_error_is_quoted_rather_than_guessed() -> None:
    found = only(world(pod(state=waiting("CreateContainerError", "context deadline exceeded"))))
    assert found.code == "CONTAINER_CREATE_FAILED"
    assert any("context deadline exceeded" in e.says for e in found.evidence)


@pytest.mark.parametrize(
    "lines",
    [
        [
            "flag provided but not defined: -verbos",
            "Usage of /app:",
            "  -level string",
            "    \tinfo or error",
        ],
        [
            "Error: unknown shorthand flag: 'x' in -x",
            "Usage:",
            "  app [flags]",
            "Flags:",
            "      --log ERROR",
        ],
        ['invalid value "ten" for flag -port: parse error', "Usage of /app:", "  -port int"],
        ['Error: required flag(s) "config" not set'],
        ['unknown command "serv" for "app"', "Run 'app --help' for usage."],
        ["usage: app.py [-h] [--port PORT]", "app.py: error: unrecognized arguments: --prot 80"],
        ["usage: app.py [-h] config", "app.py: error: the following arguments are required: config"],
        ["Usage: app [OPTIONS]", "Try 'app --help' for help.", "", "Error: No such option: --prot"],
        ["app: invalid option -- 'z'", "Try 'app --help' for more information."],
        ["app: illegal option -- z", "usage: app [-abc]"],
        ["error: unexpected argument '--prot' found", "", "Usage: app [OPTIONS]"],
        ["Unrecognized VM option 'UseFastGC'", "Error: Could not create the Java Virtual Machine."],
        ["node: bad option: --prot"],
        ["error: unknown option '--prot'"],
        ['nginx: invalid option: "z"'],
        ["Error parsing command line arguments: unknown long flag '--prot'"],
        ["Usage: app <config-file>"],
        ["listening soon", "unknown flag: --prot", "exiting"],
    ],
)
def test_arguments_are_blamed_in_the_words_of_the_common_parsers(lines: list[str]) -> None:
    found = only(world(crashing(2), log=lines))
    assert found.code == "BAD_ARGUMENTS"
    assert "arguments" in found.title


@pytest.mark.parametrize(
    "lines",
    [
        ["fatal: mmap /data/index: invalid argument"],  # EINVAL of a call, not of the command line
        ["ERROR ERR unknown command 'JSON.GET'"],  # a server's answer
        ['Error: Cannot query field, unknown argument "id" on field "cart"'],
        ["INFO  flags: unknown flag: --old is ignored", "panic: index out of range [3]"],
        ["Usage: 93 % of the heap", "panic: index out of range [3]"],
        ["bye"],
    ],
)
def test_what_only_sounds_like_arguments_stays_the_programs_own_error(lines: list[str]) -> None:
    assert only(world(crashing(2), log=lines)).code == "APP_ERROR"


def test_help_text_under_a_usage_line_blames_nothing() -> None:
    log = ["unknown flag: --x", "Usage:", "  app [flags]", "", "Flags:", "  --retry   on connection refused"]
    assert only(world(crashing(2), log=log)).code == "BAD_ARGUMENTS"


def test_a_line_that_only_says_the_end_gives_way_to_the_reason_before_it() -> None:
    log = ["ERROR dial tcp 10.0.0.9:5432: connect: connection refused", "ERROR giving up, exiting"]
    found = only(world(crashing(), log=log))
    assert found.code == "DEPENDENCY_UNREACHABLE"
    assert any("connection refused" in e.says for e in found.evidence)


def test_a_program_that_got_its_arguments_right_again_is_no_finding() -> None:
    well = pod(state=running(90_000), ready=True, restarts=3, last=died(2, ago_s=90_000))
    assert codes(world(well, log=["unknown flag: --prot"])) == []


# pods of one owner


REPLICAS = ("cart-7d4b9c6f5-aaaaa", "cart-7d4b9c6f5-bbbbb", "cart-7d4b9c6f5-ccccc", "cart-7d4b9c6f5-ddddd")
REFUSED = "fatal: dial tcp 10.0.0.9:5432: connect: connection refused"


def read_of(facts: Facts, *names: str) -> Facts:
    """Only the logs of these pods were worth a request."""
    return replace(facts, logs=tuple(tail for tail in facts.logs if tail.pod.name in names))


@pytest.mark.parametrize(
    ("line", "code"),
    [(REFUSED, "DEPENDENCY_UNREACHABLE"), ("exec /app/run: exec format error", "WRONG_ARCHITECTURE")],
)
def test_pods_whose_log_was_not_read_share_the_cause_of_those_that_died_alike(line: str, code: str) -> None:
    facts = read_of(world(*[crashing(name=name) for name in REPLICAS], log=[line]), *REPLICAS[:2])
    found = only(facts)
    assert found.code == code
    assert sum(symptom.startswith("Pod ") for symptom in found.symptoms) == len(REPLICAS)


def test_an_unrelated_absent_configmap_is_not_blamed_for_the_pods_whose_log_was_not_read() -> None:
    many = [crashing(name=name, container=reads("cart-extra")) for name in REPLICAS]
    facts = world(*many, log=["panic: index out of range [3]"], lookups=[missing("cart-extra")])
    assert only(read_of(facts, *REPLICAS[:2])).code == "APP_ERROR"


def test_a_pod_that_died_otherwise_than_its_siblings_is_not_explained_by_their_log() -> None:
    facts = world(crashing(name=REPLICAS[0]), crashing(139, name=REPLICAS[1]), log=[REFUSED])
    assert codes(read_of(facts, REPLICAS[0])) == ["DEPENDENCY_UNREACHABLE", "KILLED_BY_SIGNAL"]


def test_a_borrowed_line_is_quoted_from_the_pod_that_wrote_it() -> None:
    facts = read_of(world(*[crashing(name=name) for name in REPLICAS[:2]], log=[REFUSED]), REPLICAS[1])
    quotes = [e.query for e in only(facts).evidence if e.source == "pod log"]
    assert quotes == [f"previous log of Pod shop/{REPLICAS[1]}, container web"]


def test_a_pod_of_another_revision_is_not_explained_by_the_old_ones_log() -> None:
    owner = {"kind": "ReplicaSet", "name": "cart-5f5f5f5f5", "controller": True, "apiVersion": "apps/v1"}
    labels = {"app": "cart", "pod-template-hash": "5f5f5f5f5"}
    new = crashing(name="cart-5f5f5f5f5-zzzzz", metadata={"ownerReferences": [owner], "labels": labels})
    facts = read_of(world(crashing(name=REPLICAS[0]), new, log=[REFUSED]), REPLICAS[0])
    assert sorted(codes(facts)) == ["APP_ERROR", "DEPENDENCY_UNREACHABLE"]


# over and done


@pytest.mark.parametrize(("ago_s", "lived_s"), [(50_000, 90_000), (3000, 90_000), (700, 20)])
def test_one_crash_that_the_restart_made_good_is_no_finding(ago_s: float, lived_s: float) -> None:
    once = died(ago_s=ago_s, lived_s=lived_s)
    well = pod(state=running(ago_s - 1), ready=True, restarts=1, last=once)
    assert codes(world(well, log=["level=error msg=bang"])) == []


def test_a_crash_every_few_hours_is_found_between_two_of_them() -> None:
    again = died(ago_s=7000, lived_s=10_000)
    sick = pod(state=running(6990), ready=True, restarts=4, last=again)
    assert codes(world(sick, log=["level=error msg=bang"])) == ["APP_ERROR"]
