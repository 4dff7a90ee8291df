"""Programs that end, probes that kill: the exit code narrows, the event or the log line decides."""

import pytest

from tests.eks.diagnosis.worlds import (
    LOOP,
    codes,
    crashing,
    died,
    happened,
    only,
    pod,
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
